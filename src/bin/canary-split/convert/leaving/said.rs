//! Helpers to read the objects of both controllers, and to write notes about them.

use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node};
use crate::world::World;
use crate::world::namespace::is_same_namespace;
use crate::world::routing::VirtualService;

/// Finds a VirtualService by namespace and name.
pub fn named<'w, 'o>(world: &'w World<'o>, namespace: &str, name: &str) -> Option<&'w VirtualService<'o>> {
    world
        .virtual_services()
        .find(|service| service.object.name == name && is_same_namespace(&service.object.namespace, namespace))
}

/// The text of a note: `FILE:LINE: OBJECT: SAYS`.
pub fn note(object: &Object, at: usize, says: &str) -> String {
    let (line, _) = object.source.position(at);
    format!("{}:{line}: {}: {says}", object.source.name, object.title())
}

/// Adds a note for each of these fields that the node has.
pub fn lost(object: &Object, node: &Node, table: &[(&str, &str)], notes: &mut Vec<String>) {
    let said = |name: &str| node.entries().iter().find(|(key, _)| *key.name == *name);
    for (name, says) in table {
        let Some((Key { span, .. }, _)) = said(name) else { continue };
        notes.push(note(object, span.start, &format!("{name} is not converted: {says}")));
    }
}

/// Why nothing is taken over from a controller that writes weights of the Gateway API. `first`: how it lets go of them.
pub fn in_routes(first: &str) -> String {
    format!(
        "--leave takes over the weights of VirtualServices, and these are in an HTTPRoute or GRPCRoute; {first}, give the canary's backend a weight above 0, convert the route without --leave, and write the steps as a ramp"
    )
}

/// A whole number, even if it is written as text.
pub fn whole(node: &Node) -> Option<u32> {
    node.number().or_else(|| node.text()?.parse().ok())
}
