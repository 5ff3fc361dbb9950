//! The failures that this VM sees.

use super::active::{Active, Counted};
use super::envoy::second;
use super::response::was_cut_off;
use super::shared::{FAILING, change_visitors};
use crate::rollout::failing::{FailingVisitors, Noted};
use crate::rollout::ramp::Second;
use crate::split::Draw;
use std::cell::{Cell, RefCell};

/// At most this many responses a second are asked at their end whether they were cut off, so good responses cost little.
const QUESTIONS: u32 = 100;

/// After a response was cut off, all responses are asked for this many seconds.
const ALL_ARE_ASKED: u64 = 600;

thread_local! {
    static FAILED: RefCell<FailingVisitors> = RefCell::default();

    /// The last number that a rule is watched under.
    static WATCHES: Cell<u64> = const { Cell::new(0) };

    /// The number of questions that are left in this second.
    static QUESTIONS_LEFT: Cell<u32> = const { Cell::new(QUESTIONS) };

    /// When a response was last cut off; for some time after that all responses are asked.
    static CUT_OFF: Cell<Option<Second>> = const { Cell::new(None) };
}

/// A number that no rule of this VM has been watched under.
pub(super) fn new_watch() -> u64 {
    WATCHES.set(WATCHES.get() + 1);
    WATCHES.get()
}

/// Counts a failure, and the visitor unless he or she has failed lately. A request that was decided before an edit of the rule
/// does not count: nobody can say which version of the rule is to blame.
pub(super) fn count_failure(active: &Active, decided: (usize, usize), visitor: Draw) {
    let Some(rollout) = active.rollout(decided.0) else { return };
    let Some((watch, since)) = rollout.watch() else { return };
    active.count(Some(decided), Counted::Failure);
    let now = second();
    // This VM's own memory comes first; the shared one is asked only about the rest.
    let noted = Noted::new(rollout.version, visitor);
    if FAILED.with_borrow_mut(|failed| failed.is_news(watch, visitor, now))
        && change_visitors(noted.set, |visitors| noted.is_news(visitors, since, now))
    {
        active.count(Some(decided), Counted::FailingVisitor);
        if let (Some(rule), Some(subset)) = (active.rule(decided), active.subset(decided)) {
            FAILING.note(&format!("{rule} {subset}"));
        }
    }
}

/// Whether the version cut off a response that has ended, if this response is asked.
pub(super) fn is_cut_off() -> bool {
    let left = QUESTIONS_LEFT.get();
    if left == 0 && CUT_OFF.get().is_none() {
        return false;
    }
    QUESTIONS_LEFT.set(left.saturating_sub(1));
    let is_cut_off = was_cut_off();
    if is_cut_off {
        CUT_OFF.set(Some(second()));
    }
    is_cut_off
}

/// A second has passed.
pub(super) fn tick(now: Second) {
    QUESTIONS_LEFT.set(QUESTIONS);
    let is_over = |since: Second| !(since.0..since.0.saturating_add(ALL_ARE_ASKED)).contains(&now.0);
    if CUT_OFF.get().is_some_and(is_over) {
        CUT_OFF.set(None);
    }
}
