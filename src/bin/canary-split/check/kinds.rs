//! Kinds that do not exist, and are almost those of objects that the tool reads.

use crate::input::manifest::{KINDS, Objects, Unknown};
use crate::report::finding::{Code, Finding, Severity};

const UNKNOWN: Code = Code {
    name: "unknown-kind",
    severity: Severity::Error,
    why: "the cluster refuses an object of a kind that it does not know; nothing else was compared with this one",
    fix: "write kind and apiVersion as the message says",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&UNKNOWN];

/// Looks at every object of an unknown kind.
pub fn check(objects: &Objects, findings: &mut Vec<Finding>) {
    for unknown in &objects.unknown {
        let Some(problem) = problem(unknown) else { continue };
        let span = &unknown.node.get("kind").unwrap_or(&unknown.node).span;
        findings.push(Finding::new(&UNKNOWN, &unknown.source, span, problem));
    }
}

/// Whether there is any.
pub fn is_any(objects: &Objects) -> bool {
    objects.unknown.iter().any(|unknown| problem(unknown).is_some())
}

fn problem(unknown: &Unknown) -> Option<String> {
    let (group, kind) = unknown.kind();
    // What is known of a folder may be among what is unknown next to it.
    if KINDS.contains(&(kind, group)) {
        return None;
    }
    // What is no object of Kubernetes may have a kind too.
    if group.is_empty() && unknown.node.get("apiVersion").and_then(|version| version.text()) != Some("v1") {
        return None;
    }
    let written = singular(&kind.to_ascii_lowercase());
    let title = if group.is_empty() { "v1" } else { group };
    let mut own = KINDS.iter().filter(|(_, known)| *known == group).map(|(known, _)| known);
    if let Some(known) = own.find(|known| known.to_ascii_lowercase() == written) {
        return Some(format!("{kind} is no kind of {title}: write {known}"));
    }
    let (_, there) = KINDS.iter().find(|(known, _)| *known == kind)?;
    let is_of_routing = |group: &str| group.contains("istio.io") || group.starts_with("gateway.");
    (is_of_routing(there) && is_of_routing(group))
        .then(|| format!("{kind} is no kind of {title}: write apiVersion: {there}/…"))
}

/// A plural as the kind of one object.
fn singular(kind: &str) -> String {
    match (kind.strip_suffix("ies"), kind.strip_suffix('s')) {
        (Some(begin), _) => format!("{begin}y"),
        (None, Some(begin)) => begin.to_owned(),
        (None, None) => kind.to_owned(),
    }
}
