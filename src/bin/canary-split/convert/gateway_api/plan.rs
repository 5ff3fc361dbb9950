//! What becomes of a unit: its rules, where the plugin is, and the edits of its routes.

use super::attached::Attached;
use super::entry::Entry;
use super::read::Route;
use super::unit::Unit;
use super::{alone, edits, order};
use crate::convert::around;
use crate::convert::fixed::{Fixed, grouped};
use crate::convert::gateway::{Controller, Home};
use crate::convert::owner::{self, NOT_ADOPTED};
use crate::convert::plan::split;
use crate::convert::refusal::Refusal;
use crate::convert::rule::{self, Rule, Target, name, path_name, unique};
use crate::convert::weighted::Weighted;
use crate::edit::Edit;
use crate::input::manifest::{Object, Objects};
use canary_split::config::DEFAULT_HEADER;
use serde_json::Value;

/// The rules of a unit, and its routes.
#[derive(Debug)]
pub struct Planned<'o> {
    /// Where the plugins are.
    pub homes: Vec<Home>,
    /// In their order.
    pub rules: Vec<Rule>,
    /// The routes that have weights, with their edits.
    pub routes: Vec<Edited<'o>>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// A route that has weights.
#[derive(Debug)]
pub struct Edited<'o> {
    /// As it is.
    pub object: &'o Object,
    /// What becomes of it.
    pub edits: Vec<Edit>,
    /// Which of the rules are for its requests.
    pub rules: Vec<usize>,
}

/// A match, and what the filter does with its requests.
struct Part<'u, 'o> {
    route: &'u Route<'o>,
    hosts: Vec<String>,
    entry: &'u Entry,
    to: To<'u, 'o>,
}

/// What the filter does with the requests of a match.
enum To<'u, 'o> {
    /// Divide them as the rule with weights did.
    Split(&'u Weighted<'o>, Vec<(String, u32)>),
    /// Choose the one version that serves them.
    One(Fixed),
}

impl To<'_, '_> {
    fn is_alike(&self, other: &To) -> bool {
        match (self, other) {
            (To::Split(one, split), To::Split(other, theirs)) => split == theirs && one.extra == other.extra,
            (To::One(one), To::One(other)) => one == other,
            _ => false,
        }
    }
}

