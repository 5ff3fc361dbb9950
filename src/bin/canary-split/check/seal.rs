//! The seal: the same on both sides, and seen by no application.

use super::world::World;
use super::world::plugin::Plugin;
use super::world::routing::{Route, VirtualService};
use crate::finding::{Code, Finding};
use crate::yaml::Node;

const MISMATCH: Code = Code {
    name: "seal-mismatch",
    why: "values are compared byte by byte: no request is routed by this, and everybody sees stable",
    fix: "match SUBSET.SEAL with the seal of pluginConfig, as manifests/overlays/sealed takes it from there",
};

const NOT_REMOVED: Code = Code {
    name: "header-not-removed",
    why: "the application gets the header, and whoever makes it echo its headers has the seal",
    fix: "headers: {request: {remove: [HEADER]}} on every route of these hosts, on the default one too",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&MISMATCH, &NOT_REMOVED];

/// A route for a subset under another seal than the plugin's.
pub fn mismatch(plugin: &Plugin, service: &VirtualService, value: &Node, subset: &str) -> Finding {
    let is_sealed = value.text().is_some_and(|value| value.contains('.'));
    let problem = match (plugin.has_seal, is_sealed) {
        (true, true) => "is matched with another seal than the plugin's",
        (true, false) => "is matched without the plugin's seal",
        _ => "is matched with a seal, and the plugin has none",
    };
    let message = format!("{}: subset {subset} {problem}", service.object.title());
    Finding::new(&MISMATCH, &service.object.source, &value.span, message)
}

/// Looks at the routes of every plugin with a seal.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in world.plugins.iter().filter(|plugin| plugin.has_seal) {
        let Some(header) = plugin.header.as_deref() else { continue };
        for site in plugin.rules.iter().flat_map(|(_, rule)| world.sites(plugin, rule)) {
            for service in site.services {
                let shows = |route: &&Route| !route.destinations.is_empty() && !hides(route, header);
                for route in service.routes.iter().filter(shows) {
                    let message = format!("a route of {} does not remove {header}", service.object.title());
                    findings.push(Finding::new(&NOT_REMOVED, &service.object.source, &route.node.span, message));
                }
            }
        }
    }
}

/// Whether no destination of a route gets a header as the filter has written it.
fn hides(route: &Route, header: &str) -> bool {
    let is_replaced = |node: &Node| {
        let removed = node.at(&["headers", "request", "remove"]).map_or(&[][..], Node::items);
        let set = node.at(&["headers", "request", "set"]).map_or(&[][..], Node::entries);
        removed.iter().filter_map(Node::text).any(|name| name.eq_ignore_ascii_case(header))
            || set.iter().any(|(key, _)| key.name.eq_ignore_ascii_case(header))
    };
    is_replaced(route.node) || route.destinations.iter().all(|destination| is_replaced(destination.entry))
}
