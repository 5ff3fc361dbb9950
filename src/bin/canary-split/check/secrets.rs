//! Makes secrets unreadable: a finding shows the line that it is about, and anything may be on that line.

use crate::input::manifest::Objects;
use crate::input::secret::Secret;
use crate::input::secrets::{self, Known};
use crate::input::sources::Source;
use crate::report::finding::Finding;
use std::collections::HashMap;
use std::rc::Rc;

/// Byte by byte in what is shown, and as `***` in messages.
pub fn hide(objects: &Objects, findings: &mut [Finding]) {
    let all = all(objects);
    let mut shown: HashMap<*const Source, Rc<Source>> = HashMap::new();
    for finding in findings {
        let of_source = all.get(&Rc::as_ptr(&finding.source)).map_or(&[][..], Vec::as_slice);
        let first = of_source.partition_point(|secret| secret.span.start < finding.span.start);
        let within = of_source.iter().skip(first).take_while(|secret| secret.span.start < finding.span.end);
        for secret in within.take(100) {
            finding.message = secret.hidden_in(&finding.message);
        }
        let source =
            shown.entry(Rc::as_ptr(&finding.source)).or_insert_with(|| Rc::new(without(of_source, &finding.source)));
        finding.source = Rc::clone(source);
    }
}

/// All secrets of each text, in their order.
fn all(objects: &Objects) -> HashMap<*const Source, Vec<Secret>> {
    let mut all: HashMap<*const Source, Vec<Secret>> = HashMap::new();
    let known = Known::of(objects);
    for object in &objects.objects {
        secrets::of_object(object, &known, all.entry(Rc::as_ptr(&object.source)).or_default());
    }
    for config in &objects.bare {
        if let Some(node) = &config.node {
            secrets::of_config(node, all.entry(Rc::as_ptr(&config.source)).or_default());
        }
    }
    for (source, secret) in &objects.secrets {
        all.entry(Rc::as_ptr(source)).or_default().push(secret.clone());
    }
    all.values_mut().for_each(|secrets| secrets.sort_by_key(|secret| secret.span.start));
    all
}

fn without(secrets: &[Secret], source: &Source) -> Source {
    let mut bytes = source.text.clone().into_bytes();
    for secret in secrets {
        for byte in bytes.get_mut(secret.span.clone()).into_iter().flatten().filter(|byte| **byte != b'\n') {
            *byte = b'*';
        }
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    source.with(text)
}
