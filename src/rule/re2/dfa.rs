//! A program run by states. A state is the set of places where the program may be, computed when a value first leads there,
//! and kept.
//!
//! A known step costs two look-ups for a character, whatever the regex; an unknown one costs a visit to each place.

use super::alphabet::Kind;
use super::places::{Places, holds_between};
use super::program::{Inst, Program};

/// A row holds where each step leads: the start of a state's row, or one of these.
const UNKNOWN: u32 = 0;
const DEAD: u32 = 1;
const MATCH: u32 = 2;
/// The start of the first state's row.
const FIRST: u32 = 3;

/// The size of the pieces in which a value is read.
const PIECE: usize = 1024;
/// The most states that one value adds if there may be too many: the rest of the value is run without states.
pub(super) const FRESH: u64 = 2000;

/// Where the program may be: the kind of the character before, and the places; both as numbers, for a fast comparison.
type Threads = [u16];

/// The known states.
#[derive(Debug)]
pub(super) struct Dfa {
    /// The classes of ASCII.
    ascii: Box<[u16; 128]>,
    /// The length of a row: one step for each class, and the last for the text's end.
    stride: usize,
    rows: Vec<u32>,
    /// All states' threads.
    threads: Vec<u16>,
    /// The end of each state's threads in there.
    ends: Vec<u32>,
    hashes: Vec<u32>,
    /// States by their hash, counted from 1.
    table: Vec<u32>,
    /// The most bytes that states may take.
    limit: usize,
    scratch: Scratch,
}

/// Scratch memory for one step.
#[derive(Debug)]
struct Scratch {
    places: Places,
    now: Vec<u16>,
    next: Vec<u16>,
}

/// A step of a state.
pub(super) struct Step {
    pub(super) to: To,
    /// The last of the classes that lead to the same state.
    pub(super) last: u16,
    first: u16,
    /// The number of instructions that were visited.
    pub(super) visits: u32,
}

/// Where a step leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Dead,
    Match,
    State(usize),
}

impl Dfa {
    /// Only the first state is known.
    pub(super) fn new(program: &Program, limit: usize) -> Dfa {
        let scratch = Scratch { places: Places::new(program), now: Vec::new(), next: Vec::new() };
        // Most regexes have about as many states as instructions.
        let room = program.insts.len().min(64);
        let mut dfa = Dfa {
            ascii: Box::new(program.alphabet.ascii()),
            stride: program.alphabet.len() + 1,
            rows: vec![UNKNOWN; FIRST as usize],
            threads: Vec::with_capacity(4 * room),
            ends: Vec::with_capacity(room),
            hashes: Vec::with_capacity(room),
            table: vec![0; 2 * room.next_power_of_two()],
            limit,
            scratch,
        };
        let before = program.prefix.chars().next_back();
        let kind = before.map_or(Kind::None, |c| program.alphabet.kind(program.alphabet.class(c.into())));
        dfa.scratch.places.add(program, program.start.into(), |_| false);
        dfa.scratch.take(program, kind);
        dfa.state();
        dfa.rows.resize(FIRST as usize + dfa.stride, UNKNOWN);
        dfa
    }

    /// The number of known states.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// About the number of bytes that the states take.
    pub(super) fn memory(&self) -> usize {
        4 * (self.rows.capacity() + 2 * self.ends.capacity() + self.table.capacity()) + 2 * self.threads.capacity()
    }

    /// The number of bytes that they will take if these are all.
    pub(super) fn memory_of_all(&self) -> usize {
        self.memory() + self.stride * self.len() * size_of::<u32>()
    }

    /// Whether the whole value matches, of which the program's prefix has been removed. A value that is not UTF-8 does not.
    pub(super) fn is_match(&mut self, program: &Program, value: &[u8]) -> bool {
        let mut state = FIRST;
        let mut rest = value;
        let most = self.len() + FRESH as usize;
        while let Some(text) = next_piece(&mut rest) {
            let mut chars = text.chars();
            loop {
                let read = self.read(program, &mut state, chars.as_str());
                chars = chars.as_str().get(read..).unwrap_or_default().chars();
                let Some(c) = chars.next() else { break };
                let class = self.class(program, c);
                let mut next = self.rows.get(state as usize + usize::from(class)).copied().unwrap_or(DEAD);
                if next == UNKNOWN {
                    next = self.compute(program, state, class);
                    let is_full = self.memory() > self.limit;
                    if next >= FIRST && self.limit < usize::MAX && (is_full || self.len() > most) {
                        self.give_up(program, next, is_full);
                        return self.simulate(program, chars.as_str(), rest);
                    }
                }
                if next < FIRST {
                    return false;
                }
                state = next;
            }
        }
        if !rest.is_empty() {
            return false;
        }
        let end = self.stride - 1;
        match self.rows.get(state as usize + end).copied() {
            Some(UNKNOWN) | None => self.compute(program, state, end as u16) == MATCH,
            known => known == Some(MATCH),
        }
    }

