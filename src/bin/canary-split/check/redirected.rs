//! Whether an application is where everything is sent to https, or a redirect where the application is.

use super::redirect::{Entrance, goes_to_https, last_of, may_take_at};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::{Gateway, Protocol, Server};
use crate::world::host::overlap;
use crate::world::parent::Parent;
use crate::world::routing::{Route, Routing, condition};
use std::collections::HashSet;

const AT_REDIRECT: Code = Code {
    name: "route-at-redirect",
    severity: Severity::Warning,
    why: "of two routes that take every request the older one wins, and a route for the header wins over both: the canary's visitors get plain http where others are sent to https, or nobody gets to the application",
    fix: "name a listener in parentRefs of both routes: sectionName of the one for https in the application's, of the one for http in the redirect's; in a VirtualService put the redirect first",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&AT_REDIRECT];

/// Looks at the routes that ask for a plugin's header.
pub fn check(world: &World, concerned: &[&Routing], findings: &mut Vec<Finding>) {
    let headers: HashSet<&str> = world.plugins.iter().filter_map(|plugin| plugin.header.as_deref()).collect();
    let asks = |routing: &&&Routing| headers.iter().any(|header| routing.asks_for_value(header));
    for routing in concerned.iter().filter(asks) {
        if routing.is_virtual_service() {
            let found = headers.iter().find_map(|header| before_redirect(world, routing, header));
            findings.extend(found);
            continue;
        }
        for parent in &routing.parents {
            let mut found = world.gateways_named(parent).into_iter().filter_map(|(_, gateway)| {
                let (server, other) = redirected(world, gateway, parent, routing)?;
                Some((gateway, server, other))
            });
            if let Some(finding) = endless(world, parent, routing) {
                findings.push(finding);
            }
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

/// A listener for https at which one route sends all requests for a host to where they come from, and comes before this one.
fn endless(world: &World, parent: &Parent, routing: &Routing) -> Option<Finding> {
    let gateways = world.gateways_named(parent).into_iter().map(|(_, gateway)| gateway);
    let servers = gateways.flat_map(|gateway| gateway.servers.iter().map(move |server| (gateway, server)));
    let own = servers.filter(|(_, server)| server.protocol == Protocol::Https && server.is(parent));
    let mut all = own.flat_map(|at| routing.hosts.iter().map(move |(_, host)| (at, *host)));
    all.find_map(|((gateway, server), host)| {
        let entrance = Entrance { gateway, host, port: server.port? };
        let last = last_of(world, routing, &entrance).filter(|route| !route.destinations.is_empty())?;
        let precedence = world.precedence_at(gateway, routing);
        let place = |routing: &Routing, route: &Route| {
            let age = routing.object.text(&["metadata", "creationTimestamp"]).map(str::to_owned);
            let name = (routing.object.namespace.clone(), routing.object.name.clone());
            (route.specificity(precedence), age, name)
        };
        let is_back = |route: &Route| {
            let Some(redirect) = route.setting("redirect") else { return false };
            let is_port = |port: u32| port == entrance.port || port == 443;
            redirect.get("path").is_none()
                && redirect.get("hostname").and_then(Node::text).is_none_or(|there| there.eq_ignore_ascii_case(host))
                && redirect.get("port").is_none_or(|port| port.number().is_some_and(is_port))
        };
        let sends = |other: &&Routing| {
            let first = last_of(world, other, &entrance);
            !other.is_virtual_service()
                && other.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host))
                && goes_to_https(world, other, &entrance)
                && first.is_some_and(|first| is_back(first) && place(other, first) < place(routing, last))
        };
        let other = world.routing(host).filter(|_| gateway.serves_at(server, host, routing)).find(sends)?;
        let message = format!(
            "{} sends everything to https at listener {} of {} already, where {} is",
            other.object.title(),
            server.section.unwrap_or_default(),
            gateway.object.title(),
            routing.object.title()
        );
        let named = other.parents.iter().find(|parent| gateway.is(parent) && server.is(parent))?.node;
        Some(Finding::new(&AT_REDIRECT, &other.object.source, &named.span, message))
    })
}

/// A redirect of all that comes in over http to https, which the canary's visitors do not meet, as their route is before it.
fn before_redirect(world: &World, routing: &Routing, header: &str) -> Option<Finding> {
    let (gateways, _) = world.gateways_of(routing);
    let bare = |host: &str| host.rsplit('/').next().unwrap_or_default().to_owned();
    let serves = |gateway: &Gateway, protocol: Protocol, host: &str| {
        let mut servers = gateway.servers_of(routing).filter(|server| server.protocol == protocol);
        servers.any(|server| server.hosts().any(|served| overlap(&bare(served), host)))
    };
    let of_host = |host: &str| {
        let is_https = gateways.iter().any(|gateway| serves(gateway, Protocol::Https, host));
        let plain = gateways.iter().filter(|gateway| is_https && serves(gateway, Protocol::Http, host));
        let servers = plain.flat_map(|gateway| gateway.servers.iter().map(move |server| (*gateway, server)));
        let mut plain = servers.filter(|(_, server)| server.protocol == Protocol::Http);
        plain.find_map(|(gateway, server)| {
            let entrance = Entrance { gateway, host, port: server.port? };
            let last = last_of(world, routing, &entrance).filter(|_| goes_to_https(world, routing, &entrance))?;
            let asks = |entry: &Node| {
                condition(entry, header).is_some() && may_take_at(entry, &routing.object.namespace, &entrance)
            };
            let mut before = routing.routes.iter().take_while(|route| !std::ptr::eq(*route, last));
            let is_canarys = |route: &Route| {
                !route.destinations.is_empty() && route.matches.iter().flatten().any(|entry| asks(entry))
            };
            before.any(is_canarys).then_some((entrance.port, last))
        })
    };
    let (port, last) = routing.hosts.iter().find_map(|(_, host)| of_host(host))?;
    let message = format!(
        "{} sends what comes in at port {port} to https only after the route for {header}",
        routing.object.title()
    );
    Some(Finding::new(&AT_REDIRECT, &routing.object.source, &last.node.span, message))
}
