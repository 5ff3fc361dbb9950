//! One rule: its name, its hosts, its match and its target.

use super::context::Context;
use super::fields::{Errors, Place, known, string};
use super::fingerprint::fingerprint;
use super::guard::read_guard;
use super::json::Json;
use super::matches::read_matches;
use super::names::{label, read_hosts};
use super::ramp::read_ramp;
use super::remember::read_remember;
use super::split::{read_split, read_subset};
use super::sticky::read_sticky;
use crate::rollout::Rollout;
use crate::rule::{Rule, Target, WeightedSubsets};
use crate::split::Salt;

/// A rule, if nothing is missing; it is good if nothing is wrong with it either.
pub(super) fn read_rule(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Option<Rule> {
    let fields = known(
        json,
        place,
        &["name", "hosts", "match", "subset", "split", "sticky", "ramp", "guard", "remember"],
        errors,
    )?;
    let name = match fields.get("name") {
        Some(name) => {
            string(name, &place.field("name"), errors).and_then(|name| label(name, &place.field("name"), errors))
        }
        None => {
            errors.add(&place.field("name"), "missing");
            None
        }
    };
    let hosts = fields.get("hosts").map_or(Vec::new(), |hosts| read_hosts(hosts, &place.field("hosts"), errors));
    let matches =
        fields.get("match").map_or(Vec::new(), |matches| read_matches(matches, &place.field("match"), context, errors));
    let sticky = fields.get("sticky");
    let target = match (fields.get("subset"), fields.get("split")) {
        (Some(_), Some(_)) => {
            errors.add(place, "subset and split exclude each other");
            None
        }
        (None, None) => {
            errors.add(place, "neither subset nor split is given");
            None
        }
        (Some(subset), None) => {
            if sticky.is_some() {
                errors.add(&place.field("sticky"), "needs a split; a fixed subset draws nothing");
            }
            for field in ["ramp", "guard"].into_iter().filter(|field| fields.get(field).is_some()) {
                errors.add(&place.field(field), "needs a split; a fixed subset has no weights");
            }
            read_subset(subset, &place.field("subset"), context, errors).map(Target::Fixed)
        }
        (None, Some(split)) => {
            let split = read_split(split, &place.field("split"), context, errors);
            let sticky =
                sticky.map(|sticky| read_sticky(sticky, name, &hosts, &place.field("sticky"), context, errors));
            let by_name = split.as_ref().map(|(subsets, weights, _)| (&**subsets, &**weights));
            let ramp = fields.get("ramp").map(|ramp| read_ramp(ramp, by_name, &place.field("ramp"), errors));
            let guard = fields.get("guard").map(|guard| read_guard(guard, &place.field("guard"), errors));
            let rollout = (ramp.is_some() || guard.is_some())
                .then(|| Box::new(Rollout::new(ramp.flatten(), guard.flatten(), fingerprint(json))));
            split.map(|(subsets, weights, split)| {
                let (salt, sticky) = match sticky {
                    Some((salt, sticky)) => (salt, sticky),
                    None => (Salt::new(name.unwrap_or_default().as_bytes()), None),
                };
                let (subsets, weights) = (subsets.into(), weights.into());
                Target::Split(WeightedSubsets { subsets, weights, split, salt, sticky: sticky.map(Box::new), rollout })
            })
        }
    };
    let remember = fields.get("remember").and_then(|remember| {
        let place = place.field("remember");
        let subset = match &target {
            Some(Target::Fixed(subset)) => Some(subset),
            _ => None,
        };
        if fields.get("split").is_some() && fields.get("subset").is_none() {
            errors.add(&place, "needs a fixed subset; what a split decides is kept by sticky");
        }
        read_remember(remember, subset, name, &hosts, &place, context, errors)
    });
    let (remember, forget) = match remember {
        Some((remember, forget)) => (Some(Box::new(remember)), forget),
        None => (None, Vec::new()),
    };
    Some(Rule {
        name: name?.to_owned(),
        hosts: hosts.into(),
        matches: matches.into(),
        target: target?,
        remember,
        forget: forget.into(),
    })
}
