//! Removes a rule and everything that only it needed.

use super::entry::are_overlapping;
use super::http::{Http, Kind};
use super::left;
use super::meant::{Found, Meant, given_once, settled};
use super::plan::{Plan, Stage, json};
use super::reach::{Gone, reaches};
use super::used::{self, Used};
use crate::change::Refusal;
use crate::edit::{Edit, patch};
use crate::input::manifest::{Object, Objects};
use crate::world::World;
use crate::world::plugin::Plugin;
use canary_split::rule::{Rule, Target};
use std::collections::HashSet;

const RULE_FIRST: &str = "its requests lose the header and take the default route, which leads to the same pods; nothing needs the routes by header then";
const OVERRIDE_FIRST: &str = "its requests are decided by a later rule or take the default route, as all others do; nothing needs its routes by header then";
const ROUTES_NEXT: &str = "requests no longer have the header's value, so none takes these routes";
const SUBSETS_LAST: &str = "no route uses them now; earlier, their requests would have failed";

/// The edits, in their order.
pub fn plan(objects: &Objects, meant: &Meant) -> Result<Plan, Refusal> {
    let world = World::of(objects);
    let found = Found::of(&world, meant)?;
    let name = meant.rule;
    let at = found.named_file();
    let mut old = Vec::new();
    if let Target::Split(split) = &found.rule.target {
        let weights = settled(found.rule, split, meant.now).map_err(Refusal::Fault)?;
        let (sum, own) = (weights.iter().sum::<u64>(), weights.first().copied().unwrap_or_default());
        let stable = split.subsets.first().map(|subset| &*subset.name).unwrap_or_default();
        if own != sum {
            return Err(Refusal::Fault(format!(
                "rule {name}: stable ({stable}) has {own} of {sum}, and must have all; canary-split rollback {name}{at} brings it there, or canary-split promote makes the canary stable"
            )));
        }
        let keeps = split.sticky.as_ref().is_some_and(|sticky| sticky.keep.is_some());
        if keeps && split.subsets.len() > 1 {
            return Err(Refusal::Fault(format!(
                "rule {name} keeps visitors in its canaries (onWeightChange: keep); canary-split rollback {name} --evict{at} sends them to stable first"
            )));
        }
        old = split.subsets.iter().zip(weights).map(|(subset, weight)| (subset.name.to_string(), weight)).collect();
    }
    if let Target::Adopted(adopted) = &found.rule.target
        && let Some(pick) = world.picks.iter().find(|pick| pick.header.1.eq_ignore_ascii_case(&adopted.header))
    {
        let (object, header) = (pick.object, &adopted.header);
        return Err(Refusal::Fault(format!(
            "rule {name}: {} still lets Envoy pick by {header}, which clients could then write; first kubectl -n {} delete envoyfilter {}",
            object.title(),
            object.namespace,
            object.name
        )));
    }
    given_once(objects, found.object)?;
    let (mut stages, mut notes) = (Vec::new(), Vec::new());
    stages.push(Stage {
        object: found.object.clone(),
        edits: vec![Edit::remove(found.path())],
        said: format!("rule {name} is removed"),
        why: if matches!(found.rule.target, Target::Split(_)) { RULE_FIRST } else { OVERRIDE_FIRST },
    });
    let later = found.plugin.rules.iter().filter(|(place, later)| *place > found.index && found.meets(later));
    notes.extend(later.map(|(_, later)| format!("rule {} may decide its requests from then on", later.name)));
    let mut after: Vec<(&Object, serde_json::Value)> =
        world.routings.iter().map(|routing| (routing.object, json(routing.object))).collect();
    let mut left = Vec::new();
    let services = found.services(&world)?;
    if services.is_empty() && !found.object.source.is_living && !matches!(found.rule.target, Target::Adopted(_)) {
        return Err(Refusal::Wrong(format!(
            "rule {name}: no VirtualService and no HTTPRoute of its hosts that asks for {} is among the files, and its routes would stay; give them too, or remove the rule by hand if they are gone already",
            found.header
        )));
    }
    let all: Vec<Http> = services.iter().map(|service| found.http(service)).collect();
    for service in services {
        let edits = of_routes(&found, &world, &found.http(service), &mut notes)?;
        if edits.is_empty() {
            continue;
        }
        given_once(objects, service.object)?;
        if let Some((object, value)) = after.iter_mut().find(|(object, _)| std::ptr::eq(*object, service.object)) {
            left.extend(Used::all(value, &object.namespace));
            patch::apply(value, &edits)?;
        }
        let said = "the routes by its header are removed".to_owned();
        stages.push(Stage { object: service.object.clone(), edits, said, why: ROUTES_NEXT });
    }
    if let Target::Split(split) = &found.rule.target {
        let others = split.subsets.iter().skip(1);
        notes.extend(others.filter_map(|other| left::note(&found, &all, &other.name, &stages, false)));
    }
    let still: Vec<Used> = after.iter().flat_map(|(object, value)| Used::all(value, &object.namespace)).collect();
    left.retain(|used| !still.contains(used));
    left.dedup();
    for rule in &world.destination_rules {
        let edits = used::without(rule, &left);
        if !edits.is_empty() {
            given_once(objects, rule.object)?;
            let names: Vec<&str> = left.iter().filter(|used| used.is_of(rule)).map(|used| &*used.subset).collect();
            let said = format!("{} removed", named("subset", &names));
            stages.push(Stage { object: rule.object.clone(), edits, said, why: SUBSETS_LAST });
        }
    }
    let mut seen = HashSet::new();
    for idle in left.iter().flat_map(|used| used.idle(&world, &still)).filter(|idle| seen.insert(idle.title())) {
        notes.push(format!("{} no longer gets requests; it is not deleted", idle.title()));
    }
    let plugin = found.plugin.config.title();
    Ok(Plan { plugin, rule: name.to_owned(), old, new: Vec::new(), moved: 0.0, stages, notes })
}

