//! Scalars: in quotes, in blocks and plain.

use super::cursor::Cursor;
use super::token::Malformed;

/// Line breaks and spaces that may be folded, or that do not belong to the text.
#[derive(Default)]
struct Fold {
    spaces: String,
    first: String,
    more: String,
}

impl Fold {
    /// Skips blanks and line breaks; true if one was a line break.
    fn take(
        &mut self,
        cursor: &mut Cursor,
        mut is_broken: bool,
        check: impl Fn(&Cursor) -> Result<(), Malformed>,
    ) -> Result<bool, Malformed> {
        while cursor.is_blank(0) || cursor.is_break(0) {
            if cursor.is_blank(0) {
                if is_broken {
                    check(cursor)?;
                    cursor.skip();
                } else {
                    self.spaces.extend(cursor.take());
                }
            } else if is_broken {
                self.more.push_str(cursor.take_break());
            } else {
                self.spaces.clear();
                self.first.push_str(cursor.take_break());
                is_broken = true;
            }
        }
        Ok(is_broken)
    }

    /// Their result: one line break is a space; of several, one is dropped.
    fn write(&mut self, is_broken: bool, text: &mut String) {
        if !is_broken {
            text.push_str(&self.spaces);
        } else if self.first.starts_with('\n') {
            text.push_str(if self.more.is_empty() { " " } else { &self.more });
        } else {
            text.push_str(&self.first);
            text.push_str(&self.more);
        }
        *self = Fold::default();
    }
}

/// The text between quotes.
pub fn quoted(cursor: &mut Cursor, is_single: bool) -> Result<String, Malformed> {
    let start = cursor.mark.at;
    let quote = if is_single { b'\'' } else { b'"' };
    cursor.skip();
    let (mut text, mut fold) = (String::new(), Fold::default());
    loop {
        if cursor.is_document_indicator() {
            return Err(Malformed::new(start, "a quoted text that does not end in its document"));
        }
        if cursor.is_end() {
            return Err(Malformed::new(start, "a quoted text that does not end"));
        }
        let mut is_broken = false;
        while !cursor.is_gap(0) {
            match cursor.byte(0) {
                b'\'' if is_single && cursor.byte(1) == b'\'' => {
                    text.push('\'');
                    cursor.skip();
                    cursor.skip();
                }
                byte if byte == quote => break,
                b'\\' if !is_single && cursor.is_break(1) => {
                    cursor.skip();
                    cursor.take_break();
                    is_broken = true;
                    break;
                }
                b'\\' if !is_single => text.push(escaped(cursor)?),
                _ => text.extend(cursor.take()),
            }
        }
        if cursor.byte(0) == quote {
            cursor.skip();
            return Ok(text);
        }
        let was_escaped = is_broken;
        is_broken = fold.take(cursor, is_broken, |_| Ok(()))?;
        // After an escaped line break only further ones are folded.
        if was_escaped {
            let more = std::mem::take(&mut fold).more;
            text.push_str(&more);
        } else {
            fold.write(is_broken, &mut text);
        }
    }
}

/// A character after a backslash.
fn escaped(cursor: &mut Cursor) -> Result<char, Malformed> {
    let start = cursor.mark.at;
    cursor.skip();
    let (digits, simple) = match cursor.byte(0) {
        b'0' => (0, '\0'),
        b'a' => (0, '\x07'),
        b'b' => (0, '\x08'),
        b't' | b'\t' => (0, '\t'),
        b'n' => (0, '\n'),
        b'v' => (0, '\x0b'),
        b'f' => (0, '\x0c'),
        b'r' => (0, '\r'),
        b'e' => (0, '\x1b'),
        byte @ (b' ' | b'"' | b'\'' | b'\\') => (0, char::from(byte)),
        b'N' => (0, '\u{85}'),
        b'_' => (0, '\u{a0}'),
        b'L' => (0, '\u{2028}'),
        b'P' => (0, '\u{2029}'),
        b'x' => (2, ' '),
        b'u' => (4, ' '),
        b'U' => (8, ' '),
        _ => return Err(Malformed::new(start, "an escape that YAML does not know; in single quotes \\ is itself")),
    };
    cursor.skip();
    if digits == 0 {
        return Ok(simple);
    }
    let mut value: u32 = 0;
    for _ in 0..digits {
        let Some(digit) = char::from(cursor.byte(0)).to_digit(16) else {
            return Err(Malformed::new(start, "an escape with too few hexadecimal digits"));
        };
        value = value.wrapping_mul(16).wrapping_add(digit);
        cursor.skip();
    }
    char::from_u32(value).ok_or_else(|| Malformed::new(start, "an escape that is not a character"))
}