/// Plans; `None`: there are no weights.
pub fn plan<'o>(objects: &Objects, unit: &Unit<'o>, stable: Option<&str>) -> Result<Option<Planned<'o>>, Refusal> {
    let routes = || unit.0.iter().map(|(route, _)| route);
    let Some(first) = routes().find(|route| !route.weighted.is_empty()) else {
        if let Some(fault) = routes().filter(|route| route.has_weights()).find_map(|route| route.fault.clone()) {
            return Err(fault);
        }
        let Some((route, node)) = routes().find_map(|route| Some((route, route.to_one?))) else { return Ok(None) };
        asked(route)?;
        owned(objects, route.object)?;
        let reason = "all of the weight is on one backend: there is nothing to convert";
        return Err(Refusal::at(route.object, node, reason));
    };
    for route in routes() {
        asked(route)?;
    }
    for route in routes().filter(|route| !route.weighted.is_empty()) {
        owned(objects, route.object)?;
    }
    if let Some(fault) = routes().find_map(|route| route.fault.as_ref()) {
        return Err(fault.clone());
    }
    let homes = homes(unit);
    let mut parts: Vec<Part> = Vec::new();
    let mut stables: Vec<Vec<String>> = Vec::new();
    let reference = first.weighted.first();
    let are_alike =
        routes().flat_map(|route| &route.weighted).all(|own| reference.is_some_and(|first| first.is_alike(own)));
    let usual = match reference {
        Some(reference) if are_alike => Some(split(first.object, reference, stable)?),
        _ => None,
    };
    for (route, attached) in &unit.0 {
        let mut own = Vec::new();
        for weighted in &route.weighted {
            let split = match &usual {
                Some(usual) => usual.clone(),
                None => split(route.object, weighted, stable)?,
            };
            own.push(split.first().map(|(name, _)| name.clone()).unwrap_or_default());
            let entries = route.rules.get(weighted.at).into_iter().flatten();
            let entries = entries.filter(|entry| !alone::is_hidden(route, weighted.at, entry));
            parts.extend(entries.map(|entry| Part {
                route,
                hosts: hosts(attached),
                entry,
                to: To::Split(weighted, split.clone()),
            }));
        }
        stables.push(own);
    }
    if parts.is_empty() {
        let node = reference.map_or(&first.object.node, |weighted| weighted.node);
        let reason = "an earlier rule asks for the same, so no request gets here: there is nothing to convert";
        return Err(Refusal::at(first.object, node, reason));
    }
    let by = homes.first().and_then(|home| home.aim.as_ref()).map_or(Controller::Istio, |aim| aim.controller);
    let mut alone = alone::all(unit, &stables, by);
    // One rule has all weights, so what comes between them cannot have one of its own.
    alone.retain(|one| one.is_first || !are_alike);
    let settled: Vec<&Entry> =
        alone.iter().filter(|one| alone::is_served_alike(one, unit, &stables)).map(|one| one.entry).collect();
    order::check(&unit.without(&settled), &stables, by)?;
    let fixed = alone.into_iter().filter_map(|one| {
        let (_, attached) = unit.0.get(one.place)?;
        Some(Part { route: one.route, hosts: hosts(attached), entry: one.entry, to: To::One(one.fixed) })
    });
    let mut notes: Vec<String> = unit.0.iter().flat_map(|(_, attached)| attached.notes.clone()).collect();
    let all: Vec<&Object> = routes().filter(|route| !route.weighted.is_empty()).map(|route| route.object).collect();
    let (rules, owners): (Vec<Rule>, Vec<Vec<&Object>>) = if are_alike {
        let rule = together(&name(&first.object.name), &parts)?;
        let (mut rules, mut owners) = apart(fixed.collect(), by, &all)?;
        rules.push(rule);
        owners.push(all);
        (rules, owners)
    } else {
        let titles: Vec<String> = all.iter().map(|object| object.title()).collect();
        parts.extend(fixed);
        let (rules, owners) = apart(parts, by, &all)?;
        let (have, they) = if titles.len() > 1 { ("have", "they have") } else { ("has", "it has") };
        notes.push(format!(
            "{} {have} other shares on other paths, so {they} {} rules: a visitor has a draw, and a cookie, for each of them",
            titles.join(" and "),
            rules.iter().filter(|rule| matches!(rule.target, Target::Split(_))).count()
        ));
        (rules, owners)
    };
    let rules = without_repeated(rules);
    let elsewhere = alone::elsewhere(unit, &stables, by);
    for (place, (route, _)) in unit.0.iter().enumerate() {
        let own = elsewhere.iter().filter(|(own, _)| *own == place);
        let own: Vec<String> = own.map(|(_, rule)| format!("rules[{rule}]")).collect();
        notes.extend(around::elsewhere(route.object, &own, &rules));
    }
    let mut edited = Vec::new();
    for ((route, _), stables) in unit.0.iter().zip(&stables).filter(|((route, _), _)| !route.weighted.is_empty()) {
        let object = route.object;
        let is_its = |owners: &Vec<&Object>| owners.iter().any(|owner| std::ptr::eq(*owner, object));
        let own = owners.iter().enumerate().filter(|(_, owners)| is_its(owners)).map(|(at, _)| at).collect();
        edited.push(Edited { object, edits: edits::of(object, &route.weighted, stables)?, rules: own });
    }
    Ok(Some(Planned { homes, rules, routes: edited, notes }))
}

/// Without what an earlier rule decides already: where a path is one version's and those below it have weights, a rule says both.
fn without_repeated(rules: Vec<Rule>) -> Vec<Rule> {
    let mut done: Vec<Rule> = Vec::new();
    for mut rule in rules {
        let has_hosts = |earlier: &&Rule| {
            earlier.hosts.is_empty()
                || !rule.hosts.is_empty() && rule.hosts.iter().all(|host| earlier.hosts.contains(host))
        };
        let earlier: Vec<&Value> = done.iter().filter(has_hosts).flat_map(|earlier| &earlier.matches).collect();
        let left: Vec<Value> = rule.matches.iter().filter(|one| !earlier.contains(one)).cloned().collect();
        // A rule without a match would be for every request.
        if !left.is_empty() {
            rule.matches = left;
        }
        done.push(rule);
    }
    done
}

/// The homes of all routes of a unit.
fn homes(unit: &Unit) -> Vec<Home> {
    let mut homes: Vec<Home> = Vec::new();
    for home in unit.0.iter().filter(|(route, _)| !route.weighted.is_empty()).flat_map(|(_, attached)| &attached.homes)
    {
        home.join(&mut homes);
    }
    homes
}

/// The hosts of a rule; none: every host.
fn hosts(attached: &Attached) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for point in &attached.points {
        if !hosts.contains(&point.host) {
            hosts.push(point.host.clone());
        }
    }
    if hosts.iter().any(|host| host == "*") { Vec::new() } else { hosts }
}

