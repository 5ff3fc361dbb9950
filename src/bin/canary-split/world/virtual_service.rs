//! Reads a VirtualService.

use super::asked::Asked;
use super::gateway_name::{Gateways, MESH, resolved};
use super::parent::Parent;
use super::routing::{Destination, Form, Route, Routing};
use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};

/// Reads one.
pub fn read(object: &Object) -> Routing<'_> {
    let hosts = object.items(&["spec", "hosts"]).iter().filter_map(|host| Some((host, host.text()?))).collect();
    let gateways = Gateways::of(object);
    let routes = object.items(&["spec", "http"]).iter().enumerate();
    let routes = routes.map(|(place, node)| route(node, place, object, &gateways)).collect();
    let streams = ["tcp", "tls"].into_iter().flat_map(|kind| object.items(&["spec", kind]));
    let streams = streams.flat_map(|node| destinations(node, &object.namespace)).collect();
    let parents = object.items(&["spec", "gateways"]).iter().filter_map(|node| parent(node, &object.namespace));
    Routing {
        object,
        hosts,
        routes,
        streams,
        parents: parents.collect(),
        mesh_parents: Vec::new(),
        has_other_parents: false,
    }
}

/// A gateway, if it is none of the sidecars.
fn parent<'o>(node: &'o Node, own: &'o str) -> Option<Parent<'o>> {
    let written = node.text().filter(|name| *name != MESH)?;
    let (namespace, name) = resolved(written, own);
    Some(Parent { node, is_of_api: false, namespace, name, section: None, port: None })
}

fn route<'o>(node: &'o Node, place: usize, object: &'o Object, gateways: &Gateways) -> Route<'o> {
    let entries = node.get("match").map(Node::items).filter(|entries| !entries.is_empty());
    let matches: Option<Vec<_>> =
        entries.map(|entries| entries.iter().filter(|entry| gateways.may_meet(entry)).collect());
    let destinations = destinations(node, &object.namespace);
    let asked = match &matches {
        None => vec![(node, Vec::new())],
        Some(entries) => entries.iter().map(|entry| (*entry, Asked::of_entry(entry, gateways.count))).collect(),
    };
    let mirrors = mirrors(node, &object.namespace);
    Route { node, form: Form::Http(place), matches, asked, destinations, mirrors }
}

/// The destinations of requests or connections.
fn destinations<'o>(route: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let entries = route.get("route").map_or(&[][..], Node::items);
    // Among several, those without a weight get nothing; Istio refuses a route without any weight.
    let has_weights = entries.iter().any(|entry| entry.get("weight").is_some());
    let is_used = |entry: &&Node| entries.len() == 1 || !has_weights || is_weighted(entry);
    entries.iter().filter(is_used).filter_map(|entry| Destination::of(entry, namespace)).collect()
}

/// The destinations of copies, if any are made.
fn mirrors<'o>(route: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let is_zero = |node: &Node| matches!(&node.value, Value::Number(number) if number.parse() == Ok(0.0));
    let is_off = |share: Option<&Node>| {
        share.is_some_and(|share| !matches!(share.value, Value::Null) && share.get("value").is_none_or(is_zero))
    };
    let share = route.get("mirrorPercentage");
    let is_all_off = is_off(share) || share.is_none() && route.get("mirrorPercent").is_some_and(is_zero);
    let one = route.get("mirror").filter(|_| !is_all_off);
    let one = one.and_then(|node| Destination::new(node, node, namespace));
    let several = route.get("mirrors").map_or(&[][..], Node::items).iter();
    let several = several.filter(|entry| !is_off(entry.get("percentage")));
    one.into_iter().chain(several.filter_map(|entry| Destination::of(entry, namespace))).collect()
}

/// Whether a destination has a weight that is not 0.
fn is_weighted(entry: &Node) -> bool {
    entry
        .get("weight")
        .is_some_and(|weight| !matches!(&weight.value, Value::Null) && weight.to_json().parse() != Ok(0.0))
}
