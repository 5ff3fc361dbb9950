//! Whether the listeners of a Gateway take the routes that name them.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::{Allowed, Gateway, Server};
use crate::world::parent::Parent;
use crate::world::routing::Routing;

const NOT_ATTACHED: Code = Code {
    name: "route-not-attached",
    severity: Severity::Error,
    why: "the cluster accepts it; no listener takes these routes, and requests to their hosts are answered with 404",
    fix: "name a listener of protocol HTTP or HTTPS that the Gateway has, and let it allow the namespace: allowedRoutes: {namespaces: {from: All}}, or a selector",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&NOT_ATTACHED];

/// Looks at the routes of the Gateway API that rules are about.
pub fn check(world: &World, concerned: &[&Routing], findings: &mut Vec<Finding>) {
    for routing in concerned.iter().filter(|routing| !routing.is_virtual_service()) {
        for (node, problem) in refused(world, routing) {
            let message = format!("{}: {problem}", routing.object.title());
            findings.push(Finding::new(&NOT_ATTACHED, &routing.object.source, &node.span, message));
        }
    }
}

/// The parents of a route that are given and do not take it, and why.
pub fn refused<'o>(world: &World<'o>, routing: &Routing<'o>) -> Vec<(&'o Node, String)> {
    let of_parent = |parent: &Parent<'o>| {
        let gateways = world.gateways_named(parent);
        let problems: Vec<_> = gateways.iter().map(|(_, gateway)| problem(gateway, parent, routing)).collect();
        // One of several may be meant.
        problems.into_iter().collect::<Option<Vec<_>>>()?.into_iter().next()
    };
    routing.parents.iter().filter(|parent| parent.is_of_api).filter_map(of_parent).collect()
}

fn problem<'o>(gateway: &Gateway, parent: &Parent<'o>, routing: &Routing) -> Option<(&'o Node, String)> {
    let title = gateway.object.title();
    let meant: Vec<_> = gateway.servers.iter().filter(|server| server.is(parent)).collect();
    if gateway.servers.is_empty() || meant.iter().any(|server| gateway.allows(server, routing)) {
        return None;
    }
    let field = |key: &str| parent.node.get(key).unwrap_or(parent.node);
    let speaks_http = |server: &&&Server| !matches!(server.allowed, Allowed::Streams(_));
    let Some(first) = meant.iter().find(speaks_http).or(meant.first()) else {
        return Some(match (parent.section, parent.port) {
            (Some(section), None) => (field("sectionName"), format!("{title} has no listener {section}")),
            (None, Some(port)) => (field("port"), format!("{title} has no listener at port {port}")),
            _ => (parent.node, format!("{title} has no such listener")),
        });
    };
    let is_of_kind = |kinds: &[&str]| kinds.is_empty() || kinds.contains(&routing.object.kind);
    Some(match &first.allowed {
        Allowed::Same(kinds) if is_of_kind(kinds) => {
            (parent.node, format!("{title} takes routes of its own namespace alone"))
        }
        Allowed::Same(kinds) | Allowed::Any(kinds) => (parent.node, format!("{title} takes only {}", kinds.join(", "))),
        Allowed::Streams(protocol) => {
            let listener = first.section.map_or_else(|| "its listener".to_owned(), |name| format!("listener {name}"));
            let node = if parent.section.is_some() { field("sectionName") } else { parent.node };
            (node, format!("{listener} of {title} is for {protocol}, and takes no {}", routing.object.kind))
        }
        Allowed::ByHosts => (parent.node, format!("{title} does not take it")),
    })
}
