//! Does a canary fail too much?
//!
//! Draws are uniform: as long as canary and stable are equally good, a visitor who fails on one of the two is on the canary with
//! the probability of its share, however bad both are. That is tested, visitor by visitor, with conditional CUSUMs (E. S. Page,
//! "Continuous inspection schemes", 1954) of the log-likelihood ratio, one for each of six alternatives: that the odds are
//! 2, 4, 8, 16, 32 or 64 times as high. So an outage that hits both versions says nothing against the canary.

use super::ramp::Second;
use super::window::{Totals, Window};

/// How many times as high the odds are in each alternative.
const ODDS: [f64; 6] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// ln(6·10⁶): without a cause, at most one in a million failing visitors trips; by each alternative one in six million.
const THRESHOLD: f64 = 15.607_270_0;

/// The least number of the canary's visitors that must have failed.
const MIN_FAILING: u64 = 5;

/// What a VM remembers about a rule some of whose visitors have failed.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The number of visitors who had failed on each subset at the last tick.
    failing: Vec<u64>,
    /// For each canary.
    suspicions: Vec<Suspicion>,
    /// The last five to ten minutes, or since the first visitor failed.
    lately: Option<Window>,
    /// When the last tick was.
    ticked: Second,
}

/// The evidence against a canary.
#[derive(Clone, Copy, Debug, Default)]
struct Suspicion {
    /// For each of the alternatives.
    scores: [f64; ODDS.len()],
    /// Since it began.
    since: Second,
    /// Visitors who failed since then, on the canary and on stable.
    failing: [u64; 2],
}

/// The state of a rule at a tick.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'t> {
    /// Its time.
    pub now: Second,
    /// The weights in force; a removed canary has 0, and stable has its weight in addition.
    pub weights: &'t [u64],
    /// Whether visitors stay whatever the weights are: then the shares of the requests count.
    pub keeps: bool,
    /// The canaries that are out already.
    pub tripped: u64,
    /// The canary's share of failures must exceed stable's by this, as a part of 1.
    pub margin: f64,
}

/// Why a canary trips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The place of the canary in the split.
    pub canary: usize,
    /// The number of its visitors who failed,
    pub failing: u64,
    /// out of this many who failed on it or on stable,
    pub of: u64,
    /// in this many seconds.
    pub seconds: u64,
    /// The expected part of them.
    pub expected: f64,
}

impl Watch {
    /// A watch that begins with this number of failed visitors on each subset.
    pub fn new(now: Second, failing: Vec<u64>) -> Watch {
        let canaries = failing.len().saturating_sub(1);
        Watch { failing, suspicions: vec![Suspicion::default(); canaries], lately: None, ticked: now }
    }

    /// Sets the number of visitors who had failed on a subset before.
    pub fn begin_at(&mut self, subset: usize, failing: u64) {
        if let Some(known) = self.failing.get_mut(subset) {
            *known = failing;
        }
    }

