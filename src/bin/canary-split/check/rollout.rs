//! Ramps and guards that do not do what they are for.

use crate::report::finding::{Code, Finding, Severity};
use crate::report::plan::ramp;
use crate::report::share::Share;
use crate::report::time::{span, utc};
use crate::world::World;
use canary_split::rollout::ramp::{Between, Ramp, Second};
use canary_split::rule::{Target, WeightedSubsets};
use canary_split::split::Split;

const ENDED: Code = Code {
    name: "ramp-ended",
    severity: Severity::Warning,
    why: "the plan is over and its last weights stay: an edit of split changes nothing",
    fix: "write the weights of the last step into split, and remove ramp",
};

const BACK: Code = Code {
    name: "ramp-sends-back",
    severity: Severity::Warning,
    why: "visitors who have seen the canary see stable again, and perhaps the canary once more later",
    fix: "let the weights of a canary only grow, or let onWeightChange: keep hold the canary's visitors",
};

const OUTLIVES: Code = Code {
    name: "ramp-outlives-cookie",
    severity: Severity::Warning,
    why: "a visitor whose cookie ends before the plan does is drawn again, and may see stable after the canary",
    fix: "give the cookie a ttl that is longer than the ramp, and leave renew at true",
};

const PAUSED: Code = Code {
    name: "ramp-paused-outside",
    severity: Severity::Warning,
    why: "the weights of pausedAt stay, and the plan has none at that time",
    fix: "remove pausedAt; canary-split set --pause writes the present time",
};

const IDLE: Code = Code {
    name: "guard-idle",
    severity: Severity::Warning,
    why: "a guard compares canaries with stable: with only one of the two, nothing ever trips",
    fix: "list stable first, with a weight, and the canary after it; or remove guard",
};

const BLIND: Code = Code {
    name: "guard-without-sticky",
    severity: Severity::Warning,
    why: "every request counts as a visitor: with such a small share few failures are the canary's, and the guard trips late",
    fix: "add sticky, or start with a larger share",
};

/// The codes of this file.
pub const CODES: [&Code; 6] = [&ENDED, &BACK, &OUTLIVES, &PAUSED, &IDLE, &BLIND];

/// A ramp that has ended may stay for so many seconds: a week.
const TIDY: u64 = 7 * 86_400;

/// Looks at the rules of every config.
pub fn check(world: &World, now: Second, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        for (_, rule) in &plugin.rules {
            let Target::Split(split) = &rule.target else { continue };
            let mut add = |code: &'static Code, place: &str, problem: String| {
                let message = format!("rule {}: {problem}", rule.name);
                findings.push(Finding::new(code, &plugin.config.source, &plugin.place_in(rule, place), message));
            };
            if let Some(ramp) = ramp(split) {
                check_ramp(split, ramp, now, &mut add);
            }
            if split.rollout.as_ref().is_some_and(|rollout| rollout.guard.is_some()) {
                check_guard(split, &mut add);
            }
        }
    }
}

fn check_ramp(split: &WeightedSubsets, ramp: &Ramp, now: Second, add: &mut impl FnMut(&'static Code, &str, String)) {
    let end = ramp.end();
    match ramp.paused_at {
        Some(paused) if paused < ramp.start => {
            let problem = format!("pausedAt is before start ({}): the weights of split hold", utc(ramp.start));
            add(&PAUSED, "ramp.pausedAt", problem);
        }
        Some(paused) if paused >= end => {
            add(
                &PAUSED,
                "ramp.pausedAt",
                format!("pausedAt is after the end of the ramp ({}): nothing is held", utc(end)),
            );
        }
        None if end.0.saturating_add(TIDY) <= now.0 => {
            add(&ENDED, "ramp", format!("its ramp has ended at {}", utc(end)));
        }
        _ => {}
    }
    let Some(sticky) = &split.sticky else { return };
    if sticky.keep.is_none() {
        let mut before = split.split.clone();
        for (at, step) in ramp.steps.iter().enumerate() {
            let Ok(after) = Split::new(&step.weights) else { continue };
            let back: u64 =
                before.overlap(&after).filter(|&(from, to, _)| from > 0 && to == 0).map(|(.., draws)| draws).sum();
            if back > 0 {
                let stable = split.subsets.first().map_or("", |stable| &*stable.name);
                let share = Share::of_draws(back);
                let problem = format!("step {} of its ramp sends {share} of the visitors back to {stable}", at + 1);
                add(&BACK, &format!("ramp.steps[{at}].weights"), problem);
            }
            before = after;
        }
    }
    let length = end.0.saturating_sub(ramp.start.0);
    if let Some(cookie) =
        sticky.cookie.as_ref().filter(|cookie| u64::from(cookie.ttl) < length && sticky.keys.is_empty())
    {
        let lives = match (cookie.ttl, cookie.renew) {
            (0, _) => "until the browser closes".to_owned(),
            (ttl, true) => format!("{} after the last visit", span(ttl.into())),
            (ttl, false) => format!("{} and is not renewed", span(ttl.into())),
        };
        add(&OUTLIVES, "ramp", format!("its ramp takes {}, and a cookie lives {lives}", span(length)));
    }
}

fn check_guard(split: &WeightedSubsets, add: &mut impl FnMut(&'static Code, &str, String)) {
    let stable = split.subsets.first().map_or("", |stable| &*stable.name);
    let keeps = split.sticky.as_ref().is_some_and(|sticky| sticky.keep.is_some());
    if split.subsets.len() < 2 {
        add(&IDLE, "guard", format!("its guard is idle: {stable} is the only subset"));
    } else if !keeps && !moments(split).any(|weights| weights.first().is_some_and(|&stable| stable > 0)) {
        add(&IDLE, "guard", format!("its guard is idle: {stable} never has a weight"));
    }
    if split.sticky.is_some() {
        return;
    }
    // The smallest share of a canary.
    let share = |weights: &[u32], weight: u32| f64::from(weight) / weights.iter().map(|&w| f64::from(w)).sum::<f64>();
    let shares = moments(split).flat_map(|weights| {
        let canaries = split.subsets.iter().zip(weights).skip(1).filter(|(_, weight)| **weight > 0);
        canaries.map(|(subset, &weight)| (share(weights, weight), subset)).collect::<Vec<_>>()
    });
    let Some((share, subset)) = shares.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(share, _)| *share <= 0.01) else {
        return;
    };
    let share = Share::of_draws((share * (1_u64 << 32) as f64) as u64);
    add(&BLIND, "guard", format!("it has a guard, nothing sticks, and {} has {share} of the requests", subset.name));
}

/// The weights that hold some time.
fn moments(split: &WeightedSubsets) -> impl Iterator<Item = &[u32]> {
    let ramp = ramp(split);
    // With a step at the start those of the split hold only before it.
    let steps = ramp.map(|ramp| ramp.steps.iter().map(|step| &*step.weights)).into_iter().flatten();
    let is_its_own =
        ramp.is_none_or(|ramp| ramp.between == Between::Linear || ramp.steps.first().is_none_or(|step| step.after > 0));
    std::iter::once(&*split.weights).filter(move |_| is_its_own).chain(steps)
}
