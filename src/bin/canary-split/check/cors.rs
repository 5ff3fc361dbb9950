//! Whether pages of other hosts may ask stable and the canary alike.

use super::world::site::Site;
use super::world::table::Step;
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

/// Looks at the canary's routes, each next to the one that takes stable's requests.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let subsets = site.subsets();
        for stable in subsets.iter().filter(|named| named.is_stable) {
            for table in &site.tables {
                let mut seen = HashSet::new();
                for (canary, default) in site.pairs(table, stable) {
                    let (with, without, what) = match (has_policy(canary), has_policy(default)) {
                        (false, true) => {
                            (default, canary, "the canary's route has no corsPolicy, the default route has one")
                        }
                        (true, false) => (canary, default, "the default route has no corsPolicy, the canary's has one"),
                        _ => continue,
                    };
                    let are_answered = [with, without].iter().all(|step| !step.route.destinations.is_empty());
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

fn has_policy(step: &Step) -> bool {
    step.setting("corsPolicy").is_some_and(|policy| !matches!(policy.value, Value::Null))
}
