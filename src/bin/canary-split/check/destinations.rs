//! Whether a route leads to a subset, a port and pods that exist.

use super::listening;
use super::redirect::{Entrance, is_ended};
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::Gateway;
use crate::world::host::ServiceName;
use crate::world::labels::Labels;
use crate::world::namespace::is_same_namespace;
use crate::world::routing::{Destination, Routing};
use crate::world::service::{Service, Workload};
use std::collections::HashSet;

/// A subset that no gateway knows.
pub const NO_SUBSET: Code = Code {
    name: "no-such-subset",
    severity: Severity::Error,
    why: "the cluster accepts it; Envoy answers 503 to every request that is routed there",
    fix: "add the subset to the DestinationRule, or name one that it has; put the DestinationRule into the namespace of its Service, and export it to that of the gateway",
};

const WITHOUT_PODS: Code = Code {
    name: "subset-without-pods",
    severity: Severity::Error,
    why: "Envoy answers 503 to every request that is routed there",
    fix: "give the subset, or the selector of its Service, the labels of the pods that it means (spec.template.metadata.labels of a Deployment)",
};

const WITHOUT_PORT: Code = Code {
    name: "destination-without-port",
    severity: Severity::Error,
    why: "for a Service with several ports Istio uses the port of the Gateway, which the Service does not have: Envoy answers 503",
    fix: "add port: {number: …} to the destination",
};

const NO_PORT: Code = Code {
    name: "no-such-port",
    severity: Severity::Error,
    why: "the cluster accepts it; Envoy answers 503 to every request that is routed there",
    fix: "name a port of the Service: its own number, not that of a container",
};

const HALF_HOST: Code = Code {
    name: "half-qualified-host",
    severity: Severity::Error,
    why: "Istio completes a name without a dot and takes any other as it is: it knows no such host, and Envoy answers 503",
    fix: "write NAME.NAMESPACE.svc.cluster.local",
};

/// The codes of this file.
pub const CODES: [&Code; 5] = [&NO_SUBSET, &WITHOUT_PODS, &WITHOUT_PORT, &NO_PORT, &HALF_HOST];

/// Looks at every destination.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for rule in &world.destination_rules {
        if let Some(host) = rule.object.at(&["spec", "host"]) {
            half_host(world, rule.object, host, findings);
        }
    }
    for service in &world.routings {
        for destination in &service.streams {
            half_host(world, service.object, destination.host.0, findings);
            subset(world, service, destination, findings);
        }
        let ports = ports_of(world, service);
        let mut seen = HashSet::new();
        for route in &service.routes {
            for destination in &route.destinations {
                selector(world, destination, findings);
            }
            for destination in route.destinations.iter().chain(&route.mirrors) {
                half_host(world, service.object, destination.host.0, findings);
                subset(world, service, destination, findings);
                let entrances: Vec<u32> = ports.iter().copied().filter(|port| route.is_met_at(*port)).collect();
                port(world, service, destination, &entrances, findings);
            }
            // A delegate's requests come in where those of the route do.
            let Some(delegate) = world.delegate(service, route).filter(|_| !ports.is_empty()) else { continue };
            let outer: Vec<u32> = ports.iter().copied().filter(|port| route.is_met_at(*port)).collect();
            if !seen.insert((std::ptr::from_ref(delegate), outer.clone())) {
                continue;
            }
            for inner in &delegate.routes {
                let entrances: Vec<u32> = outer.iter().copied().filter(|port| inner.is_met_at(*port)).collect();
                for destination in inner.destinations.iter().chain(&inner.mirrors) {
                    without_port(world, delegate, destination, &entrances, findings);
                }
            }
        }
    }
}

/// A host that is neither the short nor the full name of the Service that it means.
fn half_host(world: &World, object: &Object, node: &Node, findings: &mut Vec<Finding>) {
    let Some(host) = node.text() else { return };
    let Some((name, namespace)) = host.strip_suffix(".svc").unwrap_or(host).split_once('.') else { return };
    let meant = ServiceName { name, namespace };
    let is_known = |known: &&&Service| !known.object.namespace.is_empty();
    if let Some(known) = world.services_called(&meant).iter().find(is_known) {
        let message = format!("{host} is neither a short nor a full name; {} is meant", known.object.title());
        findings.push(Finding::new(&HALF_HOST, &object.source, &node.span, message));
    }
}

fn subset(world: &World, service: &Routing, destination: &Destination, findings: &mut Vec<Finding>) {
    let Some((node, name)) = destination.subset else { return };
    let rules = world.rules_of(destination);
    let Some(first) = rules.first() else { return };
    let mut found = rules.iter().filter_map(|rule| Some((rule, rule.subset(name)?))).peekable();
    // A DestinationRule for many hosts does not show which subsets exist: the Service may have one of its own.
    if found.peek().is_none() && !rules.iter().any(|rule| rule.is_wildcard()) {
        let message = format!("{} has no subset {name}", first.object.title());
        findings.push(Finding::new(&NO_SUBSET, &service.object.source, &node.span, message));
    }
    for (rule, subset) in found {
        let Some(labels) = subset.get("labels").and_then(Labels::of) else { continue };
        let Some(pods) = pods_of(world, destination, &labels) else { continue };
        if labels.are_generated() || pods.iter().any(|pods| labels.selects(&pods.labels)) {
            continue;
        }
        let message = format!("{}: no pod of {} has {labels}", rule.object.title(), destination.host.1);
        let node = subset.get("labels").unwrap_or(subset);
        findings.push(Finding::new(&WITHOUT_PODS, &rule.object.source, &node.span, message));
    }
}

