//! The way of a request through a cluster after the filter has written its header: route, destinations, pods.

use super::request::Seen;
use crate::cluster::expected::{self, Pods};
use crate::cluster::pods::Pod;
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::gateway::{Protocol, Server};
use crate::world::host::overlap;
use crate::world::listeners;
use crate::world::plugin::Plugin;
use crate::world::routing::{Destination, Route, VirtualService};
use crate::world::table::Table;
use crate::world::text::Taken;
use serde::Serialize;

/// Where the requests of one subset go.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Routed {
    /// The subset; `None`: no rule decides.
    pub subset: Option<String>,
    /// As in `VirtualService shop/shop http[0]`; `None`: no route takes the request.
    pub route: Option<String>,
    /// Whether something unknown may send it elsewhere before that.
    pub is_doubtful: bool,
    /// What happens instead of routing: `redirect`, `directResponse`, or `httpsRedirect` of the Gateway.
    pub instead: Option<&'static str>,
    /// Where the route leads.
    pub destinations: Vec<Arrival>,
}

/// A destination of a route.
#[derive(Debug, Serialize)]
pub struct Arrival {
    /// As it is written.
    pub host: String,
    /// `destination.subset`
    pub subset: Option<String>,
    /// `destination.port.number`
    pub port: Option<u32>,
    /// The pods there, if the Service and the subset are known.
    pub pods: Option<Pods>,
}

/// What the filter has written.
#[derive(Default)]
pub struct Decided {
    /// The name of the subset, and the value of its header.
    pub subset: Option<(String, String)>,
    /// The position by which Envoy picks, if somebody else owns the weights.
    pub position: Option<u32>,
}

/// Where a request goes for each of these decisions.
pub fn routes(world: &World, plugin: &Plugin, request: &Seen, decided: &[Decided], pods: &[Pod]) -> Vec<Routed> {
    let host = request.host();
    let beside = world.beside(plugin);
    let services = most_specific(beside.overlapping(&host), &host);
    if request.is_plain() && is_sent_to_https(world, plugin, &host) {
        return vec![Routed {
            subset: None,
            route: None,
            is_doubtful: false,
            instead: Some("httpsRedirect"),
            destinations: Vec::new(),
        }];
    }
    let tables = listeners::tables(world, plugin, &beside, &services, &host);
    decided.iter().map(|decided| routed(world, plugin, &tables, request, &host, decided, pods)).collect()
}

/// Whether any route is for the request's host.
pub fn is_served(world: &World, plugin: &Plugin, request: &Seen) -> bool {
    !world.beside(plugin).overlapping(&request.host()).is_empty()
}

/// Whether the gateways that serve a host over http only redirect it to https.
fn is_sent_to_https(world: &World, plugin: &Plugin, host: &str) -> bool {
    let gateways = world.serving(host).filter(|gateway| plugin.may_be_on(gateway));
    let servers = gateways.flat_map(|gateway| &gateway.servers);
    let is_for_host = |server: &&Server| server.hosts().any(|own| overlap(own.rsplit('/').next().unwrap_or(own), host));
    let plain: Vec<_> = servers.filter(is_for_host).map(|server| server.protocol).collect();
    plain.contains(&Protocol::Redirect) && !plain.contains(&Protocol::Http)
}

/// Envoy looks for the exact host, then for the longest wildcard.
fn most_specific<'w, 'o>(mut services: Vec<&'w VirtualService<'o>>, host: &str) -> Vec<&'w VirtualService<'o>> {
    let length = |service: &VirtualService| {
        let hosts = service.hosts.iter().map(|(_, own)| *own);
        let fitting = hosts.filter(|own| overlap(own, host));
        fitting.map(|own| if own.starts_with('*') { own.len() } else { usize::MAX }).max().unwrap_or_default()
    };
    let most = services.iter().map(|service| length(service)).max();
    services.retain(|service| Some(length(service)) == most);
    services
}

fn routed(
    world: &World,
    plugin: &Plugin,
    tables: &[Table],
    request: &Seen,
    host: &str,
    decided: &Decided,
    pods: &[Pod],
) -> Routed {
    let mut routed = Routed {
        subset: decided.subset.as_ref().map(|(name, _)| name.clone()),
        route: None,
        is_doubtful: tables.len() > 1,
        instead: None,
        destinations: Vec::new(),
    };
    for table in tables {
        let (path, method) = (request.path(), request.method());
        let mut known: Vec<Asked> = vec![Asked::host(host), Asked::uri(&path), Asked::method(&method)];
        let header = plugin.header.as_deref().unwrap_or_default();
        let sent = request.texts().filter(|(name, _)| *name != header);
        known.extend(sent.map(|(name, value)| Asked::header(name, value)));
        let query = request.query();
        known.extend(query.iter().map(|(name, value)| Asked::query_param(name, value)));
        known.extend(decided.subset.iter().map(|(_, value)| Asked::header(header, value)));
        // The whole request is known: what is missing is absent.
        let absent: Vec<Asked> = table.asked().filter_map(|asked| asked.absent_in(&known)).collect();
        let known: Vec<&Asked> = known.iter().chain(&absent).collect();
        let met = table.met(&known);
        let Some(taker) = met.iter().find(|met| met.taken == Taken::All).or(met.first()) else { continue };
        let route = taker.step.route;
        routed.is_doubtful |= met.first().is_some_and(|first| first.taken != Taken::All);
        routed.route = Some(format!("{} {}", taker.step.service.object.title(), taker.step.path()));
        routed.instead = route.answer();
        let picked = decided.position.and_then(|position| picked(route, position));
        let destinations = picked.map_or(&*route.destinations, std::slice::from_ref).iter();
        routed.destinations = destinations.map(|destination| arrival(world, destination, pods)).collect();
        break;
    }
    routed
}

/// Where Envoy sends a position: Istio leaves out destinations without a weight, and intervals are in the order of the list.
fn picked<'r, 'o>(route: &'r Route<'o>, position: u32) -> Option<&'r Destination<'o>> {
    let weights = route.destinations.iter().map(|destination| destination.weight().map_or(0, u64::from));
    let weights: Vec<u64> = weights.collect();
    let mut at = u64::from(position).checked_rem(weights.iter().sum())?;
    let mut places = route.destinations.iter().zip(weights);
    places
        .find(|(_, weight)| at.checked_sub(*weight).map(|rest| at = rest).is_none())
        .map(|(destination, _)| destination)
}

fn arrival(world: &World, destination: &Destination, pods: &[Pod]) -> Arrival {
    Arrival {
        host: destination.host.1.to_owned(),
        subset: destination.subset.map(|(_, subset)| subset.to_owned()),
        port: destination.port.map(|(_, port)| port),
        pods: expected::pods_of(world, destination, pods),
    }
}
