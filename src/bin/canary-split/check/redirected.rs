//! Whether an application is at a listener that is there to redirect.

use super::redirect::{Entrance, goes_to_https, last_of};
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::{Gateway, Protocol, Server};
use crate::world::host::overlap;
use crate::world::parent::Parent;
use crate::world::routing::Routing;
use std::collections::HashSet;

const AT_REDIRECT: Code = Code {
    name: "route-at-redirect",
    severity: Severity::Warning,
    why: "of two routes that take every request the older one wins, and a route for the header wins over both: the canary's visitors get plain http where others are sent to https, or nobody gets to the application",
    fix: "name the listener for https: sectionName in parentRefs of the application's route",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&AT_REDIRECT];

/// Looks at the routes of the Gateway API that ask for a plugin's header.
pub fn check(world: &World, concerned: &[&Routing], findings: &mut Vec<Finding>) {
    let headers: HashSet<&str> = world.plugins.iter().filter_map(|plugin| plugin.header.as_deref()).collect();
    let asks = |routing: &&&Routing| headers.iter().any(|header| routing.asks_for_value(header));
    for routing in concerned.iter().filter(|routing| !routing.is_virtual_service()).filter(asks) {
        for parent in &routing.parents {
            let mut found = world.gateways_named(parent).into_iter().filter_map(|(_, gateway)| {
                let (server, other) = redirected(world, gateway, parent, routing)?;
                Some((gateway, server, other))
            });
            let Some((gateway, server, other)) = found.next() else { continue };
            let message = format!(
                "{} is at listener {} of {}, where {} sends everything to https",
                routing.object.title(),
                server.section.unwrap_or_default(),
                gateway.object.title(),
                other.object.title()
            );
            let node = parent.node.get("sectionName").unwrap_or(parent.node);
            findings.push(Finding::new(&AT_REDIRECT, &routing.object.source, &node.span, message));
        }
    }
}

/// A listener for http next to one for https, at which one route sends all requests for a host to https, and this one has a route for
/// all of them too.
fn redirected<'w, 'o>(
    world: &'w World<'o>,
    gateway: &'w Gateway<'o>,
    parent: &Parent,
    routing: &Routing,
) -> Option<(&'w Server<'o>, &'w Routing<'o>)> {
    let is_https = |host: &str| {
        let mut https = gateway.servers.iter().filter(|server| server.protocol == Protocol::Https);
        https.any(|server| server.hosts().any(|served| overlap(served, host)))
    };
    let own = gateway.servers.iter().filter(|server| server.protocol == Protocol::Http && server.is(parent));
    let hosts = || routing.hosts.iter().map(|(_, host)| *host).filter(|host| is_https(host));
    let mut all = own.flat_map(|server| hosts().map(move |host| (server, host)));
    all.find_map(|(server, host)| {
        let entrance = Entrance { gateway, host, port: server.port? };
        let leads = || last_of(world, routing, &entrance).is_some_and(|route| !route.destinations.is_empty());
        // A redirect of a wider host leaves this one alone.
        let sends = |other: &&Routing| {
            !std::ptr::eq(other.object, routing.object)
                && other.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host))
                && !other.is_virtual_service()
                && goes_to_https(world, other, &entrance)
        };
        let is_there = gateway.serves_at(server, host, routing) && leads();
        world.routing(host).filter(|_| is_there).find(sends).map(|other| (server, other))
    })
}
