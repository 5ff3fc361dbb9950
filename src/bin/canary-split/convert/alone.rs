//! A rule for paths that only stable serves: without it, their visitors get a draw that has no effect.

use super::rule::{self, Rule, Target};
use super::weighted::Weighted;
use crate::input::yaml::Node;
use crate::world::routing::{Destination, Route, VirtualService};

/// The rule for routes that lead to stable alone and come before a weighted route.
///
/// The rule decides first, so it leaves out routes that may overlap an earlier weighted route.
pub fn of(
    base: &str,
    hosts: &[String],
    service: &VirtualService,
    routes: &[Weighted],
    stables: &[String],
) -> Option<Rule> {
    let stables = routes.iter().zip(stables);
    let known: Vec<_> = stables.filter_map(|(route, name)| Some((name, destination(service, route, name)?))).collect();
    let (name, _) = known.first()?;
    let last = routes.last()?.at;
    let mut matches = Vec::new();
    for (at, route) in service.routes.iter().enumerate().take(last) {
        // A weighted route has a split rule, even if all of its weight is on stable now.
        if routes.iter().any(|weighted| weighted.at == at) {
            continue;
        }
        if !known.iter().any(|(own, stable)| own == name && leads_to(route, stable)) {
            continue;
        }
        let entries = route.node.get("match").map_or(&[][..], Node::items);
        let earlier = || routes.iter().filter(|weighted| weighted.at < at);
        let is_first = earlier().all(|weighted| {
            let others = weighted.node.get("match").map_or(&[][..], Node::items);
            !others.is_empty() && others.iter().all(|other| entries.iter().all(|own| are_apart(own, other)))
        });
        if is_first {
            matches.extend(rule::conditions(service.object, entries, "").ok()?);
        }
    }
    let target = Target::Subset((*name).clone());
    (!matches.is_empty()).then(|| Rule { name: format!("{base}-stable"), hosts: hosts.to_vec(), matches, target })
}

/// The destination with this name in the rules.
fn destination<'o>(service: &VirtualService<'o>, route: &Weighted<'o>, name: &str) -> Option<Destination<'o>> {
    let entry = route.node.get("route")?.items().get(route.branch(name)?.at)?;
    Destination::of(entry, &service.object.namespace)
}

fn leads_to(route: &Route, stable: &Destination) -> bool {
    matches!(route.destinations.as_slice(), [only] if only.is_same(stable))
}

/// Whether no path can match both entries.
fn are_apart(one: &Node, other: &Node) -> bool {
    let path = |entry: &'_ Node| {
        let uri = entry.get("uri")?;
        let text = |key: &str| uri.get(key).and_then(Node::text).map(str::to_ascii_lowercase);
        text("exact").map(|path| (path, false)).or(text("prefix").map(|path| (path, true)))
    };
    match (path(one), path(other)) {
        (Some((one, true)), Some((other, true))) => !one.starts_with(&other) && !other.starts_with(&one),
        (Some((one, true)), Some((other, false))) => !other.starts_with(&one),
        (Some((one, false)), Some((other, true))) => !one.starts_with(&other),
        (Some((one, false)), Some((other, false))) => one != other,
        _ => false,
    }
}
