//! Whether the plugin is on gateways alone.

use super::plugin::gateway_namespaces;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::namespace::{ROOT_NAMESPACE, is_same_namespace};
use crate::world::plugin::Plugin;

const EVERYWHERE: Code = Code {
    name: "plugin-everywhere",
    severity: Severity::Warning,
    why: "a plugin that selects no labels is on sidecars too, and they decide again: a request gets another subset than at the gateway, visitors get a second cookie, and everything is counted twice",
    fix: "give spec.selector.matchLabels the labels of spec.selector of the Gateway, or put the plugin into a namespace that has only gateways",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&EVERYWHERE];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let Some(object) = plugin.object() else { continue };
        let labels = object.at(&["spec", "selector", "matchLabels"]).map_or(&[][..], Node::entries);
        if !labels.is_empty() || !plugin.targets().is_empty() || plugin.is_policy() {
            continue;
        }
        let Some(place) = reach(world, plugin, &object.namespace) else { continue };
        let message = format!("{} selects no pods by their labels: it is on every proxy of {place}", object.title());
        let node = object.at(&["spec", "selector"]).or(object.at(&["metadata", "name"])).unwrap_or(&object.node);
        findings.push(Finding::new(&EVERYWHERE, &object.source, &node.span, message));
    }
}

/// What a plugin in a namespace reaches, if that is more than gateways.
fn reach(world: &World, plugin: &Plugin, namespace: &str) -> Option<String> {
    if namespace == ROOT_NAMESPACE {
        return Some("the mesh".to_owned());
    }
    // A plugin that is not where the gateway is has another finding.
    let gateways = gateway_namespaces(world, plugin);
    let is_there = gateways.is_empty() || gateways.iter().any(|known| is_same_namespace(known, namespace));
    (is_there && !namespace.is_empty() && world.is_of_application(namespace))
        .then(|| format!("namespace {namespace}, the application's too"))
}
