//! Which visitors have failed already? A visitor's requests are not independent of each other, so each visitor counts once.
//!
//! A visitor who fails all the time never counts again: a handful of them would soon look like a bad version.

use super::ramp::Second;
use crate::split::Draw;
use xxhash_rust::xxh64::xxh64;

/// A visitor who has failed counts again only after this many seconds without a failure.
pub const QUIET: u64 = 600;

/// The places of a set; a visitor may take any of them. If all are taken, the visitor whose last failure is oldest may count again.
pub const WAYS: usize = 4;

/// The number of sets: 8192 visitors, in 64 KB, are known at a time.
const SETS: usize = 2048;

/// Where a visitor is noted: the set, and the number in it.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// The set.
    pub set: usize,
    who: u32,
}

/// Visitors who have failed, and the second (of 136 years) of their last failure; 0 is nobody.
pub type Visitors = [(u32, u32); WAYS];

impl Noted {
    /// Where a visitor of a rule is noted. `rule` is any number that differs between rules.
    pub fn new(rule: u64, visitor: Draw) -> Noted {
        let hash = xxh64(&visitor.0.to_le_bytes(), rule);
        Noted { set: hash as usize % SETS, who: (hash >> 32) as u32 | 1 }
    }

    /// Notes a failure in the visitor's set; true if the visitor counts. A visitor who last failed before `since` is unknown.
    pub fn is_news(self, visitors: &mut Visitors, since: Second, now: Second) -> bool {
        let (since, now) = (since.0 as u32, now.0 as u32);
        // After a clock was set back, earlier visitors are unknown.
        let age = |last: u32| u64::from(now.wrapping_sub(last));
        let most = QUIET.min(age(since).saturating_add(1));
        if let Some((_, last)) = visitors.iter_mut().find(|&&mut (known, last)| known == self.who && age(last) < most) {
            *last = now;
            return false;
        }
        let order = |&&mut (known, last): &&mut (u32, u32)| (known == self.who, known == 0, age(last));
        if let Some(oldest) = visitors.iter_mut().max_by_key(order) {
            *oldest = (self.who, now);
        }
        true
    }
}

/// The visitors who have failed lately.
#[derive(Default)]
pub struct FailingVisitors {
    /// Empty until the first one fails.
    sets: Box<[Visitors]>,
}

impl FailingVisitors {
    /// Notes a failure of a rule's visitor; true if the visitor counts.
    pub fn is_news(&mut self, rule: u64, visitor: Draw, now: Second) -> bool {
        if self.sets.is_empty() {
            self.sets = vec![Visitors::default(); SETS].into();
        }
        let noted = Noted::new(rule, visitor);
        self.sets.get_mut(noted.set).is_some_and(|set| noted.is_news(set, Second(0), now))
    }
}

#[cfg(test)]
mod tests {
    use super::{FailingVisitors, Noted, QUIET, Second, Visitors};
    use crate::split::Draw;

    #[test]
    fn a_visitor_counts_once_until_he_or_she_is_quiet_and_for_each_rule() {
        let mut failing = FailingVisitors::default();
        let start = 1_800_000_000;
        let mut is_news = |rule, draw, second| failing.is_news(rule, Draw(draw), Second(start + second));
        assert!(is_news(1, 7, 0));
        assert!(!is_news(1, 7, 0) && !is_news(1, 7, QUIET - 1));
        assert!(is_news(1, 8, 0) && is_news(2, 7, 0));
        // A visitor who keeps failing is no news, however long it takes.
        assert!((1..100).all(|times| !is_news(1, 7, times * (QUIET - 1))));
        assert!(is_news(1, 7, 99 * (QUIET - 1) + QUIET));
        assert!(is_news(1, 8, QUIET));
    }

    #[test]
    fn a_clock_that_jumps_makes_a_visitor_count_again_at_worst() {
        let mut failing = FailingVisitors::default();
        for second in [1_800_000_000, 0, u64::from(u32::MAX), u64::from(u32::MAX) + 5_000, u64::MAX] {
            assert!(failing.is_news(1, Draw(7), Second(second)), "{second}");
        }
    }

    #[test]
    fn of_two_thousand_visitors_hardly_one_counts_twice() {
        let mut failing = FailingVisitors::default();
        let mut count = |second| (0..2000).filter(|&draw| failing.is_news(1, Draw(draw), Second(second))).count();
        assert_eq!(count(1000), 2000);
        assert!(count(1100) < 20);
    }

    #[test]
    fn who_failed_before_the_rule_was_watched_is_news() {
        let (noted, mut visitors) = (Noted::new(1, Draw(7)), Visitors::default());
        let mut is_news = |since, now| noted.is_news(&mut visitors, Second(since), Second(now));
        assert!(is_news(100, 100));
        assert!(!is_news(100, 150) && !is_news(150, 160));
        assert!(is_news(161, 170));
        assert!(!is_news(161, 171));
    }
}
