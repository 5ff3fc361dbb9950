//! Whether anything but the filter divides its requests.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::plugin::Named;
use crate::world::routing::{Destination, Route};
use crate::world::site::Site;
use crate::world::table::{Met, Step};
use crate::world::text::Taken;
use std::collections::HashSet;

const WEIGHTS: Code = Code {
    name: "weighted-route",
    severity: Severity::Error,
    why: "the gateway divides these requests once more, each by itself: the shares are not those of the rule, and visitors see both versions",
    fix: "leave one destination, or give all but one a weight of 0; the weights belong in the rule",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&WEIGHTS];

/// Looks at the routes that requests of every rule meet.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites.iter().filter(|site| site.steps().any(|step| is_shared(step.route))) {
        let subsets = site.subsets();
        let routed = site.routed(&subsets);
        let mut seen = HashSet::new();
        for named in subsets.iter().filter(|named| named.is_chosen) {
            for class in site.classes(&named.subset.header_value) {
                for table in &site.tables {
                    let is_wrong = |met: &Met| {
                        is_shared(met.step.route)
                            && site.is_about(met, &subsets, &routed)
                            && site.gets_to(table, met, &class)
                    };
                    for met in table.met(&class.known()).iter().filter(|met| is_wrong(met)) {
                        if seen.insert(std::ptr::from_ref(met.step.route)) {
                            findings.push(finding(site, met));
                        }
                    }
                }
            }
        }
    }
}

/// Whether a route divides its requests between versions.
fn is_shared(route: &Route) -> bool {
    let mut destinations = route.destinations.iter();
    let Some(first) = destinations.next() else { return false };
    destinations.any(|other| !first.is_same(other))
}

fn finding(site: &Site, met: &Met) -> Finding {
    let (object, route) = (met.step.service.object, met.step.route);
    let title = |destination: &Destination| {
        let name = destination.subset.map_or(destination.host.1, |(_, subset)| subset);
        let weight = destination.entry.get("weight").map(|weight| format!(" {}", weight.to_json()));
        format!("{name}{}", weight.unwrap_or_default())
    };
    let shares: Vec<_> = route.destinations.iter().map(title).collect();
    let message =
        format!("{} divides requests of rule {} between {}", object.title(), site.rule.name, shares.join(" and "));
    let weight = route.destinations.iter().find_map(|destination| destination.entry.get("weight"));
    let node = weight.unwrap_or(route.node_of_destinations());
    Finding::new(&WEIGHTS, &object.source, &node.span, message)
}

impl<'o> Site<'_, 'o> {
    /// Where the routes lead to that ask for the header of one of these subsets, each place once.
    fn routed<'s>(&'s self, subsets: &[Named]) -> Vec<&'s Destination<'o>> {
        let asks = |step: &&Step| subsets.iter().any(|named| step.takes(self.header, &named.subset.header_value));
        let steps = self.steps().filter(asks);
        let mut seen = HashSet::new();
        let mut is_new = |destination: &&Destination| {
            seen.insert((destination.host.1.to_owned(), destination.subset.map(|(_, subset)| subset.to_owned())))
        };
        steps.flat_map(|step| &step.route.destinations).filter(|destination| is_new(destination)).collect()
    }

    /// Whether one of a route's destinations is a version that the rule chooses from: by the name of its subset or Service, or
    /// because a route for the header leads there. On a path of its own another application may have subsets of these names.
    fn is_about(&self, met: &Met, subsets: &[Named], routed: &[&Destination]) -> bool {
        let is_named = |name: &str| subsets.iter().any(|named| *named.subset.name == *name);
        let is_near = |destination: &Destination| {
            met.taken == Taken::All || routed.is_empty() || routed.iter().any(|routed| routed.is_with(destination))
        };
        let is_its = |destination: &Destination| match destination.subset {
            Some((_, subset)) => is_named(subset) && is_near(destination),
            None => {
                let has_all = routed.iter().any(|routed| routed.is_with(destination));
                has_all || subsets.iter().any(|named| destination.is_called(&named.subset.name))
            }
        };
        let is_routed = |destination: &Destination| routed.iter().any(|routed| routed.is_same(destination));
        met.step.route.destinations.iter().any(|destination| is_its(destination) || is_routed(destination))
    }
}