/// What asks for the filter's header.
fn asked(route: &Route) -> Result<(), Refusal> {
    let asks = |entries: &Vec<Entry>| entries.iter().any(|entry| entry.asks_for(DEFAULT_HEADER));
    match route.rules.iter().position(asks) {
        None => Ok(()),
        Some(rule) => Err(Refusal::at(
            route.object,
            route.node(rule),
            format!("a match asks for {DEFAULT_HEADER}: it is converted already"),
        )),
    }
}

/// Whether a controller writes the weights, and will go on to do so.
fn owned(objects: &Objects, object: &Object) -> Result<(), Refusal> {
    let Some(owner) = owner::of_route(objects, object) else { return Ok(()) };
    let node = owner.node.or(object.at(&["metadata"])).unwrap_or(&object.node);
    let reason = format!(
        "{name} owns these weights ({by}), and would write them again. Nor can they be adopted as those of a VirtualService: {NOT_ADOPTED}. Remove the {kind} first, or keep {name} and its weights without the filter",
        name = owner.name,
        by = owner.by,
        kind = owner.kind()
    );
    Err(Refusal::at(object, node, reason))
}

/// One rule for all parts: they have one split.
fn together(base: &str, parts: &[Part]) -> Result<Rule, Refusal> {
    let Some(first) = parts.first() else {
        return Ok(Rule {
            name: base.to_owned(),
            hosts: Vec::new(),
            matches: Vec::new(),
            target: Target::Subset(String::new()),
        });
    };
    let mut hosts: Vec<String> = Vec::new();
    for host in parts.iter().flat_map(|part| &part.hosts) {
        if !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    if parts.iter().any(|part| part.hosts.is_empty()) {
        hosts.clear();
    }
    let takes_all = parts.iter().any(|part| part.entry.takes_all());
    let matches = if takes_all { Vec::new() } else { matches(parts.iter().map(|part| part.entry)) };
    of_part(base, &hosts, &matches, first)
}

/// The matches of all entries, each once.
fn matches<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for condition in entries.flat_map(Entry::conditions) {
        if !all.contains(&condition) {
            all.push(condition);
        }
    }
    all
}

fn of_part(name: &str, hosts: &[String], matches: &[Value], part: &Part) -> Result<Rule, Refusal> {
    let To::Split(weighted, split) = &part.to else {
        return Err(Refusal::at(part.route.object, &part.route.object.node, "it has no weights"));
    };
    let rules = rule::of_route(name, hosts, matches, weighted, split.clone());
    let rule = rules.map(|rules| rules.into_iter().next());
    let refuse = |reason| Refusal::at(part.route.object, weighted.node, reason);
    rule.map_err(refuse)?.ok_or_else(|| refuse("it has no rule".to_owned()))
}

/// A rule for each of the shares, and for each version that is alone, in the order in which a gateway asks for matches; and the routes
/// that each is for: of those with weights, which are `all`.
fn apart<'o>(
    mut parts: Vec<Part<'_, 'o>>,
    by: Controller,
    all: &[&'o Object],
) -> Result<(Vec<Rule>, Vec<Vec<&'o Object>>), Refusal> {
    // Of those that ask for as much, a gateway takes the one of the older route.
    let created = |part: &Part| part.route.created();
    parts.sort_by(|one, other| {
        order::compare(other.entry, one.entry, by).then_with(|| created(one).cmp(&created(other)))
    });
    let groups = grouped(
        parts,
        |one, other| one.to.is_alike(&other.to) && one.hosts == other.hosts,
        |one, other| one.entry.may_meet(other.entry),
    );
    let (mut rules, mut owners): (Vec<Rule>, Vec<Vec<&Object>>) = (Vec::new(), Vec::new());
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let takes_all = group.iter().any(|part| part.entry.takes_all());
        let matches = if takes_all { Vec::new() } else { matches(group.iter().map(|part| part.entry)) };
        let base = name(&first.route.object.name);
        let is_taken = |name: &str| rules.iter().any(|rule| rule.name == name);
        rules.push(match &first.to {
            To::One(fixed) => fixed.rule(&base, &first.hosts, matches, is_taken),
            To::Split(..) => {
                let name = unique(&path_name(&base, &matches), is_taken);
                of_part(&name, &first.hosts, &matches, first)?
            }
        });
        let own = group.iter().map(|part| part.route).filter(|route| !route.weighted.is_empty());
        let own: Vec<&Object> = own.map(|route| route.object).collect();
        owners.push(if own.is_empty() { all.to_vec() } else { own });
    }
    Ok((rules, owners))
}
