//! An exact part of all draws.

use serde::{Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// The number of draws.
pub const DRAWS: u64 = 1 << 32;

/// A part of all draws in units of 2⁻⁶⁴, so that numbers of draws, and products of two of them, are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u128);

impl Share {
    /// This many of 2³² draws.
    pub fn of_draws(draws: u64) -> Share {
        Share::product(draws, DRAWS)
    }

    /// The part that is, independently, among these draws and among those.
    pub fn product(these: u64, those: u64) -> Share {
        Share(u128::from(these) * u128::from(those))
    }

    /// As a number from 0 to 1.
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

/// In percent, for reading at a glance: two decimals from 1 % on, below that the first two significant digits. Only nothing is 0,
/// and only everything is 100.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALL: u128 = 1 << 64;
        if self.0 == 0 {
            return f.write_str("0 %");
        }
        // As many digits as it takes, at most those of half a draw.
        let scaled = |digits: u32| (self.0 * 10_u128.pow(digits + 2) + ALL / 2) / ALL;
        let is_small = self.0 < ALL / 100;
        let digits = if is_small { (2..12).find(|digits| scaled(*digits) >= 10) } else { Some(2) };
        let Some(digits) = digits else { return f.write_str("< 0.0000000001 %") };
        let hundred = 100 * 10_u128.pow(digits);
        if self.0 < ALL && scaled(digits) >= hundred {
            return f.write_str("> 99.99 %");
        }
        let (whole, rest) = (scaled(digits) / 10_u128.pow(digits), scaled(digits) % 10_u128.pow(digits));
        let text = format!("{whole}.{rest:0width$}", width = digits as usize);
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
            (Share::of_draws(1), "0.000000023 %", Some(1)),
            (Share::of_draws(DRAWS - 1), "> 99.99 %", Some(DRAWS - 1)),
            (Share::of_draws(42_949_672), "1 %", Some(42_949_672)),
            (Share::of_draws(40_000_000), "0.93 %", Some(40_000_000)),
            (Share::of_draws(4_294_967), "0.1 %", Some(4_294_967)),
            (Share::of_draws(123_456), "0.0029 %", Some(123_456)),
            (Share::product(1, 1), "< 0.0000000001 %", None),
            (Share::of_draws(858_993_459), "20 %", Some(858_993_459)),
            (Share::of_draws(DRAWS / 3), "33.33 %", Some(1_431_655_765)),
            (Share::of_draws(DRAWS / 8), "12.5 %", Some(1 << 29)),
            (Share::product(DRAWS / 4, DRAWS / 5), "5 %", None),
            (Share::product(DRAWS / 2, DRAWS / 2), "25 %", Some(1 << 30)),
        ] {
            assert_eq!((share.to_string().as_str(), share.draws()), (text, draws));
        }
    }
}
