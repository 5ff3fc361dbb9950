//! The clock, for those who need it.

use crate::visitor::cookie::Minutes;

/// A clock that is looked at once.
pub(super) struct Clock<F> {
    ask: Option<F>,
    now: Minutes,
}

impl<F: FnOnce() -> Minutes> Clock<F> {
    pub(super) fn new(ask: F) -> Clock<F> {
        Clock { ask: Some(ask), now: Minutes(0) }
    }

    pub(super) fn now(&mut self) -> Minutes {
        if let Some(ask) = self.ask.take() {
            self.now = ask();
        }
        self.now
    }
}
