//! The characters as a regex tells them apart: those that it always treats alike are one class.

use super::chars::Chars;

/// What a character is to the places next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none: the text begins or ends.
    None,
    Newline,
    Word,
    Other,
}

/// Classes of characters, numbered in the order of the characters.
#[derive(Debug)]
pub(super) struct Alphabet {
    /// The first character of each class but the first.
    starts: Box<[u32]>,
}

impl Alphabet {
    /// Of the characters that these sets tell apart; `looks`: words and lines are told apart too.
    pub(super) fn new(sets: &[Chars], looks: bool) -> Alphabet {
        let mut starts = Vec::new();
        let mut tell = |chars: &Chars| starts.extend(chars.ranges().iter().flat_map(|&(low, high)| [low, high + 1]));
        sets.iter().for_each(&mut tell);
        if looks {
            tell(&Chars::one('\n'));
            tell(&Chars::perl('w'));
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|&start| start != 0);
        Alphabet { starts: starts.into() }
    }

    /// The class of a character.
    pub(super) fn class(&self, c: u32) -> u16 {
        self.starts.partition_point(|&start| start <= c) as u16
    }

    /// The classes of ASCII.
    pub(super) fn ascii(&self) -> [u16; 128] {
        let mut ascii = [0; 128];
        for (class, &start) in (1..).zip(&self.starts) {
            match ascii.get_mut(start as usize..) {
                Some(rest) => rest.fill(class),
                None => break,
            }
        }
        ascii
    }

    /// How many classes there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() + 1
    }

    /// What the characters of a class are, where words and lines are told apart. Behind the last class is the text's end.
    pub(super) fn kind(&self, class: u16) -> Kind {
        let class = usize::from(class);
        if class >= self.len() {
            return Kind::None;
        }
        let first = class.checked_sub(1).and_then(|before| self.starts.get(before)).copied().unwrap_or(0);
        match char::from_u32(first) {
            Some('\n') => Kind::Newline,
            Some(c) if c.is_ascii_alphanumeric() || c == '_' => Kind::Word,
            _ => Kind::Other,
        }
    }
}
