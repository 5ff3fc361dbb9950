//! Changes of rules in the cluster: shown, confirmed, written, and awaited on every gateway.

use super::file::Target;
use super::place;
use super::print::{Place, Told, Way, say};
use super::rule::{self, Chosen};
use super::{Change, Refusal};
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::patch::{self, Refused};
use crate::cluster::rollout::{self, Reached};
use crate::diff::Diff;
use crate::edit::{self, Test};
use crate::input::manifest::{Object, PluginConfig};
use crate::input::stderr;
use crate::report::fault::{self, FaultAt};
use crate::report::output::{Output, print};
use canary_split::config::General;
use canary_split::reload::State;
use kube::Client;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// What to do to a rule of a config.
pub type Job<'j> = &'j dyn Fn(&PluginConfig, Chosen) -> Result<Change, Refusal>;

/// The rules to change.
#[derive(Clone, Copy)]
pub enum Rules<'n> {
    /// The rule of this name; without a name, the only one with a split.
    One(Option<&'n str>),
    /// Every rule with a split.
    All,
}

/// A plugin to write.
pub struct Plan {
    object: Object,
    old: PluginConfig,
    new: PluginConfig,
    told: Vec<Told>,
}

/// Does it; the exit code.
pub fn run(target: &Target, rules: Rules, job: Job, output: Output) -> Result<u8, String> {
    can_be_asked(target.yes || target.dry_run)?;
    target.access.run_without_files(|client| change(client, target, rules, job, output))
}

async fn change(client: Client, target: &Target, rules: Rules<'_>, job: Job<'_>, output: Output) -> Result<u8, String> {
    let begun = Instant::now();
    let inventory = Inventory::read(&client, target.access.namespace.as_deref(), Extent::Plugins).await?;
    let (plans, is_partial) = match plans(&inventory, target, rules, job)? {
        Ok(planned) => planned,
        Err(fault) => {
            stderr::say(fault);
            return Ok(1);
        }
    };
    if let Output::Text { .. } = output {
        for plan in &plans {
            plan.show(&inventory, target, output).map_err(|error| error.to_string())?;
        }
    }
    let mut is_good = !is_partial;
    for plan in &plans {
        is_good &= plan.warn_of_trips(&client, &inventory).await;
    }
    let is_edit = plans.iter().any(Plan::has_edits) && !target.dry_run;
    if is_edit && !target.yes && !agrees(plans.iter().map(|plan| plan.object.title()))? {
        return Err("nothing was written".to_owned());
    }
    let is_list = matches!(rules, Rules::All);
    let mut done = Vec::new();
    // All are written before any is awaited: a gateway that lags holds up no other plugin.
    for plan in plans {
        if !plan.has_edits() || target.dry_run {
            done.push((plan, None));
            continue;
        }
        match plan.write(&client, &inventory).await {
            Ok(written) => done.push((plan, Some(written))),
            Err(Refused::Said(why)) if !is_list => return Err(why),
            Err(refused) => {
                stderr::say(format!("{}: nothing was written: {}", plan.object.title(), refused.said()));
                is_good = false;
            }
        }
    }
    let mut listed = Vec::new();
    for (plan, written) in done {
        let in_force = written.as_ref().unwrap_or(&plan.old);
        let reached = match target.dry_run {
            true => None,
            false => Some(rollout::wait(&client, &inventory, in_force, target.timeout).await),
        };
        let faults = State::default().evaluate(in_force.json().as_bytes()).faults;
        fault::warn(&FaultAt::all(in_force, &faults));
        is_good &= faults.is_empty();
        is_good &= reached.as_ref().is_none_or(|reached| reached.behind.is_empty() && reached.total > 0);
        let took_ms = begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        match (output, &reached) {
            (Output::Json, _) => listed.extend(plan.to_json(target, written.is_some(), reached.as_ref(), took_ms)),
            (Output::Text { .. }, Some(reached)) => {
                print(told(&plan.object.title(), reached, target, took_ms).as_bytes())?;
            }
            (Output::Text { .. }, None) => {}
        }
    }
    if let Output::Json = output
        && (is_list || !listed.is_empty())
    {
        let json = if is_list { Value::from(listed) } else { listed.pop().unwrap_or_default() };
        print(format!("{json:#}\n").as_bytes())?;
    }
    Ok(u8::from(!is_good))
}

/// A change of one rule, for whoever is asked elsewhere than at a terminal.
pub fn plan(inventory: &Inventory, target: &Target, rule: &str, job: Job) -> Result<Plan, String> {
    let (plans, _) = plans(inventory, target, Rules::One(Some(rule)), job)??;
    plans.into_iter().next().ok_or_else(|| format!("no rule {rule}"))
}

