//! Visitors who come, send requests for a while and leave, and their failures: second by second.

use super::chance::Chance;
use canary_split::rollout::Totals;
use canary_split::rollout::failing::FailingVisitors;
use canary_split::rollout::ramp::Second;
use canary_split::rule::WeightedSubsets;
use canary_split::split::Draw;

/// Who comes, and how many.
#[derive(Clone, Copy)]
pub struct Demand {
    /// Requests per second on average.
    pub rate: f64,
    /// The average seconds between a visitor's requests.
    pub every: f64,
    /// The average seconds that a visitor stays.
    pub visit: f64,
    /// The part of the visitors who are unlucky.
    pub unlucky: f64,
}

/// The part of the requests that fail, by subset (stable, canary), for a normal and for an unlucky visitor.
pub type Errors = [[f64; 2]; 2];

/// When a simulation begins: some second of the year 2027.
const BEGIN: Second = Second(1_800_000_000);

/// The traffic of a rule with one canary on one gateway.
pub struct Traffic<'s> {
    demand: Demand,
    chance: Chance,
    split: &'s WeightedSubsets,
    now: Second,
    /// The present visitors, by subset and whether unlucky.
    visitors: [[Vec<Draw>; 2]; 2],
    known: FailingVisitors,
    /// The number of visitors who have failed on each subset.
    pub failing: [u64; 2],
    /// Requests and failures of each subset.
    pub totals: [Totals; 2],
}

impl Traffic<'_> {
    /// The state after some time, with no failures yet.
    pub fn new(demand: Demand, split: &WeightedSubsets, chance: Chance) -> Traffic<'_> {
        let mut traffic = Traffic {
            demand,
            chance,
            split,
            now: BEGIN,
            visitors: Default::default(),
            known: FailingVisitors::default(),
            failing: [0; 2],
            totals: [Totals::default(); 2],
        };
        let there = traffic.chance.poisson(demand.rate * demand.every);
        (0..there).for_each(|_| traffic.arrive());
        traffic
    }

    /// The time.
    pub fn now(&self) -> Second {
        self.now
    }

    /// A second passes.
    pub fn pass(&mut self, errors: &Errors) {
        self.now.0 += 1;
        let Demand { rate, every, visit, .. } = self.demand;
        let arriving = self.chance.poisson(rate * every / visit);
        (0..arriving).for_each(|_| self.arrive());
        let subsets = self.visitors.iter_mut().zip(errors).zip(self.failing.iter_mut().zip(&mut self.totals));
        for ((groups, errors), (failing, totals)) in subsets {
            for (visitors, share) in groups.iter_mut().zip(errors) {
                let leaving = self.chance.poisson(visitors.len() as f64 / visit);
                for _ in 0..leaving.min(visitors.len() as u64) {
                    visitors.swap_remove(self.chance.below(visitors.len()));
                }
                let requests = visitors.len() as f64 / every;
                let failed = self.chance.poisson(requests * share);
                let good = self.chance.about_poisson(requests * (1.0 - share));
                totals.failures += failed;
                totals.requests += failed + good;
                for _ in 0..failed {
                    let visitor = visitors.get(self.chance.below(visitors.len()));
                    if let Some(&visitor) = visitor {
                        *failing += u64::from(self.known.is_news(1, visitor, self.now));
                    }
                }
            }
        }
    }

    fn arrive(&mut self) {
        let draw = Draw(self.chance.bits() as u32);
        let subset = self.split.pick(draw, || self.now);
        let group = usize::from(self.demand.unlucky > 0.0 && self.chance.share() < self.demand.unlucky);
        if let Some(visitors) = self.visitors.get_mut(subset).and_then(|groups| groups.get_mut(group)) {
            visitors.push(draw);
        }
    }
}