/// Text without quotes; true if a line break follows.
pub fn plain(cursor: &mut Cursor, is_in_flow: bool, indent: usize) -> Result<(String, usize, bool), Malformed> {
    let (mut text, mut fold, mut is_broken) = (String::new(), Fold::default(), false);
    let start = cursor.mark.at;
    let mut end = start;
    loop {
        if cursor.is_document_indicator() || cursor.byte(0) == b'#' {
            break;
        }
        while !cursor.is_gap(0) {
            let byte = cursor.byte(0);
            if byte == b':' && cursor.is_gap(1) || is_in_flow && b",?[]{}".contains(&byte) {
                break;
            }
            fold.write(is_broken, &mut text);
            is_broken = false;
            text.extend(cursor.take());
            end = cursor.mark.at;
        }
        if !(cursor.is_blank(0) || cursor.is_break(0)) {
            break;
        }
        is_broken = fold.take(cursor, is_broken, |cursor| {
            if cursor.mark.column < indent && cursor.byte(0) == b'\t' {
                return Err(Malformed::new(cursor.mark.at, "a tab where only spaces may indent"));
            }
            Ok(())
        })?;
        if !is_in_flow && cursor.mark.column < indent {
            break;
        }
    }
    Ok((text, end, is_broken))
}

/// `|` or `>` and the lines below it.
pub fn block(cursor: &mut Cursor, is_literal: bool, outer: isize) -> Result<(String, usize), Malformed> {
    let start = cursor.mark.at;
    let malformed = |problem: &str| Err(Malformed::new(start, problem));
    cursor.skip();
    let (mut chomping, mut increment) = (b' ', 0);
    for _ in 0..2 {
        match cursor.byte(0) {
            sign @ (b'+' | b'-') if chomping == b' ' => chomping = sign,
            b'0' if increment == 0 => return malformed("a block of text that is indented by 0"),
            digit @ b'1'..=b'9' if increment == 0 => increment = usize::from(digit - b'0'),
            _ => break,
        }
        cursor.skip();
    }
    while cursor.is_blank(0) {
        cursor.skip();
    }
    if cursor.byte(0) == b'#' {
        cursor.skip_line();
    }
    if !cursor.is_line_end(0) {
        return malformed("something after the | or > that begins a block of text");
    }
    cursor.take_break();
    let mut indent = if increment > 0 { usize::try_from(outer).unwrap_or(0) + increment } else { 0 };
    let (mut text, mut first, mut more) = (String::new(), String::new(), String::new());
    let mut end = breaks(cursor, &mut indent, outer, &mut more)?;
    let mut was_blank = false;
    while cursor.mark.column == indent && !cursor.is_end() {
        let is_blank = cursor.is_blank(0);
        if !is_literal && !was_blank && !is_blank && first.starts_with('\n') {
            if more.is_empty() {
                text.push(' ');
            }
        } else {
            text.push_str(&first);
        }
        text.push_str(&more);
        more.clear();
        was_blank = is_blank;
        while !cursor.is_line_end(0) {
            text.extend(cursor.take());
        }
        // As if the last line had a line break: `kubectl` adds it.
        first = if cursor.is_end() { "\n" } else { cursor.take_break() }.to_owned();
        end = breaks(cursor, &mut indent, outer, &mut more)?;
    }
    if chomping != b'-' {
        text.push_str(&first);
    }
    if chomping == b'+' {
        text.push_str(&more);
    }
    Ok((text, end))
}

/// Skips the indentation and empty lines of a block; returns the end of the last one.
fn breaks(cursor: &mut Cursor, indent: &mut usize, outer: isize, breaks: &mut String) -> Result<usize, Malformed> {
    let (mut most, mut end) = (0, cursor.mark.at);
    loop {
        let is_indentation = |cursor: &Cursor| *indent == 0 || cursor.mark.column < *indent;
        while is_indentation(cursor) && cursor.byte(0) == b' ' {
            cursor.skip();
        }
        most = most.max(cursor.mark.column);
        if is_indentation(cursor) && cursor.byte(0) == b'\t' {
            return Err(Malformed::new(cursor.mark.at, "a tab where only spaces may indent"));
        }
        if !cursor.is_break(0) {
            break;
        }
        breaks.push_str(cursor.take_break());
        end = cursor.mark.at;
    }
    if *indent == 0 {
        *indent = most.max(usize::try_from(outer + 1).unwrap_or(0)).max(1);
    }
    Ok(end)
}
