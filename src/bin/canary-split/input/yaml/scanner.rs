//! A text → tokens. Only the `:` after a token shows that it was a key, so tokens wait until that is known.

use super::cursor::{Cursor, Mark};
use super::scalars;
use super::token::{Kind, Malformed, Token};
use super::words;
use std::collections::{HashMap, VecDeque};

/// As in go-yaml: a key without `?` is on one line, and not longer than this.
const LONGEST_KEY: usize = 1024;
/// The deepest nesting of brackets and indentation; far deeper than the tree may be.
const DEEPEST: usize = 10_000;

/// A token that may turn out to be a key.
#[derive(Clone, Copy, Default)]
struct Candidate {
    is_possible: bool,
    /// Only a key can be here.
    is_required: bool,
    token: usize,
    mark: Mark,
}

/// Tokens of a text, one after another.
pub struct Scanner<'t> {
    cursor: Cursor<'t>,
    tokens: VecDeque<Token>,
    /// The number of tokens that have been handed out.
    taken: usize,
    is_done: bool,
    /// The column at which the block's entries begin; -1 outside any block.
    indent: isize,
    indents: Vec<isize>,
    /// Whether a key may begin here.
    allows_key: bool,
    /// The last candidate of each open bracket, and of the block around them.
    candidates: Vec<Candidate>,
    /// The candidate that belongs to a token.
    by_token: HashMap<usize, usize>,
}

type Done = Result<(), Malformed>;

impl<'t> Scanner<'t> {
    /// Of a text.
    pub fn new(text: &'t str) -> Scanner<'t> {
        Scanner {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            is_done: false,
            indent: -1,
            indents: Vec::new(),
            allows_key: true,
            candidates: vec![Candidate::default()],
            by_token: HashMap::new(),
        }
    }

    /// The next token; at the end, the last one again.
    pub fn peek(&mut self) -> Result<&Token, Malformed> {
        while self.needs_more()? && !self.is_done {
            self.fetch()?;
        }
        let at = self.cursor.mark.at;
        if self.tokens.is_empty() {
            self.tokens.push_back(Token { kind: Kind::End, span: at..at });
        }
        self.tokens.front().ok_or_else(|| Malformed::new(at, "the text ends"))
    }

    /// Hands out the next token.
    pub fn next(&mut self) -> Result<Token, Malformed> {
        let token = self.peek()?.clone();
        self.tokens.pop_front();
        self.taken += 1;
        Ok(token)
    }

    /// Whether the next token may yet turn out to be a key.
    fn needs_more(&mut self) -> Result<bool, Malformed> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        match self.by_token.get(&self.taken) {
            Some(&candidate) => self.is_valid(candidate),
            None => Ok(false),
        }
    }

    /// Whether a candidate may still be a key.
    fn is_valid(&mut self, at: usize) -> Result<bool, Malformed> {
        let here = self.cursor.mark;
        let Some(candidate) = self.candidates.get_mut(at).filter(|candidate| candidate.is_possible) else {
            return Ok(false);
        };
        if candidate.mark.line < here.line || candidate.mark.index + LONGEST_KEY < here.index {
            if candidate.is_required {
                return Err(Malformed::new(candidate.mark.at, "a key without a : after it"));
            }
            candidate.is_possible = false;
        }
        Ok(candidate.is_possible)
    }

    fn is_in_flow(&self) -> bool {
        self.candidates.len() > 1
    }

    fn save_candidate(&mut self) -> Done {
        if !self.allows_key {
            return Ok(());
        }
        let mark = self.cursor.mark;
        let is_required = !self.is_in_flow() && isize::try_from(mark.column) == Ok(self.indent);
        self.remove_candidate()?;
        let token = self.taken + self.tokens.len();
        self.by_token.insert(token, self.candidates.len() - 1);
        if let Some(last) = self.candidates.last_mut() {
            *last = Candidate { is_possible: true, is_required, token, mark };
        }
        Ok(())
    }

