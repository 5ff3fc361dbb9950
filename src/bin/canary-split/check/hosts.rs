//! Whether the rules, the routes and the Gateways speak of the same hosts.

use super::misspelt::{Names, are_alike};
use super::{attached, grants, redirect, redirected};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::beside::Beside;
use crate::world::gateway::{Gateway, Protocol, Server};
use crate::world::host_index::HostIndex;
use crate::world::namespace::is_same_namespace;
use crate::world::plugin::{Plugin, hosts};
use crate::world::routing::Routing;
use std::collections::{BTreeSet, HashMap, HashSet};

const NOT_SERVED: Code = Code {
    name: "host-not-served",
    severity: Severity::Error,
    why: "no request for this host gets to these routes: no rule decides it, or it is answered with 404",
    fix: "write the same host into hosts of the rule, of the VirtualService and of the Gateway's servers, of which one must speak HTTP or HTTPS and end TLS; export the VirtualService to the gateway's namespace",
};

const MISSING: Code = Code {
    name: "gateway-missing",
    severity: Severity::Error,
    why: "no gateway has these routes; requests to the host are answered with 404",
    fix: "name the Gateway as NAMESPACE/NAME in gateways of the VirtualService, or with its namespace in parentRefs of the HTTPRoute",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&NOT_SERVED, &MISSING];

/// Namespaces and names of the Gateways that routings name.
type Used<'o> = HashSet<(&'o str, &'o str)>;

/// Looks at the hosts of every rule, VirtualService and Gateway.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let mut unruled = HashMap::new();
    for plugin in &world.plugins {
        let Some(header) = plugin.header.as_deref() else { continue };
        let unruled = unruled.entry(header).or_insert_with(|| Unruled::of(world, header));
        rules(plugin, &world.beside(plugin), unruled, findings);
    }
    let headers: HashSet<&str> = world.plugins.iter().filter_map(|plugin| plugin.header.as_deref()).collect();
    let named = world.plugins.iter().flat_map(|plugin| &plugin.rules).flat_map(|(_, rule)| hosts(rule));
    let named: HashSet<String> = named.map(|host| host.to_ascii_lowercase()).collect();
    // At a gateway, and with a host of a rule, or it asks for a plugin's header.
    let concerns = |service: &&Routing| {
        service.gateways().next().is_some()
            && (service.hosts.iter().any(|(_, own)| named.contains(&own.to_ascii_lowercase()))
                || headers.iter().any(|header| service.asks_for(header)))
    };
    let concerned: Vec<_> = world.routings.iter().filter(concerns).collect();
    let used = world.routings.iter().flat_map(Routing::gateways).collect();
    for service in &concerned {
        at_gateways(world, service, &used, findings);
    }
    attached::check(world, &concerned, findings);
    grants::check(world, &concerned, findings);
    redirect::check(world, &concerned, findings);
    redirected::check(world, &concerned, findings);
}

