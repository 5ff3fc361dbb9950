//! Whether there is a rule for each route that asks for the header.

use super::seal::subset_of;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::site::Site;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

const UNCHOSEN: Code = Code {
    name: "unchosen-route",
    severity: Severity::Warning,
    why: "nobody can get there: the filter removes what clients send in this header; usually one of the two names is misspelt",
    fix: "remove the route, or name the subset in a rule (with a weight of 0 while nobody is to see it)",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&UNCHOSEN];

/// Looks at the routes that requests of every rule meet.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    let mut written = HashMap::new();
    let mut seen = HashSet::new();
    for site in sites {
        let known = written.entry(site.header).or_insert_with(|| written_by(world, site.header));
        let Some(known) = known.as_ref() else { continue };
        let tables = site.tables.iter().filter(|table| seen.insert((site.header, Rc::as_ptr(table))));
        for step in tables.flat_map(|table| &table.steps) {
            for (node, exact) in step.route.exact_values(site.header) {
                if known.contains(exact) || known.contains(subset_of(exact)) {
                    continue;
                }
                let object = step.service.object;
                let message = format!(
                    "{} has a route for {}: {}, which no rule chooses",
                    object.title(),
                    site.header,
                    subset_of(exact)
                );
                findings.push(Finding::new(&UNCHOSEN, &object.source, &node.span, message));
            }
        }
    }
}

/// The names of the subsets that a header can say, and their values with the seal; `None` if a rule cannot be read.
fn written_by<'w>(world: &'w World, header: &str) -> Option<HashSet<&'w str>> {
    let mut known = HashSet::new();
    for writer in world.writers_of(header) {
        if !writer.is_whole {
            return None;
        }
        for named in writer.rules.iter().flat_map(|(_, rule)| writer.subsets(rule)) {
            known.extend([&*named.subset.name, &*named.subset.header_value]);
        }
    }
    Some(known)
}
