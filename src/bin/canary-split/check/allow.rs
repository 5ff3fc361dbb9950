//! Findings that an object allows by its annotation.

use crate::input::manifest::{Object, Objects};
use crate::report::finding::Finding;
use std::rc::Rc;

const ANNOTATION: &str = "canary-split/allow";

/// Leaves out what is allowed; a note names codes that do not exist.
pub fn retain(
    objects: &Objects,
    findings: &mut Vec<Finding>,
    notes: &mut Vec<String>,
    is_known: &dyn Fn(&str) -> bool,
) {
    let allowing: Vec<(&Object, Vec<&str>)> =
        objects.objects.iter().filter_map(|object| Some((object, allowed(object)?))).collect();
    for (object, codes) in &allowing {
        for code in codes.iter().filter(|code| !is_known(code)) {
            notes.push(format!("{} ({}): {ANNOTATION}: unknown code {code}", object.title(), object.place()));
        }
    }
    findings.retain(|finding| {
        !allowing.iter().any(|(object, codes)| {
            codes.contains(&finding.code.name)
                && Rc::ptr_eq(&object.source, &finding.source)
                && object.node.span.contains(&finding.span.start)
        })
    });
}

fn allowed(object: &Object) -> Option<Vec<&str>> {
    let codes = object.text(&["metadata", "annotations", ANNOTATION])?;
    Some(codes.split([',', ' ', '\n']).filter(|code| !code.is_empty()).collect())
}
