//! Reads an HTTPRoute or a GRPCRoute.

use super::api_match;
use super::parent::{MeshParent, Parent};
use super::routing::{Destination, Form, Route, Routing};
use crate::input::manifest::{GATEWAY_API, Object};
use crate::input::yaml::Node;

/// Reads one. Without `hostnames` it has no hosts yet: those of its listeners count.
pub fn read(object: &Object) -> Routing<'_> {
    let hosts = object.items(&["spec", "hostnames"]).iter().filter_map(|host| Some((host, host.text()?)));
    let rules = object.items(&["spec", "rules"]).iter().enumerate();
    let mut routing = Routing {
        object,
        hosts: hosts.collect(),
        routes: rules.flat_map(|(place, rule)| routes(object, place, rule)).collect(),
        streams: Vec::new(),
        parents: Vec::new(),
        mesh_parents: Vec::new(),
        has_other_parents: false,
    };
    for node in object.items(&["spec", "parentRefs"]) {
        add_parent(&mut routing, node);
    }
    routing
}

fn text<'o>(node: &'o Node, key: &str) -> Option<&'o str> {
    node.get(key)?.text().filter(|text| !text.is_empty())
}

fn add_parent<'o>(routing: &mut Routing<'o>, node: &'o Node) {
    let Some(name) = node.get("name").and_then(|node| Some((node, node.text()?))) else { return };
    let namespace = text(node, "namespace").unwrap_or(&routing.object.namespace);
    // An empty group is that of Services.
    let group = node.get("group").map_or(GATEWAY_API, |group| group.text().unwrap_or_default());
    match (group, text(node, "kind").unwrap_or("Gateway")) {
        (GATEWAY_API, "Gateway") => routing.parents.push(Parent {
            node,
            is_of_api: true,
            namespace,
            name: name.1,
            section: text(node, "sectionName"),
            port: node.get("port").and_then(Node::number),
        }),
        ("" | "core", "Service") => {
            // Of another namespace only callers from the route's own are meant.
            if namespace == routing.object.namespace && routing.hosts.is_empty() {
                routing.hosts.push(name);
            }
            routing.mesh_parents.push(MeshParent { name, namespace });
        }
        _ => routing.has_other_parents = true,
    }
}

/// A route for each entry of `matches`.
fn routes<'o>(object: &'o Object, rule: usize, node: &'o Node) -> Vec<Route<'o>> {
    let entries = node.get("matches").map_or(&[][..], Node::items);
    let one = |(place, entry): (Option<usize>, Option<&'o Node>)| {
        let (asked, rank) = api_match::read(object.kind, entry);
        Route {
            node,
            form: Form::Rule { rule, entry: place, rank },
            matches: entry.map(|entry| vec![entry]),
            asked: vec![(entry.unwrap_or(node), asked)],
            destinations: destinations(node, &object.namespace),
            mirrors: mirrors(node, &object.namespace),
        }
    };
    match entries {
        [] => vec![one((None, None))],
        entries => entries.iter().enumerate().map(|(place, entry)| one((Some(place), Some(entry)))).collect(),
    }
}

/// The destinations that get any requests: without a weight one has 1.
fn destinations<'o>(rule: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let is_used = |entry: &&Node| entry.get("weight").and_then(Node::number) != Some(0);
    let entries = rule.get("backendRefs").map_or(&[][..], Node::items).iter().filter(is_used);
    entries.filter_map(|entry| Destination::of_backend(entry, namespace)).collect()
}

/// The destinations of copies, if any are made.
fn mirrors<'o>(rule: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let filters = rule.get("filters").map_or(&[][..], Node::items).iter();
    let mirrors = filters.filter_map(|filter| filter.get("requestMirror"));
    let is_off = |mirror: &&Node| {
        let share = mirror.get("percent").or(mirror.at(&["fraction", "numerator"]));
        share.and_then(Node::number) == Some(0)
    };
    let backends = mirrors.filter(|mirror| !is_off(mirror)).filter_map(|mirror| mirror.get("backendRef"));
    backends.filter_map(|backend| Destination::of_backend(backend, namespace)).collect()
}
