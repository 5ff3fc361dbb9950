//! A pattern while it is being read.

use std::iter::Peekable;
use std::str::CharIndices;

/// The flags that hold somewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `(?i)`
    pub(super) folds: bool,
    /// `(?s)`: `.` matches a newline.
    pub(super) dot_all: bool,
    /// `(?m)`: `^` and `$` match at the lines' ends.
    pub(super) by_lines: bool,
}

/// A pattern, read once from its beginning to its end.
pub(super) struct Pattern<'p> {
    pub(super) text: &'p str,
    pub(super) chars: Peekable<CharIndices<'p>>,
    pub(super) flags: Flags,
    /// The names of groups so far.
    pub(super) names: Vec<&'p str>,
}

impl<'p> Pattern<'p> {
    pub(super) fn new(text: &'p str) -> Self {
        Pattern { text, chars: text.char_indices().peekable(), flags: Flags::default(), names: Vec::new() }
    }

    /// The next character, without reading it.
    pub(super) fn ahead(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, c)| c)
    }

    /// The place of the next character.
    pub(super) fn place(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |&(at, _)| at)
    }

    /// Whether this character comes next, without reading it.
    pub(super) fn sees(&mut self, c: char) -> bool {
        self.ahead() == Some(c)
    }

    /// Reads this character, if it comes next.
    pub(super) fn takes(&mut self, c: char) -> bool {
        self.sees(c) && self.chars.next().is_some()
    }

    /// Reads a hexadecimal digit, if one comes next.
    pub(super) fn hex_digit(&mut self) -> Option<char> {
        let digit = self.ahead().filter(char::is_ascii_hexdigit)?;
        self.chars.next();
        Some(digit)
    }

    /// Refuses what RE2 folds in Unicode's way, except ASCII.
    pub(super) fn check_fold(&self, c: char, at: usize) -> Result<(), String> {
        if self.flags.folds && !c.is_ascii() {
            return Err(format!(
                "(?i) holds for a letter beyond ASCII at {at}: end it before with (?-i), and write both cases"
            ));
        }
        Ok(())
    }
}
