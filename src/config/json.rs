//! JSON text → trees that keep what the text said: repeated fields, and numbers as they were written.
//!
//! A text can also be split one level at a time, so that only one of ten thousand rules has to be a tree.
//!
//! The only user of serde.

use crate::order::sorted;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Json>),
    /// The fields of an object by name, repeated ones in the order of the text: protobuf keeps no order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these fields.
    pub fn object(fields: Vec<(String, Json)>) -> Json {
        // As protobuf writes them.
        if fields.is_sorted_by(|(a, _), (b, _)| a <= b) {
            return Json::Object(fields);
        }
        let name = |at: usize| fields.get(at).map(|(name, _)| name);
        let places = sorted(fields.len(), &|a, b| name(a).cmp(&name(b)));
        let mut fields: Vec<_> = fields.into_iter().map(Some).collect();
        Json::Object(places.into_iter().filter_map(|at| fields.get_mut(at)?.take()).collect())
    }

    /// What kind of value this is, for error texts.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// A piece of JSON text whose syntax has been checked, except for depth and string escapes.
///
/// serde_json's `RawValue` would work too, but adds the code that prints doubles: a tenth of the module.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    /// Checks a text's syntax.
    ///
    /// # Errors
    ///
    /// The syntax error, with line and column.
    pub fn parse(text: &'t [u8]) -> Result<Text<'t>, String> {
        serde_json::from_slice::<IgnoredAny>(text).map_err(|error| error.to_string())?;
        std::str::from_utf8(text).map(|text| Text(text.trim_ascii())).map_err(|error| error.to_string())
    }

    /// The text, without white space around it.
    pub fn as_str(self) -> &'t str {
        self.0
    }

    /// All of it as a tree.
    ///
    /// # Errors
    ///
    /// If it is nested too deeply (127 levels), or a string contains an invalid escape.
    pub fn tree(self) -> Result<Json, String> {
        // The same reader as in `parse`: a second one would double the code.
        serde_json::from_slice(self.0.as_bytes()).map_err(|error| error.to_string())
    }

    /// The fields, if it is an object whose names can be read.
    pub fn fields(self) -> Option<Vec<(String, Text<'t>)>> {
        let inner = self.0.strip_prefix('{')?.strip_suffix('}')?;
        let field = |text: &'t str| {
            let mut parts = split(text, b':');
            match parts.next()?.tree() {
                Ok(Json::String(name)) => Some((name, parts.next()?)),
                _ => None,
            }
        };
        split(inner, b',').map(|Text(text)| field(text)).collect()
    }

    /// Whether it is a list.
    pub fn is_list(self) -> bool {
        self.0.starts_with('[')
    }

    /// The items of a list; anything else has none.
    pub fn items(self) -> impl Iterator<Item = Text<'t>> {
        split(self.0.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default(), b',')
    }
}

/// Splits correct JSON at separators that are neither in a string nor nested; an empty text has no parts.
fn split(text: &str, separator: u8) -> Parts<'_> {
    Parts { rest: (!text.trim_ascii().is_empty()).then_some(text), separator }
}

struct Parts<'t> {
    rest: Option<&'t str>,
    separator: u8,
}

impl<'t> Iterator for Parts<'t> {
    type Item = Text<'t>;

    fn next(&mut self) -> Option<Text<'t>> {
        let text = self.rest.take()?;
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        let mut end = None;
        // A loop: with closures this build profile makes one call a byte.
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            if in_string {
                in_string = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ if depth == 0 && byte == self.separator => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        self.rest = end.and_then(|end| text.get(end + 1..));
        Some(Text(text.get(..end.unwrap_or(text.len()))?.trim_ascii()))
    }
}

/// serde_json, with numbers of arbitrary precision, represents a number that is not a 64-bit integer as an object whose only
/// field has this name.
const NUMBER: &str = "$serde_json::private::Number";

/// A text may use that name itself.
fn is_number(text: &str) -> bool {
    let is_json = Text::parse(text.as_bytes()).is_ok_and(|parsed| parsed.0.len() == text.len());
    is_json && text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    /// No number arrives as a double; otherwise serde_json would need the code that prints one.
    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            match value {
                Json::String(number) if name == NUMBER && is_number(&number) => return Ok(Json::Number(number)),
                value => fields.push((name, value)),
            }
        }
        Ok(Json::object(fields))
    }
}
