//! Makes a canary stable; nobody moves.

use super::entry::are_overlapping;
use super::http::{Http, Kind};
use super::left;
use super::meant::{Found, Meant, given_once, settled};
use super::plan::{Plan, Stage, moved};
use super::reach::{Gone, reaches};
use crate::change::Refusal;
use crate::edit::{Edit, Step};
use crate::input::manifest::Objects;
use crate::input::yaml::Node;
use crate::report::plan::ramp;
use crate::world::World;
use canary_split::rule::{Target, WeightedSubsets};
use canary_split::subset::Subset;

const ROUTES_FIRST: &str = "every request of the rule has the subset's header and reaches the same pods by the default route, even if the filter fails; requests that no rule decides follow the default route";
const SPLIT_LAST: &str =
    "all the weight is the subset's in either order, so nobody moves; from here on a rollback leads to it";

/// The edits, in their order.
pub fn plan(objects: &Objects, meant: &Meant, subset: &str) -> Result<Plan, Refusal> {
    let world = World::of(objects);
    let found = Found::of(&world, meant)?;
    let name = meant.rule;
    let Target::Split(split) = &found.rule.target else {
        let what = if let Target::Adopted(_) = found.rule.target {
            "adopts the weights of a route"
        } else {
            "has a fixed subset"
        };
        return Err(format!("rule {name} {what} and has no split: there is nothing to promote").into());
    };
    let at = split.subsets.iter().position(|own| *own.name == *subset).ok_or_else(|| {
        let names: Vec<&str> = split.subsets.iter().map(|own| &*own.name).collect();
        format!("rule {name} has no subset {subset}; it has {}", names.join(", "))
    })?;
    let weights = settled(found.rule, split, meant.now).map_err(Refusal::Fault)?;
    let (sum, own) = (weights.iter().sum::<u64>(), weights.get(at).copied().unwrap_or_default());
    if own != sum {
        let is_stable = if at == 0 { "is stable already; it " } else { "" };
        let file = found.named_file();
        return Err(Refusal::Fault(format!(
            "rule {name}: {subset} {is_stable}has {own} of {sum}, and must have all; canary-split set {name} {subset}=100%{file} brings it there"
        )));
    }
    given_once(objects, found.object)?;
    let named = |weights: &[u64], subsets: Vec<&Subset>| {
        subsets.iter().zip(weights).map(|(subset, weight)| (subset.name.to_string(), *weight)).collect::<Vec<_>>()
    };
    let mut order: Vec<&Subset> = split.subsets.iter().collect();
    let old = named(&weights, order.clone());
    order.swap(0, at);
    let all: Vec<u64> = (0..order.len()).map(|place| if place == 0 { 100 } else { 0 }).collect();
    let (mut stages, mut notes) = (Vec::new(), Vec::new());
    let of_split = of_split(&found, split, at);
    let moved = moved(&found.plugin.config, &of_split, name, meant.now)?;
    if moved > 0.0 {
        return Err(Refusal::Fault(format!("rule {name}: {moved} of its visitors would move; nothing is done")));
    }
    let services = found.services(&world)?;
    let mut known: Vec<Http> = Vec::new();
    for service in &services {
        let http = found.http(service);
        let Some(new) = split.subsets.get(at) else { continue };
        for other in &known {
            if let Some((own, theirs)) = http.rival(other, &new.header_value) {
                return Err(Refusal::Fault(format!(
                    "{} is for the same path as {} of {}: between two edits one of them would take requests of both; put them into one route",
                    http.place(own),
                    other.called(theirs),
                    other.object().title()
                )));
            }
        }
        let others = split.subsets.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, subset)| subset);
        let edits = of_routes(&found, &world, &http, new, &others.collect::<Vec<_>>(), &mut notes)?;
        if !edits.is_empty() {
            known.push(http);
            given_once(objects, service.object)?;
            let said = format!("the default route leads to {subset}");
            stages.push(Stage { object: service.object.clone(), edits, said, why: ROUTES_FIRST });
        }
    }
    if services.is_empty() {
        notes.push(format!("no VirtualService and no HTTPRoute is given that routes rule {name} by {}", found.header));
    }
    if let Some(old) = split.subsets.first().filter(|_| at != 0) {
        let all: Vec<Http> = services.iter().map(|service| found.http(service)).collect();
        notes.extend(left::note(&found, &all, &old.name, &stages, true));
    }
    let new = if of_split.is_empty() { old.clone() } else { named(&all, order) };
    if !of_split.is_empty() {
        stages.push(Stage {
            object: found.object.clone(),
            edits: of_split,
            said: format!("{subset} is stable with all the weight"),
            why: SPLIT_LAST,
        });
    }
    Ok(Plan { plugin: found.plugin.config.title(), rule: name.to_owned(), old, new, moved, stages, notes })
}

