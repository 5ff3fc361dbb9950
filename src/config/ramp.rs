//! `ramp`: a plan of weights over time.

use super::duration::seconds;
use super::fields::{Errors, Place, known, list, quoted, string};
use super::json::Json;
use super::split::read_weight;
use super::time::read_time;
use crate::rollout::ramp::{Between, Ramp, Step};
use crate::split::Split;
use crate::subset::Subset;

/// The most steps that a ramp may have.
const MAX_STEPS: usize = 1000;

/// `split`: the subsets and their weights before the ramp, if they are good.
pub(super) fn read_ramp(
    json: &Json,
    split: Option<(&[Subset], &[u32])>,
    place: &Place,
    errors: &mut Errors,
) -> Option<Ramp> {
    let fields = known(json, place, &["start", "steps", "between", "pausedAt"], errors)?;
    let start = match fields.get("start") {
        Some(start) => read_time(start, &place.field("start"), errors),
        None => {
            errors.add(&place.field("start"), "missing; when does the ramp begin?");
            None
        }
    };
    let between = fields.get("between").map_or(Some(Between::Step), |between| {
        let place = place.field("between");
        match string(between, &place, errors)? {
            "step" => Some(Between::Step),
            "linear" => Some(Between::Linear),
            other => {
                errors.add(&place, format_args!("{} is not one of step, linear", quoted(other)));
                None
            }
        }
    });
    let paused_at = fields.get("pausedAt").map(|paused| read_time(paused, &place.field("pausedAt"), errors));
    let steps = match fields.get("steps") {
        Some(steps) => read_steps(steps, split, &place.field("steps"), errors),
        None => {
            errors.add(&place.field("steps"), "missing");
            None
        }
    };
    if let (Some(Between::Linear), Some(steps), Some((_, weights))) = (between, &steps, split) {
        check_sums(steps, weights, &place.field("steps"), errors);
    }
    let paused_at = match paused_at {
        Some(paused) => Some(paused?),
        None => None,
    };
    Some(Ramp { start: start?, steps: steps?.into(), between: between?, paused_at })
}

/// Shares change in equal parts between steps only if all steps have the same sum of weights.
fn check_sums(steps: &[Step], split: &[u32], place: &Place, errors: &mut Errors) {
    let sum = |weights: &[u32]| weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
    let is_from_split = steps.first().is_some_and(|step| step.after > 0);
    let expected = if is_from_split { sum(split) } else { steps.first().map_or(0, |step| sum(&step.weights)) };
    let whose = if is_from_split { "the split" } else { "the first step" };
    for (index, step) in steps.iter().enumerate() {
        let sum = sum(&step.weights);
        if sum != expected {
            let place = place.index(index);
            let problem = format_args!("{sum} in all, but {expected} in {whose}; between: linear needs equal sums");
            errors.add(&place.field("weights"), problem);
        }
    }
}

fn read_steps(
    json: &Json,
    split: Option<(&[Subset], &[u32])>,
    place: &Place,
    errors: &mut Errors,
) -> Option<Vec<Step>> {
    let items = list(json, place, errors)?;
    if items.is_empty() || items.len() > MAX_STEPS {
        errors.add(place, format_args!("{} steps; a ramp has 1 to {MAX_STEPS}", items.len()));
        return None;
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut last: Option<(u32, &str)> = None;
    for (index, item) in items.iter().enumerate() {
        let place = place.index(index);
        let Some(fields) = known(item, &place, &["after", "weights"], errors) else { continue };
        let after = match fields.get("after") {
            Some(after) => read_after(after, &mut last, &place.field("after"), errors),
            None => {
                errors.add(&place.field("after"), "missing; write 0s for the start");
                None
            }
        };
        let weights = match fields.get("weights") {
            Some(weights) => read_weights(weights, split.map(|(subsets, _)| subsets), &place.field("weights"), errors),
            None => {
                errors.add(&place.field("weights"), "missing");
                None
            }
        };
        if let (Some(after), Some(weights)) = (after, weights) {
            steps.push(Step { after, weights });
        }
    }
    (steps.len() == items.len()).then_some(steps)
}

/// Later than the last one.
fn read_after<'j>(
    json: &'j Json,
    last: &mut Option<(u32, &'j str)>,
    place: &Place,
    errors: &mut Errors,
) -> Option<u32> {
    let text = string(json, place, errors)?;
    let after =
        seconds(text, "").map_err(|problem| errors.add(place, format_args!("{} {problem}", quoted(text)))).ok()?;
    if let Some((_, before)) = last.filter(|&(before, _)| before >= after) {
        errors.add(place, format_args!("{} is not later than {} of the step before", quoted(text), quoted(before)));
    }
    *last = Some((after, text));
    Some(after)
}

/// A weight for each subset, by name.
fn read_weights(json: &Json, subsets: Option<&[Subset]>, place: &Place, errors: &mut Errors) -> Option<Box<[u32]>> {
    // Without a good split the names of its subsets are unknown.
    let subsets = subsets?;
    let names: Vec<&str> = subsets.iter().map(|subset| &*subset.name).collect();
    let count = errors.0.len();
    let fields = super::fields::object(json, place, errors)?;
    fields.check_twice(&names, place, errors);
    for (name, _) in fields.given().filter(|(name, _)| !names.contains(name)) {
        errors.add(&place.field(name), format_args!("no subset of this split; it has {}", names.join(", ")));
    }
    let weights: Vec<u32> = names
        .iter()
        .filter_map(|&name| match fields.get(name) {
            Some(weight) => read_weight(weight, &place.field(name), errors),
            None => {
                errors.add(&place.field(name), "missing; a step names every subset of the split");
                None
            }
        })
        .collect();
    if errors.0.len() > count {
        return None;
    }
    Split::new(&weights).map_err(|error| errors.add(place, error.to_string())).ok()?;
    Some(weights.into())
}
