//! What is not given, so that nothing could be compared with it.

use super::{hosts, plugin};
use crate::world::World;
use crate::world::host::ServiceName;
use crate::world::routing::{Destination, Routing};

/// More are only counted.
const MOST: usize = 6;

/// The kinds of which none is given; of the others, what the routes that follow a plugin lead to and what a plugin should be on;
/// of versions that are compared one by one each is not alone.
pub fn missing(world: &World, is_alone: bool) -> Vec<String> {
    if world.plugins.iter().all(|plugin| plugin.rules.is_empty()) && world.routings.is_empty() {
        return Vec::new();
    }
    let is_of_api = world.routings.iter().any(|routing| !routing.is_virtual_service());
    let kinds = [
        ("WasmPlugin", world.plugins.is_empty()),
        ("VirtualService", world.virtual_services().next().is_none() && !is_of_api),
        ("Gateway", world.gateways.is_empty()),
        ("DestinationRule", world.destination_rules.is_empty() && !is_of_api),
        ("Service", world.services.is_empty()),
        ("workload", world.workloads.is_empty()),
    ];
    let mut missing: Vec<String> =
        kinds.into_iter().filter(|(_, is_missing)| *is_missing).map(|(kind, _)| kind.to_owned()).collect();
    let mut single = Vec::new();
    if !world.workloads.is_empty() || !world.services.is_empty() {
        let unplaced = world.plugins.iter().filter(|plugin| plugin::is_place_unknown(world, plugin));
        single.extend(unplaced.filter_map(|plugin| Some(format!("gateway pods of {}", plugin.object()?.title()))));
    }
    let without_url = world.plugins.iter().filter(|plugin| !plugin.is_policy() && plugin.url().0.is_none());
    single.extend(without_url.filter_map(|plugin| Some(format!("url of {}", plugin.object()?.title()))));
    // Another version may have them.
    if is_alone {
        single.extend(hosts::without_routes(world).into_iter().map(|host| format!("routes of {host}")));
    }
    let headers = || world.plugins.iter().filter_map(|plugin| plugin.header.as_deref());
    let follows = |routing: &&Routing| headers().any(|header| routing.asks_for(header));
    for routing in world.routings.iter().filter(follows) {
        let all = routing.routes.iter().flat_map(|route| &route.destinations);
        single.extend(all.filter_map(|destination| behind(world, destination)));
        if !world.gateways.is_empty() {
            let absent = routing.parents.iter().filter(|named| !world.has_gateway(named));
            single.extend(absent.map(|named| format!("Gateway {}", titled(named.namespace, named.name))));
        }
    }
    let mut seen = std::collections::HashSet::new();
    single.retain(|one| seen.insert(one.clone()));
    let more = single.len().saturating_sub(MOST);
    single.truncate(MOST);
    missing.append(&mut single);
    if more > 0 {
        missing.push(format!("{more} more"));
    }
    missing
}

/// The first that is not given on the way to a destination's pods.
fn behind(world: &World, destination: &Destination) -> Option<String> {
    let ServiceName { name, namespace } = destination.service()?;
    let title = titled(namespace, name);
    if world.services_of(destination).is_empty() {
        return (!world.services.is_empty()).then(|| format!("Service {title}"));
    }
    if destination.subset.is_some() && world.rules_of(destination).is_empty() && !world.destination_rules.is_empty() {
        return Some(format!("DestinationRule of {title}"));
    }
    let service = world.service_of(destination).filter(|service| service.selector.is_some())?;
    let is_open = world.pods_behind(service).is_empty() && !world.has_obscure_pods(service);
    (is_open && !world.workloads.is_empty()).then(|| format!("pods of Service {title}"))
}

fn titled(namespace: &str, name: &str) -> String {
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{namespace}{slash}{name}")
}
