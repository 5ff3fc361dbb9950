//! A regex as a machine of small instructions (Thompson's), each at its place in a list.

use super::alphabet::Alphabet;
use super::chars::Chars;

/// The most instructions, sets, and ranges of these, so that each number fits into two bytes.
const MAX_LEN: usize = 32_000;

/// One instruction. What is matched next is the instruction behind it, unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inst {
    /// A character of the set of this number.
    Chars(u16),
    /// Continues after it and at another place, this far away.
    Split(i16),
    /// Continues this far away.
    Jump(i16),
    /// Continues where this holds.
    Look(Look),
    /// All has matched.
    Match,
}

/// A condition on a place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) insts: Box<[Inst]>,
    pub(super) alphabet: Alphabet,
    /// The prefix of every value that matches.
    pub(super) prefix: Box<str>,
    /// Where the program begins, after that prefix.
    pub(super) start: u16,
    /// The classes of all sets: first and last number, ascending.
    ranges: Box<[(u16, u16)]>,
    /// The end of each set in there.
    ends: Box<[u16]>,
}

impl Program {
    /// The classes that a set holds.
    pub(super) fn ranges(&self, set: u16) -> &[(u16, u16)] {
        let set = usize::from(set);
        let begin = set.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(set).copied().unwrap_or(0);
        self.ranges.get(begin.into()..end.into()).unwrap_or_default()
    }
}

/// A program while its pattern is being read.
pub(super) struct Builder {
    insts: Vec<Inst>,
    sets: Vec<Chars>,
    /// The sets of single ASCII characters, counted from 1: most of a pattern.
    ascii: [u16; 128],
    /// The number of their ranges.
    ranges: usize,
    looks: bool,
}

/// A group that is open: where its branches begin and end.
pub(super) struct Branches {
    begin: usize,
    branch: usize,
    /// The jumps from the ends of the branches to the end of the group.
    ends: Vec<usize>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { insts: Vec::new(), sets: Vec::new(), ascii: [0; 128], ranges: 0, looks: false }
    }

    /// The place of the next instruction.
    pub(super) fn here(&self) -> usize {
        self.insts.len()
    }

    /// One character.
    pub(super) fn char(&mut self, c: char) {
        let known = self.ascii.get(c as usize).copied().unwrap_or(0);
        match known.checked_sub(1) {
            Some(set) => self.insts.push(Inst::Chars(set)),
            None => {
                let set = self.chars(Chars::one(c));
                if let Some(known) = self.ascii.get_mut(c as usize) {
                    *known = set + 1;
                }
            }
        }
    }

    /// Any of these characters. Returns the number of their set.
    pub(super) fn chars(&mut self, chars: Chars) -> u16 {
        let set = match self.sets.iter().position(|known| *known == chars) {
            Some(set) => set,
            None => {
                self.ranges += chars.ranges().len();
                self.sets.push(chars);
                self.sets.len() - 1
            }
        };
        self.insts.push(Inst::Chars(set as u16));
        set as u16
    }

    pub(super) fn look(&mut self, look: Look) {
        self.looks = true;
        self.insts.push(Inst::Look(look));
    }

    pub(super) fn open(&self) -> Branches {
        Branches { begin: self.here(), branch: self.here(), ends: Vec::new() }
    }

    /// At `|`.
    pub(super) fn branch(&mut self, group: &mut Branches) {
        let length = self.here() - group.branch;
        self.insts.insert(group.branch, Inst::Split(length as i16 + 2));
        group.ends.push(self.here());
        self.insts.push(Inst::Jump(0));
        group.branch = self.here();
    }

    /// At the group's end. Returns where it begins.
    pub(super) fn close(&mut self, group: Branches) -> usize {
        let here = self.here();
        for end in group.ends {
            if let Some(inst) = self.insts.get_mut(end) {
                *inst = Inst::Jump((here - end) as i16);
            }
        }
        group.begin
    }

    /// Repeats everything from here on.
    pub(super) fn repeat(&mut self, begin: usize, least: u32, most: Option<u32>) -> Result<(), String> {
        let body = self.insts.split_off(begin);
        let length = body.len() as i16;
        let copies = most.unwrap_or(least.max(1)) as usize;
        let added = copies.saturating_mul(body.len() + 1);
        if begin.saturating_add(added) > MAX_LEN {
            return Err(too_long());
        }
        for _ in 0..least {
            self.insts.extend_from_slice(&body);
        }
        match most {
            Some(most) => {
                for left in (1..=most.saturating_sub(least)).rev() {
                    // To the end of all that is left.
                    self.insts.push(Inst::Split(left as i16 * (length + 1)));
                    self.insts.extend_from_slice(&body);
                }
            }
            None if least > 0 => self.insts.push(Inst::Split(-length)),
            None => {
                self.insts.push(Inst::Split(length + 2));
                self.insts.extend_from_slice(&body);
                self.insts.push(Inst::Jump(-length - 1));
            }
        }
        self.check()
    }

    /// Refuses a program that is too long before a number overflows.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.here().max(self.sets.len()).max(self.ranges) > MAX_LEN { Err(too_long()) } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Program {
        self.insts.push(Inst::Match);
        let alphabet = Alphabet::new(&self.sets, self.looks);
        let (mut ranges, mut ends) = (Vec::new(), Vec::new());
        for set in &self.sets {
            ranges.extend(set.ranges().iter().map(|&(low, high)| (alphabet.class(low), alphabet.class(high))));
            ends.push(ranges.len() as u16);
        }
        let (prefix, start) = self.prefix();
        Program {
            insts: self.insts.into(),
            alphabet,
            prefix: prefix.into(),
            start,
            ranges: ranges.into(),
            ends: ends.into(),
        }
    }

    fn prefix(&self) -> (String, u16) {
        let mut prefix = String::new();
        for (place, inst) in (0..).zip(&self.insts) {
            let only = match inst {
                Inst::Look(Look::TextStart) if prefix.is_empty() => continue,
                Inst::Chars(set) => self.sets.get(usize::from(*set)).and_then(Chars::only),
                _ => None,
            };
            match only {
                Some(c) => prefix.push(c),
                None if prefix.is_empty() => break,
                None => return (prefix, place),
            }
        }
        (prefix, 0)
    }
}

fn too_long() -> String {
    format!("more than {MAX_LEN} characters, classes and repetitions, each as often as it is repeated")
}
