//! JSON → a tree, as Go reads it: one object after another, with surrogate pairs as characters.

use super::node::{Key, Node, Value};
use super::token::Malformed;
use std::rc::Rc;

const MAX_DEPTH: usize = 100;

/// The value that begins at a byte, and where it ends.
pub fn value(text: &str, at: usize) -> Result<(Node, usize), Malformed> {
    let mut reader = Reader { text, at };
    let node = reader.value(0)?;
    Ok((node, reader.at))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn malformed<T>(&self, problem: &str) -> Result<T, Malformed> {
        Err(Malformed::new(self.at, problem))
    }

    fn is_next(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_it = self.byte() == byte;
        self.at += usize::from(is_it);
        is_it
    }

    fn value(&mut self, depth: usize) -> Result<Node, Malformed> {
        if depth > MAX_DEPTH {
            return self.malformed(&format!("nested deeper than {MAX_DEPTH}"));
        }
        self.skip_space();
        let start = self.at;
        let value = match self.byte() {
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => Value::String(self.string()?.into()),
            b'-' | b'0'..=b'9' => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { value, span: start..self.at, is_alias: false })
    }

    fn word(&mut self) -> Result<Value, Malformed> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        for (word, value) in words {
            if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.malformed("not a JSON value")
    }

    fn number(&mut self) -> Result<Value, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end =
            rest.find(|text: char| !matches!(text, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = rest.get(..end).unwrap_or_default();
        if serde_json::from_str::<serde_json::Number>(number).is_err() {
            return self.malformed("not a JSON number");
        }
        self.at += end;
        Ok(Value::Number(number.into()))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        if self.is_next(b']') {
            return Ok(Value::List(items.into()));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.is_next(b']') {
                return Ok(Value::List(items.into()));
            }
            if !self.is_next(b',') {
                return self.malformed("a JSON list without , or ] after a value");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.at += 1;
        let mut entries = Vec::new();
        if self.is_next(b'}') {
            return Ok(Value::Map(entries.into()));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.byte() != b'"' {
                return self.malformed("a JSON key without quotes");
            }
            let name: Rc<str> = self.string()?.into();
            let span = start..self.at;
            if !self.is_next(b':') {
                return self.malformed("a JSON key without a : after it");
            }
            entries.push((Key { name, span }, self.value(depth + 1)?));
            if self.is_next(b'}') {
                return Ok(Value::Map(entries.into()));
            }
            if !self.is_next(b',') {
                return self.malformed("a JSON object without , or } after a value");
            }
        }
    }

    fn string(&mut self) -> Result<String, Malformed> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let end = rest.find(|text: char| text == '"' || text == '\\' || text < ' ').unwrap_or(rest.len());
            text.push_str(rest.get(..end).unwrap_or_default());
            self.at += end;
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => text.push(self.escaped()?),
                _ => return Err(Malformed::new(start, "a JSON string that does not end on its line")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        self.at += 2;
        Ok(match self.text.as_bytes().get(self.at - 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'u') => {
                let first = self.unit()?;
                let is_pair = (0xd800..0xdc00).contains(&first)
                    && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u"));
                let before = self.at;
                self.at += if is_pair { 2 } else { 0 };
                let second = if is_pair { self.unit()? } else { 0 };
                let paired = char::decode_utf16([first, second]).next().and_then(Result::ok);
                match paired {
                    Some(character) => {
                        if character.len_utf16() == 1 {
                            self.at = before;
                        }
                        character
                    }
                    None => {
                        self.at = before;
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => return self.malformed("an escape that JSON does not know"),
        })
    }

    fn unit(&mut self) -> Result<u16, Malformed> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.malformed("an escape with too few hexadecimal digits"),
        }
    }
}
