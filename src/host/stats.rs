//! Gauges of what is in force, and the ids of all statistics.

use super::envoy::{called, second};
use super::shared::{COUNTERS, plugins, state, trips};
use crate::metrics;
use crate::reload::{Health, RuleState, State};
use crate::rollout::ramp::Moment;
use crate::rule::{Rule, Target, WeightedSubsets};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;

/// How often to check again whether another VM has changed the shared data.
const TRIES: usize = 64;

thread_local! {
    /// Stats by name; each `define_metric` would make a new id.
    static STATS: RefCell<HashMap<String, u32>> = RefCell::default();
}

/// The id of a stat, defined at first use.
pub(super) fn stat(kind: MetricType, name: &str) -> Option<u32> {
    STATS.with_borrow_mut(|stats| {
        if let Some(&id) = stats.get(name) {
            return Some(id);
        }
        let id = hostcalls::define_metric(kind, name).ok()?;
        stats.insert(name.to_owned(), id);
        Some(id)
    })
}

/// The id of a counter of requests or responses, which outlives the module that first counts.
pub(super) fn counter(name: &str) -> Option<u32> {
    COUNTERS.note(name);
    stat(MetricType::Counter, name)
}

/// Defines the counters that other VMs have used: a counter that no VM defines is lost.
pub(super) fn take_over_counters() {
    for name in COUNTERS.names(0).flatten() {
        stat(MetricType::Counter, &name);
    }
}

/// Adds to the faults in configs. Always defined, so that an alert finds a 0.
pub(super) fn count_errors(faults: usize) {
    if let Some(id) = stat(MetricType::Counter, metrics::CONFIG_ERRORS)
        && faults > 0
    {
        let _ = hostcalls::increment_metric(id, faults as i64);
    }
}

/// The value of a counter over all VMs.
pub(super) fn value(id: u32) -> u64 {
    hostcalls::get_metric(id).unwrap_or(0)
}

/// Sets the weights of these rules at this second.
pub(super) fn record_weights(rules: impl IntoIterator<Item = impl Borrow<Rule>>) {
    let now = second();
    for rule in rules {
        let Rule { name, target: Target::Split(split), .. } = rule.borrow() else { continue };
        record_weights_of(name, split, None, split.moment(now));
    }
}

/// Sets the weights of a rule that have changed since the moment before.
pub(super) fn record_weights_of(rule: &str, split: &WeightedSubsets, before: Option<Moment>, moment: Moment) {
    let rounded = |moment| {
        let (weights, scale) = split.weights_in_force(moment);
        weights.into_iter().map(|weight| (weight + scale / 2) / scale).collect::<Vec<_>>()
    };
    let before = before.map(rounded).unwrap_or_default();
    for (at, (subset, weight)) in split.subsets.iter().zip(rounded(moment)).enumerate() {
        if before.get(at) != Some(&weight) {
            record(&metrics::config_weight(rule, &subset.name), weight);
        }
    }
}

/// Clears the weights of these rules.
pub(super) fn record_no_weights(rules: &[Rule]) {
    for Rule { name, target, .. } in rules {
        if let Target::Split(split) = target {
            split.subsets.iter().for_each(|subset| record(&metrics::config_weight(name, &subset.name), 0));
        }
    }
}

/// Sets what a plugin's config of this generation has put in force, unless there is a newer one. `before` is the health that
/// was set before.
pub(super) fn record_in_force(plugin: &str, before: &Health, rules: &[Rule], health: &Health, mut generation: u64) {
    let newer_than = |generation| Some(state(plugin).0).filter(|newest| newest.generation > generation);
    let mut newer = newer_than(generation);
    if newer.is_none() {
        record_weights(rules);
        record_health(plugin, before, health);
    }
    let mut said = if newer.is_none() { health } else { before }.clone();
    // Another VM may change the state meanwhile.
    for _ in 0..TRIES {
        let Some(newest) = newer.take().or_else(|| newer_than(generation)) else { return };
        record_weights(rules_in_force(plugin, &newest));
        record_health(plugin, &said, &newest.health);
        generation = newest.generation;
        said = Health::clone(&newest.health);
    }
}

/// Sets the health of a plugin's config; `before` is the one that was set until now.
fn record_health(plugin: &str, before: &Health, now: &Health) {
    record(&metrics::config_fingerprint(called(plugin)), now.fingerprint.into());
    record(&metrics::config_faults(called(plugin)), now.faults as u64);
    before.left(now).for_each(|(rule, state)| record(&metrics::rule_fault(rule, *state), 0));
    record_faulty(now);
}

/// Sets which rules are not as their config says.
pub(super) fn record_faulty(health: &Health) {
    health.faulty.iter().for_each(|(rule, state)| record(&metrics::rule_fault(rule, *state), 1));
}

/// Clears what was set for a plugin that is gone.
pub(super) fn record_no_health(plugin: &str, before: &Health) {
    record_health(plugin, before, &Health::default());
}

/// The rules of a state, with what is tripped.
pub(super) fn rules_in_force<'s>(plugin: &str, state: &'s State) -> impl Iterator<Item = Rule> + use<'s> {
    let (trips, _) = trips(plugin);
    state.rules().inspect(move |rule| trips.apply(rule))
}

/// Defines the statistics of these rules' guards, so that an alert finds a 0.
pub(super) fn define_guarded(rules: &[Rule]) {
    for Rule { name, target, .. } in rules {
        let Target::Split(WeightedSubsets { subsets, rollout: Some(rollout), .. }) = target else { continue };
        if rollout.guard.is_none() {
            continue;
        }
        for (at, subset) in subsets.iter().enumerate() {
            stat(MetricType::Counter, &metrics::failing_visitors(name, &subset.name));
            if at > 0 {
                stat(MetricType::Gauge, &metrics::tripped(name, &subset.name));
            }
        }
    }
}

/// Sets whether a canary is tripped.
pub(super) fn record_tripped(rule: &str, subset: &str, is_tripped: bool) {
    record(&metrics::tripped(rule, subset), is_tripped.into());
}

/// Clears these weighted subsets, which are no longer in force.
pub(super) fn record_gone(gone: &[(String, String)]) {
    for (rule, subset) in gone {
        record(&metrics::config_weight(rule, subset), 0);
    }
}

/// Sets the states of the rules of all live plugins. Another VM may change the list meanwhile: the last one has seen all of it.
pub(super) fn record_rules() {
    let mut counts = plugins().counts();
    for _ in 0..TRIES {
        record(&metrics::config_rules(RuleState::Active), counts.active as u64);
        record(&metrics::config_rules(RuleState::LastGood), counts.last_good as u64);
        record(&metrics::config_rules(RuleState::Off), counts.off as u64);
        let now = plugins().counts();
        if now == counts {
            return;
        }
        counts = now;
    }
}

/// Sets a gauge.
fn record(gauge: &str, value: u64) {
    if let Some(id) = stat(MetricType::Gauge, gauge) {
        let _ = hostcalls::record_metric(id, value);
    }
}
