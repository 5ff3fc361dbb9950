//! JSON text → trees that still know what the text said: fields that were given twice, numbers as they were written.
//!
//! A text can also be taken apart one level at a time, so that of ten thousand rules no more than one has to be a tree.
//!
//! The only user of serde.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
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
    pub fn object(mut fields: Vec<(String, Json)>) -> Json {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Json::Object(fields)
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

/// A piece of JSON text whose syntax has been checked, but for depth and escapes of strings.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    /// Checks a text's syntax.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with line and column.
    pub fn parse(text: &'t [u8]) -> Result<Text<'t>, String> {
        serde_json::from_slice(text).map(|raw: &RawValue| Text(raw.get())).map_err(|error| error.to_string())
    }

    /// The text, without white space around it.
    pub fn as_str(self) -> &'t str {
        self.0
    }

    /// All of it as a tree.
    ///
    /// # Errors
    ///
    /// If it is nested too deeply (127 levels), or an escape in a string stands for no character.
    pub fn tree(self) -> Result<Json, String> {
        serde_json::from_str(self.0).map_err(|error| error.to_string())
    }

    /// The fields, if it is an object whose names can be read.
    pub fn fields(self) -> Option<Vec<(String, Text<'t>)>> {
        if !self.0.starts_with('{') {
            return None;
        }
        serde_json::from_str(self.0).ok().map(|Fields(fields)| fields)
    }

    /// Whether it is a list.
    pub fn is_list(self) -> bool {
        self.0.starts_with('[')
    }

    /// The items of a list; anything else has none.
    pub fn items(self) -> Vec<Text<'t>> {
        let items: Vec<&RawValue> = serde_json::from_str(self.0).unwrap_or_default();
        items.into_iter().map(|raw| Text(raw.get())).collect()
    }
}

/// What serde_json, asked for numbers of arbitrary precision, calls the one field of an object that stands for a number that is
/// no integer of 64 bits.
const NUMBER: &str = "$serde_json::private::Number";

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
            if name == NUMBER {
                return Ok(Json::Number(map.next_value()?));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(Json::object(fields))
    }
}

/// An object of which only the names have been read.
struct Fields<'t>(Vec<(String, Text<'t>)>);

impl<'t> Deserialize<'t> for Fields<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'t> Visitor<'t> for Names {
    type Value = Fields<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Fields<'t>, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
            fields.push((name, Text(raw.get())));
        }
        Ok(Fields(fields))
    }
}
