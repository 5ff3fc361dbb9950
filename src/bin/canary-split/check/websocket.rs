//! What ends or refuses a websocket.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::routing::{Destination, Route, leads_alike};
use crate::world::site::Site;
use crate::world::table::Step;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A timeout that ends websockets.
pub const TIMEOUT: Code = Code {
    name: "route-timeout",
    severity: Severity::Warning,
    why: "a timeout covers the whole request, and a websocket is one request: it is cut off, however busy it is",
    fix: "leave timeout out of routes for websockets; without websockets, give all routes of the service the same timeout",
};

const HTTP2: Code = Code {
    name: "h2-upgrade",
    severity: Severity::Warning,
    why: "an HTTP/1.1 application cannot accept a websocket over HTTP/2: its pages work, and its websockets are refused",
    fix: "leave h2UpgradePolicy out, or name the port http2-… if the application speaks HTTP/2",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&TIMEOUT, &HTTP2];

/// Looks at the routes that rules lead to.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let is_canary = |step: &Step| step.route.conditions(site.header).next().is_some() || step.asks_for(site.header);
        // Of all routes to the same hosts the same is true.
        let mut known = HashMap::new();
        // Stable's route for the same paths has one too.
        let has_timeout = |step: &&Step| !is_canary(step) && step.setting("timeout").is_some_and(|node| !is_off(node));
        let copied: HashSet<_> = site.steps().filter(has_timeout).map(Step::uris).collect();
        for (table, step) in site.tables.iter().flat_map(|table| table.steps.iter().map(move |step| (table, step))) {
            let (service, route) = (step.service, step.route);
            // A timeout that only the canary has was not meant for the service as it is.
            let is_without = |other: &Step| {
                !is_canary(other) && other.setting("timeout").is_none_or(is_off) && leads_alike(other.route, route)
            };
            let is_alone = || is_canary(step) && table.steps.iter().any(is_without);
            let mut is_cut = || {
                let hosts: Vec<_> = route.destinations.iter().map(|destination| destination.host.1).collect();
                *known.entry((Rc::as_ptr(table), is_canary(step), hosts)).or_insert_with(is_alone)
            };
            if let Some((node, text)) =
                timeout(route).filter(|_| !copied.contains(&step.uris()) && is_cut() || is_for_websockets(world, route))
            {
                let message = format!("a websocket would be cut after {text}");
                findings.push(Finding::new(&TIMEOUT, &service.object.source, &node.span, message));
            }
            route.destinations.iter().for_each(|destination| http2(world, destination, findings));
        }
    }
}

/// The timeout of a route, if it has one.
fn timeout<'o>(route: &Route<'o>) -> Option<(&'o Node, &'o str)> {
    let node = route.setting("timeout")?;
    let text = node.text()?;
    (!is_off(node)).then_some((node, text))
}

/// Whether a timeout is none.
fn is_off(timeout: &Node) -> bool {
    timeout.text().is_none_or(|text| !text.contains(|digit: char| ('1'..='9').contains(&digit)))
}

/// Whether a route is said to be for websockets.
fn is_for_websockets(world: &World, route: &Route) -> bool {
    let is_declared = |destination: &Destination| {
        destination.port.is_some_and(|(_, number)| {
            world
                .services_of(destination)
                .iter()
                .filter_map(|service| service.port(number))
                .any(|port| ["kubernetes.io/ws", "kubernetes.io/wss"].contains(&port.protocol()))
        })
    };
    route.conditions("upgrade").next().is_some() || route.destinations.iter().any(is_declared)
}

fn http2(world: &World, destination: &Destination, findings: &mut Vec<Finding>) {
    let services = world.services_of(destination);
    let [service] = services.as_slice() else { return };
    let port = match (destination.port, service.ports.as_slice()) {
        (Some((_, number)), _) => service.port(number),
        (None, [only]) => Some(only),
        _ => None,
    };
    let Some(port) = port.filter(|port| port.protocol() == "http") else { return };
    for rule in world.rules_of(destination) {
        let subset =
            destination.subset.and_then(|(_, name)| rule.subset(name)).and_then(|subset| subset.get("trafficPolicy"));
        let policies = [subset, rule.object.at(&["spec", "trafficPolicy"])];
        let Some(policy) = policies.into_iter().flatten().find_map(|policy| http_of(policy, port.number)) else {
            continue;
        };
        let Some(upgrade) = policy.get("h2UpgradePolicy").filter(|upgrade| upgrade.text() == Some("UPGRADE")) else {
            continue;
        };
        let message = format!("HTTP/2 to {}, whose port is declared as http", service.object.title());
        findings.push(Finding::new(&HTTP2, &rule.object.source, &upgrade.span, message));
    }
}

/// The settings for HTTP that a policy has for a port; those for one port replace all of the others.
fn http_of(policy: &Node, port: u32) -> Option<&Node> {
    let ports = policy.get("portLevelSettings").map_or(&[][..], Node::items);
    let of_port = ports.iter().find(|settings| settings.at(&["port", "number"]).and_then(Node::number) == Some(port));
    of_port.unwrap_or(policy).at(&["connectionPool", "http"])
}
