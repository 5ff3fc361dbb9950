//! Gauges of what is in force, and the ids of all statistics.

use super::shared::{counters, note_counter, plugins, state};
use crate::metrics::{self, RuleState};
use crate::rule::{Rule, Target};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;

/// How often to look again whether another VM has changed what is shared.
const TRIES: usize = 64;

thread_local! {
    /// Stats by name; each `define_metric` would make a new id.
    static STATS: RefCell<HashMap<String, u32>> = RefCell::default();
}

/// The id of a stat, which is defined at first use.
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

/// The id of a counter of requests or responses, which outlives the module that counts first.
pub(super) fn counter(name: &str) -> Option<u32> {
    note_counter(name);
    stat(MetricType::Counter, name)
}

/// Defines the counters that other VMs have used: what no VM defines is gone.
pub(super) fn take_over_counters() {
    for name in counters() {
        stat(MetricType::Counter, &name);
    }
}

/// Adds to the faults in configs. Defined in any case, so that an alert finds a 0.
pub(super) fn count_errors(faults: usize) {
    if let Some(id) = stat(MetricType::Counter, metrics::CONFIG_ERRORS)
        && faults > 0
    {
        let _ = hostcalls::increment_metric(id, faults as i64);
    }
}

/// Says what the weights of these rules are.
pub(super) fn record_weights(rules: impl IntoIterator<Item = impl Borrow<Rule>>, value: impl Fn(u32) -> u64) {
    for rule in rules {
        let Rule { name, target: Target::Split(split), .. } = rule.borrow() else { continue };
        for (subset, &weight) in split.subsets.iter().zip(&split.weights) {
            record(&metrics::config_weight(name, &subset.name), value(weight));
        }
    }
}

/// Says what a plugin's weights are: these, unless another VM has changed the state meanwhile.
pub(super) fn record_in_force(plugin: &str, rules: &[Rule], mut generation: u64) {
    record_weights(rules, u64::from);
    for _ in 0..TRIES {
        let (newest, _) = state(plugin);
        if newest.generation <= generation {
            return;
        }
        record_weights(newest.rules(), u64::from);
        generation = newest.generation;
    }
}

/// Says that these weighted subsets are no longer in force.
pub(super) fn record_gone(gone: impl IntoIterator<Item = (String, String)>) {
    for (rule, subset) in gone {
        record(&metrics::config_weight(&rule, &subset), 0);
    }
}

/// Says how the rules of all live plugins are. Another VM may change the list meanwhile: who comes last has seen all of it.
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
