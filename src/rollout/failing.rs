//! Who has failed already? A visitor's requests are not independent of each other, so each counts once.
//!
//! Whoever fails all the time never counts again: a handful of such visitors would soon look like a bad version.

use super::ramp::Second;
use crate::split::Draw;
use xxhash_rust::xxh64::xxh64;

/// A visitor who has failed counts again only after so many seconds without a failure.
pub const QUIET: u64 = 600;

/// The most visitors that are known at a time: 64 KB.
const PLACES: usize = 8192;

/// A visitor's place is any of so many. Where all are taken, the one who has not failed for longest may count again.
const WAYS: usize = 4;

/// The visitors who have failed lately.
#[derive(Default)]
pub struct FailingVisitors {
    /// Empty until the first one fails: then what is left of the hash, and the second (of 136 years) of the last failure.
    places: Box<[(u32, u32)]>,
}

impl FailingVisitors {
    /// Notes a failure of a rule's visitor; whether he or she counts. `rule` is any number by which rules differ.
    pub fn is_news(&mut self, rule: u64, visitor: Draw, now: Second) -> bool {
        if self.places.is_empty() {
            self.places = vec![(0, 0); PLACES].into();
        }
        let hash = xxh64(&visitor.0.to_le_bytes(), rule);
        let (set, who) = (hash as usize % (PLACES / WAYS), (hash >> 32) as u32 | 1);
        let now = now.0 as u32;
        let age = |last: u32| u64::from(now.wrapping_sub(last));
        let Some(set) = self.places.chunks_mut(WAYS).nth(set) else { return false };
        // After a clock was set back, nobody from before that is known.
        if let Some((_, last)) = set.iter_mut().find(|&&mut (known, last)| known == who && age(last) < QUIET) {
            *last = now;
            return false;
        }
        if let Some(oldest) = set.iter_mut().max_by_key(|&&mut (known, last)| (known == who, known == 0, age(last))) {
            *oldest = (who, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{FailingVisitors, QUIET, Second};
    use crate::split::Draw;

    #[test]
    fn a_visitor_counts_once_until_he_or_she_is_quiet_and_for_each_rule() {
        let mut failing = FailingVisitors::default();
        let start = 1_800_000_000;
        let mut is_news = |rule, draw, second| failing.is_news(rule, Draw(draw), Second(start + second));
        assert!(is_news(1, 7, 0));
        assert!(!is_news(1, 7, 0) && !is_news(1, 7, QUIET - 1));
        assert!(is_news(1, 8, 0) && is_news(2, 7, 0));
        // Whoever goes on failing is no news, however long that is.
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
}
