//! A draw → a subset, by weight.
//!
//! The 2³² draws are laid out so that an edit of the weights moves as few of them as possible. Every canary grows from an
//! anchor of its own in one direction; stable is what is left. The space is cut into *segments* (a power of
//! two, at least two); in each, one canary grows from the bottom upwards and one from the top downwards. Segments halve
//! as canaries are appended and nobody's anchor moves by that: 0↑, ½↑, ½↓, 1↓, ¼↓, ¾↓, ¼↑, ¾↑, ⅛↓, …
//!
//! What does not fit into a canary's segment continues in the free middle of the others, always away from the canary there.
//!
//! Knows nothing about HTTP, configuration or the origin of a draw.

use std::fmt;
use xxhash_rust::xxh64::xxh64;

/// The number of draws: 2³².
const SPACE: u64 = 1 << 32;

/// A uniformly distributed 32-bit number: what decides between the subsets of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Draw(pub u32);

/// Makes the draws of two rules independent: a keyed bijection of the draws.
///
/// A bijection stays exact: a set of `n` positions is always the image of `n` draws. It is a two-round
/// Even–Mansour construction over the 32-bit finalizer of MurmurHash3, keyed by the xxHash64 (seed 0) of the salt's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt {
    before: u32,
    between: u32,
}

impl Salt {
    /// The salt of these bytes.
    pub fn new(bytes: &[u8]) -> Salt {
        let key = xxh64(bytes, 0);
        Salt { before: (key & 0xffff_ffff) as u32, between: (key >> 32) as u32 }
    }

    /// The position of this draw in the space under this salt.
    pub fn position(self, draw: Draw) -> u32 {
        mix(mix(draw.0 ^ self.before) ^ self.between)
    }
}

/// MurmurHash3's fmix32 (Austin Appleby, public domain): each step is a bijection of the 32-bit numbers.
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Why weights do not make a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// No weight is given, or all are 0.
    Nothing,
    /// The weights add up to this sum, which is more than `u32::MAX`.
    TooMuch(u64),
    /// More than [`MAX_SUBSETS`] weights are given.
    TooMany,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitError::Nothing => f.write_str("the weights add up to 0; at least one must be positive"),
            SplitError::TooMuch(sum) => write!(f, "the weights add up to {sum}, which is more than {}", u32::MAX),
            SplitError::TooMany => write!(f, "more than {MAX_SUBSETS} subsets"),
        }
    }
}

/// The weighted list of subsets, laid out: answers by the subset's index in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// `(first position, subset)`, ascending, without gaps; a run ends where the next begins, the last at the end.
    runs: Box<[(u32, u8)]>,
}

/// The most subsets that a split may have.
pub const MAX_SUBSETS: usize = 64;

impl Split {
    /// The split of these weights, of which the first is stable's.
    ///
    /// Each canary owns exactly ⌊2³² · weight ∕ sum⌋ positions and stable the rest; if stable's weight is 0, the rest goes to
    /// the last canary that has a weight.
    ///
    /// # Errors
    ///
    /// If the weights add up to 0 or to more than `u32::MAX`, or if more than [`MAX_SUBSETS`] are given.
    pub fn new(weights: &[u32]) -> Result<Split, SplitError> {
        let sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        if sum > u64::from(u32::MAX) {
            return Err(SplitError::TooMuch(sum));
        }
        Split::exact(&weights.iter().map(|&weight| u64::from(weight)).collect::<Vec<_>>())
    }

    /// The same for weights with any sum below 2⁶³.
    ///
    /// # Errors
    ///
    /// If the weights add up to 0 or to 2⁶³ and more, or if more than [`MAX_SUBSETS`] are given.
    pub fn exact(weights: &[u64]) -> Result<Split, SplitError> {
        if weights.len() > MAX_SUBSETS {
            return Err(SplitError::TooMany);
        }
        let shares = shares(weights)?;
        Ok(Split { runs: lay_out(shares.get(1..).unwrap_or_default()) })
    }

    /// The index of the subset that owns a position.
    pub fn pick(&self, position: u32) -> usize {
        let after = self.runs.partition_point(|&(first, _)| first <= position);
        after.checked_sub(1).and_then(|i| self.runs.get(i)).map_or(0, |&(_, subset)| usize::from(subset))
    }

    /// Whether one subset owns everything.
    pub fn is_undivided(&self) -> bool {
        self.runs.len() == 1
    }

    /// The exact number of positions that belong to one subset here and to another there: `(here, there, positions)`.
    ///
    /// A pair may come more than once; together they cover all 2³².
    pub fn overlap(&self, there: &Split) -> impl Iterator<Item = (usize, usize, u64)> {
        let first = |run: &(u32, u8)| run.0;
        let mut starts: Vec<u32> = self.runs.iter().chain(&there.runs).map(first).collect();
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|&start| u64::from(start)).chain([SPACE]).collect::<Vec<_>>();
        starts.into_iter().zip(ends).map(|(from, to)| (self.pick(from), there.pick(from), to - u64::from(from)))
    }
}

/// The number of positions of each subset; they add up to 2³².
fn shares(weights: &[u64]) -> Result<Vec<u64>, SplitError> {
    let sum = weights.iter().fold(0_u64, |sum, &weight| sum.saturating_add(weight));
    if sum >> 63 > 0 {
        return Err(SplitError::TooMuch(sum));
    }
    let mut shares: Vec<u64> = weights.iter().map(|&weight| floor(weight, sum)).collect();
    let heir = match weights.first() {
        Some(0) => weights.iter().rposition(|&w| w > 0),
        _ => Some(0),
    };
    let rest = SPACE - shares.iter().sum::<u64>();
    match heir.and_then(|heir| shares.get_mut(heir)) {
        Some(share) if sum > 0 => *share += rest,
        _ => return Err(SplitError::Nothing),
    }
    Ok(shares)
}

