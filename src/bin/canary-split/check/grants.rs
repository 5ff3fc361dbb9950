//! Whether a Service of another namespace lets a route of the Gateway API lead to it.

use crate::input::manifest::{GATEWAY_API, Object};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::host::ServiceName;
use crate::world::routing::Routing;
use std::collections::HashMap;

const GRANT: Code = Code {
    name: "reference-grant",
    severity: Severity::Error,
    why: "the cluster accepts it; without a ReferenceGrant in the namespace of the Service every request that is routed there is answered with 500",
    fix: "add a ReferenceGrant to the namespace of the Service, from the kind and namespace of the route to Service",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&GRANT];

/// Looks at the routes of the Gateway API that rules are about, as far as the Service is given: its namespace's grants are then given too.
pub fn check(world: &World, concerned: &[&Routing], findings: &mut Vec<Finding>) {
    let mut grants: HashMap<&str, Vec<&Object>> = HashMap::new();
    world.grants.iter().for_each(|grant| grants.entry(&grant.namespace).or_default().push(grant));
    for routing in concerned.iter().filter(|routing| !routing.is_virtual_service()) {
        let own = &*routing.object.namespace;
        for destination in routing.routes.iter().flat_map(|route| route.destinations.iter().chain(&route.mirrors)) {
            let Some(service) = destination.service() else { continue };
            let is_elsewhere = ![own, ""].contains(&service.namespace) && !own.is_empty();
            let is_given = || !world.services_of(destination).is_empty();
            let places = [service.namespace, ""].into_iter().filter_map(|namespace| grants.get(namespace)).flatten();
            let is_granted = || places.into_iter().any(|grant| lets(grant, routing.object, &service));
            if is_elsewhere && is_given() && !is_granted() {
                let ServiceName { name, namespace } = service;
                let title = routing.object.title();
                let message =
                    format!("{title} leads to Service {namespace}/{name}, and no ReferenceGrant there lets it");
                findings.push(Finding::new(&GRANT, &routing.object.source, &destination.host.0.span, message));
            }
        }
    }
}

/// Whether a grant is for routes of an object's kind and namespace, and for a Service.
fn lets(grant: &Object, route: &Object, service: &ServiceName) -> bool {
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
    let is_from = |from: &Node| {
        (text(from, "group"), text(from, "kind")) == (GATEWAY_API.to_owned(), route.kind.to_owned())
            && text(from, "namespace") == route.namespace
    };
    let is_to = |to: &Node| {
        let name = text(to, "name");
        ["", "core"].contains(&&*text(to, "group"))
            && text(to, "kind") == "Service"
            && (name.is_empty() || name == service.name)
    };
    grant.items(&["spec", "from"]).iter().any(is_from) && grant.items(&["spec", "to"]).iter().any(is_to)
}
