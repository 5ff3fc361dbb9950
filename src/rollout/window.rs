//! The recent requests and failures.

use super::ramp::Second;

/// The totals of one subset, over all workers, since an arbitrary time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that were decided.
    pub requests: u64,
    /// The requests that failed.
    pub failures: u64,
}

/// A window slides when its later half is this many seconds long: it covers the last five to ten minutes.
const HALF: u64 = 300;

/// The totals of each subset at the beginning of the window.
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

    /// The totals of each subset within the window.
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
