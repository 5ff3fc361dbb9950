//! A pattern on the way from RE2's syntax to regex-lite's.

use std::iter::Peekable;
use std::str::CharIndices;

/// The Kelvin sign, which is a k to Unicode's simple case folding.
pub(super) const KELVIN: &str = r"\x{212a}";
/// The long s.
pub(super) const LONG_S: &str = r"\x{17f}";

/// Is read once from its beginning to its end, and copied.
pub(super) struct Pattern<'p> {
    pub(super) text: &'p str,
    pub(super) chars: Peekable<CharIndices<'p>>,
    pub(super) out: String,
    /// Whether `(?i)` holds here.
    pub(super) folds: bool,
}

impl<'p> Pattern<'p> {
    pub(super) fn new(text: &'p str) -> Self {
        Pattern { text, chars: text.char_indices().peekable(), out: String::new(), folds: false }
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

    /// A character outside of `[…]` that the pattern matches, as regex-lite reads it.
    pub(super) fn literal(&mut self, c: char, at: usize, written: &str) -> Result<(), String> {
        match self.folded(c, at)? {
            Some(beyond) => self.out.extend(["[", written, beyond, "]"]),
            None => self.out.push_str(written),
        }
        Ok(())
    }

    /// What else than ASCII a character matches here, as regex-lite reads it in `[…]`: RE2 folds k and s in Unicode's way (to the
    /// Kelvin sign and the long s), regex-lite in ASCII's.
    ///
    /// # Errors
    ///
    /// Under `(?i)`, if it is no ASCII itself.
    pub(super) fn folded(&self, c: char, at: usize) -> Result<Option<&'static str>, String> {
        match c {
            _ if !self.folds => Ok(None),
            'k' | 'K' => Ok(Some(KELVIN)),
            's' | 'S' => Ok(Some(LONG_S)),
            _ if c.is_ascii() => Ok(None),
            _ => Err(format!(
                "(?i) holds for a letter beyond ASCII at {at}: end it before by (?-i), and write both cases"
            )),
        }
    }
}