/// A Service of a version that selects no pod, while given pods that are behind no Service have its labels with other values.
fn selector(world: &World, destination: &Destination, findings: &mut Vec<Finding>) {
    let Some(service) = world.service_of(destination).filter(|_| destination.is_backend()) else { return };
    let Some((selector, node)) = service.selector.as_ref().zip(service.object.at(&["spec", "selector"])) else {
        return;
    };
    if selector.are_generated() || world.has_obscure_pods(service) || world.may_be_unknown(selector) {
        return;
    }
    let is_near = |pods: &&Workload| {
        is_same_namespace(&pods.object.namespace, &service.object.namespace)
            && pods.is_serving()
            && selector.pairs().all(|(name, _)| pods.labels.get(name).is_some())
            && selector.pairs().any(|(name, value)| pods.labels.get(name) == Some(value))
            && !world.services.iter().any(|other| pods.is_behind(other))
    };
    if !world.pods_behind(service).is_empty() {
        return;
    }
    let Some(near) = world.workloads.iter().find(is_near) else { return };
    let Some((name, _, there)) = selector.contradiction(&near.labels) else { return };
    let (title, pods) = (service.object.title(), near.object.title());
    let message =
        format!("{title}: no pod has {selector}, and those of {pods}, behind no Service, have {name}: {there}");
    findings.push(Finding::new(&WITHOUT_PODS, &service.object.source, &node.span, message));
}

/// What makes the pods behind a destination, all subsets together; `None` if that is not known of pods with these labels.
fn pods_of<'w, 'o>(world: &'w World<'o>, destination: &Destination, labels: &Labels) -> Option<Vec<&'w Workload<'o>>> {
    world.pods_of(world.service_of(destination)?, labels)
}

fn port(world: &World, routing: &Routing, destination: &Destination, entrances: &[u32], findings: &mut Vec<Finding>) {
    let Some(service) = world.service_of(destination) else { return };
    let Some((node, number)) = destination.port else {
        without_port(world, routing, destination, entrances, findings);
        // Of a Service with one port Istio takes that.
        if destination.node.get("port").is_none()
            && let [only] = service.ports.as_slice()
            && let Some(target) = only.target()
        {
            listening::check(
                world,
                routing.object,
                (destination.host.0, only.number),
                target,
                destination,
                service,
                findings,
            );
        }
        return;
    };
    match service.port(number) {
        None if !service.ports.is_empty() => {
            let known: Vec<_> = service.ports.iter().map(|port| port.number.to_string()).collect();
            let message = format!("{} has no port {number}; it has {}", service.object.title(), known.join(", "));
            findings.push(Finding::new(&NO_PORT, &routing.object.source, &node.span, message));
        }
        None => {}
        Some(port) => {
            if let Some(target) = port.target() {
                listening::check(world, routing.object, (node, number), target, destination, service, findings);
            }
        }
    }
}

/// A destination of a Service with several ports that names none of them.
fn without_port(
    world: &World,
    routing: &Routing,
    destination: &Destination,
    entrances: &[u32],
    findings: &mut Vec<Finding>,
) {
    let Some(service) = world.service_of(destination) else { return };
    // A backend of the Gateway API always names its port.
    if !destination.is_backend()
        && destination.node.get("port").is_none()
        && service.ports.len() > 1
        && let Some(port) = entrances.iter().find(|port| service.port(**port).is_none())
    {
        let known: Vec<_> = service.ports.iter().map(|port| port.number.to_string()).collect();
        let title = service.object.title();
        let message = format!("{title} has {} ports, {}, and not the Gateway's {port}", known.len(), known.join(", "));
        findings.push(Finding::new(&WITHOUT_PORT, &routing.object.source, &destination.host.0.span, message));
    }
}

/// The ports of Gateways at which requests for a Routing come in and go on; none if not all are known, or if sidecars have
/// ports of their own.
fn ports_of(world: &World, routing: &Routing) -> Vec<u32> {
    let (gateways, are_all) = world.gateways_of(routing);
    if !are_all || routing.is_for_mesh() {
        return Vec::new();
    }
    let goes_on = |(gateway, port): &(&Gateway, u32)| {
        let entrance = |host| Entrance { gateway, host, port: *port };
        !routing.hosts.iter().all(|(_, host)| is_ended(world, routing, &entrance(host)))
    };
    let all = gateways.iter().flat_map(|gateway| gateway.ports_for(routing).map(|port| (*gateway, port)));
    all.filter(goes_on).map(|(_, port)| port).collect()
}
