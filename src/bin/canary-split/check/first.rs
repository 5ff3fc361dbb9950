//! Whether stable of a rule is what the default route leads to.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::site::Site;
use crate::world::table::Step;
use canary_split::rule::Target;

const NOT_DEFAULT: Code = Code {
    name: "stable-not-default",
    severity: Severity::Warning,
    why: "the first subset of a split is stable and holds what the others do not: a rollback would send everybody to this one",
    fix: "put the subset of the default route first in split",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&NOT_DEFAULT];

/// Looks at the splits whose requests have a default route.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites.iter().filter(|site| matches!(site.rule.target, Target::Split(_))) {
        let subsets = site.subsets();
        let Some(stable) = subsets.iter().find(|named| named.is_stable) else { continue };
        // Where stable has no route either, it is missing.
        let is_stables = |step: &Step| {
            let mut destinations = step.route.destinations.iter();
            step.takes(site.header, &stable.subset.header_value)
                && destinations.any(|destination| destination.is_called(&stable.subset.name))
        };
        if !site.steps().any(is_stables) {
            continue;
        }
        for class in site.undecided() {
            for table in &site.tables {
                let Some((_, default)) = table.taker(&class.known(), 0) else { continue };
                let canary = subsets.iter().filter(|named| !named.is_stable).find(|named| {
                    let mut destinations = default.route.destinations.iter();
                    destinations.all(|destination| destination.is_called(&named.subset.name))
                });
                let Some(canary) = canary.filter(|_| !default.route.destinations.is_empty()) else { continue };
                let message = format!(
                    "the default route leads to {}, stable of rule {} is {}",
                    canary.subset.name, site.rule.name, stable.subset.name
                );
                let span = site.plugin.place_in(site.rule, "split[0].subset");
                findings.push(Finding::new(&NOT_DEFAULT, &site.plugin.config.source, &span, message));
            }
        }
    }
}
