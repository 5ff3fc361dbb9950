//! Who takes a request: of the rules whose matches it meets, the one that asks for most, wherever it is written.

use super::attached::Attached;
use super::entry::Entry;
use super::read::Route;
use super::unit::Unit;
use crate::convert::gateway::Controller;
use crate::convert::refusal::Refusal;
use canary_split::config::DEFAULT_HEADER;
use std::cmp::Ordering;

/// Which of two entries asks for more.
pub fn compare(one: &Entry, other: &Entry, by: Controller) -> Ordering {
    other.rank.by(by.precedence()).cmp(&one.rank.by(by.precedence()))
}

/// Whether the rules of canaries, which ask for one header more, would take requests that go elsewhere today.
pub fn check(unit: &Unit, stables: &[Vec<String>], by: Controller) -> Result<(), Refusal> {
    for (place, (route, attached)) in unit.0.iter().enumerate() {
        for (weighted, stable) in route.weighted.iter().zip(stables.get(place).into_iter().flatten()) {
            let canaries = weighted.branches.iter().map(|branch| &branch.name).filter(|name| *name != stable);
            for canary in canaries {
                for entry in route.rules.get(weighted.at).into_iter().flatten() {
                    check_entry(unit, stables, (place, route, attached), (weighted.at, entry), canary, by)?;
                }
            }
        }
    }
    Ok(())
}

fn check_entry(
    unit: &Unit,
    stables: &[Vec<String>],
    (place, route, attached): (usize, &Route, &Attached),
    (at, entry): (usize, &Entry),
    canary: &str,
    by: Controller,
) -> Result<(), Refusal> {
    for (other_place, (other, other_attached)) in unit.0.iter().enumerate() {
        let is_near = attached.points.iter().any(|own| other_attached.points.iter().any(|other| own.meets(other)));
        if !is_near || other.object.kind != route.object.kind {
            continue;
        }
        for (rule, entries) in other.rules.iter().enumerate() {
            if other_place == place && rule == at {
                continue;
            }
            let is_first = if other_place == place { Some(rule < at) } else { other.is_older(route) };
            let refuse = |reason: String| Err(Refusal::at(route.object, route.node(at), reason));
            let title = other.title(rule);
            let path = |entry: &Entry| entry.rank.path(by.precedence());
            let met = || entries.iter().filter(|theirs| path(theirs) == path(entry) && theirs.may_meet(entry));
            if is_first.is_none() && met().any(|theirs| compare(theirs, entry, by) == Ordering::Equal) {
                let created = other.created();
                return refuse(if created.is_some() && created == route.created() {
                    format!(
                        "{title} asks for as much, and both routes are of the same second, so which one takes these requests cannot be told; put both into one route"
                    )
                } else {
                    format!(
                        "{title} asks for as much, so the older route takes these requests, and which one that is cannot be told; put both into one route, or give both with their creationTimestamp, as kubectl get -o yaml prints it"
                    )
                });
            }
            // It gets a rule for the same canary, which again asks for as much more.
            let own = other.weighted.iter().zip(stables.get(other_place).into_iter().flatten());
            let follows = own.filter(|(weighted, _)| weighted.at == rule);
            if follows.into_iter().any(|(weighted, stable)| stable != canary && weighted.branch(canary).is_some()) {
                continue;
            }
            for theirs in met() {
                let wins = |entry: &Entry| match compare(theirs, entry, by) {
                    Ordering::Greater => Some(true),
                    Ordering::Less => Some(false),
                    Ordering::Equal => is_first,
                };
                let canarys = Entry { rank: entry.rank.with_header(), ..entry.clone() };
                match (wins(entry), wins(&canarys)) {
                    (Some(false) | None, _) | (Some(true), Some(true)) => {}
                    (Some(true), wins) => {
                        let why = if compare(theirs, entry, by) != Ordering::Equal {
                            "it asks for more"
                        } else if other_place == place {
                            "it is the first of two that ask for as much"
                        } else {
                            "it is older"
                        };
                        let way_out = match wins {
                            None => "put both into one route".to_owned(),
                            Some(_) if compare(theirs, &canarys, by) != Ordering::Equal => {
                                "give it a path of its own".to_owned()
                            }
                            Some(_) if other_place == place => format!("move {title} before this one"),
                            Some(_) => "put both into one route".to_owned(),
                        };
                        return refuse(format!(
                            "{title} takes some of these requests, since {why}; the rule for {canary} would ask for {DEFAULT_HEADER} too, and take them; {way_out}"
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}
