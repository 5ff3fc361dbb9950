//! The rules that a path excludes: of a hundred rules of a host that differ in their paths, those that do not match cost one
//! comparison each, in adjacent memory.

use super::condition::{Condition, Match, StringMatch};

/// The prefix that the path must have, for each rule.
#[derive(Clone, Debug)]
pub struct PathIndex(Box<[Begin]>);

impl PathIndex {
    /// Indexes rules, given in their order, by the path with which their only match begins.
    pub fn new<'r>(rules: impl Iterator<Item = &'r [Match]>) -> PathIndex {
        PathIndex(rules.map(Begin::of_matches).collect())
    }

    /// Whether a path could exclude the rule at this place.
    pub fn knows(&self, at: usize) -> bool {
        self.0.get(at).is_some_and(|begin| begin.at != ANYWHERE)
    }

    /// Whether this path excludes the rule. If not, the rule may or may not match.
    #[inline(always)]
    pub fn rules_out(&self, at: usize, path: &[u8]) -> bool {
        self.0.get(at).is_some_and(|begin| !begin.may_be_of(path))
    }
}

/// The last eight bytes of a prefix, or all of a shorter one.
#[derive(Clone, Copy, Debug)]
struct Begin {
    /// The place of these bytes in the path; [`ANYWHERE`]: nothing is known.
    at: u32,
    /// The number of bits of a word that do not belong to them.
    spare: u32,
    /// The bytes as a little-endian word, without the spare bits.
    word: u64,
}

/// Beyond the end of every path.
const ANYWHERE: u32 = u32::MAX;

impl Begin {
    fn of_matches(matches: &[Match]) -> Begin {
        let [only] = matches else { return Begin::of("") };
        // Only if it is checked first: Envoy is not asked for what is not needed.
        match only.conditions.first() {
            Some(Condition::Uri(StringMatch::Exact(text) | StringMatch::Prefix(text))) => Begin::of(text),
            _ => Begin::of(""),
        }
    }

    fn of(text: &str) -> Begin {
        // Each byte enters at the top, so that the last ones end up there.
        let word = text.bytes().fold(0, |word, byte| word >> 8 | u64::from(byte) << 56);
        let count = text.len().min(8);
        let at = if count == 0 { ANYWHERE } else { (text.len() - count) as u32 };
        Begin { at, spare: 64 - 8 * count as u32, word }
    }

    #[inline(always)]
    fn may_be_of(self, path: &[u8]) -> bool {
        match path.get(self.at as usize..).and_then(<[u8]>::first_chunk) {
            Some(word) => u64::from_le_bytes(*word) << self.spare == self.word,
            // Too short for a prefix of a whole word.
            None => self.spare > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Begin;

    #[test]
    fn no_path_that_begins_so_is_ruled_out() {
        for text in ["/", "/a", "/shop/c", "/shop/ca", "/shop/cart/ü?x"] {
            for more in ["", "x", "/and/more/than/a/word"] {
                assert!(Begin::of(text).may_be_of(format!("{text}{more}").as_bytes()), "{text} {more}");
            }
        }
    }

    #[test]
    fn a_path_that_differs_in_the_last_eight_bytes_is_ruled_out() {
        for (text, path) in [
            ("/", "xxxxxxxx"),
            ("/a", "/bxxxxxx"),
            ("/service-98/", "/service-99/"),
            ("/service-98/", "/service-98"),
            ("/service-98/", "/service-9"),
            ("/service-98/", "/"),
            ("/service", "/servic"),
        ] {
            assert!(!Begin::of(text).may_be_of(path.as_bytes()), "{text} {path}");
        }
    }
}
