//! The way of a request through a cluster after the filter has written its header: route, destinations, pods.

use super::request::Seen;
use crate::cluster::expected::{self, Pods};
use crate::cluster::pods::Pod;
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::plugin::Plugin;
use crate::world::reached::{Coming, Reached, reached};
use crate::world::routing::{Destination, Route};
use crate::world::table::{Met, Step};
use crate::world::text::Taken;
use serde::Serialize;

/// That no Gateway with the filter serves the routes of the host over the scheme.
pub const NOT_SERVED: &str = "notServed";

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
    /// What happens instead of routing: `redirect`, `directResponse`, `httpsRedirect` of the Gateway, or [`NOT_SERVED`].
    pub instead: Option<&'static str>,
    /// Where the route leads.
    pub destinations: Vec<Arrival>,
    /// The scheme of the request.
    #[serde(skip)]
    pub scheme: &'static str,
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
    let (whole, scheme, beside) = (request.host(), request.scheme(), world.beside(plugin));
    let host = routed_as(world, &whole);
    let coming = Coming { host, port: request.port.into(), is_tls: scheme == "https" };
    let reached = reached(world, plugin, &beside, coming);
    let is_served = !reached.is_empty() || beside.overlapping(host).is_empty();
    let instead = match reached.as_slice() {
        [] if !is_served => Some(NOT_SERVED),
        [_, ..] if reached.iter().all(|one| one.sends_to_https) => Some("httpsRedirect"),
        _ => None,
    };
    if instead.is_some() {
        let (subset, route, destinations) = (None, None, Vec::new());
        return vec![Routed { subset, route, is_doubtful: false, instead, destinations, scheme }];
    }
    decided.iter().map(|decided| routed(world, plugin, &reached, request, decided, pods)).collect()
}

/// Whether any route is for the request's host.
pub fn is_served(world: &World, plugin: &Plugin, request: &Seen) -> bool {
    !world.beside(plugin).overlapping(routed_as(world, &request.host())).is_empty()
}

/// The host by which routes know it: callers in the mesh write the Service `shop` also as `shop.NAMESPACE`, `shop.NAMESPACE.svc` and
/// in full.
fn routed_as<'h>(world: &World, host: &'h str) -> &'h str {
    let Some((name, rest)) = host.split_once('.') else { return host };
    let namespace = rest.split_once('.').map_or(rest, |(namespace, _)| namespace);
    let is_full =
        rest == namespace || rest.get(namespace.len()..).is_some_and(|end| end == ".svc" || end.starts_with(".svc."));
    let mut parents = world.routings.iter().flat_map(|routing| &routing.mesh_parents);
    if is_full && parents.any(|parent| parent.name.1 == name && parent.namespace == namespace) { name } else { host }
}

fn routed(
    world: &World,
    plugin: &Plugin,
    reached: &[Reached],
    request: &Seen,
    decided: &Decided,
    pods: &[Pod],
) -> Routed {
    let (host, scheme, path, method) = (request.host(), request.scheme(), request.path(), request.method());
    let mut known: Vec<Asked> =
        vec![Asked::host(routed_as(world, &host)), Asked::scheme(scheme), Asked::uri(&path), Asked::method(&method)];
    let header = plugin.header.as_deref().unwrap_or_default();
    let sent = request.texts().filter(|(name, _)| *name != header);
    known.extend(sent.map(|(name, value)| Asked::header(name, value)));
    let query = request.query();
    // Of several with one name Envoy compares the first.
    let is_first = |at: usize, name: &String| !query.iter().take(at).any(|(before, _)| before == name);
    let params = query.iter().enumerate().filter(|(at, (name, _))| is_first(*at, name));
    known.extend(params.map(|(_, (name, value))| Asked::query_param(name, value)));
    known.extend(decided.subset.iter().map(|(_, value)| Asked::header(header, value)));
    let takers: Vec<_> = reached.iter().map(|one| taker(one, &known)).collect();
    let found = takers.iter().flatten().next();
    let is_it = |other: &Option<Taker>| match (other, found) {
        (Some(other), Some(found)) => std::ptr::eq(other.step.route, found.step.route),
        (other, found) => other.is_none() && found.is_none(),
    };
    let mut routed = Routed {
        subset: decided.subset.as_ref().map(|(name, _)| name.clone()),
        route: None,
        is_doubtful: !takers.iter().all(is_it) || found.is_some_and(|found| found.is_doubtful),
        instead: None,
        destinations: Vec::new(),
        scheme,
    };
    if let Some(Taker { step, .. }) = found {
        let route = step.route;
        routed.route = Some(format!("{} {}", step.service.object.title(), step.path()));
        routed.instead = route.answer();
        let picked = decided.position.and_then(|position| picked(route, position));
        let destinations = picked.map_or(&*route.destinations, std::slice::from_ref).iter();
        routed.destinations = destinations.map(|destination| arrival(world, destination, pods)).collect();
    }
    routed
}

/// The route that takes a request.
struct Taker<'t, 'w, 'o> {
    step: &'t Step<'w, 'o>,
    /// Whether another one may take it before.
    is_doubtful: bool,
}

/// The route that takes a request with these properties, if the gateway routes it.
fn taker<'t, 'w, 'o>(reached: &'t Reached<'w, 'o>, known: &[Asked]) -> Option<Taker<'t, 'w, 'o>> {
    let table = Some(&reached.table).filter(|_| !reached.sends_to_https)?;
    // The whole request is known: what is missing is absent.
    let absent: Vec<Asked> = table.asked().filter_map(|asked| asked.absent_in(known)).collect();
    let known: Vec<&Asked> = known.iter().chain(&absent).collect();
    let met = table.met(&known);
    let is_sure = |met: &&Met| met.taken == Taken::All;
    let step = met.iter().find(is_sure).or(met.first())?.step;
    let is_doubtful = !met.first().is_some_and(|first| is_sure(&first)) || table.is_disputed(step, &known);
    Some(Taker { step, is_doubtful })
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
