//! The difference between two versions of a plugin that a gateway has in force one after the other.

use super::note::Note;
use super::rollout;
use super::rule::{Change, RuleDiff, identity};
use crate::input::manifest::PluginConfig;
use crate::report::fault::FaultAt;
use crate::report::plan::as_of;
use canary_split::config::{Config, General};
use canary_split::reload::{Served, State};
use canary_split::rollout::ramp::Second;
use canary_split::rule::Rule;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// A plugin before and after.
#[derive(Debug, Serialize)]
pub struct PluginDiff {
    /// `NAMESPACE/NAME`, or the file's name.
    pub plugin: String,
    /// Its change.
    pub change: Change,
    /// Notes about the whole plugin.
    pub notes: Vec<Note>,
    /// Its rules: those of after in their order, then those that are gone.
    pub rules: Vec<RuleDiff>,
}

/// A config in force.
struct InForce {
    config: Config,
    seal: Option<String>,
}

/// Compares two versions of a plugin, of which one may be absent. Faults of both are added; a rule with faults counts as on the
/// gateway: as it was before, or off.
pub fn between(
    old: Option<&PluginConfig>,
    new: Option<&PluginConfig>,
    now: Second,
    faults: &mut Vec<FaultAt>,
) -> PluginDiff {
    let mut state = State::default();
    let mut seal = None;
    let [before, after] = [old, new].map(|config| {
        let config = config?;
        let text = config.json();
        let evaluation = state.evaluate(text.as_bytes());
        state = state.after(&Served::new(text.as_bytes(), &evaluation), 0);
        // A refused config leaves the earlier seal in force.
        if let Ok((general, _)) = General::parse(text.as_bytes()) {
            seal = general.seal;
        }
        faults.extend(FaultAt::all(config, &evaluation.faults));
        Some(InForce { config: evaluation.config, seal: seal.clone() })
    });
    let plugin = new.or(old).map(PluginConfig::title).unwrap_or_default();
    let mut notes = Vec::new();
    if let (Some(before), Some(after)) = (&before, &after) {
        general_notes(before, after, &mut notes);
    }
    let rules_of = |in_force: Option<&InForce>| in_force.map(|it| it.config.rules.clone()).unwrap_or_default();
    let (was, is) = (rules_of(before.as_ref()), rules_of(after.as_ref()));
    let rules = rules(&was, &is, now);
    if order(&was, &is) != order(&is, &was) {
        let list = order(&is, &was).join(", ");
        notes.push(Note::new(
            "order",
            format!("the order of the rules has changed: {list}; the first that matches decides"),
        ));
    }
    let is_same = notes.is_empty() && rules.iter().all(|rule| rule.change == Change::Same);
    let change = match (&before, &after) {
        (None, _) => Change::New,
        (_, None) => Change::Gone,
        _ if is_same => Change::Same,
        _ => Change::Changed,
    };
    PluginDiff { plugin, change, notes, rules }
}

/// The names of the rules that exist on both sides, in their order.
fn order<'r>(rules: &'r [Rule], others: &[Rule]) -> Vec<&'r str> {
    let known: HashSet<&str> = others.iter().map(|other| other.name.as_str()).collect();
    rules.iter().map(|rule| rule.name.as_str()).filter(|name| known.contains(name)).collect()
}

fn rules(old: &[Rule], new: &[Rule], now: Second) -> Vec<RuleDiff> {
    let named = |rules: &[Rule]| rules.iter().zip(0_usize..).map(|(rule, at)| (rule.name.clone(), at)).collect();
    let (was, is): (HashMap<String, usize>, HashMap<String, usize>) = (named(old), named(new));
    let gone: Vec<&Rule> = old.iter().filter(|rule| !is.contains_key(&rule.name)).collect();
    let identities: HashMap<_, _> = gone.iter().filter_map(|rule| Some((identity(rule)?, &rule.name))).collect();
    let diff = |rule: &Rule| {
        if let Some(before) = was.get(&rule.name).and_then(|&at| old.get(at)) {
            let mut diff = RuleDiff::between(&as_of(before, now), &as_of(rule, now));
            diff.notes.extend(rollout::notes(before, rule, now, diff.change == Change::Same));
            if !diff.notes.is_empty() {
                diff.change = Change::Changed;
            }
            return diff;
        }
        let mut diff = RuleDiff::new(&as_of(rule, now));
        diff.notes.extend(rollout::plan(rule, now));
        if let Some(before) = identity(rule).and_then(|identity| identities.get(&identity)) {
            let text = format!("rule {before} under another name: cookie, draws and kept subsets go by the name");
            let help = format!(
                "with sticky.salt and sticky.cookie.name as rule {before} has them, nobody moves (kept subsets aside)"
            );
            diff.notes.push(Note::new("renamed", text).help(help));
        }
        diff
    };
    new.iter().map(diff).chain(gone.iter().map(|rule| RuleDiff::gone(&as_of(rule, now)))).collect()
}

fn general_notes(old: &InForce, new: &InForce, notes: &mut Vec<Note>) {
    let (was, is) = (&old.config.header, &new.config.header);
    if was != is {
        let text = format!("the header is {is} instead of {was}");
        notes.push(
            Note::new("header", text)
                .help("change the routes of the VirtualServices with it; a route for the old one is never taken"),
        );
    }
    let shown = |header: &Option<String>| header.clone().unwrap_or_else(|| "none".to_owned());
    let (was, is) = (&old.config.response_header, &new.config.response_header);
    if was != is {
        notes.push(Note::new(
            "responseHeader",
            format!("the response header is {} instead of {}", shown(is), shown(was)),
        ));
    }
    if old.seal != new.seal {
        let what = match (&old.seal, &new.seal) {
            (None, _) => "there is a seal now",
            (_, None) => "there is no longer a seal",
            _ => "the seal has changed",
        };
        notes.push(Note::new("seal", what).help("change the value that the routes of the VirtualServices match with it; a route for the old one is never taken"));
    }
}
