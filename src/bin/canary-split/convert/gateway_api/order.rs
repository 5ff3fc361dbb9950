//! Who takes a request: of the rules whose matches it meets, the one that asks for most, wherever it is written.

use super::attached::Attached;
use super::entry::{Entry, Path, Text};
use super::read::Route;
use super::unit::Unit;
use crate::convert::gateway::Controller;
use crate::convert::refusal::Refusal;
use canary_split::config::DEFAULT_HEADER;
use std::cmp::Ordering;

/// The kind and the length of a path.
fn of_path(entry: &Entry, by: Controller) -> (u8, usize) {
    // Istio takes prefixes before patterns, Envoy Gateway the other way round.
    let (prefix, regex, slashes) = if by == Controller::Istio { (1, 0, 0) } else { (0, 1, entry.slashes) };
    match &entry.path {
        Path::Exact(path) => (2, path.len()),
        Path::Prefix(path) => (prefix, path.len() + slashes),
        Path::Regex(pattern) => (regex, pattern.len()),
    }
}

/// What else is asked for, and one exact header more, if there is one.
fn of_rest(entry: &Entry, more: usize, by: Controller) -> [usize; 4] {
    let exact = |texts: &[(String, Text)]| texts.iter().filter(|(_, text)| matches!(text, Text::Exact(_))).count();
    let method = usize::from(entry.method.is_some());
    let (headers, params) = (entry.headers.len() + more, entry.params.len());
    match by {
        Controller::Istio => [method, headers, params, 0],
        // To Envoy Gateway the method is one of the headers.
        Controller::EnvoyGateway => {
            [headers + method, exact(&entry.headers) + more + method, params, exact(&entry.params)]
        }
    }
}

/// Which of two entries asks for more.
pub fn compare(one: &Entry, other: &Entry, by: Controller) -> Ordering {
    let rank = |entry: &Entry| (of_path(entry, by), of_rest(entry, 0, by));
    rank(one).cmp(&rank(other))
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
            let met =
                || entries.iter().filter(|theirs| of_path(theirs, by) == of_path(entry, by) && theirs.may_meet(entry));
            if is_first.is_none() && met().any(|theirs| of_rest(theirs, 0, by) == of_rest(entry, 0, by)) {
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
                let wins = |more: usize| match of_rest(theirs, 0, by).cmp(&of_rest(entry, more, by)) {
                    Ordering::Greater => Some(true),
                    Ordering::Less => Some(false),
                    Ordering::Equal => is_first,
                };
                match (wins(0), wins(1)) {
                    (Some(false) | None, _) | (Some(true), Some(true)) => {}
                    (Some(true), wins) => {
                        let why = if of_rest(theirs, 0, by) != of_rest(entry, 0, by) {
                            "it asks for more"
                        } else if other_place == place {
                            "it is the first of two that ask for as much"
                        } else {
                            "it is older"
                        };
                        let way_out = match wins {
                            None => "put both into one route".to_owned(),
                            Some(_) if of_rest(theirs, 0, by) != of_rest(entry, 1, by) => {
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
