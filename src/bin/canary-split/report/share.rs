//! A part of all draws, exact.

use serde::{Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// The number of draws.
pub const DRAWS: u64 = 1 << 32;

/// A part of all draws in units of 2⁻⁶⁴: so are numbers of draws, and products of two of them, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u128);

impl Share {
    /// Of these of 2³² draws.
    pub fn of_draws(draws: u64) -> Share {
        Share::product(draws, DRAWS)
    }

    /// Of those who are among these of all draws and, independently, among those.
    pub fn product(these: u64, those: u64) -> Share {
        Share(u128::from(these) * u128::from(those))
    }

    /// As a number of 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / 2_f64.powi(64)
    }

    /// The number of draws, if it is a whole one.
    pub fn draws(self) -> Option<u64> {
        u64::try_from(self.0 >> 32).ok().filter(|_| self.0.trailing_zeros() >= 32)
    }
}

impl Add for Share {
    type Output = Share;

    fn add(self, other: Share) -> Share {
        Share(self.0.saturating_add(other.0))
    }
}

impl Sub for Share {
    type Output = Share;

    fn sub(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }
}

impl Sum for Share {
    fn sum<I: Iterator<Item = Share>>(shares: I) -> Share {
        shares.fold(Share::default(), Add::add)
    }
}

/// In percent to six digits, of which 40 draws are one; nothing but nothing is 0.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millionths = (self.0 * 100_000_000 + (1 << 63)) >> 64;
        if millionths == 0 && self.0 > 0 {
            return f.write_str("< 0.000001 %");
        }
        let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
        write!(f, "{} %", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Parts {
            share: f64,
            draws: Option<u64>,
        }
        Parts { share: self.fraction(), draws: self.draws() }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::{DRAWS, Share};

    #[test]
    fn percents_are_read_at_a_glance_and_nothing_is_rounded_away() {
        for (share, text, draws) in [
            (Share::default(), "0 %", Some(0)),
            (Share::of_draws(DRAWS), "100 %", Some(DRAWS)),
            (Share::of_draws(1), "< 0.000001 %", Some(1)),
            (Share::of_draws(858_993_459), "20 %", Some(858_993_459)),
            (Share::of_draws(DRAWS / 3), "33.333333 %", Some(1_431_655_765)),
            (Share::of_draws(DRAWS / 8), "12.5 %", Some(1 << 29)),
            (Share::product(DRAWS / 4, DRAWS / 5), "5 %", None),
            (Share::product(DRAWS / 2, DRAWS / 2), "25 %", Some(1 << 30)),
        ] {
            assert_eq!((share.to_string().as_str(), share.draws()), (text, draws));
        }
    }
}
