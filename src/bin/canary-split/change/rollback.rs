//! Everyone to stable, in any state of the rule.

use super::place::path_of;
use super::rule::Chosen;
use super::verdict::{self, Verdict};
use super::weights::{edits, said};
use super::{Change, Refusal};
use crate::edit::{Edit, Shown, Step, fields};
use crate::input::manifest::PluginConfig;
use crate::input::weights::Present;
use crate::input::yaml::{self, Node};
use crate::world::host::overlap;
use canary_split::config::ConfigError;
use canary_split::rule::Rule;
use serde_json::Value;

/// More faults than this are for an editor.
const MOST_FAULTS: usize = 32;
/// Without these a rule would match other requests, or be empty.
const NEEDED: [&str; 7] = ["name", "hosts", "match", "split", "subset", "adopt", "remember"];

/// Every canary at 0; under `keep`, with `evict`, out of the split.
pub fn change(config: &PluginConfig, rule: Chosen, evict: bool) -> Result<Change, Refusal> {
    let name = rule.name;
    let old = rule.present().map_err(Refusal::Fault)?;
    let mut new = all_to_stable(&old);
    let mut notes = Vec::new();
    let mut edits = edits(&old, &new);
    let has = |field: &str| rule.node.get(field).is_some_and(|node: &Node| !matches!(node.value, yaml::Value::Null));
    let has_plan = has("ramp");
    if has_plan {
        edits.push(Edit::remove(fields(["ramp"])));
    }
    let without = without_faults(config, rule, &mut edits)?;
    let mut weights = said(&old, &new);
    let mut said = Vec::new();
    if has_plan {
        said.push("ramp removed".to_owned());
        notes.push("its ramp is removed: these weights stay until a new plan is written".to_owned());
    }
    for (path, fault) in without {
        let path = Shown(&path).to_string();
        said.push(format!("{path} removed"));
        notes.push(format!("{path} is removed, since it has a fault: {fault}"));
    }
    let is_keep = match verdict::after(config, rule.index, &edits) {
        Verdict::Good(rule) => keeps(&rule),
        _ => false,
    };
    let canaries = canaries_of(&old).join(", ");
    match (evict, is_keep) {
        (true, true) if old.len() > 1 => {
            edits.retain(|edit| edit.path.first() != Some(&split()) || edit.path.get(1) == Some(&Step::Item(0)));
            edits.extend((1..old.len()).rev().map(|at| Edit::remove(vec![split(), Step::Item(at)])));
            new.truncate(1);
            weights = format!("{canaries} evicted");
            notes.push(format!(
                "evicted: the visitors of {canaries} go to stable with their next request and are kept there; a subset that returns to the split starts with new visitors"
            ));
            // A ramp or a weight that names them has been removed.
            without_faults(config, rule, &mut edits)?;
        }
        (true, _) => notes.push(format!(
            "--evict has nothing to do: rule {name} keeps nobody, and a weight of 0 sends everybody to stable"
        )),
        (false, true) if old.len() > 1 => {
            notes.push(format!(
                "visitors who are kept in {canaries} stay there (onWeightChange: keep); --evict sends them to stable"
            ));
        }
        _ => {}
    }
    if has("guard") && !edits.is_empty() {
        notes.push("a trip of its guard ends with this edit; the weight of 0 takes its place".to_owned());
    }
    notes.extend(others_to(config, rule, &canaries_of(&old)));
    let said = [weights].into_iter().filter(|weights| !weights.is_empty()).chain(said).collect::<Vec<_>>().join(", ");
    Ok(Change { rule: name.to_owned(), index: rule.index, edits, said, notes, old, new })
}

/// The subsets that are not stable.
fn canaries_of(old: &[Present]) -> Vec<&str> {
    old.iter().skip(1).map(|(name, _)| name.as_str()).collect()
}

/// The notes about rules for the same hosts that always send their requests to a canary: a rollback leaves them as they are.
fn others_to(config: &PluginConfig, rule: Chosen, canaries: &[&str]) -> Vec<String> {
    let hosts = |node: &Node| {
        let hosts: Vec<String> =
            node.get("hosts").map_or(&[][..], Node::items).iter().filter_map(Node::text).map(str::to_owned).collect();
        if hosts.is_empty() { vec!["*".to_owned()] } else { hosts }
    };
    let own = hosts(rule.node);
    let note = |other: &Node| {
        let subset = other.get("subset").and_then(Node::text).filter(|subset| canaries.contains(subset))?;
        let is_met = hosts(other).iter().any(|host| own.iter().any(|own| overlap(own, host)));
        let name = other.get("name").and_then(Node::text).filter(|_| is_met)?;
        Some(format!(
            "rule {name} still sends its requests to {subset}: a rollback moves weights alone; change its subset, or remove the rule: canary-split remove {name}"
        ))
    };
    let rules = config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
    rules.iter().filter_map(note).collect()
}

