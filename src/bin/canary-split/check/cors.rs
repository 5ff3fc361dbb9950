//! Whether pages of other hosts may ask stable and the canary alike.

use super::same::{differing, place, setting};
use crate::report::finding::{Code, Finding, Severity};
use crate::world::site::Site;
use std::collections::HashSet;

const CORS: Code = Code {
    name: "cors-of-one-route",
    severity: Severity::Warning,
    why: "a preflight has no cookie and may get to either route, so both need the policy: browsers refuse an answer without it",
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
                pairs.extend(site.answered(table, stable, "corsPolicy"));
                for (canary, default) in pairs {
                    let policies = (setting(canary, "corsPolicy"), setting(default, "corsPolicy"));
                    let (wrong, what) = match policies {
                        (None, Some(_)) => {
                            let word = canary.route.word("corsPolicy");
                            (canary, format!("the canary's route has no {word}, the default route has one"))
                        }
                        (Some(_), None) => {
                            let word = default.route.word("corsPolicy");
                            (default, format!("the default route has no {word}, the canary's has one"))
                        }
                        (own, other) => match differing(own, other).as_slice() {
                            [] => continue,
                            fields => (
                                canary,
                                format!("the canary's route and the default route differ in {}", fields.join(" and ")),
                            ),
                        },
                    };
                    let are_answered = [canary, default].iter().all(|step| !step.route.destinations.is_empty());
                    if are_answered && seen.insert(std::ptr::from_ref(wrong.route)) {
                        let fields = differing(policies.0, policies.1);
                        let (object, node) = place(wrong, "corsPolicy", fields.first().map_or("", String::as_str));
                        let message = format!("{}: {what}", object.title());
                        findings.push(Finding::new(&CORS, &object.source, &node.span, message));
                    }
                }
            }
        }
    }
}