/// The progress, in words.
fn told(title: &str, Reached { current, total, behind }: &Reached, target: &Target, took_ms: u64) -> String {
    let seconds = took_ms as f64 / 1000.0;
    if *total == 0 {
        format!("\n{title} is on no gateway pod: nothing is in force; canary-split check --cluster says why\n")
    } else if behind.is_empty() {
        format!("\n{title} is in force on {current} of {total} gateway pods after {seconds:.1} s\n")
    } else {
        let pods: String = behind.iter().map(|pod| format!("  {pod}\n")).collect();
        let after = target.timeout.as_secs();
        format!("\n{title} is in force on {current} of {total} gateway pods after {after} s; not on:\n{pods}")
    }
}

/// What to do to each plugin, and whether a rule could not be changed; or the fault that prevents the only change.
fn plans(
    inventory: &Inventory,
    target: &Target,
    rules: Rules,
    job: Job,
) -> Result<Result<(Vec<Plan>, bool), String>, String> {
    let all: Vec<PluginConfig> = inventory.objects.configs().filter(|config| config.object.is_some()).collect();
    let mut plugins = all.clone();
    if let Some(wanted) = &target.plugin {
        plugins.retain(|config| {
            config.title() == *wanted || config.object.as_ref().is_some_and(|object| object.name == *wanted)
        });
    }
    let titles = |of: &[PluginConfig]| of.iter().map(PluginConfig::title).collect::<Vec<_>>().join(", ");
    if plugins.is_empty() {
        let place = target.access.namespace.as_ref().map(|name| format!(" in namespace {name}")).unwrap_or_default();
        return Err(match &target.plugin {
            Some(wanted) if !all.is_empty() => format!("no plugin {wanted}{place}; there are {}", titles(&all)),
            _ => format!("no WasmPlugin of this filter{place}"),
        });
    }
    let mut is_partial = false;
    let mut plans = Vec::new();
    match rules {
        Rules::One(name) => {
            let has = |config: &&PluginConfig| match name {
                Some(name) => rule::names(config).any(|own| own == name),
                None => !rule::all(config).is_empty(),
            };
            let having: Vec<&PluginConfig> = plugins.iter().filter(has).collect();
            let config = match (having.as_slice(), plugins.as_slice()) {
                ([config], _) => (*config).clone(),
                ([], [config]) => config.clone(),
                ([], several) => {
                    let what = name.map_or("a rule with a split".to_owned(), |name| format!("a rule {name}"));
                    return Err(format!("none of the plugins {} has {what}", titles(several)));
                }
                (several, _) => {
                    let what = name.map_or("rules with a split".to_owned(), |name| format!("a rule {name}"));
                    let titles: Vec<_> = several.iter().map(|config| config.title()).collect();
                    return Err(format!("several plugins have {what}; choose with --plugin: {}", titles.join(", ")));
                }
            };
            if let Err(refused) = General::parse(config.json().as_bytes()) {
                let fault = refused.errors.first().map(ToString::to_string).unwrap_or_default();
                return Ok(Err(refused_whole(&config, &fault)));
            }
            let chosen = rule::choose(&config, name)?;
            match job(&config, chosen) {
                Ok(change) => plans.push(Plan::of(config, vec![change])?),
                Err(Refusal::Wrong(why)) => return Err(why),
                Err(Refusal::Fault(why)) => return Ok(Err(why)),
            }
        }
        Rules::All => {
            for config in plugins {
                let mut changes = Vec::new();
                if let Err(refused) = General::parse(config.json().as_bytes()) {
                    let fault = refused.errors.first().map(ToString::to_string).unwrap_or_default();
                    stderr::say(refused_whole(&config, &fault));
                    is_partial = true;
                    continue;
                }
                for chosen in rule::all(&config) {
                    match job(&config, chosen) {
                        Ok(change) => changes.push(change),
                        Err(refusal) => {
                            stderr::say(format!("{}: {}", config.title(), refusal.text()));
                            is_partial = true;
                        }
                    }
                }
                if !changes.is_empty() {
                    plans.push(Plan::of(config, changes)?);
                }
            }
            if plans.is_empty() && !is_partial {
                return Err("no rule has a split".to_owned());
            }
        }
    }
    Ok(Ok((plans, is_partial)))
}

/// Whether somebody can be asked, or nobody needs to be.
pub fn can_be_asked(is_needless: bool) -> Result<(), String> {
    if is_needless || io::stdin().is_terminal() {
        return Ok(());
    }
    Err("this is not a terminal, so nobody can be asked: give --yes, or --dry-run".to_owned())
}

