//! Which objects have nothing to do with the plugin or with what is routed: that there are two versions of one does not matter.

use super::World;
use super::host_index::HostIndex;
use super::plugin::hosts;
use super::routing::Routing;
use crate::input::manifest::{Object, Objects};
use std::collections::HashSet;

/// The places in the list of all that belong together: the plugin, the routes of its hosts (without a plugin all routes), and what
/// these lead to.
pub fn known(objects: &Objects) -> HashSet<*const Object> {
    let world = World::of(objects);
    let mut known: HashSet<*const Object> = objects.plugins().map(std::ptr::from_ref).collect();
    // Nobody knows the hosts of a rule that cannot be read.
    let are_known = !world.plugins.is_empty() && world.plugins.iter().all(|plugin| plugin.is_whole);
    let rules = world.plugins.iter().flat_map(|plugin| &plugin.rules).flat_map(|(_, rule)| hosts(rule));
    let rules = HostIndex::of(rules.map(|host| (0, host)));
    let is_concerned = |service: &Routing| {
        let asks = || {
            let mut headers = world.plugins.iter().filter_map(|plugin| plugin.header.as_deref());
            headers.any(|header| service.mentions(header))
        };
        !are_known || asks() || service.hosts.iter().any(|(_, host)| rules.has(host))
    };
    for service in world.routings.iter().filter(|service| is_concerned(service)) {
        add(&world, service, &mut known);
    }
    known
}

/// Adds a Routing and what it speaks of.
fn add(world: &World, routing: &Routing, known: &mut HashSet<*const Object>) {
    known.insert(routing.object);
    for gateway in world.gateways_of(routing).0 {
        if !known.insert(gateway.object) {
            continue;
        }
        let pods = world.workloads.iter().filter(|pods| gateway.selector.selects(&pods.labels));
        known.extend(pods.filter(|_| !gateway.selector.is_empty()).map(|pods| std::ptr::from_ref(pods.object)));
        let secrets: Vec<&str> = gateway.servers.iter().flat_map(|server| server.secrets.iter().copied()).collect();
        let is_its = |certificate: &&&Object| {
            certificate.text(&["spec", "secretName"]).is_some_and(|name| secrets.contains(&name))
        };
        known.extend(world.certificates.iter().filter(is_its).map(|certificate| std::ptr::from_ref(*certificate)));
    }
    for destination in routing.routes.iter().flat_map(|route| route.destinations.iter().chain(&route.mirrors)) {
        known.extend(world.rules_of(destination).into_iter().map(|rule| std::ptr::from_ref(rule.object)));
        for service in world.services_of(destination) {
            if known.insert(service.object) {
                let pods = world.pods_behind(service).into_iter();
                known.extend(pods.map(|pods| std::ptr::from_ref(pods.object)));
            }
        }
    }
}
