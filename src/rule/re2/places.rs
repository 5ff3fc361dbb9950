//! Places of a program, and the effect of one character on them.

use super::alphabet::Kind;
use super::program::{Inst, Look, Program};

/// A set of places that returns them in ascending order.
#[derive(Debug, Default)]
pub(super) struct Places {
    words: Vec<u64>,
    /// The words that may hold some.
    first: usize,
    behind: usize,
    open: Vec<u16>,
}

impl Places {
    pub(super) fn new(program: &Program) -> Places {
        let words = vec![0; program.insts.len().div_ceil(64)];
        Places { words, first: usize::MAX, behind: 0, open: Vec::new() }
    }

    /// Adds a place and all that it leads to without a character. Returns the number of instructions that were visited.
    pub(super) fn add(&mut self, program: &Program, place: usize, holds: impl Fn(Look) -> bool) -> u32 {
        let mut visits = 0;
        let mut next = Some(place);
        while let Some(place) = next {
            visits += 1;
            next = if self.insert(place) { follow(program, place, &mut self.open, &holds) } else { None };
            next = next.or_else(|| self.open.pop().map(usize::from));
        }
        visits
    }

    /// Whether it is new.
    fn insert(&mut self, place: usize) -> bool {
        let at = place / 64;
        let Some(word) = self.words.get_mut(at) else { return false };
        let bit = 1 << (place % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.first = self.first.min(at);
        self.behind = self.behind.max(at + 1);
        is_new
    }

    /// Empties the set, and passes on the places that wait for a character, for the end or for a condition.
    pub(super) fn drain(&mut self, program: &Program, mut waiting: impl FnMut(u16)) {
        let first = self.first;
        let words = self.words.get_mut(first..self.behind).unwrap_or_default();
        for (at, word) in words.iter_mut().enumerate() {
            let mut bits = std::mem::take(word);
            while bits != 0 {
                let place = (first + at) * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if !matches!(program.insts.get(place), Some(Inst::Split(_) | Inst::Jump(_))) {
                    waiting(place as u16);
                }
            }
        }
        (self.first, self.behind) = (usize::MAX, 0);
    }
}

/// The most instructions that one step visits: every place leads further.
pub(super) fn most_visits(program: &Program) -> u32 {
    let mut places = Places::new(program);
    let mut visits = 1;
    for (place, inst) in program.insts.iter().enumerate() {
        visits += match inst {
            Inst::Chars(_) => 1 + places.add(program, place + 1, |_| true),
            Inst::Look(_) => 2,
            Inst::Match => 1,
            Inst::Split(_) | Inst::Jump(_) => 0,
        };
    }
    visits
}

/// Where it continues from a place without a character; the other way is noted.
fn follow(program: &Program, place: usize, open: &mut Vec<u16>, holds: impl Fn(Look) -> bool) -> Option<usize> {
    match *program.insts.get(place)? {
        Inst::Split(far) => {
            open.push(place.wrapping_add_signed(far.into()) as u16);
            Some(place + 1)
        }
        Inst::Jump(far) => Some(place.wrapping_add_signed(far.into())),
        Inst::Look(look) if holds(look) => Some(place + 1),
        Inst::Look(_) | Inst::Chars(_) | Inst::Match => None,
    }
}

/// Whether it holds between two characters of these kinds.
pub(super) fn holds_between(look: Look, before: Kind, behind: Kind) -> bool {
    let at_word = (before == Kind::Word) != (behind == Kind::Word);
    match look {
        Look::TextStart => before == Kind::None,
        Look::TextEnd => behind == Kind::None,
        Look::LineStart => matches!(before, Kind::None | Kind::Newline),
        Look::LineEnd => matches!(behind, Kind::None | Kind::Newline),
        Look::WordBoundary => at_word,
        Look::NoWordBoundary => !at_word,
    }
}
