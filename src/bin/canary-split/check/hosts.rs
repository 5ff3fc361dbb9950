//! Whether the rules, the routes and the Gateways speak of the same hosts.

use super::world::World;
use super::world::gateway::{Gateway, Protocol};
use super::world::host::overlap;
use super::world::plugin::{Plugin, hosts};
use super::world::routing::VirtualService;
use crate::report::finding::{Code, Finding, Severity};
use canary_split::rule::{Rule, Target};
use canary_split::visitor::cookie::Secure;

const NOT_SERVED: Code = Code {
    name: "host-not-served",
    severity: Severity::Error,
    why: "no request with this host gets there: it is counted without a rule or answered with 404",
    fix: "use one host in hosts of the rule, of the VirtualService and of the Gateway's servers",
};

const MISSING: Code = Code {
    name: "gateway-missing",
    severity: Severity::Error,
    why: "no gateway has these routes; requests to the host are answered with 404",
    fix: "name the Gateway as NAMESPACE/NAME in gateways of the VirtualService",
};

const NO_REDIRECT: Code = Code {
    name: "no-redirect",
    severity: Severity::Warning,
    why: "pages are there in plain http too, and a cookie that they set has no Secure",
    fix: "tls: {httpsRedirect: true} in the server for http, or secure: true in the cookie",
};

/// The codes of this file.
pub const CODES: [&Code; 3] = [&NOT_SERVED, &MISSING, &NO_REDIRECT];

/// Looks at the hosts of every rule, VirtualService and Gateway.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        rules(world, plugin, findings);
    }
    let concerned: Vec<_> = world.virtual_services.iter().filter(|service| concerns(world, service)).collect();
    for service in &concerned {
        at_gateways(world, service, findings);
    }
    for gateway in &world.gateways {
        redirect(world, gateway, &concerned, findings);
    }
}

/// Whether a VirtualService at a gateway has a host of a rule, or asks for a plugin's header.
fn concerns(world: &World, service: &VirtualService) -> bool {
    service.gateways().next().is_some()
        && world.plugins.iter().any(|plugin| {
            let asks = plugin.header.as_deref().is_some_and(|header| service.asks_for(header));
            let named = |host: &String| service.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host));
            asks || plugin.rules.iter().flat_map(|(_, rule)| hosts(rule)).any(|host| named(&host))
        })
}

/// A rule's host that nobody serves, while there are routes for the plugin's header at a host that no rule has.
fn rules(world: &World, plugin: &Plugin, findings: &mut Vec<Finding>) {
    let Some(header) = plugin.header.as_deref() else { return };
    let peers = world.writers_of(header);
    if !peers.iter().all(|peer| peer.is_whole) {
        return;
    }
    let beside = world.beside(plugin);
    let all: Vec<String> = peers.iter().flat_map(|peer| &peer.rules).flat_map(|(_, rule)| hosts(rule)).collect();
    let has_no_rule =
        |service: &&&VirtualService| service.asks_for(header) && !all.iter().any(|host| service.is_for(host));
    let Some(without) = beside.iter().find(has_no_rule) else { return };
    for (place, rule) in &plugin.rules {
        for (number, host) in hosts(rule).iter().enumerate() {
            if beside.iter().any(|service| service.is_for(host)) {
                continue;
            }
            let there: Vec<_> = without.hosts.iter().map(|(_, host)| *host).collect();
            let message = format!("no VirtualService has {host}, and no rule has {}", there.join(", "));
            findings.push(Finding::new(
                &NOT_SERVED,
                &plugin.config.source,
                &plugin.place_of_host(*place, number),
                message,
            ));
        }
    }
}

fn at_gateways(world: &World, service: &VirtualService, findings: &mut Vec<Finding>) {
    let (gateways, are_all) = world.gateways_of(service);
    let namespace = &*service.object.namespace;
    if are_all && !service.is_for_mesh() {
        for (node, host) in &service.hosts {
            if !gateways.iter().any(|gateway| gateway.serves(host, namespace)) {
                let names: Vec<_> = gateways.iter().map(|gateway| gateway.object.title()).collect();
                let message = format!("{host} is served by no server of {}", names.join(", "));
                findings.push(Finding::new(&NOT_SERVED, &service.object.source, &node.span, message));
            }
        }
    }
    if gateways.is_empty() {
        missing(world, service, findings);
    }
}

/// None of the Gateways that are named is given, while one is that serves the host and for which nobody has routes.
fn missing(world: &World, service: &VirtualService, findings: &mut Vec<Finding>) {
    let is_left_alone = |gateway: &&Gateway, host: &str| {
        let is_named = |served: &str| served.rsplit('/').next().is_some_and(|served| served.eq_ignore_ascii_case(host));
        let is_bound = |other: &VirtualService| {
            let (gateways, _) = world.gateways_of(other);
            other.is_for(host) && gateways.iter().any(|known| std::ptr::eq(*known, *gateway))
        };
        gateway.servers.iter().flat_map(|server| server.hosts()).any(is_named)
            && !world.virtual_services.iter().any(is_bound)
    };
    for (_, host) in &service.hosts {
        if let Some(gateway) = world.gateways.iter().find(|gateway| is_left_alone(gateway, host)) {
            let names: Vec<_> = service.gateways().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            let title = gateway.object.title();
            let message = format!("there is no Gateway {}, but {title} serves {host}", names.join(", "));
            let node = service.object.at(&["spec", "gateways"]).unwrap_or(&service.object.node);
            findings.push(Finding::new(&MISSING, &service.object.source, &node.span, message));
            return;
        }
    }
}

/// A server for http next to one for https, of a host that a rule has.
fn redirect(world: &World, gateway: &Gateway, concerned: &[&VirtualService], findings: &mut Vec<Finding>) {
    let of = |protocol: Protocol| gateway.servers.iter().filter(move |server| server.protocol == protocol);
    let bare = |host: &str| host.rsplit('/').next().unwrap_or_default().to_owned();
    let is_https =
        |host: &str| of(Protocol::Https).flat_map(|server| server.hosts()).any(|served| overlap(&bare(served), host));
    let bound: Vec<_> = concerned
        .iter()
        .filter(|service| world.gateways_of(service).0.iter().any(|known| std::ptr::eq(*known, gateway)))
        .collect();
    // Routes may redirect as well.
    let redirects = |service: &VirtualService| service.routes.iter().any(|route| route.node.get("redirect").is_some());
    if world.virtual_services.iter().any(redirects) {
        return;
    }
    for server in of(Protocol::Http) {
        let is_concerned = |host: &String| {
            is_https(host) && bound.iter().any(|service| service.is_for(host)) && has_bare_cookie(world, gateway, host)
        };
        if let Some(host) = server.hosts().map(bare).find(is_concerned) {
            let message = format!("{} serves {host} over http beside https", gateway.object.title());
            findings.push(Finding::new(&NO_REDIRECT, &gateway.object.source, &server.node.span, message));
        }
    }
}

/// Whether a rule for a host sets a cookie that has no `Secure` over http.
fn has_bare_cookie(world: &World, gateway: &Gateway, host: &str) -> bool {
    let is_bare = |rule: &Rule| {
        let Target::Split(split) = &rule.target else { return false };
        let cookie = split.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        cookie.is_some_and(|cookie| cookie.secure != Secure::Always)
    };
    let plugins = world.plugins.iter().filter(|plugin| plugin.may_be_on(gateway));
    let mut rules = plugins.flat_map(|plugin| &plugin.rules).map(|(_, rule)| rule).filter(|rule| is_bare(rule));
    rules.any(|rule| hosts(rule).iter().any(|own| overlap(own, host)))
}
