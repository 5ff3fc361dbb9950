//! What only stable has: a rule of its own keeps these visitors from a draw that means nothing there.

use super::entry::Entry;
use super::order;
use super::read::Route;
use super::unit::Unit;
use crate::convert::gateway::Controller;
use crate::convert::rule::{Rule, Target};
use crate::input::yaml::{Node, Value};
use std::cmp::Ordering;

/// The rule for requests that rules without weights lead to stable alone, whatever a rule with weights asks for. `first`: the rule of
/// the weights, which takes all that is left.
pub fn of(unit: &Unit, first: &Rule, stable: &str, by: Controller) -> Option<Rule> {
    let mut matches = Vec::new();
    for (place, (route, _)) in unit.0.iter().enumerate() {
        let own = || route.weighted.iter().filter_map(|weighted| Some((weighted, weighted.branch(stable)?)));
        let stables: Vec<String> = own()
            .filter_map(|(weighted, branch)| backend(weighted.node.get("backendRefs")?.items().get(branch.at)?))
            .collect();
        for (rule, entries) in route.rules.iter().enumerate() {
            let is_weighted = route.weighted.iter().any(|weighted| weighted.at == rule);
            if is_weighted || !leads_to_one_of(route.node(rule), &stables) {
                continue;
            }
            if entries.iter().all(|entry| is_before_all(unit, (place, rule), entry, by)) {
                matches.extend(entries.iter().flat_map(Entry::conditions));
            }
        }
    }
    (!matches.is_empty()).then(|| Rule {
        name: format!("{}-stable", first.name),
        hosts: first.hosts.clone(),
        matches,
        target: Target::Subset(stable.to_owned()),
    })
}

/// Whether an entry takes its requests before every rule with weights.
fn is_before_all(unit: &Unit, (place, rule): (usize, usize), entry: &Entry, by: Controller) -> bool {
    let weighted = |(number, (route, _)): (usize, &'_ (Route<'_>, _))| {
        let rules = route.weighted.iter().map(move |weighted| (number, weighted.at));
        rules.collect::<Vec<_>>()
    };
    let mut all = unit.0.iter().enumerate().flat_map(weighted);
    all.all(|(other, at)| {
        let entries = unit.0.get(other).and_then(|(route, _)| route.rules.get(at)).into_iter().flatten();
        let mut met = entries.filter(|theirs| theirs.may_meet(entry));
        met.all(|theirs| match order::compare(entry, theirs, by) {
            Ordering::Greater => true,
            Ordering::Equal => other == place && rule < at,
            Ordering::Less => false,
        })
    })
}

/// Where a backend leads, whatever share it has.
fn backend(node: &Node) -> Option<String> {
    let text = |key: &str| node.get(key).map(Node::to_json).unwrap_or_default();
    node.get("name")?;
    Some(["group", "kind", "namespace", "name", "port"].map(text).join(" "))
}

fn leads_to_one_of(rule: &Node, stables: &[String]) -> bool {
    let is_used = |node: &&Node| {
        !matches!(node.get("weight").map(|weight| (&weight.value, weight.number())), Some((Value::Number(_), Some(0))))
    };
    let backends = rule.get("backendRefs").map_or(&[][..], Node::items);
    let mut used = backends.iter().filter(is_used);
    match (used.next().and_then(backend), used.next()) {
        (Some(only), None) => stables.contains(&only),
        _ => false,
    }
}
