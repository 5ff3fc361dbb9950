//! Objects of which two versions are given, and nothing tells which one counts.

use crate::input::manifest::Objects;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::parts::twice;
use canary_split::config::DEFAULT_HEADER;

const TWICE: Code = Code {
    name: "twice",
    severity: Severity::Warning,
    why: "the version that is applied last is in force, and the files do not tell which one that is: nothing was compared",
    fix: "name only what is applied together, or put each version into a folder of its own: folders are compared one by one",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&TWICE];

/// Looks for two versions that no folders tell apart. Without a plugin, and without routes for one, there is no canary that they
/// could spoil: then a note is enough.
pub fn check(objects: &Objects, findings: &mut Vec<Finding>) {
    let is_routed = || World::of(objects).routings.iter().any(|routing| routing.mentions(DEFAULT_HEADER));
    let is_ours = || objects.configs().next().is_some() || is_routed();
    if let Some((first, second)) = twice(objects).filter(|_| is_ours()) {
        let message = format!("{} exists twice, first at {}", second.title(), first.place());
        let node = second.at(&["metadata", "name"]).unwrap_or(&second.node);
        findings.push(Finding::new(&TWICE, &second.source, &node.span, message));
    }
}