fn named(what: &str, names: &[&str]) -> String {
    match names {
        [name] => format!("{what} {name} is"),
        names => format!("{what}s {} are", names.join(", ")),
    }
}

/// Without the routes that only the rule needed.
fn of_routes(found: &Found, world: &World, http: &Http, notes: &mut Vec<String>) -> Result<Vec<Edit>, Refusal> {
    let fault = |at: usize, why: String| Err(Refusal::Fault(format!("{} {why}", http.place(at))));
    if let Some(at) = http.kinds.iter().position(|kind| *kind == Kind::Mixed) {
        return fault(at, format!("asks for {} otherwise than by one exact value; edit it by hand", found.header));
    }
    let subsets = found.plugin.subsets(found.rule);
    let is_split = matches!(found.rule.target, Target::Split(_));
    let is_own = |at: &usize| reaches(found.plugin, found.rule, http, *at, Gone::Nothing);
    if let Some(stable) = subsets.first().filter(|_| is_split) {
        for at in http.asking(&stable.subset.header_value).filter(is_own) {
            if let Some(twin) = http.twin(at, &stable.subset.header_value) {
                return fault(at, format!("asks for the same as {}; remove one of them", http.called(twin)));
            }
            let alike = |later: &usize| http.rest(*later) == http.rest(at);
            let does_same = |later: &usize| http.made_like(at, *later).is_empty();
            match http.behind(at).find(|later| alike(later) || !does_same(later)) {
                Some(later) if does_same(&later) => {}
                Some(later) => {
                    return fault(
                        later,
                        format!(
                            "would take the requests of {} and do something else with them; make it alike first",
                            http.called(at)
                        ),
                    );
                }
                None => {
                    return fault(at, "takes requests of stable that no default route takes; add one first".to_owned());
                }
            }
        }
    }
    let others = found.others(world, http.service);
    let mut gone = Vec::new();
    for named in &subsets {
        let value = &*named.subset.header_value;
        let mut needed_by = None;
        for at in http.asking(value) {
            // The rule's own requests meet the later rules from then on.
            let needs = |(plugin, rule, values): &&(&Plugin, &Rule, HashSet<String>)| {
                values.contains(value) && reaches(plugin, rule, http, at, Gone::Rule(found.rule))
            };
            match others.iter().find(needs) {
                Some((_, rule, _)) if is_own(&at) => needed_by = needed_by.or(Some(rule)),
                Some(_) => {}
                None => gone.push(at),
            }
        }
        if let Some(rule) = needed_by {
            notes.push(format!(
                "{}: the route for {} stays, rule {} needs it",
                http.object().title(),
                named.subset.name,
                rule.name
            ));
        }
    }
    gone.sort_unstable();
    if let Some(&first) = gone.first().filter(|_| gone.len() == http.routes.len()) {
        return fault(first, format!("is the last route, and a {} needs one", http.object().kind));
    }
    let has_default = |at: &usize| {
        (0..http.routes.len()).any(|left| {
            matches!(http.kinds.get(left), Some(Kind::Plain(_))) && are_overlapping(http.rest(*at), http.rest(left))
        })
    };
    if let Some(&at) = gone.iter().find(|at| !has_default(at)) {
        return fault(at, "takes requests that no default route takes; add one first".to_owned());
    }
    // From the last one backwards, so that the places of the others stay.
    Ok(gone.into_iter().rev().map(|at| Edit::remove(http.path(at))).collect())
}