    /// Continues by known steps. Returns how far.
    #[inline(never)]
    fn read(&self, program: &Program, state: &mut u32, text: &str) -> usize {
        let (rows, ascii, bytes) = (&*self.rows, &*self.ascii, text.as_bytes());
        let mut from = *state;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let (class, length) = match ascii.get(usize::from(byte)) {
                Some(&class) => (class, 1),
                None => {
                    let (c, length) = character(byte, bytes.get(at + 1..).unwrap_or_default());
                    (program.alphabet.class(c), length)
                }
            };
            match rows.get(from as usize + usize::from(class)) {
                Some(&next) if next >= FIRST => from = next,
                _ => break,
            }
            at += length;
        }
        *state = from;
        at
    }

    /// The rest of a value, without keeping states; the scratch holds where it begins.
    fn simulate(&mut self, program: &Program, text: &str, mut rest: &[u8]) -> bool {
        let mut text = Some(text);
        while let Some(piece) = text {
            for c in piece.chars() {
                let class = self.class(program, c);
                self.scratch.swap();
                self.scratch.step(program, class);
                if self.scratch.next.len() == 1 {
                    return false;
                }
            }
            text = next_piece(&mut rest);
        }
        self.scratch.swap();
        rest.is_empty() && self.scratch.matches_at_end(program)
    }

    #[inline(always)]
    fn class(&self, program: &Program, c: char) -> u16 {
        match self.ascii.get(c as usize) {
            Some(class) => *class,
            None => program.alphabet.class(c.into()),
        }
    }

    /// The set of a state that waits for nothing else.
    pub(super) fn only_set(&self, program: &Program, state: usize) -> Option<u16> {
        match *threads(&self.threads, &self.ends, state) {
            [NO_KIND, place] => match program.insts.get(usize::from(place)) {
                Some(Inst::Chars(set)) => Some(*set),
                _ => None,
            },
            _ => None,
        }
    }

    /// Computes an unknown step of a row.
    #[cold]
    #[inline(never)]
    fn compute(&mut self, program: &Program, row: u32, class: u16) -> u32 {
        let state = (row - FIRST) as usize / self.stride;
        let step = self.step(program, state, class);
        self.rows.resize(FIRST as usize + self.stride * self.len(), UNKNOWN);
        let to = match step.to {
            To::Dead => DEAD,
            To::Match => MATCH,
            To::State(state) => FIRST + (self.stride * state) as u32,
        };
        let (first, last) = (row as usize + usize::from(step.first), row as usize + usize::from(step.last));
        if let Some(steps) = self.rows.get_mut(first..=last) {
            steps.fill(to);
        }
        to
    }

    /// A step of a state; the class after the last one is the text's end.
    pub(super) fn step(&mut self, program: &Program, state: usize, class: u16) -> Step {
        let threads = threads(&self.threads, &self.ends, state);
        self.scratch.now.clear();
        self.scratch.now.extend_from_slice(threads);
        if usize::from(class) + 1 == self.stride {
            let visits = self.scratch.now.len() as u32;
            let to = if self.scratch.matches_at_end(program) { To::Match } else { To::Dead };
            return Step { to, first: class, last: class, visits };
        }
        let (first, last, visits) = self.scratch.step(program, class);
        let to = if self.scratch.next.len() == 1 { To::Dead } else { To::State(self.state()) };
        Step { to, first, last, visits }
    }

    /// The state of the threads in the scratch.
    fn state(&mut self) -> usize {
        let Dfa { threads: all, ends, hashes, table, scratch, .. } = self;
        let hash = hash(&scratch.next);
        let mut at = hash as usize;
        loop {
            at &= table.len() - 1;
            let known = table.get(at).copied().unwrap_or(0);
            let Some(state) = (known as usize).checked_sub(1) else { break };
            if hashes.get(state) == Some(&hash) && threads(all, ends, state) == scratch.next {
                return state;
            }
            at += 1;
        }
        all.extend_from_slice(&scratch.next);
        ends.push(all.len() as u32);
        hashes.push(hash);
        if 4 * ends.len() > 3 * table.len() {
            let length = 2 * table.len();
            table.clear();
            table.resize(length, 0);
            for (state, hash) in (1..).zip(hashes) {
                enter(table, *hash, state);
            }
        } else {
            enter(table, hash, ends.len() as u32);
        }
        ends.len() - 1
    }

    /// Leaves the successor of a state in the scratch; if there is no room, all states are forgotten.
    fn give_up(&mut self, program: &Program, row: u32, is_full: bool) {
        let state = (row - FIRST) as usize / self.stride;
        let left = threads(&self.threads, &self.ends, state).to_vec();
        if is_full {
            *self = Dfa::new(program, self.limit);
        }
        self.scratch.next = left;
    }
}

impl Scratch {
    fn swap(&mut self) {
        std::mem::swap(&mut self.now, &mut self.next);
    }