/// The subset first, with all the weight, and no ramp.
fn of_split(found: &Found, split: &WeightedSubsets, at: usize) -> Vec<Edit> {
    let rule = found.path();
    let mut edits = Vec::new();
    let items =
        found.plugin.config.node.as_ref().and_then(|node| node.get("rules")?.items().get(found.index)?.get("split"));
    let items = items.map_or(&[][..], Node::items);
    for (place, item) in items.iter().enumerate() {
        let path = |field: &str| [&rule[..], &["split".into(), place.into(), Step::from(field)]].concat();
        let other = if place == 0 { at } else { 0 };
        if (place == 0 || place == at) && at != 0 {
            edits.extend(split.subsets.get(other).map(|subset| Edit::set(path("subset"), &*subset.name)));
        }
        let weight = if place == 0 { 100 } else { 0 };
        if item.get("weight").and_then(Node::number) != Some(weight) {
            edits.push(Edit::set(path("weight"), weight));
        }
    }
    // If one subset already has all the weight, the weights stay, whatever their sum is.
    if at == 0 && ramp(split).is_none() {
        return Vec::new();
    }
    if ramp(split).is_some() {
        edits.push(Edit::remove([&rule[..], &["ramp".into()]].concat()));
    }
    edits
}

/// Leads the default routes to the new stable, and the routes by header to the old one.
fn of_routes(
    found: &Found,
    world: &World,
    http: &Http,
    new: &Subset,
    others: &[&Subset],
    notes: &mut Vec<String>,
) -> Result<Vec<Edit>, Refusal> {
    let fault = |at: usize, why: String| Err(Refusal::Fault(format!("{} {why}", http.place(at))));
    let mut edits = Vec::new();
    if let Some(at) = http.kinds.iter().position(|kind| *kind == Kind::Mixed) {
        return fault(at, format!("asks for {} otherwise than by one exact value; edit it by hand", found.header));
    }
    let may_meet = |at: usize, gone: Gone| reaches(found.plugin, found.rule, http, at, gone);
    // Once a route asks for the value of the old stable, it hides no other one from the requests of the new stable.
    for at in http.asking(&new.header_value).filter(|at| may_meet(*at, Gone::Routes(&new.header_value))) {
        if !http.leads_to(at, &new.name) {
            return fault(at, format!("takes the requests of {} and leads elsewhere", new.name));
        }
        if let Some(twin) = http.twin(at, &new.header_value) {
            return fault(at, format!("asks for the same as {}; remove one of them", http.called(twin)));
        }
        let mut behind = http.behind(at);
        let same = |later: &usize| http.rest(*later) == http.rest(at);
        // The default now leads to the old stable.
        let Some(default) = http.behind(at).find(same) else {
            match behind.next() {
                Some(later) => {
                    return fault(
                        later,
                        format!("takes some of the requests of {}, and not all; edit it by hand", http.called(at)),
                    );
                }
                None => {
                    if let Some(default) = default_elsewhere(found, world, http, at, new) {
                        return fault(
                            at,
                            format!(
                                "has no default route of its own: that is {default}; put both into one {}",
                                http.object().kind
                            ),
                        );
                    }
                    notes.push(format!("{}: no default route is behind it", http.place(at)));
                    continue;
                }
            }
        };
        if http.leads_to(default, &new.name) {
            continue;
        }
        let Some(old) = others.iter().find(|old| http.leads_to(default, &old.name)) else {
            return fault(default, format!("leads to none of the subsets of rule {}", found.rule.name));
        };
        for (plugin, rule, _) in found.others(world, http.service) {
            if let Target::Split(split) = &rule.target
                && split.subsets.first().is_some_and(|stable| stable.name == old.name)
                && reaches(plugin, rule, http, default, Gone::Nothing)
            {
                let why = format!("is the default route of rule {} too, whose stable is {}", rule.name, old.name);
                return fault(default, why);
            }
        }
        let is_explicit = http.asking(&old.header_value).any(|explicit| http.rest(explicit) == http.rest(at));
        if !is_explicit {
            if let Some(between) = http.between(at, default) {
                return fault(
                    between,
                    format!(
                        "takes some of the requests that {} takes from it for {}; edit it by hand",
                        http.called(at),
                        new.name
                    ),
                );
            }
            let mut explicit = http.asking(&old.header_value).filter(|at| may_meet(*at, Gone::Nothing));
            if let Some(other) = explicit.find(|other| are_overlapping(http.rest(*other), http.rest(at))) {
                return fault(other, format!("takes some of the requests of {} alone; edit it by hand", old.name));
            }
            edits.extend(http.made_like(at, default));
            let values = http.values(at, found.header).into_iter();
            edits.extend(values.map(|value| Edit::set(value, &*old.header_value)));
        }
        edits.extend(http.made_like(default, at));
    }
    Ok(edits)
}

/// The default route of a route by header, if another object has it and it does not lead to the new stable yet.
fn default_elsewhere(found: &Found, world: &World, http: &Http, at: usize, new: &Subset) -> Option<String> {
    found.merged(world, http.service).into_iter().find_map(|service| {
        let other = found.http(service);
        let is_it = |later| {
            !other.leads_to(later, &new.name) && reaches(found.plugin, found.rule, &other, later, Gone::Nothing)
        };
        let default = http.first_behind(at, &other, is_it)?;
        Some(format!("{} of {}", other.called(default), other.object().title()))
    })
}