    fn remove_candidate(&mut self) -> Done {
        let Some(last) = self.candidates.last_mut().filter(|last| last.is_possible) else { return Ok(()) };
        if last.is_required {
            return Err(Malformed::new(last.mark.at, "a key without a : after it"));
        }
        last.is_possible = false;
        self.by_token.remove(&last.token);
        Ok(())
    }

    /// A block begins at a token further to the right.
    fn roll(&mut self, mark: Mark, token: Option<usize>, kind: Kind) -> Done {
        let column = isize::try_from(mark.column).unwrap_or(isize::MAX);
        if self.is_in_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > DEEPEST {
            return Err(Malformed::new(mark.at, format!("nested deeper than {DEEPEST}")));
        }
        let at = token.map_or(self.tokens.len(), |token| token.saturating_sub(self.taken));
        self.tokens.insert(at.min(self.tokens.len()), Token { kind, span: mark.at..mark.at });
        Ok(())
    }

    /// Blocks end at a token further to the left.
    fn unroll(&mut self, column: isize) {
        while !self.is_in_flow() && self.indent > column {
            let at = self.cursor.mark.at;
            self.tokens.push_back(Token { kind: Kind::BlockEnd, span: at..at });
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Skips this many characters, which are this token.
    fn indicator(&mut self, characters: usize, kind: Kind) {
        let start = self.cursor.mark.at;
        (0..characters).for_each(|_| self.cursor.skip());
        self.tokens.push_back(Token { kind, span: start..self.cursor.mark.at });
    }

    fn skip_to_token(&mut self) {
        loop {
            if self.cursor.mark.column == 0 && self.cursor.begins_with("\u{feff}") {
                self.cursor.skip();
            }
            while self.cursor.byte(0) == b' ' || self.cursor.byte(0) == b'\t' && (self.is_in_flow() || !self.allows_key)
            {
                self.cursor.skip();
            }
            if self.cursor.byte(0) == b'#' {
                self.cursor.skip_line();
            }
            if !self.cursor.is_break(0) {
                break;
            }
            self.cursor.take_break();
            self.allows_key |= !self.is_in_flow();
        }
    }

    fn fetch(&mut self) -> Done {
        self.skip_to_token();
        self.unroll(isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX));
        if self.cursor.is_end() {
            self.outermost()?;
            self.is_done = true;
            self.indicator(0, Kind::End);
            return Ok(());
        }
        let (is_in_flow, is_followed) = (self.is_in_flow(), self.cursor.is_gap(1));
        match self.cursor.byte(0) {
            b'%' if self.cursor.mark.column == 0 => {
                self.outermost()?;
                let start = self.cursor.mark.at;
                words::directive(&mut self.cursor)?;
                self.tokens.push_back(Token { kind: Kind::Directive, span: start..self.cursor.mark.at });
            }
            first @ (b'-' | b'.') if self.cursor.is_document_indicator() => {
                self.outermost()?;
                self.indicator(3, if first == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd });
            }
            b'[' => self.open(Kind::FlowListStart)?,
            b'{' => self.open(Kind::FlowMapStart)?,
            b']' => self.close(Kind::FlowListEnd)?,
            b'}' => self.close(Kind::FlowMapEnd)?,
            b',' => {
                self.remove_candidate()?;
                self.allows_key = true;
                self.indicator(1, Kind::FlowEntry);
            }
            b'-' if is_followed => {
                self.begin_entry(Kind::BlockListStart, "a list item where none can be")?;
                self.remove_candidate()?;
                self.allows_key = true;
                self.indicator(1, Kind::BlockEntry);
            }
            b'?' if is_in_flow || is_followed => {
                self.begin_entry(Kind::BlockMapStart, "a key where none can be")?;
                self.remove_candidate()?;
                self.allows_key = !is_in_flow;
                self.indicator(1, Kind::Key);
            }
            b':' if is_in_flow || is_followed => self.value()?,
            b'*' => self.property(|cursor| words::name(cursor).map(Kind::Alias))?,
            b'&' => self.property(|cursor| words::name(cursor).map(Kind::Anchor))?,
            b'!' => self.property(|cursor| words::tag(cursor).map(Kind::Tag))?,
            first @ (b'|' | b'>') if !is_in_flow => {
                self.remove_candidate()?;
                self.allows_key = true;
                let start = self.cursor.mark.at;
                let (text, end) = scalars::block(&mut self.cursor, first == b'|', self.indent)?;
                self.scalar(text, false, start, end);
            }
            first @ (b'\'' | b'"') => {
                self.save_candidate()?;
                self.allows_key = false;
                let start = self.cursor.mark.at;
                let text = scalars::quoted(&mut self.cursor, first == b'\'')?;
                self.scalar(text, false, start, self.cursor.mark.at);
            }
            first if self.begins_plain(first) => {
                self.save_candidate()?;
                self.allows_key = false;
                let (start, indent) = (self.cursor.mark.at, usize::try_from(self.indent + 1).unwrap_or(0));
                let (text, end, is_broken) = scalars::plain(&mut self.cursor, is_in_flow, indent)?;
                self.allows_key |= is_broken;
                self.scalar(text, true, start, end);
            }
            b'\t' => return self.malformed("a tab where only spaces may indent"),
            _ => return self.malformed("a character that nothing can begin with; put the text in quotes"),
        }
        Ok(())
    }

