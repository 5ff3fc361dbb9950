//! Whether what a plugin aims at by `targetRefs` is a gateway.

use super::plugin::wanted;
use crate::input::manifest::GATEWAY_API;
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::Gateway;
use crate::world::gateway_api::{self, Runner};
use crate::world::host::ServiceName;
use crate::world::labels::Labels;
use crate::world::namespace::{ROOT_NAMESPACE, is_same_namespace};
use crate::world::plugin::{Aim, Plugin, hosts};
use crate::world::routing::Routing;
use crate::world::waypoint::{USES_WAYPOINT, Use};
use std::cell::OnceCell;
use std::collections::HashMap;

/// A plugin is where its requests are not.
pub const TARGET: Code = Code {
    name: "plugin-target",
    severity: Severity::Error,
    why: "targetRefs reach the pods of a Gateway of the Gateway API that Istio runs in the plugin's own namespace, and no other gateway: this one does not get the plugin, and everybody sees stable",
    fix: "for a Gateway of networking.istio.io give selector.matchLabels its labels instead; for one of gateway.networking.k8s.io put the plugin into its namespace and name it; one that Envoy Gateway runs needs an EnvoyExtensionPolicy instead; a Service needs a waypoint, which its label istio.io/use-waypoint or that of its Namespace names",
};

/// The same of a policy of Envoy Gateway.
pub const POLICY: Code = Code {
    name: "policy-target",
    severity: Severity::Error,
    why: "an EnvoyExtensionPolicy reaches Gateways that Envoy Gateway runs, and their routes, in its own namespace, and nothing else: the filter is not there, and everybody sees stable",
    fix: "put the policy into the namespace of the Gateway or of the route, and name that; a Gateway that Istio runs needs a WasmPlugin instead",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&TARGET, &POLICY];

/// What a policy of Envoy Gateway may aim at.
const FOR_POLICIES: [&str; 7] =
    ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute", "TLSRoute"];

/// The labels by which Istio knows the pods that it makes for a Gateway of the Gateway API.
const NAME_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"];

/// What ambient's waypoints can be reached by, and no gateway.
const FOR_WAYPOINTS: [(&str, &str); 4] =
    [("Service", ""), ("Service", "core"), ("ServiceEntry", "networking.istio.io"), ("GatewayClass", GATEWAY_API)];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let given = OnceCell::new();
    for plugin in &world.plugins {
        let Some(object) = plugin.object() else { continue };
        if plugin.is_policy() {
            policy(world, given.get_or_init(|| self::given(world)), object, plugin.targets(), findings);
            continue;
        }
        let targets = plugin.targets();
        let kind = |target: &Node| (text(target, "kind").to_owned(), text(target, "group").to_owned());
        let is_gateway = |target: &Node| kind(target) == ("Gateway".to_owned(), GATEWAY_API.to_owned());
        let has_gateway = targets.iter().any(|target| is_gateway(target));
        for target in targets {
            let (kind, group) = kind(target);
            let is_for_waypoints = FOR_WAYPOINTS.contains(&(kind.as_str(), group.as_str()));
            let problem = match kind.as_str() {
                _ if is_gateway(target) => named(world, plugin, object, target),
                _ if is_for_waypoints && has_gateway => None,
                _ if is_for_waypoints && is_at_waypoint(world, plugin, target) => {
                    no_waypoint(world, object, target).map(|problem| ("name", problem))
                }
                "GatewayClass" if Aim::of(target).is_class_of_waypoints() && object.namespace != ROOT_NAMESPACE => {
                    Some(("name", format!("GatewayClass istio-waypoint, which counts in {ROOT_NAMESPACE} alone")))
                }
                "Gateway" => Some(("group", format!("a Gateway of {}", quoted(&group)))),
                "" => Some(("kind", "something of no kind".to_owned())),
                _ => Some(("kind", format!("a {kind}"))),
            };
            if let Some((key, problem)) = problem {
                let message = format!("{} aims at {problem}", object.title());
                let node = target.get(key).unwrap_or(target);
                findings.push(Finding::new(&TARGET, &object.source, &node.span, message));
            }
        }
    }
}

/// Whether a plugin is meant for waypoints: routes inside the mesh are for a Service that it aims at, or for any if it aims at all of them.
fn is_at_waypoint(world: &World, plugin: &Plugin, target: &Node) -> bool {
    let aim = Aim::of(target);
    let is_meant = |routing: &Routing| {
        let own = plugin.object().map_or("", |object| &object.namespace);
        let mut parents = routing.mesh_parents.iter();
        parents.any(|parent| parent.name.1 == aim.name && is_same_namespace(parent.namespace, own))
    };
    match aim.kind {
        "Service" => world.routings.iter().any(is_meant),
        "GatewayClass" => world.routings.iter().any(|routing| world.is_at_waypoint(plugin, routing)),
        _ => false,
    }
}