    /// The effect of a character of this class on the current threads: the next threads, the classes with the same effect, and the
    /// number of instructions that were visited.
    fn step(&mut self, program: &Program, class: u16) -> (u16, u16, u32) {
        let kind = program.alphabet.kind(class);
        let (mut first, mut last) = (0, program.alphabet.len() as u16 - 1);
        if self.looks_around(program, kind) {
            (first, last) = (class, class);
        }
        let mut visits = self.now.len() as u32;
        for &place in self.now.get(1..).unwrap_or_default() {
            let Some(Inst::Chars(set)) = program.insts.get(usize::from(place)) else { continue };
            for &(low, high) in program.ranges(*set) {
                if class > high {
                    first = first.max(high + 1);
                    continue;
                }
                if class < low {
                    last = last.min(low - 1);
                } else {
                    (first, last) = (first.max(low), last.min(high));
                    visits += self.places.add(program, usize::from(place) + 1, |_| false);
                }
                break;
            }
        }
        if self.take(program, kind) {
            (first, last) = (class, class);
        }
        (first, last, visits)
    }

    fn matches_at_end(&mut self, program: &Program) -> bool {
        self.looks_around(program, Kind::None);
        let mut places = self.now.get(1..).unwrap_or_default().iter();
        places.any(|&place| matches!(program.insts.get(usize::from(place)), Some(Inst::Match)))
    }

    /// Lets the current threads continue past what holds before a character of this kind. False if none waits for that.
    fn looks_around(&mut self, program: &Program, behind: Kind) -> bool {
        let Some(before) = self.now.first().and_then(|&number| kind(number)) else { return false };
        for &place in self.now.get(1..).unwrap_or_default() {
            self.places.add(program, place.into(), |look| holds_between(look, before, behind));
        }
        self.now.truncate(1);
        self.places.drain(program, |place| self.now.push(place));
        true
    }

    /// Turns the places into the next threads, after a character of this kind. Returns whether the kind is part of them.
    fn take(&mut self, program: &Program, before: Kind) -> bool {
        self.next.clear();
        self.next.push(NO_KIND);
        let mut looks = false;
        self.places.drain(program, |place| {
            looks |= matches!(program.insts.get(usize::from(place)), Some(Inst::Look(_)));
            self.next.push(place);
        });
        if let Some(first) = self.next.first_mut().filter(|_| looks) {
            *first = number(before);
        }
        looks
    }
}

/// For threads that do not depend on the kind of the character before.
const NO_KIND: u16 = 0;
const KINDS: [Kind; 4] = [Kind::None, Kind::Newline, Kind::Word, Kind::Other];

fn number(kind: Kind) -> u16 {
    kind as u16 + 1
}

fn kind(number: u16) -> Option<Kind> {
    KINDS.get(usize::from(number.checked_sub(1)?)).copied()
}

fn threads<'d>(all: &'d [u16], ends: &[u32], state: usize) -> &'d Threads {
    let begin = state.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let end = ends.get(state).copied().unwrap_or(0);
    all.get(begin as usize..end as usize).unwrap_or_default()
}

fn hash(threads: &Threads) -> u32 {
    let mixed = threads.iter().fold(0_u32, |hash, &x| (hash.rotate_left(5) ^ u32::from(x)).wrapping_mul(0x9e37_79b1));
    mixed ^ mixed >> 15
}

fn enter(table: &mut [u32], hash: u32, state: u32) {
    let mut at = hash as usize;
    loop {
        at &= table.len() - 1;
        match table.get_mut(at) {
            Some(free @ 0) => {
                *free = state;
                return;
            }
            _ => at += 1,
        }
    }
}

/// The character beyond ASCII that begins with this byte, and its length. (As `str::chars`, which costs more in a build for
/// size.)
#[inline(always)]
fn character(byte: u8, rest: &[u8]) -> (u32, usize) {
    let bits = |at: usize| u32::from(rest.get(at).copied().unwrap_or_default() & 0x3f);
    let byte = u32::from(byte);
    match byte {
        0..0xe0 => ((byte & 0x1f) << 6 | bits(0), 2),
        0xe0..0xf0 => ((byte & 0xf) << 12 | bits(0) << 6 | bits(1), 3),
        _ => ((byte & 0x7) << 18 | bits(0) << 12 | bits(1) << 6 | bits(2), 4),
    }
}

/// Removes the next characters and returns them. `None` at the end, and where the rest is not UTF-8.
fn next_piece<'v>(rest: &mut &'v [u8]) -> Option<&'v str> {
    let piece = rest.get(..PIECE).unwrap_or(rest);
    let valid = match std::str::from_utf8(piece) {
        Ok("") => return None,
        Ok(text) => text,
        // Cut in the middle of a character; or no character follows, which the next piece will see.
        Err(error) => std::str::from_utf8(piece.get(..error.valid_up_to())?).ok().filter(|text| !text.is_empty())?,
    };
    *rest = rest.get(valid.len()..)?;
    Some(valid)
}
