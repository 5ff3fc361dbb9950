//! Other weights.

use super::rule::Chosen;
use super::{Change, Refusal, pause, place, verdict};
use crate::edit::Edit;
use crate::input::manifest::PluginConfig;
use crate::input::weights::{Present, Resolved, resolve};
use canary_split::rollout::ramp::Second;

/// The change that these arguments ask for, as in `v2=25%`.
pub fn change(config: &PluginConfig, rule: Chosen, arguments: &[String], now: Second) -> Result<Change, Refusal> {
    if let Some(why) = pause::why_not(config, rule, now) {
        return Err(Refusal::Wrong(why));
    }
    let old = rule.present().map_err(Refusal::Fault)?;
    let Resolved { weights, scaled } =
        resolve(arguments, &old).map_err(|problem| format!("rule {}: {problem}", rule.name))?;
    let edits = edits(&old, &weights);
    verdict::check(config, rule, &edits)?;
    let mut notes = Vec::new();
    if let Some((before, after)) = scaled {
        notes.push(format!("the weights add up to {after} instead of {before}, so that the percentage is exact"));
    } else if let Some((before, after)) = other_sum(&old, &weights) {
        notes.push(format!("the weights add up to {after} instead of {before}"));
    }
    let said = said(&old, &weights);
    Ok(Change { rule: rule.name.to_owned(), index: rule.index, edits, said, notes, old, new: weights })
}

/// The sum before and after, if it was one and is another.
fn other_sum(old: &[Present], new: &[(String, u32)]) -> Option<(u64, u64)> {
    let before: u64 = old.iter().map(|(_, weight)| weight.map(u64::from)).sum::<Option<u64>>()?;
    let after: u64 = new.iter().map(|(_, weight)| u64::from(*weight)).sum();
    (before != after && before > 0).then_some((before, after))
}

/// The weights that are others now. One that is right already stays as it is written.
pub fn edits(old: &[Present], new: &[(String, u32)]) -> Vec<Edit> {
    let edit = |(at, ((_, old), (_, new))): (usize, (&Present, &(String, u32)))| {
        (*old != Some(*new)).then(|| Edit::set(place::weight(at), *new))
    };
    old.iter().zip(new).enumerate().filter_map(edit).collect()
}

/// As in `v1 80 → 75, v2 20 → 25`.
pub fn said(old: &[Present], new: &[(String, u32)]) -> String {
    let word = |((subset, old), (_, new)): (&Present, &(String, u32))| {
        let before = old.map_or("?".to_owned(), |old| old.to_string());
        (*old != Some(*new)).then(|| format!("{subset} {before} → {new}"))
    };
    old.iter().zip(new).filter_map(word).collect::<Vec<_>>().join(", ")
}
