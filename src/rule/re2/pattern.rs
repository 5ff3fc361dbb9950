//! A pattern on the way from RE2's syntax to regex-lite's.

use std::iter::Peekable;
use std::str::CharIndices;

/// Is read once from its beginning to its end, and copied.
pub(super) struct Pattern<'p> {
    pub(super) text: &'p str,
    pub(super) chars: Peekable<CharIndices<'p>>,
    pub(super) out: String,
    /// `(?i)` is in it somewhere: then no letter may be one that RE2 folds beyond ASCII.
    pub(super) fold: bool,
    /// First letter that `(?i)` could fold beyond ASCII, as it is written.
    pub(super) foldable: Option<&'static str>,
}

impl<'p> Pattern<'p> {
    pub(super) fn new(text: &'p str) -> Self {
        Pattern { text, chars: text.char_indices().peekable(), out: String::new(), fold: false, foldable: None }
    }

    /// The next character, which stays.
    pub(super) fn ahead(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, c)| c)
    }

    /// Whether this character comes next, which stays.
    pub(super) fn sees(&mut self, c: char) -> bool {
        self.ahead() == Some(c)
    }

    /// Goes past this character, if it comes next.
    pub(super) fn takes(&mut self, c: char) -> bool {
        self.sees(c) && self.chars.next().is_some()
    }

    /// Goes past a hexadecimal digit, if one comes next.
    pub(super) fn hex_digit(&mut self) -> Option<char> {
        let digit = self.ahead().filter(char::is_ascii_hexdigit)?;
        self.chars.next();
        Some(digit)
    }

    /// A character that stands for itself.
    pub(super) fn literal(&mut self, c: char) {
        self.out.push(c);
        self.note(c);
    }

    /// Notes a character that the pattern matches, whichever way it is written.
    pub(super) fn note(&mut self, c: char) {
        match c {
            'k' | 'K' | 's' | 'S' => self.foldable = Some("k or s"),
            _ if !c.is_ascii() => self.foldable = Some("a letter beyond ASCII"),
            _ => {}
        }
    }
}
