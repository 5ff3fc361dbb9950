//! Every second: weights that change with the clock, and canaries that fail too much.
//!
//! Every VM reads the same counters, those of the whole process, and judges by itself. The first one to see that a
//! canary fails notes its trip in shared data; the others find it there at their next tick.

use super::active::Active;
use super::envoy::second;
use super::failures;
use super::shared::{FAILING, trips, update_trips};
use super::stats::{counter, record_tripped, record_weights_of, value};
use crate::decide::Source;
use crate::metrics;
use crate::reload::trips::{Trip, Trips};
use crate::rollout::guard::{Action, Guard};
use crate::rollout::ramp::{Moment, Second};
use crate::rollout::watch::{Evidence, Tick, Watch};
use crate::rollout::{Rollout, Totals};
use crate::rule::{Rule, Target, WeightedSubsets};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// What a VM remembers about a plugin between ticks.
#[derive(Default)]
pub(super) struct Rollouts {
    /// The config that the rest is about, by its root context.
    root: Option<u32>,
    active: Weak<Active>,
    /// When the last tick was.
    ticked: Second,
    /// The trips, and a number that tells whether they have changed.
    trips: Trips,
    trips_by: Option<u32>,
    /// The position of each ramp at the last tick, by the place of its rule.
    moments: Vec<(usize, Moment)>,
    /// The rules with a guard, and the place of each by its name.
    guards: Vec<Guarded>,
    places: HashMap<String, u32>,
    /// The guarded rules some of whose visitors have failed.
    watched: Vec<Watched>,
    /// How many of [`FAILING`] have been read.
    looked_at: u32,
}

/// A rule with a guard.
#[derive(Clone, Copy)]
struct Guarded {
    rule: usize,
    version: u64,
    /// The number under which failing visitors are noted, and since when.
    watch: u64,
    since: Second,
}

/// A rule some of whose visitors have failed.
struct Watched {
    name: String,
    rule: usize,
    version: u64,
    /// For each subset where a visitor has failed.
    failing: Vec<Option<u32>>,
    /// For each subset whose share of failures has been asked for.
    totals: Vec<SubsetCounters>,
    watch: Watch,
}

/// The counters of a subset's requests and of its failures.
struct SubsetCounters {
    failures: Option<u32>,
    requests: Vec<u32>,
}

/// A rule with its split and what changes its weights.
fn rolled(active: &Active, at: usize) -> Option<(&Rule, &WeightedSubsets, &Rollout)> {
    let rule = active.config.rules.get(at)?;
    match &rule.target {
        Target::Split(split) => Some((rule, split, split.rollout.as_deref()?)),
        Target::Fixed(_) | Target::Adopted(_) => None,
    }
}

fn guarded(active: &Active, at: usize) -> Option<(&Rule, &WeightedSubsets, &Rollout, &Guard)> {
    let (rule, split, rollout) = rolled(active, at)?;
    Some((rule, split, rollout, rollout.guard.as_ref()?))
}

impl Rollouts {
    /// A new config: what is known about unchanged rules stays.
    pub(super) fn configure(&mut self, plugin: &str, root: u32, active: &Rc<Active>) {
        let now = second();
        let places = 0..active.config.rules.len();
        let old = (std::mem::take(&mut self.guards), std::mem::take(&mut self.places));
        let same_before = |name: &str, version: u64| {
            old.1.get(name).and_then(|&at| old.0.get(at as usize)).filter(|guard| guard.version == version)
        };
        for at in places.clone() {
            let Some((rule, _, rollout, _)) = guarded(active, at) else { continue };
            let version = rollout.version;
            let (watch, since) = same_before(&rule.name, version)
                .map_or_else(|| (failures::new_watch(), now), |guard| (guard.watch, guard.since));
            rollout.watch_under(watch, since);
            self.places.insert(rule.name.clone(), self.guards.len() as u32);
            self.guards.push(Guarded { rule: at, version, watch, since });
        }
        // Requests that were decided before the edit are no longer judged.
        let replaced = std::mem::replace(&mut self.active, Rc::downgrade(active)).upgrade();
        if let Some(replaced) = replaced.filter(|replaced| !Rc::ptr_eq(replaced, active)) {
            for guard in &old.0 {
                let Some((rule, _, rollout, _)) = guarded(&replaced, guard.rule) else { continue };
                if self.guard(&rule.name).is_none_or(|new| new.version != guard.version) {
                    rollout.watch_under(0, now);
                }
            }
        }
        self.root = Some(root);
        self.trips_by = None;
        self.read_trips(plugin, active);
        let ramped = |&at: &usize| rolled(active, at).is_some_and(|(_, _, rollout)| rollout.ramp.is_some());
        let moment = |at| (at, rolled(active, at).map_or(Moment::Ahead, |(_, split, _)| split.moment(now)));
        self.moments = places.filter(ramped).map(moment).collect();
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain_mut(|watched| {
            let same = self.guard(&watched.name).filter(|guard| guard.version == watched.version);
            watched.rule = same.map_or(watched.rule, |guard| guard.rule);
            same.is_some()
        });
        self.watched = watched;
        if !self.guards.is_empty() {
            // Failures from before a rule existed do not count; for a rule that stays, those since its last tick do.
            let looked_at = std::mem::take(&mut self.looked_at);
            self.look_for_failing(active, now, |at, name, version| {
                at < looked_at || same_before(name, version).is_none()
            });
        }
        // For pushes that come faster than ticks.
        if self.ticked.0 > 0 && self.ticked < now {
            self.tick(plugin, root, active);
        }
    }

