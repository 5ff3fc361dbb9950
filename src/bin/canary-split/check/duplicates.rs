//! Keys that are given twice; those of a `pluginConfig` of ours are the config's business.

use crate::input::manifest::Objects;
use crate::input::sources::Source;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use std::collections::HashMap;
use std::rc::Rc;

const KEY_TWICE: Code = Code {
    name: "key-twice",
    severity: Severity::Error,
    why: "kubectl applies the last one and silently drops the others; strict decoding and kustomize refuse both",
    fix: "keep one of them; write all items of a list under one key",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&KEY_TWICE];

/// Looks for them.
pub fn check(objects: &Objects, findings: &mut Vec<Finding>) {
    let configs: Vec<_> = objects.configs().filter_map(|config| Some((config.source, config.node?.span))).collect();
    for object in &objects.objects {
        let is_config =
            |node: &Node| configs.iter().any(|(source, span)| Rc::ptr_eq(source, &object.source) && *span == node.span);
        look(&object.source, &object.node, &is_config, findings);
    }
}

fn look(source: &Rc<Source>, node: &Node, is_config: &dyn Fn(&Node) -> bool, findings: &mut Vec<Finding>) {
    if node.is_alias {
        return;
    }
    let mut known: HashMap<_, (_, usize)> = HashMap::new();
    for (key, value) in node.entries() {
        let (first, times) = known.entry(&key.name).or_insert((&key.span, 0));
        *times += 1;
        // However often it is there, it is found once.
        if *times == 2 {
            let line = source.position(first.start).0;
            let message = format!("{} exists twice, first at line {line}", key.name);
            findings.push(Finding::new(&KEY_TWICE, source, &key.span, message));
        }
        if !(&*key.name == "pluginConfig" && is_config(value)) {
            look(source, value, is_config, findings);
        }
    }
    node.items().iter().for_each(|item| look(source, item, is_config, findings));
}
