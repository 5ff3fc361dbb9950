//! The position of a ramp, in words, and a rule at that moment.

use super::share::Share;
use super::time::{span, utc};
use canary_split::rollout::ramp::{Moment, Ramp, Second, Step};
use canary_split::rule::{Rule, Target, WeightedSubsets};
use serde::Serialize;

/// The position of a ramp.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// `ahead`, `running`, `paused` or `ended`.
    pub state: &'static str,
    /// The step that has been reached, from 1.
    pub step: Option<usize>,
    /// The number of steps.
    pub steps: usize,
    /// When the next step is reached; `None`: no next step, or the ramp is paused.
    pub next: Option<String>,
    /// All of it in a sentence.
    pub text: String,
}

impl Progress {
    /// As a part of a sentence about the ramp.
    pub fn said(&self) -> String {
        let is_verb = ["begins", "ended"].iter().any(|verb| self.text.starts_with(verb));
        if is_verb { self.text.clone() } else { format!("is {}", self.text) }
    }
}

/// The ramp of a split.
pub fn ramp(split: &WeightedSubsets) -> Option<&Ramp> {
    split.rollout.as_ref()?.ramp.as_ref()
}

/// Whether a subset has a weight at some time.
pub fn ever_has_weight(split: &WeightedSubsets, place: usize) -> bool {
    let has = |weights: &[u32]| weights.get(place).is_some_and(|&weight| weight > 0);
    has(&split.weights) || ramp(split).is_some_and(|ramp| ramp.steps.iter().any(|step| has(&step.weights)))
}

/// The position of a rule's ramp, if it has one.
pub fn progress(rule: &Rule, now: Second) -> Option<Progress> {
    let Target::Split(split) = &rule.target else { return None };
    let ramp = ramp(split)?;
    let moment = ramp.moment(now);
    let (reached, next) = match moment {
        Moment::Ahead => (None, 0),
        Moment::At(at) => (Some(at), at + 1),
        Moment::Towards { step, .. } => (step.checked_sub(1), step),
    };
    let steps = ramp.steps.len();
    let at = |step: &Step| Second(ramp.start.0.saturating_add(u64::from(step.after)));
    let next = ramp.steps.get(next);
    let paused = ramp.paused_at.filter(|paused| *paused <= now);
    let place = match reached {
        None => "before its first step".to_owned(),
        Some(step) => format!("at step {} of {steps}", step + 1),
    };
    let place = if let Moment::Towards { step, .. } = moment {
        format!("on the way to step {} of {steps}", step + 1)
    } else {
        place
    };
    let (state, text) = match (paused, next) {
        (Some(since), Some(_)) => {
            ("paused", format!("paused {place} since {}; canary-split set --resume continues it", utc(since)))
        }
        (_, None) => ("ended", format!("ended at {}; the weights of its last step stay", utc(ramp.end()))),
        (None, Some(step)) => {
            let when = format!("at {}, in {}", utc(at(step)), span(at(step).0.saturating_sub(now.0)));
            match moment {
                Moment::Ahead => ("ahead", format!("begins with {} {when}", weights(split, &step.weights))),
                Moment::At(_) => ("running", format!("{place}; next {} {when}", weights(split, &step.weights))),
                Moment::Towards { .. } => ("running", format!("{place}: {} {when}", weights(split, &step.weights))),
            }
        }
    };
    let next = next.filter(|_| paused.is_none()).map(|step| utc(at(step)));
    Some(Progress { state, step: reached.map(|step| step + 1), steps, next, text })
}

/// As in `v1 90, v2 10`.
pub fn weights(split: &WeightedSubsets, weights: &[u32]) -> String {
    let named = split.subsets.iter().zip(weights).map(|(subset, weight)| format!("{} {weight}", subset.name));
    named.collect::<Vec<_>>().join(", ")
}

/// The number of draws of each subset at a moment.
pub fn draws(split: &WeightedSubsets, now: Second) -> Vec<u64> {
    let mut draws = vec![0; split.subsets.len()];
    split.with_layout(
        || now,
        |layout| {
            for (at, _, count) in layout.overlap(layout) {
                if let Some(own) = draws.get_mut(at) {
                    *own += count;
                }
            }
        },
    );
    draws
}

/// As in `v1 90 %, v2 10 %`.
pub fn shares(split: &WeightedSubsets, now: Second) -> String {
    let share =
        |(subset, draws): (&canary_split::subset::Subset, u64)| format!("{} {}", subset.name, Share::of_draws(draws));
    split.subsets.iter().zip(draws(split, now)).map(share).collect::<Vec<_>>().join(", ")
}

/// The rule with its split of this moment.
pub fn as_of(rule: &Rule, now: Second) -> Rule {
    let mut rule = rule.clone();
    if let Target::Split(split) = &mut rule.target
        && ramp(split).is_some()
    {
        let (exact, scale) = split.weights_in_force(split.moment(now));
        let layout = split.with_layout(|| now, Clone::clone);
        split.weights = exact.iter().map(|weight| ((weight + scale / 2) / scale) as u32).collect();
        split.split = layout;
    }
    rule
}
