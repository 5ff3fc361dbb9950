//! Which routes of a VirtualService lead to one version alone, before a route with weights would take their requests.

use super::fixed::{Fixed, can_be_asked, grouped};
use super::rule::{self, Rule};
use super::weighted::Weighted;
use crate::input::yaml::Node;
use crate::world::routing::{Destination, Route, VirtualService};
use serde_json::Value;

/// The rules for them, under names that `others` do not have.
///
/// These rules decide first, so they leave out routes that may overlap an earlier weighted route.
pub fn of(
    base: &str,
    hosts: &[String],
    service: &VirtualService,
    routes: &[Weighted],
    stables: &[String],
    others: &[Rule],
) -> Vec<Rule> {
    let known = routes.iter().zip(stables).flat_map(|(route, stable)| {
        let branches = route.branches.iter();
        branches.filter_map(move |branch| {
            let fixed = Fixed::of(&branch.name, stable, route.branches.len());
            Some((destination(service, route, branch.at)?, fixed))
        })
    });
    let known: Vec<(Destination, Fixed)> = known.collect();
    let mut found: Vec<(&Fixed, &[Node], Vec<Value>)> = Vec::new();
    for (at, route) in service.routes.iter().enumerate() {
        // A weighted route has a split rule, even if all of its weight is on stable now.
        if routes.iter().any(|weighted| weighted.at == at) {
            continue;
        }
        let Some((_, fixed)) = known.iter().find(|(destination, _)| leads_to(route, destination)) else { continue };
        let entries = route.node.get("match").map_or(&[][..], Node::items);
        let may_meet = |weighted: &Weighted| {
            let others = weighted.node.get("match").map_or(&[][..], Node::items);
            others.is_empty() || may_overlap(others, entries)
        };
        let is_first = !routes.iter().any(|weighted| weighted.at < at && may_meet(weighted));
        if entries.is_empty() || !is_first || !routes.iter().any(|weighted| weighted.at > at && may_meet(weighted)) {
            continue;
        }
        let conditions = rule::conditions(service.object, entries, "").ok();
        found.extend(conditions.filter(|all| can_be_asked(all)).map(|conditions| (fixed, entries, conditions)));
    }
    let groups =
        grouped(found, |(one, ..), (other, ..)| one == other, |(_, one, _), (_, other, _)| may_overlap(one, other));
    let mut rules: Vec<Rule> = Vec::new();
    for group in groups {
        let Some((fixed, ..)) = group.first() else { continue };
        let matches = group.iter().flat_map(|(.., conditions)| conditions.clone()).collect();
        rules.push(fixed.rule(base, hosts, matches, |name| others.iter().chain(&rules).any(|rule| rule.name == name)));
    }
    rules
}

/// The routes that lead to other Services, and whose requests a rule of a later weighted route decides for all the same.
pub fn elsewhere(service: &VirtualService, routes: &[Weighted]) -> Vec<usize> {
    let versions = routes
        .iter()
        .flat_map(|route| route.branches.iter().filter_map(move |branch| destination(service, route, branch.at)));
    let versions: Vec<Destination> = versions.collect();
    let is_decided = |at: usize, route: &Route| {
        let entries = route.node.get("match").map_or(&[][..], Node::items);
        let may_meet = |weighted: &Weighted| {
            let others = weighted.node.get("match").map_or(&[][..], Node::items);
            others.is_empty() || may_overlap(others, entries)
        };
        !entries.is_empty() && routes.iter().any(|weighted| weighted.at > at && may_meet(weighted))
    };
    let all = service.routes.iter().enumerate();
    let all = all.filter(|(at, route)| leads_elsewhere(route, &versions) && is_decided(*at, route));
    all.map(|(at, _)| at).collect()
}

/// Whether none of its requests gets to a Service that has a version.
fn leads_elsewhere(route: &Route, versions: &[Destination]) -> bool {
    let is_of = |one: &Destination, other: &Destination| match (one.service(), other.service()) {
        (Some(one), Some(other)) => one.is(&other),
        _ => one.host.1.eq_ignore_ascii_case(other.host.1),
    };
    let mut all = route.destinations.iter();
    !route.destinations.is_empty() && all.all(|one| !versions.iter().any(|version| is_of(one, version)))
}

/// A destination of a weighted route.
fn destination<'o>(service: &VirtualService<'o>, route: &Weighted<'o>, at: usize) -> Option<Destination<'o>> {
    Destination::of(route.node.get("route")?.items().get(at)?, &service.object.namespace)
}

fn leads_to(route: &Route, destination: &Destination) -> bool {
    matches!(route.destinations.as_slice(), [only] if only.is_same(destination))
}

/// Whether some path may match an entry of both.
fn may_overlap(one: &[Node], other: &[Node]) -> bool {
    one.iter().any(|one| other.iter().any(|other| !are_apart(one, other)))
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
