//! Whether the canary's routes treat requests as stable's do.

use super::same::{differing, milliseconds, place, setting};
use super::websocket::TIMEOUT;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::routing::leads_alike;
use crate::world::site::Site;
use crate::world::table::Step;
use std::collections::HashSet;
use std::rc::Rc;

const DIFFER: Code = Code {
    name: "settings-differ",
    severity: Severity::Warning,
    why: "more than the versions differs: the canary answers other paths, gives up earlier or retries less often than stable, so its errors and times say nothing about it",
    fix: "give the canary's route the same timeout, retries and rewrite as the route that takes stable's requests in its place",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&DIFFER];

/// What a route is written for, and copied from the other: headers, faults and mirrors may well be for one version alone.
const COPIED: [&str; 3] = ["rewrite", "timeout", "retries"];

/// Looks at the canary's routes, each next to those that take stable's requests in its place.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    let place = |finding: &Finding| (Rc::as_ptr(&finding.source), finding.span.start);
    let known = findings.iter().filter(|finding| *finding.code == TIMEOUT).map(place);
    let known: HashSet<_> = known.collect();
    for site in sites {
        let subsets = site.subsets();
        for stable in subsets.iter().filter(|named| named.is_stable) {
            for table in &site.tables {
                let mut seen = HashSet::new();
                let pairs = site.pairs(table, stable).into_iter().map(|pair| (pair, &COPIED[..]));
                // How long a path may take is that path's own matter; where it leads to is not.
                let below = site.answered(table, stable, "rewrite").into_iter().map(|pair| (pair, &COPIED[..1]));
                for ((canary, default), keys) in pairs.chain(below) {
                    if canary.route.destinations.is_empty() || !is_in_place(default, canary, &stable.subset.name) {
                        continue;
                    }
                    for key in keys.iter().filter(|key| !is_alike(canary, default, key)) {
                        if seen.insert((std::ptr::from_ref(canary.route), *key)) {
                            let finding = finding(canary, default, key);
                            findings.extend(Some(finding).filter(|finding| !known.contains(&place(finding))));
                        }
                    }
                }
            }
        }
    }
}

/// Whether a route is stable's for the canary's application, and not another one's that takes what is left.
fn is_in_place(default: &Step, canary: &Step, stable: &str) -> bool {
    let all = &default.route.destinations;
    let is_stables = all.iter().any(|destination| destination.is_called(stable));
    !all.is_empty() && (is_stables || leads_alike(default.route, canary.route) || default.uris() == canary.uris())
}

/// What a route says of a setting; a timeout that is off is none.
fn said<'o>(step: &Step<'_, 'o>, key: &str) -> Option<&'o Node> {
    setting(step, key).filter(|node| key != "timeout" || node.text().and_then(milliseconds) != Some(0))
}

/// Whether both say the same, as far as they can be compared.
fn is_alike(canary: &Step, default: &Step, key: &str) -> bool {
    let (own, other) = (said(canary, key), said(default, key));
    let is_its_own = match key {
        // A timeout of the canary alone is another finding where both lead to one host.
        "timeout" => other.is_none() && leads_alike(canary.route, default.route),
        // From another path another one may be right, and one that stable does not have.
        "rewrite" => own.is_some() && canary.uris() != default.uris(),
        _ => false,
    };
    is_its_own || differing(own, other).is_empty()
}

fn finding(canary: &Step, default: &Step, key: &str) -> Finding {
    let (own, other) = (said(canary, key), said(default, key));
    let fields = differing(own, other);
    let field = fields.first().map_or("", String::as_str);
    let (object, node) = place(canary, key, field);
    let key = canary.route.word(key);
    let what = match (own, other) {
        (None, _) => format!("the canary's route has no {key}, the default route has"),
        (_, None) => format!("the default route has no {key}, the canary's has"),
        _ => format!("the canary's route and the default route differ in {key}"),
    };
    Finding::new(&DIFFER, &object.source, &node.span, format!("{}: {what}", object.title()))
}