/// Asks at the terminal whether to write these objects.
pub fn agrees(titles: impl Iterator<Item = String>) -> Result<bool, String> {
    let titles: Vec<String> = titles.collect();
    eprint!("\nwrite this to {}? [y/N] ", titles.join(", "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| error.to_string())?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

impl Plan {
    fn of(old: PluginConfig, changes: Vec<Change>) -> Result<Plan, String> {
        let object = old.object.clone().ok_or("not a plugin")?;
        let mut json: Value = serde_json::from_str(&object.node.to_json()).map_err(|error| error.to_string())?;
        for change in &changes {
            let rule = place::of_rule(old.carrier, change.index);
            let edits: Vec<_> = change.edits.iter().map(|edit| edit.below(&rule)).collect();
            edit::patch::apply(&mut json, &edits)?;
        }
        let new = PluginConfig::living(&json)
            .ok_or_else(|| format!("{} would be no plugin of this filter", object.title()))?;
        let told = changes.into_iter().map(|change| Told { change, done: Vec::new() }).collect();
        Ok(Plan { object, old, new, told })
    }

    /// Who moves, and what else would be done.
    pub fn shown(&self, target: &Target) -> Value {
        self.to_json(target, false, None, 0).pop().unwrap_or_default()
    }

    /// What was done, and where it is in force.
    pub fn done(&self, target: &Target, reached: &Reached, begun: Instant) -> Value {
        let took_ms = begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        self.to_json(target, self.has_edits(), Some(reached), took_ms).pop().unwrap_or_default()
    }

    /// Writes it, and waits until every gateway pod has it, or the time is over.
    pub async fn carry_out(&self, client: &Client, inventory: &Inventory, target: &Target) -> Result<Value, String> {
        let begun = Instant::now();
        let written = match self.has_edits() {
            true => self.write(client, inventory).await.map_err(|refused| refused.said())?,
            false => self.old.clone(),
        };
        let reached = rollout::wait(client, inventory, &written, target.timeout).await;
        Ok(self.done(target, &reached, begun))
    }

    /// Writes it; what the API server has then.
    async fn write(&self, client: &Client, inventory: &Inventory) -> Result<PluginConfig, Refused> {
        let object = patch::patch(client, &inventory.versions, &self.object, &self.patch()).await?;
        Ok(PluginConfig::living(&object).unwrap_or_else(|| self.new.clone()))
    }

    fn has_edits(&self) -> bool {
        self.told.iter().any(|told| !told.change.edits.is_empty())
    }

    /// Says which of its rules are tripped; true if all of these will be edited, which ends the trip. While a trip stays, the weights
    /// are not in force.
    async fn warn_of_trips(&self, client: &Client, inventory: &Inventory) -> bool {
        let mut are_edited = true;
        for (rule, subset) in rollout::tripped(client, inventory, &self.old).await {
            let Some(told) = self.told.iter().find(|told| told.change.rule == rule) else { continue };
            let is_edited = !told.change.edits.is_empty();
            let ends = if is_edited { "this edit ends the trip" } else { "any edit of the rule ends the trip" };
            stderr::say(format!("rule {rule}: the guard has removed {subset} from the split; {ends}"));
            are_edited &= is_edited;
        }
        are_edited
    }

    /// The request to the API server: it does nothing if the object or the place of a rule has changed.
    fn patch(&self) -> Value {
        let (mut tests, mut edits) = (Vec::new(), Vec::new());
        if let Some(version) = self.object.text(&["metadata", "resourceVersion"]) {
            tests.push(Test { path: edit::fields(["metadata", "resourceVersion"]), value: version.into() });
        }
        for Told { change, .. } in &self.told {
            let rule = place::of_rule(self.old.carrier, change.index);
            let name = [&rule[..], &["name".into()]].concat();
            tests.push(Test { path: name, value: change.rule.clone().into() });
            edits.extend(change.edits.iter().map(|edit| edit.below(&rule)));
        }
        edit::patch::of(&tests, &edits)
    }

    fn diff(&self, target: &Target) -> Diff {
        Diff::between(std::slice::from_ref(&self.old), std::slice::from_ref(&self.new), target.now())
    }

    fn show(&self, inventory: &Inventory, target: &Target, output: Output) -> io::Result<()> {
        let way = Way { is_dry: target.dry_run, is_written: false, is_list: false, took_ms: 0 };
        let place = Place { name: self.object.title(), plugin: Some(self.old.title()), gateways: None };
        let mut out = Vec::new();
        say(&place, &self.told, &self.diff(target), &way, output, &mut out)?;
        if let Some(manager) = inventory.manager(&self.object) {
            writeln!(out, "note: {} is managed by {}", self.object.title(), manager.said())?;
        }
        print(&out).map_err(io::Error::other)
    }

    fn to_json(&self, target: &Target, is_written: bool, reached: Option<&Reached>, took_ms: u64) -> Vec<Value> {
        let way = Way { is_dry: target.dry_run, is_written, is_list: true, took_ms };
        let gateways = reached.map(Reached::to_json);
        let place = Place { name: self.object.title(), plugin: Some(self.old.title()), gateways };
        super::print::listed(&place, &self.told, &self.diff(target), &way)
    }
}

/// Why a config cannot be changed at all.
fn refused_whole(config: &PluginConfig, fault: &str) -> String {
    format!(
        "the filter refuses the whole config of {}, and gateways keep what they had: {fault}; fix that first",
        config.title()
    )
}
