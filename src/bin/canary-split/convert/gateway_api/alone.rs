//! Which matches lead to one version alone, before a rule with weights would take their requests.

use super::entry::Entry;
use super::order;
use super::read::Route;
use super::unit::Unit;
use crate::convert::fixed::{Fixed, can_be_asked};
use crate::convert::gateway::Controller;
use crate::convert::weighted::Branch;
use crate::input::yaml::{Node, Value};
use std::cmp::Ordering;

/// A match of a rule without weights, all of whose requests go to one version.
#[derive(Debug)]
pub struct Alone<'u, 'o> {
    /// The place of its route in the unit.
    pub place: usize,
    /// Its route.
    pub route: &'u Route<'o>,
    /// The place of its rule.
    pub rule: usize,
    /// What it asks for.
    pub entry: &'u Entry,
    /// The version.
    pub fixed: Fixed,
    /// Whether it comes before all matches with weights that a request of it may meet, and not only before some.
    pub is_first: bool,
}

/// A backend of a rule with weights.
struct Known<'u> {
    backend: Vec<String>,
    fixed: Fixed,
    branch: &'u Branch,
    rule: (usize, usize),
    treatment: Vec<String>,
    is_stable: bool,
}

/// All of them, in the order of the routes.
pub fn all<'u, 'o>(unit: &'u Unit<'o>, stables: &[Vec<String>], by: Controller) -> Vec<Alone<'u, 'o>> {
    let known = known(unit, stables);
    let mut found = Vec::new();
    for (place, (route, _)) in unit.0.iter().enumerate() {
        for (rule, entries) in route.rules.iter().enumerate() {
            let only = only_backend(route.node(rule)).and_then(|only| backend(only, route));
            let Some(to) = only.and_then(|only| known.iter().find(|known| known.backend == only)) else { continue };
            for entry in entries.iter().filter(|entry| !entry.takes_all() && can_be_asked(&entry.conditions())) {
                let turns: Vec<Option<bool>> = weighted_entries(unit)
                    .filter(|(_, theirs)| theirs.may_meet(entry))
                    .map(|(at, theirs)| is_before(unit, ((place, rule), entry), (at, theirs), by))
                    .collect();
                // Behind all of them nobody would have a draw.
                if turns.contains(&Some(true)) {
                    let is_first = turns.iter().all(|turn| *turn == Some(true));
                    found.push(Alone { place, route, rule, entry, fixed: to.fixed.clone(), is_first });
                }
            }
        }
    }
    found
}

/// The rules that lead to other Services before one with weights would take their requests, by their routes' places.
pub fn elsewhere(unit: &Unit, stables: &[Vec<String>], by: Controller) -> Vec<(usize, usize)> {
    let known = known(unit, stables);
    // All but the port.
    let is_of = |backend: &[String]| {
        known.iter().any(|known| known.backend.iter().zip(backend).take(PORT).all(|(one, other)| one == other))
    };
    let is_decided = |place: usize, rule: usize, entry: &Entry| {
        let mut met = weighted_entries(unit).filter(|(_, theirs)| theirs.may_meet(entry));
        met.any(|(at, theirs)| is_before(unit, ((place, rule), entry), (at, theirs), by) == Some(true))
    };
    let mut found = Vec::new();
    for (place, (route, _)) in unit.0.iter().enumerate() {
        for (rule, entries) in route.rules.iter().enumerate() {
            let only = only_backend(route.node(rule)).and_then(|only| backend(only, route));
            if only.is_some_and(|only| !is_of(&only)) && entries.iter().any(|entry| is_decided(place, rule, entry)) {
                found.push((place, rule));
            }
        }
    }
    found
}

/// Whether an earlier rule of the same route asks for the same as a match, so that no request gets to it.
pub fn is_hidden(route: &Route, rule: usize, entry: &Entry) -> bool {
    route.rules.iter().take(rule).flatten().any(|earlier| earlier == entry)
}

