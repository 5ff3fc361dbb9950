//! Whether two subsets of a rule are the same pods.

use super::header::ELSEWHERE;
use super::stable::has_canary;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::plugin::Named;
use crate::world::pods::{Common, Selected, in_common};
use crate::world::routing::{Destination, VirtualService};
use crate::world::site::Site;
use canary_split::rule::Target;
use std::collections::HashSet;

const SHARED: Code = Code {
    name: "shared-pods",
    severity: Severity::Error,
    why: "a pod with the labels of both gets the requests of both: visitors for whom the filter chooses one subset see the other",
    fix: "give each subset a label of its own, as in version: v1 and version: v2",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&SHARED];

/// A destination of a subset's route.
#[derive(Clone, Copy)]
struct End<'t, 'o> {
    service: &'t VirtualService<'o>,
    destination: &'t Destination<'o>,
    is_stables: bool,
    /// The canary for which the route is.
    canary: Option<&'t str>,
}

/// Looks at the splits, and where their requests are routed.
pub fn check<'o>(world: &World<'o>, sites: &[Site<'_, 'o>], findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for site in sites.iter().filter(|site| matches!(site.rule.target, Target::Split(_))) {
        for (one, other) in site.apart() {
            let is_new = seen.insert((&site.rule.name, one.destination.place(), other.destination.place()));
            if is_new && let Some(finding) = compared(world, &site.rule.name, one, other) {
                findings.push(finding);
            }
        }
    }
}

impl<'o> Site<'_, 'o> {
    /// The destinations of one subset's routes next to those of another's, for requests that differ in nothing else.
    fn apart(&self) -> Vec<(End<'_, 'o>, End<'_, 'o>)> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let subsets = self.subsets();
        let values: Vec<_> =
            subsets.iter().filter(|named| named.is_stable).map(|named| &*named.subset.header_value).collect();
        for (table, named) in self.tables.iter().flat_map(|table| subsets.iter().map(move |named| (table, named))) {
            for (others, own) in self.pairs(table, named) {
                let is_others = values.iter().any(|value| others.takes(self.header, value));
                let is_its = |named: &&Named| others.takes(self.header, &named.subset.header_value);
                let mut canaries = subsets.iter().filter(|named| !named.is_stable);
                let canary = canaries.find(is_its).map(|named| &*named.subset.name);
                for destination in &own.route.destinations {
                    let one = End { service: own.service, destination, is_stables: named.is_stable, canary: None };
                    let new = others.route.destinations.iter().filter(|other| !other.is_same(destination));
                    for destination in new {
                        let other = End { service: others.service, destination, is_stables: is_others, canary };
                        let (first, second) = (one.destination.place(), destination.place());
                        if seen.insert((first.min(second), first.max(second))) {
                            all.push((one, other));
                        }
                    }
                }
            }
        }
        all
    }
}

/// A canary's route that names no subset, while the DestinationRule has the canary's and stable's route names its own.
fn without_subset(world: &World, canary: End, stable: End) -> Option<Finding> {
    let (destination, name) = (canary.destination, canary.canary.filter(|_| !canary.is_stables)?);
    let has_it = || world.rules_of(destination).iter().any(|rule| rule.subset(name).is_some());
    let is_without = !destination.is_backend() && !destination.has_subset() && stable.destination.has_subset();
    if !is_without || !stable.destination.is_with(destination) || !has_it() {
        return None;
    }
    let (host, misplaced) = (destination.host.1, destination.entry.get("subset"));
    let what = if misplaced.is_some() { "has its subset next to its destination" } else { "names no subset" };
    let message =
        format!("the route for {name} {what}: it leads to all pods of {host}; write subset: {name} below destination");
    let node = misplaced.unwrap_or(destination.host.0);
    Some(Finding::new(&ELSEWHERE, &canary.service.object.source, &node.span, message))
}

fn compared<'o>(world: &World<'o>, rule: &str, one: End<'_, 'o>, other: End<'_, 'o>) -> Option<Finding> {
    // That is another finding.
    let is_whole = |whole: End<'_, 'o>, canary: End<'_, 'o>| {
        whole.is_stables && !whole.destination.has_subset() && has_canary(world, whole.destination, canary.destination)
    };
    if is_whole(one, other) || is_whole(other, one) {
        return None;
    }
    if let Some(finding) = without_subset(world, other, one) {
        return Some(finding);
    }
    let (common, wider) = match in_common(world, one.destination, other.destination) {
        Common::None => return None,
        Common::All => ("all pods", other),
        Common::First => ("pods", one),
        Common::Second | Common::Some => ("pods", other),
    };
    let title = |destination: &Destination| match destination.subset {
        Some((_, subset)) => format!("subset {subset}"),
        None => destination.host.1.to_owned(),
    };
    let (first, second) = (title(one.destination), title(other.destination));
    let message = format!("rule {rule} divides between {first} and {second}, which have {common} in common");
    let subset = Selected::of(world, wider.destination).and_then(|selected| selected.subset);
    let host = wider.destination.host.0;
    let node: &Node = subset.map_or(host, |(_, subset)| subset.get("labels").unwrap_or(subset));
    let object = subset.map_or(wider.service.object, |(rule, _)| rule.object);
    Some(Finding::new(&SHARED, &object.source, &node.span, message))
}
