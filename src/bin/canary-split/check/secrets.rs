//! What no log may show: seals, and what headers, cookies and claims are compared with.
//!
//! A finding shows the line that it is about, and anything may be on that line.

use crate::input::manifest::Objects;
use crate::input::sources::Source;
use crate::input::yaml::{Node, Value};
use crate::report::finding::Finding;
use std::ops::Range;
use std::rc::Rc;

/// Makes them unreadable in what is shown, byte by byte.
pub fn hide(objects: &Objects, findings: &mut [Finding]) {
    let mut hidden: Vec<(Rc<Source>, Rc<Source>)> = Vec::new();
    for finding in findings {
        let known = hidden.iter().find(|(source, _)| Rc::ptr_eq(source, &finding.source));
        let shown = match known {
            Some((_, shown)) => Rc::clone(shown),
            None => {
                let shown = Rc::new(without_secrets(objects, &finding.source));
                hidden.push((Rc::clone(&finding.source), Rc::clone(&shown)));
                shown
            }
        };
        finding.source = shown;
    }
}

fn without_secrets(objects: &Objects, source: &Rc<Source>) -> Source {
    let mut spans = Vec::new();
    let configs: Vec<_> = objects.configs().collect();
    for config in configs.iter().filter(|config| Rc::ptr_eq(&config.source, source)) {
        if let Some(node) = &config.node {
            secrets_of_config(node, &mut spans);
        }
    }
    for object in objects.of_kind("VirtualService").filter(|object| Rc::ptr_eq(&object.source, source)) {
        let entries =
            object.items(&["spec", "http"]).iter().flat_map(|route| route.get("match").map_or(&[][..], Node::items));
        for (_, value) in entries.flat_map(|entry| entry.get("headers").map_or(&[][..], Node::entries)) {
            for (_, value) in value.entries() {
                // `SUBSET.SEAL`, whether or not the plugin is given.
                if let Some((subset, _)) = value.text().and_then(|text| text.split_once('.')) {
                    let written = source.text.get(value.span.clone()).unwrap_or_default();
                    let open = written.trim_start_matches(['"', '\'']);
                    let sealed = open.strip_prefix(subset).and_then(|rest| rest.strip_prefix('.')).unwrap_or(written);
                    spans.push(value.span.end - sealed.len()..value.span.end);
                }
            }
        }
    }
    let mut bytes = source.text.clone().into_bytes();
    for span in spans {
        for byte in bytes.get_mut(span).into_iter().flatten().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    Source { name: source.name.clone(), text }
}

fn secrets_of_config(config: &Node, spans: &mut Vec<Range<usize>>) {
    spans.extend(config.get("seal").map(|seal| seal.span.clone()));
    let rules = config.get("rules").map_or(&[][..], Node::items).iter();
    let matches = rules.flat_map(|rule| [rule.get("match"), rule.at(&["remember", "forget"])]);
    for condition in matches.flatten().flat_map(Node::items).flat_map(Node::entries) {
        if ["headers", "withoutHeaders", "cookies", "claims"].contains(&&*condition.0.name) {
            condition.1.entries().iter().for_each(|(_, value)| scalars(value, spans));
        }
    }
}

/// Where all scalars below a node stand.
fn scalars(node: &Node, spans: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| scalars(item, spans)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| scalars(value, spans)),
        _ => spans.push(node.span.clone()),
    }
}
