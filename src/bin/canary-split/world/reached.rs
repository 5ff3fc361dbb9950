//! The routes that a request meets at the gateways that a plugin may be on, by its scheme, its port and its host.

use super::World;
use super::beside::Beside;
use super::gateway::{Gateway, Protocol, Server};
use super::host::covers;
use super::parent::Parent;
use super::plugin::Plugin;
use super::routing::Routing;
use super::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// How a request comes to a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'r> {
    /// Its host, in lower case.
    pub host: &'r str,
    /// The port of its URL.
    pub port: u32,
    /// Whether it is https, and not http.
    pub is_tls: bool,
}

/// What it meets at a port of a gateway.
#[derive(Debug)]
pub struct Reached<'w, 'o> {
    /// Whether the gateway sends it to https, whatever the routes say.
    pub sends_to_https: bool,
    /// Whether the gateway is given.
    pub is_given: bool,
    /// The routes.
    pub table: Table<'w, 'o>,
}

/// A port of a gateway, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'w> {
    gateway: At<'w>,
    section: Option<&'w str>,
    port: Option<u32>,
}

/// Those who share their ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At<'w> {
    /// The Gateways of Istio's with this selector.
    Selected(BTreeSet<(&'w str, &'w str)>),
    /// A Gateway of the Gateway API.
    Given(&'w str, &'w str),
    /// A Gateway that is not given.
    Named(bool, &'w str, &'w str),
    /// A Service inside the mesh.
    Mesh(&'w str, &'w str),
    /// Anything else.
    Unknown,
}

/// A server or listener, and a routing that it may serve.
#[derive(Clone, Debug)]
struct Way<'w, 'o> {
    place: Place<'w>,
    /// How specific the host is by which TLS chooses the server.
    server: usize,
    /// How specific the host is by which the gateway chooses the routes: of the server's and the routing's the narrower one.
    domain: usize,
    redirects: bool,
    /// Namespace and name of the Gateway, if it has any.
    through: Option<(&'w str, &'w str)>,
    /// `None`: the server may be there for others.
    routing: Option<&'w Routing<'o>>,
}

impl Way<'_, '_> {
    /// Whether something happens to the request there.
    fn counts(&self) -> bool {
        self.routing.is_some() || self.redirects
    }

    fn is_given(&self) -> bool {
        matches!(self.place.gateway, At::Selected(_) | At::Given(..))
    }
}

impl Coming<'_> {
    fn fits(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Http | Protocol::Redirect => !self.is_tls,
            Protocol::Https => self.is_tls,
            Protocol::Other => false,
        }
    }

    /// The most specific of the hosts that include this one: Envoy looks for the exact host, then for the longest wildcard.
    fn most_specific<'h>(&self, hosts: impl Iterator<Item = &'h str>) -> Option<usize> {
        let fitting = hosts.filter(|own| covers(own, self.host));
        fitting.map(|own| if own.starts_with('*') { own.len() } else { usize::MAX }).max()
    }

    /// The same for a routing.
    fn domain(&self, routing: &Routing) -> Option<usize> {
        // It takes those of each of its listeners.
        let is_open = !routing.is_virtual_service() && routing.object.items(&["spec", "hostnames"]).is_empty();
        if is_open && routing.mesh_parents.is_empty() {
            return Some(0);
        }
        self.most_specific(routing.hosts.iter().map(|(_, host)| *host))
    }
}