    fn guard(&self, name: &str) -> Option<&Guarded> {
        self.guards.get(*self.places.get(name)? as usize)
    }

    /// A second has passed.
    pub(super) fn tick(&mut self, plugin: &str, root: u32, active: &Rc<Active>) {
        // Envoy goes back to an older config without handing it out again.
        if self.root != Some(root) {
            self.configure(plugin, root, active);
        }
        let now = second();
        self.ticked = now;
        failures::tick(now);
        if self.trips.iter().any(|trip| trip.until.is_some_and(|until| until <= now)) {
            // If stable has no weight, nobody would remove it again.
            bring_back(plugin, now, |trip| {
                let split =
                    self.guard(&trip.rule).and_then(|guard| guarded(active, guard.rule)).map(|(_, split, ..)| split);
                split.is_none_or(|split| split.planned_weights(split.moment(now)).0.first() != Some(&0))
            });
        }
        self.read_trips(plugin, active);
        self.move_ramps(active, now);
        self.look_for_failing(active, now, |_, _, _| false);
        for watched in &mut self.watched {
            let Some((rule, split, rollout, guard)) = guarded(active, watched.rule) else { continue };
            for evidence in watched.tick(now, rule, split, guard, self.trips.of(rule)) {
                trip(plugin, now, rule, split, rollout, guard, &evidence);
            }
        }
        // Also what this VM has just found.
        self.read_trips(plugin, active);
    }

    /// Applies the trips, if they have changed.
    fn read_trips(&mut self, plugin: &str, active: &Active) {
        let (trips, by) = trips(plugin);
        if self.trips_by == Some(by) {
            return;
        }
        let old = std::mem::replace(&mut self.trips, trips);
        self.trips_by = Some(by);
        let now = second();
        for at in 0..active.config.rules.len() {
            let Some((rule, split, rollout, _)) = guarded(active, at) else { continue };
            let (was, is) = (old.of(rule), self.trips.of(rule));
            self.trips.apply(rule);
            if was & !is != 0 {
                // The watch starts from zero: a visitor who had failed before may be the first to fail again.
                let watch = failures::new_watch();
                rollout.watch_under(watch, now);
                let place = self.places.get(&rule.name).map(|&at| at as usize);
                if let Some(guard) = place.and_then(|at| self.guards.get_mut(at)) {
                    (guard.watch, guard.since) = (watch, now);
                }
            }
            if was != is {
                record_weights_of(&rule.name, split, None, split.moment(now));
                for (at, subset) in split.subsets.iter().enumerate().filter(|(at, _)| (was ^ is) >> at & 1 == 1) {
                    record_tripped(&rule.name, &subset.name, is >> at & 1 == 1);
                }
            }
        }
    }

    fn move_ramps(&mut self, active: &Active, now: Second) {
        for (at, moment) in &mut self.moments {
            let Some((rule, split, _)) = rolled(active, *at) else { continue };
            let next = split.moment(now);
            let before = std::mem::replace(moment, next);
            if before != next {
                record_weights_of(&rule.name, split, Some(before), next);
            }
        }
    }

