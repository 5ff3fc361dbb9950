//! What the dashboard remembers since it was started: gateways that have gone, trips, and what happened.

use super::twice;
use crate::cluster::reading::Reading;
use canary_split::rollout::ramp::Second;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// So many events are kept.
const MOST: usize = 100;

/// What was seen so far.
#[derive(Default)]
pub struct Memory {
    /// By plugin and pod: `Some`: gone since then.
    gateways: BTreeMap<(String, String), Option<Second>>,
    /// Since when canaries are out, by plugin, rule and subset; `None`: they were when the dashboard was started.
    trips: BTreeMap<(String, String, String), Option<Second>>,
    /// The weights in force, by plugin, rule and subset.
    weights: BTreeMap<(String, String, String), u64>,
    /// The newest first.
    events: VecDeque<Event>,
    /// Whether anything was seen before.
    is_old: bool,
}

/// Something that has happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Seconds since 1970.
    pub at: u64,
    /// In words.
    pub text: String,
}

/// A gateway that has been here.
#[derive(Debug, Serialize)]
pub struct Gone<'m> {
    /// `NAMESPACE/NAME` of the plugin that was on it.
    pub plugin: &'m str,
    /// `NAMESPACE/NAME`
    pub pod: &'m str,
    /// Seconds since 1970.
    pub since: u64,
}

impl Memory {
    /// Takes note of what is there now.
    pub fn note(&mut self, reading: &Reading, now: Second) {
        let mut events = Vec::new();
        let mut here = Vec::new();
        let mut trips = BTreeMap::new();
        let mut weights = BTreeMap::new();
        for plugin in &reading.plugins {
            let title = plugin.title();
            here.extend(
                plugin.gateways.iter().map(|gateway| (title.clone(), format!("{}/{}", gateway.namespace, gateway.pod))),
            );
            for (rule, _) in twice::rules(plugin).filter(|(_, is_second)| !is_second) {
                for subset in &rule.subsets {
                    let key = (title.clone(), rule.name.clone(), subset.name.clone());
                    if subset.tripped {
                        let since = self.trips.get(&key).copied().unwrap_or(Some(now).filter(|_| self.is_old));
                        if since == Some(now) {
                            events
                                .push(format!("rule {}: the guard removed {} from the split", rule.name, subset.name));
                        }
                        trips.insert(key.clone(), since);
                    } else if self.trips.contains_key(&key) {
                        events.push(format!("rule {}: the trip of {} ended", rule.name, subset.name));
                    }
                    if let Some(weight) = subset.in_force {
                        if let Some(before) = self.weights.get(&key).filter(|before| **before != weight) {
                            events.push(format!("rule {}: {} went from {before} to {weight}", rule.name, subset.name));
                        }
                        weights.insert(key, weight);
                    }
                }
            }
        }
        for (key, gone) in &mut self.gateways {
            match (here.contains(key), &gone) {
                (true, Some(_)) => {
                    events.push(format!("gateway {} is back", key.1));
                    *gone = None;
                }
                (false, None) => {
                    events.push(format!("gateway {} went away", key.1));
                    *gone = Some(now);
                }
                _ => {}
            }
        }
        for key in here {
            if !self.gateways.contains_key(&key) {
                if self.is_old {
                    events.push(format!("gateway {} appeared", key.1));
                }
                self.gateways.insert(key, None);
            }
        }
        self.trips = trips;
        // What is not known now is compared with what was known last.
        self.weights.extend(weights);
        for text in events {
            self.add(text, now);
        }
        self.is_old = true;
    }

    /// Adds something that has happened.
    pub fn add(&mut self, text: String, now: Second) {
        self.events.push_front(Event { at: now.0, text });
        self.events.truncate(MOST);
    }

    /// The gateways that are gone.
    pub fn gone(&self) -> Vec<Gone<'_>> {
        let gone =
            self.gateways.iter().filter_map(|((plugin, pod), since)| Some(Gone { plugin, pod, since: (*since)?.0 }));
        gone.collect()
    }

    /// What happened, the newest first.
    pub fn events(&self) -> &VecDeque<Event> {
        &self.events
    }

    /// Since when a canary is out, if it was seen to leave.
    pub fn tripped_since(&self, plugin: &str, rule: &str, subset: &str) -> Option<Second> {
        self.trips.get(&(plugin.to_owned(), rule.to_owned(), subset.to_owned())).copied().flatten()
    }
}