/// What a request reaches: nothing, if no server of these gateways serves it; several, if it depends on what is not known.
pub fn reached<'w, 'o>(
    world: &'w World<'o>,
    plugin: &Plugin,
    beside: &Beside<'w, 'o>,
    coming: Coming,
) -> Vec<Reached<'w, 'o>> {
    let routings = beside.overlapping(coming.host);
    let mut ways = given(world, plugin, beside, &routings, coming);
    ways.extend(routings.iter().flat_map(|routing| unknown(world, beside, routing, coming)));
    choose_port(&mut ways, coming.port);
    if coming.is_tls {
        // Its name chooses the server, even one without routes for it.
        keep_best(&mut ways, |way| way.server);
    }
    ways.retain(Way::counts);
    spread(&mut ways);
    keep_best(&mut ways, |way| way.domain);
    let mut places: BTreeMap<Place, Vec<Way>> = BTreeMap::new();
    ways.into_iter().for_each(|way| places.entry(way.place.clone()).or_default().push(way));
    // Nobody redirects https to https: such routes are for a listener whose protocol is not known.
    let is_for_http = |ways: &Vec<Way>| {
        let mut routings = ways.iter().filter_map(|way| way.routing);
        coming.is_tls && !ways.iter().any(Way::is_given) && routings.all(only_redirects)
    };
    if !places.values().all(is_for_http) {
        places.retain(|_, ways| !is_for_http(ways));
    }
    places.into_iter().map(|(place, ways)| at(world, plugin, &place, &ways)).collect()
}

fn at<'w, 'o>(world: &'w World<'o>, plugin: &Plugin, place: &Place, ways: &[Way<'w, 'o>]) -> Reached<'w, 'o> {
    let mut routings: Vec<&Routing> = Vec::new();
    for routing in ways.iter().filter_map(|way| way.routing) {
        if !routings.iter().any(|known| std::ptr::eq(*known, routing)) {
            routings.push(routing);
        }
    }
    let is_classic = routings.iter().any(|routing| routing.is_virtual_service());
    let table = if is_classic {
        let through: Vec<_> = ways.iter().filter_map(|way| way.through).collect();
        Table::of_gateway(routings, |service, route| world.delegate(service, route), place.port, &through)
    } else {
        Table::of_listener(routings, plugin.precedence())
    };
    let (sends_to_https, is_given) = (ways.iter().any(|way| way.redirects), ways.iter().all(Way::is_given));
    Reached { sends_to_https, is_given, table }
}

/// The servers that are given, with the routings that they serve.
fn given<'w, 'o>(
    world: &'w World<'o>,
    plugin: &Plugin,
    beside: &Beside<'w, 'o>,
    routings: &[&'w Routing<'o>],
    coming: Coming,
) -> Vec<Way<'w, 'o>> {
    let parents = routings.iter().flat_map(|routing| &routing.parents);
    let is_meant = |parent: &&Parent| !parent.is_of_api || beside.is_at(parent.namespace, parent.name);
    let named = parents.filter(is_meant).flat_map(|parent| world.gateways_named(parent));
    let named = named.map(|(_, gateway)| gateway);
    // One of Istio's sends to https without any route.
    let serving = world.serving(coming.host).filter(|gateway| !gateway.is_of_api());
    let mut gateways: Vec<&Gateway> = Vec::new();
    for gateway in named.chain(serving).filter(|gateway| gateway.is_of_api() || plugin.may_be_on(gateway)) {
        if !gateways.iter().any(|known| std::ptr::eq(*known, gateway)) {
            gateways.push(gateway);
        }
    }
    let servers = gateways.iter().flat_map(|gateway| gateway.servers.iter().map(move |server| (*gateway, server)));
    let fitting = servers.filter(|(_, server)| coming.fits(server.protocol));
    fitting.flat_map(|(gateway, server)| through(gateway, server, routings, coming)).collect()
}

/// The ways through one server.
fn through<'w, 'o>(
    gateway: &'w Gateway<'o>,
    server: &'w Server<'o>,
    routings: &[&'w Routing<'o>],
    coming: Coming,
) -> Vec<Way<'w, 'o>> {
    let all = server.hosts().map(|host| host.rsplit('/').next().unwrap_or(host));
    let Some(own) = coming.most_specific(all) else { return Vec::new() };
    let shared = if gateway.is_of_api() {
        At::Given(&gateway.object.namespace, &gateway.object.name)
    } else {
        At::Selected(gateway.selector.pairs().collect())
    };
    let place = Place { gateway: shared, section: None, port: server.port };
    let redirects = server.protocol == Protocol::Redirect;
    let through = Some((&*gateway.object.namespace, &*gateway.object.name));
    let mut ways = vec![Way { place: place.clone(), server: own, domain: own, redirects, through, routing: None }];
    for routing in routings.iter().copied() {
        let is_named = routing.parents.iter().any(|parent| gateway.is(parent) && server.is(parent));
        if !is_named || !gateway.serves_at(server, coming.host, routing) {
            continue;
        }
        let served = coming.most_specific(gateway.hosts_at(server, routing));
        if let (Some(served), Some(asked)) = (served, coming.domain(routing)) {
            let (place, domain) = (place.clone(), served.max(asked));
            ways.push(Way { place, server: own, domain, redirects, through, routing: Some(routing) });
        }
    }
    ways
}

