//! The clock, read only when it is needed.

use crate::rollout::ramp::Second;
use crate::visitor::cookie::Minutes;

/// A clock that is read at most once.
pub(super) struct Clock<F> {
    ask: Option<F>,
    now: Second,
}

impl<F: FnOnce() -> Second> Clock<F> {
    pub(super) fn new(ask: F) -> Clock<F> {
        Clock { ask: Some(ask), now: Second::default() }
    }

    pub(super) fn second(&mut self) -> Second {
        if let Some(ask) = self.ask.take() {
            self.now = ask();
        }
        self.now
    }

    pub(super) fn minute(&mut self) -> Minutes {
        Minutes::of_seconds(self.second().0)
    }
}