    /// Judges the time since the last tick. `failing` is the number of visitors who have failed on each subset in all. `totals` is
    /// asked for only if somebody has failed, and every five minutes.
    ///
    /// The order within a tick is unknown, so all evidence of a tick is added up before it counts. (If stable's failures came
    /// first, every outage of both versions would trip.)
    pub fn tick(&mut self, tick: Tick, failing: Vec<u64>, totals: impl FnOnce() -> Vec<Totals>) -> Vec<Evidence> {
        let since = std::mem::replace(&mut self.ticked, tick.now).min(tick.now);
        let before = std::mem::replace(&mut self.failing, failing);
        let failed: Vec<u64> = self.failing.iter().zip(&before).map(|(now, then)| now.saturating_sub(*then)).collect();
        // A tripped canary's visitors are stable's now.
        let is_out = |at: usize| tick.tripped >> at & 1 == 1;
        let is_new = failed.iter().any(|&failed| failed > 0);
        let is_due = self.lately.as_ref().is_some_and(|lately| lately.is_due(tick.now));
        if !is_new && !is_due && !self.suspicions.iter().any(Suspicion::is_proof) {
            return Vec::new();
        }
        let lately = match &mut self.lately {
            Some(lately) => lately.look(tick.now, &totals()),
            // Requests before the first failure may have been under another rule.
            None => {
                self.lately = Some(Window::new(tick.now, &totals()));
                if tick.keeps {
                    // The shares are unknown yet: these failures are for the next tick.
                    self.failing = before;
                    return Vec::new();
                }
                vec![Totals::default(); failed.len()]
            }
        };
        let requests = |at: usize| lately.get(at).map_or(0, |totals| totals.requests);
        let weights: Vec<u64> = match tick.keeps {
            true => (0..failed.len()).map(requests).collect(),
            false => tick.weights.to_vec(),
        };
        let weight = |at: usize| weights.get(at).map_or(0.0, |&weight| weight as f64);
        let mut evidence = Vec::new();
        let stable = failed.first().copied().unwrap_or(0);
        for (canary, suspicion) in (1..).zip(&mut self.suspicions) {
            let (own, stables) = (weight(canary), weight(0));
            if is_out(canary) || own <= 0.0 || stables <= 0.0 {
                *suspicion = Suspicion::default();
                continue;
            }
            let expected = own / (own + stables);
            let failed = [failed.get(canary).copied().unwrap_or(0), stable];
            suspicion.add(failed, expected, since);
            if suspicion.is_proof()
                && error_share(lately.get(canary)) - error_share(lately.first()) >= tick.margin
                && requests(canary) > 0
            {
                let [failing, stables] = suspicion.failing;
                let seconds = tick.now.0.saturating_sub(suspicion.since.0);
                evidence.push(Evidence { canary, failing, of: failing + stables, seconds, expected });
            }
        }
        evidence
    }
}

impl Evidence {
    /// In words: `12 of the 13 visitors that failed in the last 40 s had v2, expected 20 %`.
    pub fn line(&self, canary: &str) -> String {
        let Evidence { failing, of, seconds, expected, .. } = self;
        // In integers: the code that prints a float is a tenth of the module.
        let expected = match (expected * 10_000.0 + 0.5) as u64 {
            hundredths @ 0..100 => format!("0.{hundredths:02}"),
            hundredths => ((hundredths + 50) / 100).to_string(),
        };
        format!(
            "{failing} of the {of} visitors that failed in the last {seconds} s had {canary}, expected {expected} %"
        )
    }
}

/// The share of requests that failed.
fn error_share(totals: Option<&Totals>) -> f64 {
    // Requests from before the window may fail in it.
    totals.map_or(0.0, |totals| (totals.failures as f64 / totals.requests.max(1) as f64).min(1.0))
}

impl Suspicion {
    fn is_none(&self) -> bool {
        self.scores.iter().all(|&score| score <= 0.0)
    }

    fn is_proof(&self) -> bool {
        self.scores.iter().any(|&score| score >= THRESHOLD) && self.failing[0] >= MIN_FAILING
    }

    /// Adds visitors who have failed on the canary and on stable since this time.
    fn add(&mut self, failed: [u64; 2], expected: f64, since: Second) {
        if self.is_none() {
            *self = Suspicion { since, ..Suspicion::default() };
        }
        let [own, stables] = failed.map(|failed| failed as f64);
        for (score, odds) in self.scores.iter_mut().zip(ODDS) {
            // Under the alternative, the canary has the part odds·expected ∕ mix of the failures.
            let mix = (1.0 - expected + odds * expected).ln();
            *score = (*score + own * (odds.ln() - mix) - stables * mix).max(0.0);
        }
        for (sum, failed) in self.failing.iter_mut().zip(failed) {
            *sum = sum.saturating_add(failed);
        }
    }
}