/// Whether the rules of canaries may take the requests of a match without harm. The filter always chooses one version for them, so only
/// that version's could, and where they are met they must do the same.
pub fn is_served_alike(alone: &Alone, unit: &Unit, stables: &[Vec<String>]) -> bool {
    let known = known(unit, stables);
    let rule = alone.route.node(alone.rule);
    let Some(only) = only_backend(rule) else { return false };
    let (own, done) = (backend(only, alone.route), treatment(rule, only));
    let may_take = |known: &&Known| {
        let (place, rule) = known.rule;
        let entries = unit.0.get(place).and_then(|(route, _)| route.rules.get(rule));
        !known.is_stable
            && known.branch.name == alone.fixed.subset
            && entries.into_iter().flatten().any(|theirs| theirs.may_meet(alone.entry))
    };
    known.iter().filter(may_take).all(|known| Some(&known.backend) == own.as_ref() && known.treatment == done)
}

/// What is done to the requests of a rule for a backend.
fn treatment(rule: &Node, backend: &Node) -> Vec<String> {
    let fields = |node: &Node, without: &[&str]| {
        let fields = node.entries().iter().filter(|(key, _)| !without.contains(&&*key.name));
        let mut fields: Vec<String> = fields.map(|(key, value)| format!("{}: {}", key.name, value.to_json())).collect();
        fields.sort();
        fields
    };
    let of_backend = fields(backend, &["group", "kind", "namespace", "name", "port", "weight"]);
    [fields(rule, &["name", "matches", "backendRefs"]), of_backend].concat()
}

fn known<'u>(unit: &'u Unit, stables: &[Vec<String>]) -> Vec<Known<'u>> {
    let mut known = Vec::new();
    for (place, (route, _)) in unit.0.iter().enumerate() {
        for (weighted, stable) in route.weighted.iter().zip(stables.get(place).into_iter().flatten()) {
            let backends = weighted.node.get("backendRefs").map_or(&[][..], Node::items);
            for branch in &weighted.branches {
                let Some(node) = backends.get(branch.at) else { continue };
                let Some(backend) = backend(node, route) else { continue };
                let treatment = treatment(weighted.node, node);
                let fixed = Fixed::of(&branch.name, stable, weighted.branches.len());
                let (rule, is_stable) = ((place, weighted.at), branch.name == *stable);
                known.push(Known { backend, fixed, branch, rule, treatment, is_stable });
            }
        }
    }
    known
}

/// The matches of all rules with weights, and the places of these.
fn weighted_entries<'u>(unit: &'u Unit) -> impl Iterator<Item = ((usize, usize), &'u Entry)> {
    unit.0.iter().enumerate().flat_map(|(place, (route, _))| {
        let rules =
            route.weighted.iter().filter_map(move |weighted| Some((weighted.at, route.rules.get(weighted.at)?)));
        rules.flat_map(move |(at, entries)| entries.iter().map(move |entry| ((place, at), entry)))
    })
}

/// Whether a gateway asks for one match before another one; `None`: that depends on the age of their routes, which is not known.
fn is_before(
    unit: &Unit,
    ((place, rule), one): ((usize, usize), &Entry),
    ((other_place, other_rule), other): ((usize, usize), &Entry),
    by: Controller,
) -> Option<bool> {
    match order::compare(one, other, by) {
        Ordering::Greater => Some(true),
        Ordering::Less => Some(false),
        Ordering::Equal if place == other_place => Some(rule < other_rule),
        Ordering::Equal => unit.0.get(place)?.0.is_older(&unit.0.get(other_place)?.0),
    }
}

/// The place of the port in what `backend` says.
const PORT: usize = 4;

/// Where a backend leads, whatever share it has.
fn backend(node: &Node, route: &Route) -> Option<Vec<String>> {
    let text = |key: &str, usual: &str| {
        node.get(key).map_or(usual.to_owned(), |value| value.text().map_or_else(|| value.to_json(), str::to_owned))
    };
    node.get("name")?;
    let of = [("group", ""), ("kind", "Service"), ("namespace", &*route.object.namespace), ("name", ""), ("port", "")];
    Some(of.into_iter().map(|(key, usual)| text(key, usual)).collect())
}

/// The backend that has all requests of a rule.
fn only_backend(rule: &Node) -> Option<&Node> {
    let is_used = |node: &&Node| {
        !matches!(node.get("weight").map(|weight| (&weight.value, weight.number())), Some((Value::Number(_), Some(0))))
    };
    let mut used = rule.get("backendRefs").map_or(&[][..], Node::items).iter().filter(is_used);
    let only = used.next();
    only.filter(|_| used.next().is_none())
}
