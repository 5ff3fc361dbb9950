//! A place in a text, and the next characters there.

/// A place in a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    /// The byte.
    pub at: usize,
    /// The line, from 0.
    pub line: usize,
    /// Characters since the line began.
    pub column: usize,
    /// Characters since the text began.
    pub index: usize,
}

/// Walks through a text character by character.
pub struct Cursor<'t> {
    text: &'t str,
    /// Its place.
    pub mark: Mark,
}

impl<'t> Cursor<'t> {
    /// At the beginning of a text.
    pub fn new(text: &'t str) -> Cursor<'t> {
        Cursor { text, mark: Mark::default() }
    }

    /// The byte at this distance; 0 at the end, since no text contains one.
    pub fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.mark.at + ahead).copied().unwrap_or(0)
    }

    /// Whether the rest begins with this.
    pub fn begins_with(&self, what: &str) -> bool {
        self.text.as_bytes().get(self.mark.at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    /// Whether this is the end.
    pub fn is_end(&self) -> bool {
        self.mark.at >= self.text.len()
    }

    /// The length of a line break at this distance; 0: none.
    fn break_width(&self, ahead: usize) -> usize {
        match (self.byte(ahead), self.byte(ahead + 1), self.byte(ahead + 2)) {
            (b'\r', b'\n', _) => 2,
            (b'\r' | b'\n', ..) => 1,
            (0xc2, 0x85, _) => 2,
            (0xe2, 0x80, 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    /// Whether a line break is next.
    pub fn is_break(&self, ahead: usize) -> bool {
        self.break_width(ahead) > 0
    }

    /// Whether a space or a tab is next.
    pub fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// Whether a line break or the end is next.
    pub fn is_line_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    /// Whether a space, a tab, a line break or the end is next.
    pub fn is_gap(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_line_end(ahead)
    }

    /// Whether a line with just `---` or `...` begins here.
    pub fn is_document_indicator(&self) -> bool {
        self.mark.column == 0 && (self.begins_with("---") || self.begins_with("...")) && self.is_gap(3)
    }

    /// Skips a character.
    pub fn skip(&mut self) {
        self.take();
    }

    /// Skips a character other than a line break, and returns it.
    pub fn take(&mut self) -> Option<char> {
        let next = self.text.get(self.mark.at..)?.chars().next()?;
        self.mark.at += next.len_utf8();
        self.mark.column += 1;
        self.mark.index += 1;
        Some(next)
    }

    /// Skips a line break and returns its text; empty without one.
    pub fn take_break(&mut self) -> &'static str {
        let said = match (self.break_width(0), self.byte(2)) {
            (0, _) => return "",
            (3, 0xa8) => "\u{2028}",
            (3, _) => "\u{2029}",
            _ => "\n",
        };
        self.mark.index += if self.byte(1) == b'\n' && self.byte(0) == b'\r' { 2 } else { 1 };
        self.mark.at += self.break_width(0);
        self.mark.line += 1;
        self.mark.column = 0;
        said
    }

    /// Skips to the end of the line.
    pub fn skip_line(&mut self) {
        while !self.is_line_end(0) {
            self.skip();
        }
    }
}