/// The hosts of routings that ask for a header, though no rule has them; none if not all rules can be read.
#[derive(Default)]
struct Unruled<'w, 'o> {
    /// The routings, with their places, of which no host has a rule.
    whole: Vec<(usize, &'w Routing<'o>)>,
    /// Hosts of others.
    single: Vec<(usize, &'o str)>,
}

impl<'w, 'o> Unruled<'w, 'o> {
    fn of(world: &'w World<'o>, header: &str) -> Unruled<'w, 'o> {
        let mut unruled = Unruled::default();
        if !world.writers_of(header).all(|writer| writer.is_whole) {
            return unruled;
        }
        let ruled = world.writers_of(header).flat_map(|writer| &writer.rules).flat_map(|(_, rule)| hosts(rule));
        let ruled = HostIndex::of(ruled.map(|host| (0, host)));
        for (place, service) in world.routings.iter().enumerate().filter(|(_, service)| service.asks_for(header)) {
            let without: Vec<_> = service.hosts.iter().filter(|(_, host)| !ruled.has(host)).collect();
            if without.len() == service.hosts.len() {
                unruled.whole.push((place, service));
            } else {
                unruled.single.extend(without.into_iter().map(|(_, host)| (place, *host)));
            }
        }
        unruled
    }
}

/// A rule's host that nobody serves, while there are routes for the plugin's header at a host that no rule has: all hosts of these routes
/// are such, or one is written almost alike.
fn rules(plugin: &Plugin, beside: &Beside, unruled: &Unruled, findings: &mut Vec<Finding>) {
    let whole = unruled.whole.iter().find(|(place, _)| beside.has(*place)).map(|(_, whole)| whole);
    let mut single = Names::default();
    unruled.single.iter().filter(|(place, _)| beside.has(*place)).for_each(|(_, host)| single.add(host));
    for (place, number, host) in unserved(plugin, beside) {
        let there = match (single.near(&host), whole) {
            (Some(near), _) => near.to_owned(),
            (None, Some(whole)) => whole.hosts.iter().map(|(_, host)| *host).collect::<Vec<_>>().join(", "),
            (None, None) => continue,
        };
        let kind = whole.map(|whole| whole.object.kind);
        let kind = kind.or(beside.iter().next().map(|service| service.object.kind)).unwrap_or("VirtualService");
        let except = if beside.overlapping(&host).is_empty() { "" } else { " but to redirect it" };
        let message = format!("no {kind} has {host}{except}, and no rule has {there}");
        let span = plugin.place_of_host(place, number);
        findings.push(Finding::new(&NOT_SERVED, &plugin.config.source, &span, message));
    }
}

/// Whether a route of the Gateway API only sends requests elsewhere, mostly to https.
fn only_redirects(routing: &Routing) -> bool {
    !routing.is_virtual_service() && routing.routes.iter().all(|route| route.setting("redirect").is_some())
}

/// The hosts of a plugin's rules that none of the routings has, each with the places of the rule and in it.
fn unserved(plugin: &Plugin, beside: &Beside) -> Vec<(usize, usize, String)> {
    let all = plugin
        .rules
        .iter()
        .flat_map(|(place, rule)| hosts(rule).into_iter().enumerate().map(|(number, host)| (*place, number, host)));
    all.filter(|(_, _, host)| beside.overlapping(host).into_iter().all(only_redirects)).collect()
}

/// The hosts of rules whose routes are not given, and may be elsewhere.
pub fn without_routes(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for plugin in &world.plugins {
        let beside = world.beside(plugin);
        if beside.len() > 0 {
            found.extend(unserved(plugin, &beside).into_iter().map(|(_, _, host)| host));
        }
    }
    found
}

fn at_gateways(world: &World, service: &Routing, used: &Used, findings: &mut Vec<Finding>) {
    let (gateways, are_all) = world.gateways_of(service);
    // What no listener takes is another finding.
    if are_all && !service.is_for_mesh() && attached::refused(world, service).is_empty() {
        for (node, host) in &service.hosts {
            if !gateways.iter().any(|gateway| gateway.serves(host, service)) {
                let names: Vec<_> = gateways.iter().map(|gateway| gateway.object.title()).collect();
                let what = if service.is_virtual_service() { "server" } else { "listener" };
                let message = format!("{host} is served by no {what} of {}", names.join(", "));
                findings.push(Finding::new(&NOT_SERVED, &service.object.source, &node.span, message));
            } else if gateways.iter().all(|gateway| gateway.passes_through(host, service)) {
                let names: Vec<_> = gateways.iter().map(|gateway| gateway.object.title()).collect();
                let message = format!("{host} is served by no server of {} that speaks HTTP", names.join(", "));
                findings.push(Finding::new(&NOT_SERVED, &service.object.source, &node.span, message));
            } else if is_only_redirected(world, service, &gateways, host) {
                let names: Vec<_> = gateways.iter().map(|gateway| gateway.object.title()).collect();
                let message = format!(
                    "{host} is sent to https by {}, and served there by no server that ends TLS",
                    names.join(", ")
                );
                findings.push(Finding::new(&NOT_SERVED, &service.object.source, &node.span, message));
            }
        }
    }
    if are_all {
        hidden(world, service, &gateways, findings);
    }
    missing(world, service, used, findings);
}

/// Whether the servers for a host do no more than send it to https, where no routes of it are served. Where no server is for TLS, a
/// load balancer may end it: Envoy does not redirect what that has received over https.
fn is_only_redirected(world: &World, service: &Routing, gateways: &[&Gateway], host: &str) -> bool {
    let leads = |gateway: &Gateway, routing: &Routing| {
        let mut servers = gateway.servers_of(routing).filter(|server| gateway.serves_at(server, host, routing));
        servers.any(|server| [Protocol::Http, Protocol::Https].contains(&server.protocol))
    };
    let is_led = |routing: &Routing| {
        let (own, are_all) = world.gateways_of(routing);
        !are_all || own.iter().any(|gateway| leads(gateway, routing))
    };
    let mut all = gateways.iter().flat_map(|gateway| &gateway.servers);
    service.is_virtual_service()
        && !service.routes.is_empty()
        && all.any(Server::is_for_tls)
        && !world.routing(host).any(is_led)
}

/// A VirtualService that is not exported to where the pods of its gateways are.
fn hidden<'o>(world: &World<'o>, service: &Routing, gateways: &[&Gateway<'o>], findings: &mut Vec<Finding>) {
    let own = &*service.object.namespace;
    let exported: Vec<&str> = service.object.items(&["spec", "exportTo"]).iter().filter_map(Node::text).collect();
    let is_seen_in = |there: &str| {
        let is_it = |name: &str| name == "*" || name == there || name == "." && is_same_namespace(own, there);
        exported.iter().any(|name| is_it(name))
    };
    let hiding = |gateway: &&Gateway<'o>| {
        let there = pods_of(world, gateway, service);
        (!there.is_empty() && !there.iter().any(|there| is_seen_in(there))).then_some((gateway.object, there))
    };
    if !service.is_virtual_service() || exported.is_empty() {
        return;
    }
    let Some(all) = gateways.iter().map(hiding).collect::<Option<Vec<_>>>() else { return };
    let (Some((gateway, there)), Some(node)) = (all.first(), service.object.at(&["spec", "exportTo"])) else { return };
    let there: Vec<_> = there.iter().copied().collect();
    let message = format!(
        "{} is not exported to {}, where the pods of {} are",
        service.object.title(),
        there.join(", "),
        gateway.title()
    );
    findings.push(Finding::new(&NOT_SERVED, &service.object.source, &node.span, message));
}