/// Why requests to a Service that a plugin aims at pass no waypoint, if that is sure.
fn no_waypoint(world: &World, object: &Object, target: &Node) -> Option<String> {
    let aim = Aim::of(target);
    if !aim.is_service() {
        return None;
    }
    let services = world.services_called(&ServiceName { name: aim.name, namespace: &object.namespace });
    let [service] = services.as_slice() else { return None };
    let (title, there) = (service.object.title(), &*service.object.namespace);
    match world.said_of_waypoint(&service.object.name, there)? {
        Use::Off => Some(format!("{title}, whose label {USES_WAYPOINT} says none")),
        // Istio's own way sets the label by a command, which no file shows.
        Use::Unsaid => service
            .object
            .source
            .is_living
            .then(|| format!("{title}, and neither it nor Namespace {there} has the label {USES_WAYPOINT}")),
        Use::Of(namespace, name) => {
            let all = world.gateways.iter().filter(|gateway| gateway.is_of_api());
            // Where none of its namespace is given, it may be there.
            let mut near = all.filter(|gateway| is_same_namespace(&gateway.object.namespace, namespace)).peekable();
            let is_missing = near.peek().is_some() && !near.any(|gateway| gateway.object.name == name);
            is_missing.then(|| format!("{title}, whose waypoint {namespace}/{name} does not exist"))
        }
    }
}

/// A Gateway or a route of the Gateway API.
#[derive(Clone, Copy)]
enum Given<'w, 'o> {
    Gateway(&'w Gateway<'o>),
    Route(&'w Routing<'o>),
}

impl<'o> Given<'_, 'o> {
    fn object(&self) -> &'o Object {
        match self {
            Given::Gateway(gateway) => gateway.object,
            Given::Route(routing) => routing.object,
        }
    }

    /// Why Envoy Gateway has nothing to do with it, if Istio surely runs it.
    fn run_by_istio(&self, world: &World) -> Option<String> {
        let is_istios = |gateway: &Gateway| world.runner(gateway) == Some(Runner::Istio);
        let title = self.object().title();
        match self {
            Given::Gateway(gateway) => is_istios(gateway).then(|| format!("{title}, which Istio runs")),
            Given::Route(routing) => {
                // One that is not given may be Envoy Gateway's.
                let are_given = !routing.has_other_parents && routing.parents.iter().all(|one| world.has_gateway(one));
                let (gateways, _) = world.gateways_of(routing);
                let first = gateways.first().filter(|_| are_given && gateways.iter().all(|gateway| is_istios(gateway)));
                first.map(|gateway| format!("{title}, whose {} Istio runs", gateway.object.title()))
            }
        }
    }
}

/// Everything that a policy can aim at by kind and name.
type AllGiven<'w, 'o> = HashMap<(&'w str, &'w str), Vec<Given<'w, 'o>>>;

fn given<'w, 'o>(world: &'w World<'o>) -> AllGiven<'w, 'o> {
    let all = world.gateways.iter().map(Given::Gateway).chain(world.routings.iter().map(Given::Route));
    let mut given = AllGiven::new();
    for one in all.filter(|one| one.object().is_of_gateway_api()) {
        let object = one.object();
        given.entry((object.kind, &*object.name)).or_default().push(one);
        // All of a kind.
        given.entry((object.kind, "")).or_default().push(one);
    }
    given
}

/// What a policy of Envoy Gateway aims at: Gateways and routes of its own namespace.
fn policy(world: &World, given: &AllGiven, object: &Object, targets: Vec<&Node>, findings: &mut Vec<Finding>) {
    for target in targets {
        let aim = Aim::of(target);
        let named = |name| given.get(&(aim.kind, name)).map_or(&[][..], Vec::as_slice);
        let is_here = |given: &Given| is_same_namespace(&given.object().namespace, &object.namespace);
        let (key, problem) = if aim.group != GATEWAY_API {
            ("group", format!("a {} of {}", aim.kind, quoted(aim.group)))
        } else if !FOR_POLICIES.contains(&aim.kind) {
            ("kind", format!("a {}", aim.kind))
        } else if !is_same_namespace(aim.namespace, &object.namespace) {
            let there = format!("{} {} in {}", aim.kind, aim.name, aim.namespace);
            ("namespace", format!("{there}, another namespace than its own"))
        } else {
            match named(aim.name) {
                all if all.iter().any(is_here) => {
                    let here = all.iter().find(|given| is_here(given));
                    let Some(problem) = here.and_then(|here| here.run_by_istio(world)) else { continue };
                    ("name", problem)
                }
                [there, ..] => ("name", format!("{}, which is in another namespace", there.object().title())),
                // Where none of its namespace is given, it may be there.
                [] if !named("").iter().any(is_here) => continue,
                [] => ("name", format!("{} {}, which does not exist in its namespace", aim.kind, aim.name)),
            }
        };
        let message = format!("{} aims at {problem}", object.title());
        findings.push(Finding::new(&POLICY, &object.source, &target.get(key).unwrap_or(target).span, message));
    }
}

