//! The weighted routes of a VirtualService.

use super::extra::{Extra, Known};
use super::names;
use super::refusal::Refusal;
use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};
use crate::world::routing::Destination;

/// A route that splits its requests between destinations.
#[derive(Clone, Debug)]
pub struct Weighted<'o> {
    /// The route's index in `http`.
    pub at: usize,
    /// The whole route.
    pub node: &'o Node,
    /// The destinations in the route's order.
    pub branches: Vec<Branch>,
    /// Settings from another tool.
    pub extra: Extra,
}

/// A destination of a weighted route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The destination's index in `route`.
    pub at: usize,
    /// The subset's name in the rule.
    pub name: String,
    pub weight: u32,
}

/// The weights that were found in a VirtualService.
#[derive(Debug, Default)]
pub struct Found<'o> {
    /// The routes with several destinations in use.
    pub routes: Vec<Weighted<'o>>,
    /// A route whose weights send every request to one destination.
    pub to_one: Option<&'o Node>,
}

/// Reads the weighted routes of a VirtualService. `known`: settings from another tool.
pub fn of<'o>(object: &'o Object, known: Option<&Known>) -> Result<Found<'o>, Refusal> {
    for kind in ["tcp", "tls"] {
        let routes = object.items(&["spec", kind]).iter().filter_map(|route| route.get("route"));
        if let Some(route) = routes.filter(|route| route.items().len() > 1).find(|route| has_weight(route)) {
            let reason = format!(
                "weights of {kind} are for connections, and the filter sees HTTP requests alone; put these routes into a VirtualService of their own"
            );
            return Err(Refusal::at(object, route, reason));
        }
    }
    let mut found = Found::default();
    let all = object.items(&["spec", "http"]);
    // No request reaches a route after one that takes all requests.
    let met = all.iter().position(takes_all).map_or(all.len(), |last| last + 1);
    for (at, node) in all.iter().enumerate().take(met) {
        let Some(route) = node.get("route").filter(|route| has_weight(route)) else { continue };
        let mut weights = Vec::new();
        for entry in route.items() {
            weights.push(weight(object, entry)?);
        }
        let extra = known.and_then(|known| known.route(at));
        if extra.is_none() && weights.iter().filter(|weight| **weight > 0).count() < 2 {
            found.to_one = found.to_one.or(Some(route));
            continue;
        }
        let items = route.items().iter();
        let destinations: Vec<_> = items.filter_map(|entry| Destination::of(entry, &object.namespace)).collect();
        if destinations.len() < weights.len() {
            return Err(Refusal::at(object, route, "a destination without a host"));
        }
        let names = names::of(&destinations).map_err(|(at, reason)| {
            Refusal::at(object, destinations.get(at).map_or(route, |destination| destination.node), reason)
        })?;
        let branches = names.into_iter().zip(weights).enumerate();
        let branches = branches.map(|(at, (name, weight))| Branch { at, name, weight }).collect();
        found.routes.push(Weighted { at, node, branches, extra: extra.cloned().unwrap_or_default() });
    }
    Ok(found)
}

impl Weighted<'_> {
    /// The destinations' names in the rule, in the route's order.
    pub fn names(&self) -> Vec<String> {
        self.branches.iter().map(|branch| branch.name.clone()).collect()
    }

    /// The destination with this name in the rule.
    pub fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.name == name)
    }

    /// Whether one rule fits both routes: the same names, shares and settings.
    pub fn is_alike(&self, other: &Weighted) -> bool {
        let sum = |route: &Weighted| route.branches.iter().map(|branch| u128::from(branch.weight)).sum::<u128>();
        let is_there = |own: &Branch| {
            let weight = other.branch(&own.name).map(|other| u128::from(other.weight) * sum(self));
            weight == Some(u128::from(own.weight) * sum(other))
        };
        self.branches.len() == other.branches.len() && self.branches.iter().all(is_there) && self.extra == other.extra
    }

    /// The weights for a message: `v1 80, v2 20`.
    pub fn shown(&self) -> String {
        let shown: Vec<_> = self.branches.iter().map(|branch| format!("{} {}", branch.name, branch.weight)).collect();
        shown.join(", ")
    }
}

pub fn takes_all(route: &Node) -> bool {
    let entries = route.get("match").map_or(&[][..], Node::items);
    let is_all = |entry: &Node| {
        entry.entries().iter().all(|(key, _)| ["name", "uri"].contains(&&*key.name))
            && entry.get("uri").is_none_or(|uri| uri.get("prefix").and_then(Node::text) == Some("/"))
    };
    entries.is_empty() || entries.iter().any(is_all)
}

fn has_weight(route: &Node) -> bool {
    route.items().iter().any(|entry| entry.get("weight").is_some())
}

fn weight(object: &Object, entry: &Node) -> Result<u32, Refusal> {
    let Some(node) = entry.get("weight").filter(|node| !matches!(node.value, Value::Null)) else { return Ok(0) };
    node.number().ok_or_else(|| Refusal::at(object, node, format!("{} is no weight", node.to_json())))
}
