//! Which routes of the Gateway API a listener has together.

use super::World;
use super::beside::Beside;
use super::routing::Routing;
use std::collections::{BTreeMap, HashSet};

/// Where requests come in: a listener, or what is known of one that is not given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entrance<'w> {
    /// A listener of a Gateway, by their places.
    Given(usize, usize),
    /// A part of a Gateway that is not given.
    Named { namespace: &'w str, name: &'w str, section: Option<&'w str>, port: Option<u32> },
    /// A Service inside the mesh.
    Mesh { namespace: &'w str, name: &'w str },
    /// Anything else.
    Unknown,
}

/// The routings for a host that are of the Gateway API, as a listener that a plugin may be on has them together. Listeners that some
/// of them only redirect count if there are no others.
pub fn groups<'w, 'o>(
    world: &'w World<'o>,
    beside: &Beside<'w, 'o>,
    routings: &[&'w Routing<'o>],
    host: &str,
) -> Vec<Vec<&'w Routing<'o>>> {
    let mut groups: BTreeMap<Entrance, Vec<&'w Routing<'o>>> = BTreeMap::new();
    let api: Vec<_> = routings.iter().copied().filter(|routing| !routing.is_virtual_service()).collect();
    let mut whole = Vec::new();
    for routing in &api {
        for entrance in entrances(world, beside, routing, host) {
            if let Entrance::Named { section: None, port: None, .. } = entrance {
                whole.push((entrance, *routing));
            } else {
                groups.entry(entrance).or_default().push(routing);
            }
        }
    }
    // Whoever names all of a Gateway has each part that others name.
    for (entrance, routing) in whole {
        let is_part = |known: &&Entrance| is_of_one_gateway(known, &entrance);
        let parts: Vec<Entrance> = groups.keys().filter(is_part).cloned().collect();
        for part in parts.into_iter().chain([entrance]) {
            groups.entry(part).or_default().push(routing);
        }
    }
    let only_answers = |group: &[&Routing]| {
        group.iter().any(|routing| routing.routes.iter().all(|route| route.setting("redirect").is_some()))
    };
    let mut seen: HashSet<Vec<*const Routing>> = HashSet::new();
    let all: Vec<Vec<_>> = groups.into_values().collect();
    let deciding: Vec<Vec<_>> = all.iter().filter(|group| !only_answers(group)).cloned().collect();
    let mut groups = if deciding.is_empty() { all } else { deciding };
    groups.iter_mut().for_each(|group| group.dedup_by(|one, other| std::ptr::eq(*one, *other)));
    groups.retain(|group| seen.insert(group.iter().map(|routing| std::ptr::from_ref(*routing)).collect()));
    groups
}

fn is_of_one_gateway(one: &Entrance, other: &Entrance) -> bool {
    match (one, other) {
        (Entrance::Named { namespace, name, .. }, Entrance::Named { namespace: there, name: of, .. }) => {
            (namespace, name) == (there, of)
        }
        _ => false,
    }
}

fn entrances<'w>(world: &'w World<'_>, beside: &Beside, routing: &'w Routing<'_>, host: &str) -> Vec<Entrance<'w>> {
    let mut found = Vec::new();
    for parent in &routing.parents {
        let (namespace, name) = (parent.namespace, parent.name);
        if !beside.is_at(namespace, name) {
            continue;
        }
        let given = world.gateways_named(parent);
        if given.iter().all(|(_, gateway)| gateway.servers.is_empty()) {
            found.push(Entrance::Named { namespace, name, section: parent.section, port: parent.port });
        }
        for (place, gateway) in given {
            let servers = gateway.servers.iter().enumerate();
            let own = servers.filter(|(_, server)| server.is(parent) && gateway.serves_at(server, host, routing));
            found.extend(own.map(|(listener, _)| Entrance::Given(place, listener)));
        }
    }
    let mesh = routing.mesh_parents.iter();
    found.extend(mesh.map(|parent| Entrance::Mesh { namespace: parent.namespace, name: parent.name.1 }));
    if routing.has_other_parents {
        found.push(Entrance::Unknown);
    }
    found
}