    fn malformed(&self, problem: &str) -> Done {
        Err(Malformed::new(self.cursor.mark.at, problem))
    }

    fn begins_plain(&self, first: u8) -> bool {
        !self.cursor.is_gap(0) && !b"-?:,[]{}#&*!|>'\"%@`".contains(&first)
            || first == b'-' && !self.cursor.is_blank(1)
            || !self.is_in_flow() && matches!(first, b'?' | b':') && !self.cursor.is_gap(1)
    }

    fn scalar(&mut self, text: String, is_plain: bool, start: usize, end: usize) {
        self.tokens.push_back(Token { kind: Kind::Scalar { text, is_plain }, span: start..end });
    }

    /// Everything open ends.
    fn outermost(&mut self) -> Done {
        self.unroll(-1);
        self.remove_candidate()?;
        self.allows_key = false;
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Done {
        self.save_candidate()?;
        self.candidates.push(Candidate::default());
        if self.candidates.len() > DEEPEST {
            return self.malformed("brackets in brackets without end");
        }
        self.allows_key = true;
        self.indicator(1, kind);
        Ok(())
    }

    fn close(&mut self, kind: Kind) -> Done {
        self.remove_candidate()?;
        if self.is_in_flow() {
            self.candidates.pop();
        }
        self.allows_key = false;
        self.indicator(1, kind);
        Ok(())
    }

    fn begin_entry(&mut self, kind: Kind, problem: &str) -> Done {
        if self.is_in_flow() {
            return Ok(());
        }
        if !self.allows_key {
            return self.malformed(problem);
        }
        self.roll(self.cursor.mark, None, kind)
    }

    fn value(&mut self) -> Done {
        let last = self.candidates.len() - 1;
        if self.is_valid(last)? {
            let Candidate { token, mark, .. } = self.candidates.get(last).copied().unwrap_or_default();
            let at = token.saturating_sub(self.taken).min(self.tokens.len());
            self.tokens.insert(at, Token { kind: Kind::Key, span: mark.at..mark.at });
            self.roll(mark, Some(token), Kind::BlockMapStart)?;
            if let Some(candidate) = self.candidates.get_mut(last) {
                candidate.is_possible = false;
            }
            self.by_token.remove(&token);
            self.allows_key = false;
        } else {
            self.begin_entry(Kind::BlockMapStart, "a : where no value can be; a text with \": \" in it needs quotes")?;
            self.allows_key = !self.is_in_flow();
        }
        self.indicator(1, Kind::Value);
        Ok(())
    }

    /// The beginning of a value, which may be a key.
    fn property(&mut self, read: fn(&mut Cursor) -> Result<Kind, Malformed>) -> Done {
        self.save_candidate()?;
        self.allows_key = false;
        let start = self.cursor.mark.at;
        let kind = read(&mut self.cursor)?;
        self.tokens.push_back(Token { kind, span: start..self.cursor.mark.at });
        Ok(())
    }
}
