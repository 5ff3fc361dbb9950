//! One rule: its name, its hosts, its match and its target.

use super::adopt::read_adopt;
use super::context::Context;
use super::fields::{Errors, Fields, Place, known, string};
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
use crate::rule::hosts::HostPattern;
use crate::rule::{Adopted, Rule, Target, WeightedSubsets};
use crate::split::Salt;
use crate::visitor::Sticky;
use crate::visitor::keys::Key;

/// A rule, if nothing is missing; it is good if it also has no error.
pub(super) fn read_rule(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Option<Rule> {
    let fields = known(
        json,
        place,
        &["name", "hosts", "match", "subset", "split", "adopt", "sticky", "ramp", "guard", "remember"],
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
    let target = read_target(&fields, json, name, &hosts, place, context, errors);
    let remember = fields.get("remember").and_then(|remember| {
        let place = place.field("remember");
        let subset = match &target {
            Some(Target::Fixed(subset)) => Some(subset),
            _ => None,
        };
        let decided_by_draw =
            [("split", "a split"), ("adopt", "adopt")].into_iter().find(|(kind, _)| fields.get(kind).is_some());
        if let (Some((_, target)), None) = (decided_by_draw, fields.get("subset")) {
            errors.add(&place, format_args!("needs a fixed subset; what {target} decides is kept by sticky"));
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

/// Where a rule's requests go: exactly one of `subset`, `split` and `adopt` is given.
fn read_target(
    fields: &Fields,
    rule: &Json,
    name: Option<&str>,
    hosts: &[HostPattern],
    place: &Place,
    context: &Context,
    errors: &mut Errors,
) -> Option<Target> {
    let mut given = ["subset", "split", "adopt"].into_iter().filter_map(|kind| Some((kind, fields.get(kind)?)));
    let (kind, json) = match (given.next(), given.next(), given.next()) {
        (None, ..) => {
            errors.add(place, "none of subset, split, adopt is given");
            return None;
        }
        (Some(only), None, _) => only,
        (Some((first, _)), Some((second, _)), third) => {
            let (first, last) = match third {
                None => (first.to_owned(), second),
                Some((third, _)) => (format!("{first}, {second}"), third),
            };
            errors.add(place, format_args!("{first} and {last} are mutually exclusive"));
            return None;
        }
    };
    let target_place = place.field(kind);
    let mut refuse = |fields_of_others: &[&str], why: &str| {
        for field in fields_of_others.iter().filter(|field| fields.get(field).is_some()) {
            errors.add(&place.field(field), why);
        }
    };
    match kind {
        "subset" => {
            refuse(&["sticky"], "needs a split or adopt; a fixed subset draws nothing");
            refuse(&["ramp", "guard"], "needs a split; a fixed subset has no weights");
        }
        "adopt" => refuse(&["ramp", "guard"], "needs a split; under adopt somebody else owns the weights"),
        _ => {}
    }
    if kind == "subset" {
        return read_subset(json, &target_place, context, errors).map(Target::Fixed);
    }
    let sticky_place = place.field("sticky");
    let sticky = |errors: &mut Errors| match fields.get("sticky") {
        Some(sticky) => read_sticky(sticky, name, hosts, &sticky_place, context, errors),
        None => (Salt::new(name.unwrap_or_default().as_bytes()), None),
    };
    if kind == "adopt" {
        let header = read_adopt(json, &target_place, context, errors);
        let (salt, sticky) = sticky(errors);
        let sticky = sticky.map(Box::new);
        let adopted = Adopted { header: header?, salt, sticky };
        check_adopted(&adopted, &sticky_place, errors);
        return Some(Target::Adopted(adopted));
    }
    let split = read_split(json, &target_place, context, errors);
    let (salt, sticky) = sticky(errors);
    let by_name = split.as_ref().map(|(subsets, weights, _)| (&**subsets, &**weights));
    let ramp = fields.get("ramp").map(|ramp| read_ramp(ramp, by_name, &place.field("ramp"), errors));
    let guard = fields.get("guard").map(|guard| read_guard(guard, &place.field("guard"), errors));
    let rollout = (ramp.is_some() || guard.is_some())
        .then(|| Box::new(Rollout::new(ramp.flatten(), guard.flatten(), fingerprint(rule))));
    split.map(|(subsets, weights, split)| {
        let (subsets, weights) = (subsets.into(), weights.into());
        Target::Split(WeightedSubsets { subsets, weights, split, salt, sticky: sticky.map(Box::new), rollout })
    })
}

/// `adopt` decides no subset: none can be kept, and the header of positions cannot be a key.
fn check_adopted(adopted: &Adopted, sticky: &Place, errors: &mut Errors) {
    let Some(Sticky { keys, keep, .. }) = adopted.sticky.as_deref() else { return };
    if keep.is_some() {
        errors
            .add(&sticky.field("onWeightChange"), "keep, but adopt decides no subset that could be kept; leave it out");
    }
    if keys.iter().any(|key| matches!(key, Key::Header(name) if *name == adopted.header)) {
        errors.add(&sticky.field("keys"), "the header that this rule writes says nothing about a visitor");
    }
}