/// ⌊2³² · part ∕ whole⌋ for a whole below 2⁶³, bit by bit: the product may have 95 bits.
fn floor(part: u64, whole: u64) -> u64 {
    if part >= whole {
        return if whole == 0 { 0 } else { SPACE };
    }
    let bit = |(quotient, rest): (u64, u64), _| {
        let rest = rest << 1;
        if rest >= whole { (quotient << 1 | 1, rest - whole) } else { (quotient << 1, rest) }
    };
    (0..32).fold((0, part), bit).0
}

/// A part of the space: one canary grows from its bottom, one from its top.
struct Segment {
    up: Option<usize>,
    down: Option<usize>,
    /// The free part: `free_from..free_to`.
    free_from: u64,
    free_to: u64,
}

/// Lays out the canaries (`owned[i]` is what subset `i + 1` owns); stable gets what is left between them.
fn lay_out(owned: &[u64]) -> Box<[(u32, u8)]> {
    let count = owned.len().div_ceil(2).next_power_of_two().max(2);
    let size = SPACE >> count.ilog2();
    let mut segments: Vec<Segment> = (0..count as u64)
        .map(|i| Segment { up: None, down: None, free_from: i * size, free_to: (i + 1) * size })
        .collect();
    let homes: Vec<usize> = (0..owned.len())
        .map(|canary| {
            let (home, up) = home(canary, count);
            if let Some(segment) = segments.get_mut(home) {
                *(if up { &mut segment.up } else { &mut segment.down }) = Some(canary);
            }
            home
        })
        .collect();

    let mut taken = Taken { stretches: Vec::new(), left: owned.to_vec() };
    // At home each takes what it needs; if two need more than the segment has, each is sure of one half.
    for segment in &mut segments {
        let need = |canary: Option<usize>| canary.and_then(|c| owned.get(c)).copied().unwrap_or(0);
        let (up, down) = (need(segment.up), need(segment.down));
        let for_up = up.min(size - down.min(size / 2));
        let for_down = down.min(size - for_up);
        if let Some(canary) = segment.up {
            taken.take(segment, canary, for_up, true);
        }
        if let Some(canary) = segment.down {
            taken.take(segment, canary, for_down, false);
        }
    }
    // The overflow goes to the nearest segment first; it grows from the side without an owner, else from the top.
    for (canary, home) in homes.iter().enumerate() {
        for distance in 1..count {
            if let Some(segment) = segments.get_mut(home ^ distance) {
                let from_bottom = segment.up.is_none() && segment.down.is_some();
                taken.take(segment, canary, SPACE, from_bottom);
            }
        }
    }
    runs(&taken.stretches)
}

/// The segment (of `count`) where a canary has its anchor, and whether it grows upwards from there.
///
/// Canaries 0…3 are at 0↑, ½↑, ½↓, 1↓. From then on each power of two brings the odd multiples of a finer fraction, in
/// the order of bit reversal: first all downwards, then all upwards.
fn home(canary: usize, count: usize) -> (usize, bool) {
    // The anchor is numerator ∕ 2^level of the space.
    let (numerator, level, up) = match canary {
        0 => (0, 0, true),
        1 => (1, 1, true),
        2 => (1, 1, false),
        3 => (1, 0, false),
        _ => {
            let level = canary.ilog2();
            let place = canary - (1 << level);
            let up = place >> (level - 1) == 1;
            let nth = (0..level - 1).fold(0, |bits, bit| bits << 1 | (place >> bit & 1));
            (2 * nth + 1, level, up)
        }
    };
    let anchor = (numerator * count) >> level;
    (if up { anchor } else { anchor - 1 }, up)
}

/// The parts that are taken, and what each canary still has to get.
struct Taken {
    /// `(from, to, subset)`, ascending.
    stretches: Vec<(u64, u64, u8)>,
    left: Vec<u64>,
}

impl Taken {
    /// Gives a canary what it still has to get, at most `limit` and at most the free part of the segment.
    fn take(&mut self, segment: &mut Segment, canary: usize, limit: u64, from_bottom: bool) {
        let Some(left) = self.left.get_mut(canary) else { return };
        let amount = limit.min(*left).min(segment.free_to - segment.free_from);
        if amount == 0 {
            return;
        }
        *left -= amount;
        let (from, to) = if from_bottom {
            segment.free_from += amount;
            (segment.free_from - amount, segment.free_from)
        } else {
            segment.free_to -= amount;
            (segment.free_to, segment.free_to + amount)
        };
        let at = self.stretches.partition_point(|&(other, ..)| other < from);
        self.stretches.insert(at, (from, to, canary as u8 + 1));
    }
}

/// Sorted parts `(from, to, subset)` → runs without gaps; the gaps are stable's.
fn runs(stretches: &[(u64, u64, u8)]) -> Box<[(u32, u8)]> {
    let mut runs: Vec<(u32, u8)> = Vec::new();
    let mut begin = |at: u64, subset: u8| {
        if at < SPACE && runs.last().is_none_or(|&(_, last)| last != subset) {
            runs.push((at as u32, subset));
        }
    };
    let mut end = 0;
    for &(from, to, subset) in stretches {
        if from > end {
            begin(end, 0);
        }
        begin(from, subset);
        end = to;
    }
    begin(end, 0);
    runs.into_boxed_slice()
}
