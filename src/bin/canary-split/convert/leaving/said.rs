//! What both controllers' objects say in the same way, and how it is noted.

use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node};
use crate::world::World;
use crate::world::namespace::is_same_namespace;
use crate::world::routing::VirtualService;

/// A VirtualService by its name.
pub fn named<'w, 'o>(world: &'w World<'o>, namespace: &str, name: &str) -> Option<&'w VirtualService<'o>> {
    world
        .virtual_services()
        .find(|service| service.object.name == name && is_same_namespace(&service.object.namespace, namespace))
}

/// `FILE:LINE: OBJECT: WHAT SAYS`
pub fn note(object: &Object, at: usize, says: &str) -> String {
    let (line, _) = object.source.position(at);
    format!("{}:{line}: {}: {says}", object.source.name, object.title())
}

/// Notes what these fields say and nothing will do.
pub fn lost(object: &Object, node: &Node, table: &[(&str, &str)], notes: &mut Vec<String>) {
    let said = |name: &str| node.entries().iter().find(|(key, _)| *key.name == *name);
    for (name, says) in table {
        let Some((Key { span, .. }, _)) = said(name) else { continue };
        notes.push(note(object, span.start, &format!("{name} is not converted: {says}")));
    }
}

/// A number, also one that is written as text.
pub fn whole(node: &Node) -> Option<u32> {
    node.number().or_else(|| node.text()?.parse().ok())
}
