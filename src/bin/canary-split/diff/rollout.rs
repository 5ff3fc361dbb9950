//! The difference in a ramp or a guard, and the effect of the rest of the plan.

use super::note::Note;
use crate::report::plan::{progress, ramp, weights};
use crate::report::share::Share;
use canary_split::rollout::guard::{Action, Guard};
use canary_split::rollout::ramp::{Ramp, Second};
use canary_split::rule::{Rule, Target, WeightedSubsets};
use canary_split::split::Split;

/// The difference; an unchanged plan is not mentioned unless something else differs.
pub fn notes(old: &Rule, new: &Rule, now: Second, is_same: bool) -> Vec<Note> {
    let (was, is) = (split(old), split(new));
    let (had, has) = (was.and_then(ramp), is.and_then(ramp));
    let mut notes = Vec::new();
    match (had, has) {
        (None, Some(_)) => notes.push(Note::new("ramp", "a ramp is new: the weights go by the clock")),
        (Some(_), None) => notes.push(Note::new("ramp", "its ramp is gone: the weights of split hold")),
        (Some(had), Some(has)) if had != has => notes.push(Note::new("ramp", changed(had, has))),
        _ => {}
    }
    let guard = |split: Option<&WeightedSubsets>| split.and_then(|split| split.rollout.as_ref()?.guard.clone());
    match (guard(was), guard(is)) {
        (None, Some(guard)) => notes.push(Note::new("guard", format!("a guard is new: {}", described(&guard)))),
        (Some(_), None) => notes.push(Note::new("guard", "its guard is gone: nothing removes a failing canary")),
        (Some(was), Some(is)) if was != is => {
            notes.push(Note::new("guard", format!("its guard has changed: {}", described(&is))));
        }
        _ => {}
    }
    if !(notes.is_empty() && is_same) {
        notes.extend(plan(new, now));
    }
    notes
}

/// The position of a rule's ramp, and the effect of its rest.
pub fn plan(rule: &Rule, now: Second) -> Option<Note> {
    let split = split(rule)?;
    let ramp = ramp(split)?;
    let progress = progress(rule, now)?;
    let text = format!("the ramp {}", progress.said());
    let rest = rest(split, ramp, now);
    Some(Note::new("plan", if progress.state == "ended" { text } else { format!("{text}; {rest}") }))
}

fn changed(had: &Ramp, has: &Ramp) -> String {
    let parts = [
        (had.start != has.start, "start"),
        (had.steps != has.steps, "steps"),
        (had.between != has.between, "between"),
        (had.paused_at != has.paused_at, "pausedAt"),
    ];
    let names: Vec<&str> = parts.iter().filter(|(is_so, _)| *is_so).map(|(_, name)| *name).collect();
    format!("its ramp has changed: {}", names.join(", "))
}

/// As in `margin 1 %, out until the rule is edited`.
fn described(guard: &Guard) -> String {
    let margin = f64::from(guard.margin.0) / 100.0;
    let what = match (guard.action, guard.hold_for) {
        (Action::Observe, _) => "it only says so".to_owned(),
        (Action::Rollback, None) => "a canary that fails stays out until the rule is edited".to_owned(),
        (Action::Rollback, Some(held)) => {
            format!("a canary that fails is out for {}", crate::report::time::span(held.into()))
        }
    };
    format!("margin {margin} %, {what}")
}

/// From now to the end: who moves, and whether anybody is sent back.
fn rest(split: &WeightedSubsets, ramp: &Ramp, now: Second) -> String {
    let elapsed = ramp.paused_at.map_or(now, |paused| paused.min(now)).0.checked_sub(ramp.start.0);
    let ahead = ramp.steps.iter().filter(|step| elapsed.is_none_or(|elapsed| u64::from(step.after) > elapsed));
    let mut layout = split.with_layout(|| now, Clone::clone);
    let (mut back, mut last) = (0, None);
    let first = layout.clone();
    for step in ahead {
        let Ok(next) = Split::new(&step.weights) else { continue };
        back +=
            layout.overlap(&next).filter(|&(from, to, _)| from > 0 && to == 0).map(|(.., draws)| draws).sum::<u64>();
        layout = next;
        last = Some(step);
    }
    let moved = first.overlap(&layout).filter(|(from, to, _)| from != to).map(|(.., draws)| draws).sum();
    let end = last.map(|step| format!(" until {}", weights(split, &step.weights))).unwrap_or_default();
    let back = match back {
        0 => "nobody is sent back to stable".to_owned(),
        _ => format!("{} are sent back to stable on the way", Share::of_draws(back)),
    };
    format!("{} more move{end}, and {back}", Share::of_draws(moved))
}

fn split(rule: &Rule) -> Option<&WeightedSubsets> {
    if let Target::Split(split) = &rule.target { Some(split) } else { None }
}
