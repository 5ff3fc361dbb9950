//! What has happened lately.

use super::ramp::Second;

/// What has happened to one subset, over all workers, since some time long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that were decided.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// A window slides when its later half is as long as this, in seconds: it covers the last five to ten minutes.
const HALF: u64 = 300;

/// The totals of each subset at the beginning of the last ten minutes, or later.
#[derive(Clone, Debug)]
pub(super) struct Window {
    from: Vec<Totals>,
    middle: Vec<Totals>,
    middle_at: Second,
}

impl Window {
    pub(super) fn new(now: Second, totals: &[Totals]) -> Window {
        Window { from: totals.to_vec(), middle: totals.to_vec(), middle_at: now }
    }

    /// Whether it is time to slide. Also after a clock was set back.
    pub(super) fn is_due(&self, now: Second) -> bool {
        now < self.middle_at || now.0 - self.middle_at.0 >= HALF
    }

    /// What has happened to each subset in it.
    pub(super) fn look(&mut self, now: Second, totals: &[Totals]) -> Vec<Totals> {
        let since = |(now, then): (&Totals, &Totals)| Totals {
            requests: now.requests.saturating_sub(then.requests),
            failures: now.failures.saturating_sub(then.failures),
        };
        let seen = totals.iter().zip(&self.from).map(since).collect();
        if self.is_due(now) {
            self.from = std::mem::replace(&mut self.middle, totals.to_vec());
            self.middle_at = now;
        }
        seen
    }
}