    /// Watches rules whose visitors have failed for the first time. `is_past(place, rule, version)`: all that has been counted so far
    /// was before.
    fn look_for_failing(&mut self, active: &Active, now: Second, is_past: impl Fn(u32, &str, u64) -> bool) {
        for name in FAILING.names(self.looked_at).map_while(|name| name) {
            let place = self.looked_at;
            self.looked_at += 1;
            let Some((rule_name, subset_name)) = name.split_once(' ') else { continue };
            let Some(&Guarded { rule: at, version, .. }) = self.guard(rule_name) else { continue };
            let Some((_, split, ..)) = guarded(active, at) else { continue };
            let Some(subset) = split.subsets.iter().position(|subset| *subset.name == *subset_name) else { continue };
            let known = self.watched.iter().position(|watched| watched.version == version).unwrap_or_else(|| {
                self.watched.push(Watched {
                    name: rule_name.to_owned(),
                    rule: at,
                    version,
                    failing: vec![None; split.subsets.len()],
                    totals: Vec::new(),
                    watch: Watch::new(now, vec![0; split.subsets.len()]),
                });
                self.watched.len() - 1
            });
            let Some(watched) = self.watched.get_mut(known) else { continue };
            let Some(counter_id) = watched.failing.get_mut(subset).filter(|known| known.is_none()) else { continue };
            *counter_id = counter(&metrics::failing_visitors(rule_name, subset_name));
            if let (true, Some(id)) = (is_past(place, rule_name, version), *counter_id) {
                watched.watch.begin_at(subset, value(id));
            }
        }
    }
}

impl Watched {
    fn tick(
        &mut self,
        now: Second,
        rule: &Rule,
        split: &WeightedSubsets,
        guard: &Guard,
        tripped: u64,
    ) -> Vec<Evidence> {
        let failing = self.failing.iter().map(|id| id.map_or(0, value)).collect();
        let (weights, _) = split.weights_in_force(split.moment(now));
        let keeps = split.sticky.as_ref().is_some_and(|sticky| sticky.keep.is_some());
        let tick = Tick { now, weights: &weights, keeps, tripped, margin: guard.margin.share() };
        let totals = &mut self.totals;
        self.watch.tick(tick, failing, || {
            if totals.is_empty() {
                *totals =
                    split.subsets.iter().map(|subset| SubsetCounters::new(&rule.name, &subset.name, split)).collect();
            }
            totals.iter().map(SubsetCounters::read).collect()
        })
    }
}

impl SubsetCounters {
    fn new(rule: &str, subset: &str, split: &WeightedSubsets) -> SubsetCounters {
        let sources = Source::of(split).map(|source| metrics::requests(rule, subset, Some(source)));
        SubsetCounters {
            failures: counter(&metrics::failures(rule, subset)),
            requests: sources.filter_map(|name| counter(&name)).collect(),
        }
    }

    fn read(&self) -> Totals {
        let requests = self.requests.iter().map(|&id| value(id)).sum();
        Totals { requests, failures: self.failures.map_or(0, value) }
    }
}

/// Removes a canary from the split, unless another VM was faster.
fn trip(
    plugin: &str,
    now: Second,
    rule: &Rule,
    split: &WeightedSubsets,
    rollout: &Rollout,
    guard: &Guard,
    evidence: &Evidence,
) {
    let Some(subset) = split.subsets.get(evidence.canary) else { return };
    let trip = Trip {
        rule: rule.name.clone(),
        subset: subset.name.to_string(),
        version: rollout.version,
        until: guard.hold_for.map(|held| Second(now.0.saturating_add(u64::from(held)))),
    };
    let is_first = update_trips(plugin, |trips| trips.add(trip.clone()).then_some(())).is_some();
    if is_first {
        let stable = split.subsets.first().map_or("", |stable| &*stable.name);
        let consequence = match (guard.action, guard.hold_for) {
            (Action::Observe, _) => "stays in the split (action: observe)".to_owned(),
            (Action::Rollback, None) => format!("is removed, {stable} gets its share until the rule is edited"),
            (Action::Rollback, Some(held)) => format!("is removed, {stable} gets its share for {held} s"),
        };
        log::error!("rule {}: {} fails and {consequence}: {}", rule.name, subset.name, evidence.line(&subset.name));
    }
}

/// Puts canaries back whose time is over.
fn bring_back(plugin: &str, now: Second, may_end: impl Fn(&Trip) -> bool) {
    let back = update_trips(plugin, |trips| Some(trips.expire(now, &may_end)).filter(|back| !back.is_empty()));
    for Trip { rule, subset, .. } in back.into_iter().flatten() {
        log::info!("rule {rule}: {subset} is back after its holdFor");
    }
}

/// After a config has taken effect: an edit of a rule ends its trips. Returns them.
pub(super) fn end_trips_of_edited(plugin: &str, before: impl Fn() -> Vec<Rule>, after: &[Rule]) {
    let edited = update_trips(plugin, |trips| {
        if trips.is_empty() {
            return None;
        }
        let mut edited = trips.retain_unedited(&before());
        edited.extend(trips.retain_unedited(after));
        Some(edited).filter(|edited| !edited.is_empty())
    });
    for Trip { rule, subset, .. } in edited.into_iter().flatten() {
        record_tripped(&rule, &subset, false);
        log::info!("rule {rule} was edited: {subset} is no longer tripped");
    }
}