/// The namespaces of the pods of a routing's gateway, as far as they are known.
pub fn pods_of<'o>(world: &World<'o>, gateway: &Gateway<'o>, service: &Routing) -> BTreeSet<&'o str> {
    let shown = world.shown_namespaces_of(gateway);
    // A gateway of one's own may have the label of the one that istioctl install makes.
    let may_be_own = is_same_namespace(&gateway.object.namespace, &service.object.namespace);
    if shown.is_empty() && !may_be_own { world.namespaces_of(gateway) } else { shown }
}

/// A Gateway that is named and does not exist, while one that serves the host does and has no routes for it. That one has the same name
/// in another namespace, or exactly this host while none of the named Gateways exists, or almost the same name.
fn missing(world: &World, service: &Routing, used: &Used, findings: &mut Vec<Finding>) {
    let absent: Vec<_> = service.parents.iter().filter(|named| !world.has_gateway(named)).copied().collect();
    let are_none_given = absent.len() == service.parents.len();
    for (_, host) in service.hosts.iter().filter(|_| !absent.is_empty()) {
        let find = |is_meant: &dyn Fn(&Gateway) -> bool, counts: &dyn Fn(&Routing) -> bool| {
            let mut serving = world.serving(host).filter(|gateway| gateway.is_of_api() != service.is_virtual_service());
            serving.find(|gateway| is_meant(gateway) && is_left_alone(world, gateway, host, counts))
        };
        // What only redirects is no reason to look for the application elsewhere.
        let leads = |other: &Routing| !only_redirects(other);
        let of_name = absent.iter().find_map(|named| {
            let has_name = |gateway: &Gateway| gateway.object.name == named.name;
            Some((vec![*named], find(&|gateway| has_name(gateway) && gateway.would_serve(host, service), &leads)?))
        });
        let of_host = || {
            let is_host = |served: &str| served.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(host));
            let has_host = |gateway: &Gateway| gateway.servers.iter().flat_map(|server| server.hosts()).any(is_host);
            Some((absent.clone(), find(&|gateway| are_none_given && has_host(gateway), &|_| true)?))
        };
        // One of another name may be another one, unless that means the same.
        let of_alike = || {
            absent.iter().find_map(|named| {
                let is_it = |gateway: &Gateway| {
                    let there = &*gateway.object.namespace;
                    there == named.namespace
                        && are_alike(&gateway.object.name, named.name)
                        && gateway.would_serve(host, service)
                        && ![there, ""].iter().any(|there| used.contains(&(*there, &*gateway.object.name)))
                };
                Some((vec![*named], find(&is_it, &|_| true)?))
            })
        };
        if let Some((named, gateway)) = of_name.or_else(of_host).or_else(of_alike) {
            let names: Vec<_> = named.iter().map(|named| format!("{}/{}", named.namespace, named.name)).collect();
            let title = gateway.object.title();
            let message = format!("Gateway {} does not exist, but {title} serves {host}", names.join(", "));
            let node = named.first().map_or(&service.object.node, |named| named.node);
            findings.push(Finding::new(&MISSING, &service.object.source, &node.span, message));
            return;
        }
    }
}

/// Whether nobody has routes for a host at a Gateway that count.
fn is_left_alone(world: &World, gateway: &Gateway, host: &str, counts: &dyn Fn(&Routing) -> bool) -> bool {
    let is_bound = |other: &Routing| {
        let (gateways, _) = world.gateways_of(other);
        gateways.iter().any(|known| std::ptr::eq(*known, gateway))
    };
    !world.routing(host).any(|other| counts(other) && is_bound(other))
}
