//! Whether a plugin is at another Gateway or listener than the routes of its rules.

use super::targets::{POLICY, TARGET};
use crate::input::manifest::{GATEWAY_API, Object};
use crate::input::yaml::Node;
use crate::report::finding::Finding;
use crate::world::World;
use crate::world::gateway::Gateway;
use crate::world::gateway_api::is_waypoint;
use crate::world::namespace::is_same_namespace;
use crate::world::plugin::{Aim, Plugin, hosts};
use crate::world::routing::Routing;

/// A given Gateway that a plugin aims at, or a listener of it.
struct Place<'w, 'o> {
    target: &'w Node,
    gateway: &'w Gateway<'o>,
    section: Option<(&'w Node, &'w str)>,
}

/// Looks at every plugin that names nothing but given Gateways of the Gateway API.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let Some(object) = plugin.object() else { continue };
        let Some(places) = places(world, plugin, object) else { continue };
        let Some((node, problem)) = places.iter().find_map(no_listener).or_else(|| elsewhere(world, plugin, &places))
        else {
            continue;
        };
        let code = if plugin.is_policy() { &POLICY } else { &TARGET };
        let message = format!("{} aims at {problem}", object.title());
        findings.push(Finding::new(code, &object.source, &node.span, message));
    }
}

/// All that a plugin aims at; `None` if any of it is not given, or is no gateway.
fn places<'w, 'o>(world: &'w World<'o>, plugin: &'w Plugin, object: &Object) -> Option<Vec<Place<'w, 'o>>> {
    let place = |target: &'w Node| {
        let aim = Aim::of(target);
        let is_here = |namespace: &str| is_same_namespace(namespace, &object.namespace);
        let is_it = |gateway: &&Gateway| {
            gateway.is_of_api() && gateway.object.name == aim.name && is_here(&gateway.object.namespace)
        };
        let gateway = world.gateways.iter().find(is_it)?;
        let is_known = aim.is("Gateway", GATEWAY_API)
            && is_here(aim.namespace)
            && !gateway.servers.is_empty()
            && !is_waypoint(gateway);
        let section = target.get("sectionName").filter(|_| plugin.is_policy());
        let section = section.and_then(|node| Some((node, node.text().filter(|name| !name.is_empty())?)));
        is_known.then_some(Place { target, gateway, section })
    };
    let places: Vec<_> = plugin.targets().into_iter().map(place).collect::<Option<_>>()?;
    (!places.is_empty() && plugin.target_selectors().is_empty()).then_some(places)
}

/// A listener that its Gateway does not have.
fn no_listener<'w>(place: &Place<'w, '_>) -> Option<(&'w Node, String)> {
    let (node, name) = place.section?;
    let has_it = place.gateway.servers.iter().any(|server| server.section == Some(name));
    let title = place.gateway.object.title();
    (!has_it).then(|| (node, format!("listener {name}, which {title} does not have")))
}

/// The first place, if all routes for the hosts of the rules are known and none of them is at any of the places. One of them asks for the
/// header, so they are meant.
fn elsewhere<'w>(world: &World, plugin: &Plugin, places: &[Place<'w, '_>]) -> Option<(&'w Node, String)> {
    let (header, first) = (plugin.header.as_deref()?, places.first()?);
    let patterns: Vec<String> = plugin.rules.iter().flat_map(|(_, rule)| hosts(rule)).collect();
    let leads = |routing: &&Routing| routing.routes.iter().any(|route| !route.destinations.is_empty());
    let routings: Vec<&Routing> = patterns.iter().flat_map(|host| world.routing(host)).filter(leads).collect();
    let meant = routings.iter().find(|routing| routing.asks_for_value(header))?;
    let is_unclear = |routing: &&Routing| {
        routing.is_virtual_service() || !routing.mesh_parents.is_empty() || !world.gateways_of(routing).1
    };
    let is_at = |routing: &Routing, place: &Place| {
        let mut servers = place.gateway.servers_of(routing).peekable();
        let is_listener = match place.section {
            // That no listener takes it is another finding.
            Some((_, name)) => servers.peek().is_none() || servers.any(|server| server.section == Some(name)),
            None => true,
        };
        routing.parents.iter().any(|parent| place.gateway.is(parent)) && is_listener
    };
    let is_reached = |routing: &&Routing| places.iter().any(|place| is_at(routing, place));
    let has_another_plugin = |routing: &&Routing| {
        let others = world.writers_of(header).filter(|other| !std::ptr::eq(*other, plugin));
        let is_at = |other: &Plugin| routing.gateways().any(|(namespace, name)| other.may_be_at(namespace, name));
        others.into_iter().any(|other| if other.is_policy() { other.covers(routing) } else { is_at(other) })
    };
    if routings.iter().any(|routing| is_unclear(routing) || is_reached(routing) || has_another_plugin(routing)) {
        return None;
    }
    let (gateway, route) = (first.gateway.object.title(), meant.object.title());
    Some(match first.section {
        Some((node, name)) => (node, format!("listener {name} of {gateway}, where {route} is not")),
        None => (first.target.get("name").unwrap_or(first.target), format!("{gateway}, where {route} is not")),
    })
}
