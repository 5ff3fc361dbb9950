//! Whether pages of other hosts may ask stable and the canary alike.

use super::world::plugin::Named;
use super::world::routing::Destination;
use super::world::site::Site;
use super::world::table::{Step, Table};
use crate::input::yaml::Value;
use crate::report::finding::{Code, Finding, Severity};
use std::collections::HashSet;

const CORS: Code = Code {
    name: "cors-of-one-route",
    severity: Severity::Warning,
    why: "a preflight has no cookie and may get to either route, and the answer of each route needs the policy: browsers refuse the others",
    fix: "give the canary's route and the default route the same corsPolicy, if the application does not answer preflights itself",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&CORS];

/// Looks at the canary's routes, each next to those that take stable's requests in its place.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let subsets = site.subsets();
        for stable in subsets.iter().filter(|named| named.is_stable) {
            for table in &site.tables {
                let mut seen = HashSet::new();
                let mut pairs = site.pairs(table, stable);
                pairs.extend(site.answered(table, stable));
                for (canary, default) in pairs {
                    let (without, what) = match (has_policy(canary), has_policy(default)) {
                        (false, true) => (canary, "the canary's route has no corsPolicy, the default route has one"),
                        (true, false) => (default, "the default route has no corsPolicy, the canary's has one"),
                        _ => continue,
                    };
                    let are_answered = [canary, default].iter().all(|step| !step.route.destinations.is_empty());
                    if are_answered && seen.insert(std::ptr::from_ref(without.route)) {
                        let object = without.service.object;
                        let message = format!("{}: {what}", object.title());
                        findings.push(Finding::new(&CORS, &object.source, &without.route.node.span, message));
                    }
                }
            }
        }
    }
}

impl<'w, 'o> Site<'w, 'o> {
    /// Routes of stable's with a policy for some of the requests, each with the canary's route that takes such requests.
    fn answered<'t>(&self, table: &'t Table<'w, 'o>, stable: &Named<'w>) -> Vec<(&'t Step<'w, 'o>, &'t Step<'w, 'o>)> {
        let subsets = self.subsets();
        let stables = self.stables(table, stable);
        let is_stables = |destination: &Destination| stables.iter().any(|stable| stable.is_same(destination));
        let mut answered = Vec::new();
        for canary in subsets.iter().filter(|named| !named.is_stable) {
            for class in self.classes(&canary.subset.header_value) {
                for step in table.steps.iter().filter(|step| has_policy(step)) {
                    if !step.route.destinations.iter().all(is_stables) {
                        continue;
                    }
                    for entry in step.entries.iter().filter(|entry| !entry.asks_for(self.header)) {
                        let known: Vec<_> = class.known().into_iter().chain(entry.asked.iter().copied()).collect();
                        let taker = table.taker(&known, 0).map(|(_, taker)| taker);
                        let is_canarys = |taker: &&Step| taker.takes(self.header, &canary.subset.header_value);
                        answered.extend(taker.filter(is_canarys).map(|taker| (taker, step)));
                    }
                }
            }
        }
        answered
    }
}

fn has_policy(step: &Step) -> bool {
    step.setting("corsPolicy").is_some_and(|policy| !matches!(policy.value, Value::Null))
}
