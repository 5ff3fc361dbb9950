//! Whether pages are to be had in plain http next to https.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::gateway::{Gateway, Protocol};
use crate::world::gateway_name::resolved;
use crate::world::host::overlap;
use crate::world::host_index::HostIndex;
use crate::world::parent::Parent;
use crate::world::plugin::hosts;
use crate::world::routing::{Route, Routing};
use canary_split::rule::Rule;
use canary_split::rule::re2::Re2;
use canary_split::visitor::cookie::Secure;
use std::cell::OnceCell;
use std::collections::HashMap;

const NO_REDIRECT: Code = Code {
    name: "no-redirect",
    severity: Severity::Warning,
    why: "pages are served over plain http too, and a cookie that is set there has no Secure",
    fix: "set tls: {httpsRedirect: true} in the server for http, add an HTTPRoute with RequestRedirect to the listener for http, or set secure: true in the cookie",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&NO_REDIRECT];

/// Where requests come in.
#[derive(Debug)]
pub struct Entrance<'w> {
    /// At which Gateway.
    pub gateway: &'w Gateway<'w>,
    /// For which host.
    pub host: &'w str,
    /// At which port of the Gateway.
    pub port: u32,
}

/// Looks at every Gateway with routes of these.
pub fn check(world: &World, concerned: &[&Routing], findings: &mut Vec<Finding>) {
    let mut bound: HashMap<_, Vec<&Routing>> = HashMap::new();
    for service in concerned {
        let mut gateways = world.gateways_of(service).0.into_iter().map(std::ptr::from_ref).collect::<Vec<_>>();
        gateways.dedup();
        gateways.into_iter().for_each(|gateway| bound.entry(gateway).or_default().push(service));
    }
    for gateway in &world.gateways {
        let bound = bound.get(&std::ptr::from_ref(gateway)).map_or(&[][..], Vec::as_slice);
        check_gateway(world, gateway, bound, findings);
    }
}

/// A server for http next to one for https, of a host that a rule has.
fn check_gateway(world: &World, gateway: &Gateway, bound: &[&Routing], findings: &mut Vec<Finding>) {
    let of = |protocol: Protocol| gateway.servers.iter().filter(move |server| server.protocol == protocol);
    let bare = |host: &str| host.rsplit('/').next().unwrap_or_default().to_owned();
    let is_bound = |service: &&Routing| world.gateways_of(service).0.iter().any(|known| std::ptr::eq(*known, gateway));
    let bare_cookies = OnceCell::new();
    // A Gateway may serve http alone, and another one on the same pods https.
    let is_next = |other: &&Gateway| {
        std::ptr::eq(*other, gateway)
            || other.selector.selects(&gateway.selector) && gateway.selector.selects(&other.selector)
    };
    let is_https = |service: &Routing, host: &str| {
        let gateways = world.gateways_of(service).0.into_iter().filter(is_next);
        let servers = gateways.flat_map(|gateway| gateway.servers_of(service));
        let mut https = servers.filter(|server| server.protocol == Protocol::Https);
        https.any(|server| server.hosts().any(|served| overlap(&bare(served), host)))
    };
    for server in of(Protocol::Http) {
        let served: Vec<String> = server.hosts().map(bare).collect();
        let is_plain = |(service, host): &(&Routing, &str)| {
            let entrance = Entrance { gateway, host, port: server.port.unwrap_or_default() };
            let is_redirected =
                || world.routing(host).any(|service| is_bound(&service) && goes_to_https(world, service, &entrance));
            served.iter().any(|served| overlap(served, host))
                && gateway.servers_of(service).any(|own| std::ptr::eq(own, server))
                && is_https(service, host)
                && bare_cookies.get_or_init(|| hosts_with_bare_cookie(world, gateway)).has(host)
                && !is_redirected()
        };
        let mut hosts = bound.iter().flat_map(|service| service.hosts.iter().map(move |(_, host)| (*service, *host)));
        if let Some((_, host)) = hosts.find(is_plain) {
            let message = format!("{} serves {host} over http next to https", gateway.object.title());
            findings.push(Finding::new(&NO_REDIRECT, &gateway.object.source, &server.node.span, message));
        }
    }
}

/// The hosts of the rules that set a cookie which has no `Secure` over http.
fn hosts_with_bare_cookie(world: &World, gateway: &Gateway) -> HostIndex {
    let is_bare = |rule: &Rule| rule.cookie().is_some_and(|(cookie, _)| cookie.secure != Secure::Always);
    let plugins = world.plugins.iter().filter(|plugin| plugin.may_be_on(gateway));
    let rules = plugins.flat_map(|plugin| &plugin.rules).map(|(_, rule)| rule).filter(|rule| is_bare(rule));
    HostIndex::of(rules.flat_map(hosts).map(|host| (0, host)))
}

/// Whether all requests that come in there are sent to https by the routes.
pub fn goes_to_https(world: &World, service: &Routing, entrance: &Entrance) -> bool {
    let scheme = |route: &Route| route.setting("redirect")?.get("scheme").and_then(Node::text).map(str::to_owned);
    let is_https = |route: &Route| scheme(route).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    service.is_for(entrance.host) && last_of(world, service, entrance).is_some_and(is_https)
}