/// Where a routing may be met besides.
fn unknown<'w, 'o>(
    world: &'w World<'o>,
    beside: &Beside<'w, 'o>,
    routing: &'w Routing<'o>,
    coming: Coming,
) -> Vec<Way<'w, 'o>> {
    let mut places = Vec::new();
    for parent in &routing.parents {
        let Parent { is_of_api, namespace, name, section, port, .. } = *parent;
        let known = world.gateways_named(parent);
        let is_given = known.iter().any(|(_, gateway)| !gateway.is_of_api() || !gateway.servers.is_empty());
        let is_elsewhere = is_of_api && !beside.is_at(namespace, name);
        let is_other_scheme = port == Some(if coming.is_tls { 80 } else { 443 });
        if !is_given && !is_elsewhere && !is_other_scheme {
            places.push(Place { gateway: At::Named(is_of_api, namespace, name), section, port });
        }
    }
    let open = |gateway| Place { gateway, section: None, port: None };
    places.extend(routing.mesh_parents.iter().map(|parent| open(At::Mesh(parent.namespace, parent.name.1))));
    places.extend(routing.has_other_parents.then(|| open(At::Unknown)));
    let domain = coming.domain(routing).unwrap_or_default();
    let way = |place: Place<'w>| {
        let through = if let At::Named(_, namespace, name) = place.gateway { Some((namespace, name)) } else { None };
        Way { place, server: 0, domain, redirects: false, through, routing: Some(routing) }
    };
    places.into_iter().map(way).collect()
}

/// Leaves the servers of the URL's port. A Service may show another port than the gateway has: a gateway without that port has any.
fn choose_port(ways: &mut Vec<Way>, port: u32) {
    let is_it = |way: &Way| way.place.port == Some(port);
    let having: BTreeSet<At> = ways.iter().filter(|way| is_it(way)).map(|way| way.place.gateway.clone()).collect();
    ways.retain(|way| is_it(way) || way.place.port.is_none() || !having.contains(&way.place.gateway));
    if ways.iter().any(|way| is_it(way) && way.counts()) {
        ways.retain(|way| is_it(way) || way.place.port.is_none());
    }
}

/// Leaves the most specific ways of each place.
fn keep_best(ways: &mut Vec<Way>, of: impl Fn(&Way) -> usize) {
    let mut best: BTreeMap<Place, usize> = BTreeMap::new();
    for way in ways.iter() {
        let best = best.entry(way.place.clone()).or_default();
        *best = (*best).max(of(way));
    }
    ways.retain(|way| best.get(&way.place) == Some(&of(way)));
}

/// Whoever names all of a Gateway that is not given is at each part that others name.
fn spread(ways: &mut Vec<Way>) {
    let is_part =
        |place: &Place| matches!(place.gateway, At::Named(..)) && (place.section.is_some() || place.port.is_some());
    let parts: BTreeSet<Place> = ways.iter().map(|way| &way.place).filter(|place| is_part(place)).cloned().collect();
    let whole: Vec<Way> = ways.iter().filter(|way| !is_part(&way.place)).cloned().collect();
    for part in parts {
        let there = whole.iter().filter(|way| way.place.gateway == part.gateway).cloned();
        ways.extend(there.map(|way| Way { place: part.clone(), ..way }));
    }
}

fn only_redirects(routing: &Routing) -> bool {
    routing.routes.iter().all(|route| route.setting("redirect").is_some())
}