/// Whether the Gateway API has a route for a host.
fn has_route(world: &World, host: &str) -> bool {
    world.routing(host).any(|routing| !routing.is_virtual_service())
}

fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    node.get(key).and_then(Node::text).unwrap_or_default()
}

fn quoted(group: &str) -> &str {
    if group.is_empty() { "no group" } else { group }
}

/// What is wrong with the name of a Gateway of the Gateway API, and in which field that is.
fn named(world: &World, plugin: &Plugin, object: &Object, target: &Node) -> Option<(&'static str, String)> {
    let (name, own) = (text(target, "name"), &*object.namespace);
    let there = text(target, "namespace");
    if !is_same_namespace(there, own) {
        return Some(("namespace", format!("Gateway {name} in {there}, another namespace than its own")));
    }
    let given: Vec<&Gateway> = world.gateways.iter().filter(|gateway| gateway.is_of_api()).collect();
    let is_it = |gateway: &&&Gateway| gateway.object.name == name && is_same_namespace(&gateway.object.namespace, own);
    let mut rules = plugin.rules.iter().flat_map(|(_, rule)| hosts(rule));
    match given.iter().find(is_it) {
        Some(gateway) if !rules.any(|host| has_route(world, &host)) => {
            let may_have_pods =
                |classic: &Gateway| gateway_api::labels(gateway).any(|labels| classic.selector.selects(&labels));
            next_to_classic(world, plugin, name, may_have_pods)
        }
        Some(gateway) if world.runner(gateway) == Some(Runner::EnvoyGateway) => {
            Some(("name", format!("Gateway {name}, which Envoy Gateway runs")))
        }
        Some(_) => None,
        None if given.is_empty() => next_to_classic(world, plugin, name, |_| false),
        None => {
            let problem = match given.iter().find(|gateway| gateway.object.name == name) {
                Some(gateway) => format!("Gateway {name}, which is in namespace {}", gateway.object.namespace),
                None => format!("Gateway {name}, which does not exist in its namespace"),
            };
            Some(("name", problem))
        }
    }
}

/// Gateways of Istio's own API that may be meant, where no routes tell: one of this name, or for a host of a rule.
fn alike<'w, 'o>(world: &'w World<'o>, plugin: &Plugin, name: &str) -> Vec<&'w Gateway<'o>> {
    let rules: Vec<String> = plugin.rules.iter().flat_map(|(_, rule)| hosts(rule)).collect();
    let serves = |gateway: &Gateway| {
        let served =
            gateway.servers.iter().flat_map(|server| server.hosts()).filter_map(|host| host.rsplit('/').next());
        served.into_iter().any(|served| rules.iter().any(|host| host.eq_ignore_ascii_case(served)))
    };
    let may_be_its = |gateway: &&Gateway| {
        let is_there =
            is_same_namespace(&gateway.object.namespace, plugin.object().map_or("", |plugin| &plugin.namespace));
        gateway.object.name == name && is_there || world.virtual_services().next().is_none() && serves(gateway)
    };
    world.gateways.iter().filter(|gateway| !gateway.is_of_api()).filter(may_be_its).collect()
}

/// Whether the rules are about Gateways of Istio's own API, and none of them has the pods of a Gateway of this name.
fn next_to_classic(
    world: &World,
    plugin: &Plugin,
    name: &str,
    may_have_pods: impl Fn(&Gateway) -> bool,
) -> Option<(&'static str, String)> {
    let is_named = |labels: &Labels| NAME_LABELS.iter().any(|label| labels.get(label) == Some(name));
    let has_pods = |gateway: &&Gateway| {
        let mut pods = world.workloads.iter().filter(|pods| gateway.selector.selects(&pods.labels));
        gateway.selector.is_empty() || is_named(&gateway.selector) || pods.any(|pods| is_named(&pods.labels))
    };
    let mut known = wanted(world, plugin);
    if known.is_empty() {
        known = alike(world, plugin, name);
    }
    let first = known.first()?;
    let is_reached = known.iter().any(|gateway| has_pods(gateway) || may_have_pods(gateway));
    let title = first.object.title();
    (!is_reached).then(|| {
        ("name", format!("Gateway {name} of the Gateway API, and its requests come in at {title}, of Istio's"))
    })
}
