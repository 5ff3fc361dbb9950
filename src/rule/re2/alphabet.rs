//! The characters that a regex distinguishes: those that it always treats alike are one class.

use super::chars::Chars;

/// The kind of a character, as seen from the places next to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None: the text begins or ends.
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
    /// The classes of the characters that these sets distinguish; `looks`: words and lines are distinguished too.
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

    /// The number of classes.
    pub(super) fn len(&self) -> usize {
        self.starts.len() + 1
    }

    /// The kind of a class's characters, if words and lines are distinguished. After the last class comes the text's end.
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
