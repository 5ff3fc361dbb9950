//! The guard under some traffic: trips in days without a cause and in outages of both versions, and the time until a justified trip.

use super::chance::Chance;
use super::traffic::{Demand, Errors, Traffic};
use canary_split::config::Config;
use canary_split::rollout::ramp::Moment;
use canary_split::rollout::watch::{Tick, Watch};
use canary_split::rule::{Rule, Target, WeightedSubsets};

/// The part of the requests that fail if all is well.
const USUAL: f64 = 0.01;
/// The part that fails in an outage of both versions,
const OUTAGE: f64 = 0.3;
/// which lasts this many seconds.
const OUTAGE_LASTS: u64 = 300;
/// The part of an unlucky visitor's requests that fail.
const OF_UNLUCKY: f64 = 0.5;
/// The seconds before something happens.
const BEFORE: u64 = 1800;
/// The seconds after an outage that are watched too.
const AFTER: u64 = 1200;

/// A rule with one canary, and its guard.
pub struct Guarded {
    split: WeightedSubsets,
    /// Stable's weight and the canary's.
    weights: Vec<u64>,
    /// As in the config, as a part of 1.
    margin: f64,
}

/// How errors are spread if all is well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each request fails independently.
    Independent,
    /// Requests of unlucky visitors fail often, others never.
    Clustered,
}

impl Guarded {
    /// The rule with this percentage for the canary, as the filter reads it.
    pub fn new(canary: u32, margin: &str) -> Result<Guarded, String> {
        let split = [("v1", 100_u32.saturating_sub(canary)), ("v2", canary)]
            .map(|(subset, weight)| serde_json::json!({"subset": subset, "weight": weight}));
        let rule = serde_json::json!({"name": "simulation", "split": split, "guard": {"margin": margin}});
        let json = serde_json::json!({"rules": [rule]}).to_string();
        let problem = |errors: Vec<_>| errors.first().map(ToString::to_string).unwrap_or_default();
        let rule = Config::from_json(json.as_bytes()).map_err(problem)?.rules.pop();
        let Some(Rule { target: Target::Split(split), .. }) = rule else { return Err("no rule".to_owned()) };
        let (weights, _) = split.weights_in_force(Moment::Ahead);
        let guard = split.rollout.as_ref().and_then(|rollout| rollout.guard.as_ref());
        let margin = guard.map_or(0.0, |guard| guard.margin.share());
        Ok(Guarded { split, weights, margin })
    }

    fn watched(&self, demand: Demand, chance: Chance) -> Watched<'_> {
        let traffic = Traffic::new(demand, &self.split, chance);
        Watched { guarded: self, watch: Watch::new(traffic.now(), vec![0; 2]), traffic }
    }

    /// How often the guard trips in this many seconds while both versions are equally good.
    pub fn false_trips(&self, demand: Demand, spread: Spread, seconds: u64, chance: Chance) -> u64 {
        let (demand, errors) = match spread {
            Spread::Independent => (demand, alike(USUAL)),
            Spread::Clustered => (Demand { unlucky: USUAL / OF_UNLUCKY, ..demand }, [[0.0, OF_UNLUCKY]; 2]),
        };
        let mut watched = self.watched(demand, chance);
        (0..seconds).map(|_| u64::from(watched.pass(&errors))).sum()
    }

    /// Whether the guard trips when both versions have an outage.
    pub fn trips_in_an_outage(&self, demand: Demand, chance: Chance) -> bool {
        let mut watched = self.watched(demand, chance);
        let mut trips = false;
        for second in 0..BEFORE + OUTAGE_LASTS + AFTER {
            let is_out = (BEFORE..BEFORE + OUTAGE_LASTS).contains(&second);
            trips |= watched.pass(&alike(if is_out { OUTAGE } else { USUAL }));
        }
        trips
    }

    /// The seconds until the guard trips if this part of the canary's requests fails from now on; `None`: not within `limit`.
    pub fn time_to_trip(&self, demand: Demand, failing: f64, limit: u64, chance: Chance) -> Option<u64> {
        let mut watched = self.watched(demand, chance);
        for _ in 0..BEFORE {
            watched.pass(&alike(USUAL));
        }
        let errors = [[USUAL; 2], [failing; 2]];
        (1..=limit).find(|_| watched.pass(&errors))
    }
}

/// The same errors for everyone.
fn alike(share: f64) -> Errors {
    [[share; 2]; 2]
}

/// Traffic, and the filter's own watch over it.
struct Watched<'g> {
    guarded: &'g Guarded,
    traffic: Traffic<'g>,
    watch: Watch,
}

impl Watched<'_> {
    /// Lets a second pass; true if the guard trips. After a trip all is as if the rule had been edited.
    fn pass(&mut self, errors: &Errors) -> bool {
        self.traffic.pass(errors);
        let Guarded { weights, margin, .. } = self.guarded;
        let now = self.traffic.now();
        let tick = Tick { now, weights, keeps: false, tripped: 0, margin: *margin };
        let failing = self.traffic.failing.to_vec();
        let trips = !self.watch.tick(tick, failing.clone(), || self.traffic.totals.to_vec()).is_empty();
        if trips {
            self.watch = Watch::new(now, failing);
        }
        trips
    }
}
