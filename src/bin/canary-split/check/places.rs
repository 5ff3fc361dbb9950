//! Where a finding is in an object: the line of what was rendered is in no file.

use super::origin::Origins;
use super::step::Step;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::{Key, Node};
use crate::report::finding::{Finding, Place};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// Adds the object and the path in it, and where it is from.
pub fn add(objects: &Objects, findings: &mut [Finding]) {
    let mut by_source: HashMap<_, Vec<&Object>> = HashMap::new();
    for object in &objects.objects {
        by_source.entry(Rc::as_ptr(&object.source)).or_default().push(object);
    }
    by_source.values_mut().for_each(|objects| objects.sort_by_key(|object| object.node.span.start));
    let mut origins = Origins::default();
    for finding in findings {
        let objects = by_source.get(&Rc::as_ptr(&finding.source)).map_or(&[][..], Vec::as_slice);
        let next = objects.partition_point(|object| object.node.span.start <= finding.span.start);
        let before = next.checked_sub(1).and_then(|at| objects.get(at));
        // One of an unknown kind may be after it.
        let Some(object) = before.filter(|object| finding.span.start < object.node.span.end) else { continue };
        let steps = steps(&object.node, &finding.span);
        let from = finding.source.rendered_from.as_deref().and_then(|folder| origins.find(folder, object, &steps));
        finding.place = Some(Place { object: object.title(), path: written(&steps), from });
    }
}

/// The way from a node to what begins at these bytes.
fn steps(node: &Node, span: &Range<usize>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut node = node;
    while node.span != *span {
        let holds = |(key, value): &&(Key, Node)| {
            key.span.contains(&span.start) || value.span.contains(&span.start) || value.span == *span
        };
        // Entries are in the order of the text, but for those that are merged.
        let next = node.entries().partition_point(|(key, _)| key.span.start <= span.start);
        let likely = next.checked_sub(1).and_then(|at| node.entries().get(at)).filter(holds);
        if let Some((key, value)) = likely.or_else(|| node.entries().iter().find(holds)) {
            steps.push(Step::Key(Rc::clone(&key.name)));
            if key.span.contains(&span.start) {
                break;
            }
            node = value;
            continue;
        }
        let next = node.items().partition_point(|item| item.span.start <= span.start);
        let Some((at, item)) = next.checked_sub(1).and_then(|at| Some((at, node.items().get(at)?))) else { break };
        steps.push(Step::Item(at));
        node = item;
    }
    steps
}

/// `spec.http[0].route`; keys with dots in brackets.
fn written(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Item(at) => path.push_str(&format!("[{at}]")),
            Step::Key(name) if name.contains(['.', '[', ' ', '/']) => path.push_str(&format!("[{name:?}]")),
            Step::Key(name) => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(name);
            }
        }
    }
    path
}