fn keeps(rule: &Rule) -> bool {
    rule.cookie().is_some_and(|(_, keeps)| keeps)
}

fn split() -> Step {
    Step::Field("split".to_owned())
}

/// Canaries at 0. Stable keeps its weight, or gets the sum if it has none.
fn all_to_stable(old: &[Present]) -> Vec<(String, u32)> {
    let sum: u64 = old.iter().filter_map(|(_, weight)| *weight).map(u64::from).sum();
    let all = match u32::try_from(sum) {
        Ok(0) => 100,
        Ok(sum) => sum,
        Err(_) => u32::MAX,
    };
    let weight = |(at, (name, weight)): (usize, &Present)| match at {
        0 => (name.clone(), weight.filter(|weight| *weight > 0).unwrap_or(all)),
        _ => (name.clone(), 0),
    };
    old.iter().enumerate().map(weight).collect()
}

/// Adds the edits that make the rule valid: removes optional fields with faults, as few as possible. Returns what was removed,
/// and why.
fn without_faults(
    config: &PluginConfig,
    rule: Chosen,
    edits: &mut Vec<Edit>,
) -> Result<Vec<(Vec<Step>, String)>, Refusal> {
    let mut removed = Vec::new();
    let whole = verdict::value(config);
    let before = whole.get("rules").and_then(|rules| rules.get(rule.index)).cloned().unwrap_or_default();
    let mut errors = faults(config, rule, edits)?;
    for _ in 0..MOST_FAULTS {
        let Some(error) = errors.first().cloned() else { return Ok(removed) };
        let Some((path, fewer)) = removable(config, rule, &before, &errors, edits) else {
            return Err(Refusal::Fault(format!(
                "rule {} has a fault that no rollback can remove: {error}; fix it, then roll back; the gateways have what was in force before the fault, or nothing of this rule",
                rule.name
            )));
        };
        edits.retain(|edit| !edit.path.starts_with(&path));
        edits.push(Edit::remove(path.clone()));
        removed.push((path, error.to_string()));
        errors = fewer;
    }
    Err(Refusal::Fault(format!("rule {} has more than {MOST_FAULTS} faults; canary-split check lists them", rule.name)))
}

/// The smallest part of the rule whose removal leaves fewer faults, and these faults.
fn removable(
    config: &PluginConfig,
    rule: Chosen,
    before: &Value,
    errors: &[ConfigError],
    edits: &[Edit],
) -> Option<(Vec<Step>, Vec<ConfigError>)> {
    let error = errors.first()?;
    let path = path_of(error, rule.index, before);
    (1..=path.len()).rev().filter_map(|length| path.get(..length)).filter(|path| is_optional(path)).find_map(|path| {
        let mut edits: Vec<Edit> = edits.iter().filter(|edit| !edit.path.starts_with(path)).cloned().collect();
        edits.push(Edit::remove(path.to_vec()));
        let left = faults(config, rule, &edits).ok()?;
        (left.len() < errors.len()).then(|| (path.to_vec(), left))
    })
}

/// Whether a rule can do without this part.
fn is_optional(path: &[Step]) -> bool {
    match path {
        [Step::Field(first), Step::Item(_), Step::Field(last)] if first == "split" => {
            !["subset", "weight"].contains(&last.as_str())
        }
        [Step::Field(first), .., Step::Field(_)] | [Step::Field(first)] => !NEEDED.contains(&first.as_str()),
        _ => false,
    }
}

fn faults(config: &PluginConfig, rule: Chosen, edits: &[Edit]) -> Result<Vec<ConfigError>, Refusal> {
    match verdict::after(config, rule.index, edits) {
        Verdict::Good(_) => Ok(Vec::new()),
        Verdict::Faulty(errors) => Ok(errors),
        Verdict::Refused(errors) => Err(Refusal::Fault(format!(
            "the filter refuses the whole config, so that no rollback reaches the gateways: {}; fix that first",
            verdict::first(&errors)
        ))),
    }
}