/// Whether the gateway answers all requests that come in there itself.
pub fn is_ended(world: &World, service: &Routing, entrance: &Entrance) -> bool {
    last_of(world, service, entrance).is_some_and(|route| route.answer().is_some())
}

/// The first route that takes whatever comes in there.
pub fn last_of<'s, 'o>(world: &World, service: &'s Routing<'o>, entrance: &Entrance) -> Option<&'s Route<'o>> {
    if !service.is_virtual_service() {
        return last_of_api(world, service, entrance);
    }
    let namespace = &*service.object.namespace;
    let takes_all = |route: &&Route| {
        route
            .matches
            .as_ref()
            .is_none_or(|entries| entries.iter().any(|entry| takes_all_at(entry, namespace, entrance)))
    };
    service.routes.iter().find(takes_all)
}

/// The same of the Gateway API, where the order of the text does not count, but the listener does.
fn last_of_api<'s, 'o>(world: &World, service: &'s Routing<'o>, entrance: &Entrance) -> Option<&'s Route<'o>> {
    let means = |parent: &Parent| {
        let servers = entrance.gateway.servers.iter();
        let mut own = servers.filter(|server| server.port == Some(entrance.port) && server.is(parent));
        entrance.gateway.is(parent) && own.any(|server| entrance.gateway.serves_at(server, entrance.host, service))
    };
    let takes_all = |route: &&Route| route.asked.iter().any(|(_, asked)| asked.iter().all(Asked::is_any));
    let mut routes: Vec<&Route> = service.routes.iter().filter(takes_all).collect();
    let precedence = world.precedence_at(entrance.gateway, service);
    routes.sort_by_key(|route| route.specificity(precedence));
    routes.first().copied().filter(|_| service.parents.iter().any(means))
}

/// Whether an entry of a VirtualService's `match` says nothing against requests that come in there.
pub fn may_take_at(entry: &Node, namespace: &str, entrance: &Entrance) -> bool {
    let is_asked = |key: &str| ["port", "scheme", "authority", "gateways"].contains(&key);
    let is_of_header = |name: &str| {
        [":scheme", "x-forwarded-proto", ":authority", "host"].iter().any(|own| name.eq_ignore_ascii_case(own))
    };
    entry.entries().iter().all(|(key, asked)| match &*key.name {
        "headers" | "withoutHeaders" => {
            let mut known = asked.entries().iter().filter(|(name, _)| is_of_header(&name.name));
            known.all(|(name, asked)| {
                let holds = match name.name.to_ascii_lowercase().as_str() {
                    ":scheme" | "x-forwarded-proto" => may_be(asked, "http"),
                    _ => may_be(asked, entrance.host),
                };
                holds == (&*key.name == "headers")
            })
        }
        key if is_asked(key) => takes_at(key, asked, namespace, entrance),
        _ => true,
    })
}

fn takes_all_at(entry: &Node, namespace: &str, entrance: &Entrance) -> bool {
    entry.entries().iter().all(|(key, asked)| match &*key.name {
        "name" | "statPrefix" | "ignoreUriCase" => true,
        "uri" => asked.get("exact").is_none() && ["/", "/a", "/a/b.c"].iter().all(|path| may_be(asked, path)),
        "headers" => asked.entries().iter().all(|(name, asked)| match name.name.to_ascii_lowercase().as_str() {
            ":scheme" | "x-forwarded-proto" => may_be(asked, "http"),
            ":authority" | "host" => may_be(asked, entrance.host),
            _ => false,
        }),
        // What is not https yet.
        "withoutHeaders" => asked.entries().iter().all(|(name, asked)| {
            let is_scheme = [":scheme", "x-forwarded-proto"].iter().any(|own| name.name.eq_ignore_ascii_case(own));
            is_scheme && may_be(asked, "https") && !may_be(asked, "http")
        }),
        other => takes_at(other, asked, namespace, entrance),
    })
}

/// Whether a condition that is about an entrance alone holds there.
fn takes_at(key: &str, asked: &Node, namespace: &str, entrance: &Entrance) -> bool {
    match key {
        "port" => asked.number() == Some(entrance.port),
        "scheme" => may_be(asked, "http"),
        "authority" => may_be(asked, entrance.host),
        "gateways" => {
            let names = asked.items().iter().filter_map(Node::text);
            names.map(|name| resolved(name, namespace).1).any(|name| name == entrance.gateway.object.name)
        }
        _ => false,
    }
}

/// Whether a condition holds for this value.
fn may_be(asked: &Node, value: &str) -> bool {
    let text = |key: &str| asked.get(key).and_then(Node::text);
    match (text("exact"), text("prefix"), text("regex")) {
        (Some(exact), ..) => exact.eq_ignore_ascii_case(value),
        (_, Some(prefix), _) => value.starts_with(prefix),
        (.., Some(regex)) => Re2::new(regex).is_ok_and(|regex| regex.is_match(value.as_bytes())),
        _ => false,
    }
}
