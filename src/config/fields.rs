//! How the parts of a config are read: an object's fields, the place of an error, and all errors so far.

use super::json::Json;
use std::fmt;

/// The most entries that a list, or fields that an object, may have.
const MAX_ENTRIES: usize = 10_000;
/// The longest string, in bytes.
pub(super) const MAX_STRING: usize = 8192;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where in the config, as in `rules[1].split[0].weight`; empty: the whole of it.
    pub place: String,
    /// What is wrong: the value (secrets aside) and the limit.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.place, self.problem) }
    }
}

pub(super) fn string<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j str> {
    match json {
        Json::String(text) if text.len() <= MAX_STRING => Some(text),
        Json::String(text) => {
            errors.add(place, format_args!("{} bytes are more than {MAX_STRING}", text.len()));
            None
        }
        _ => {
            errors.kind(place, json, "a string");
            None
        }
    }
}

pub(super) fn boolean(json: &Json, place: &Place, errors: &mut Errors) -> Option<bool> {
    if let Json::Bool(value) = json {
        return Some(*value);
    }
    errors.kind(place, json, "true or false");
    None
}

pub(super) fn list<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j [Json]> {
    match json {
        Json::List(items) => few(items.len(), "entries", place, errors).then_some(items),
        _ => {
            errors.kind(place, json, "a list");
            None
        }
    }
}

/// Whether there are no more of them than may be.
pub(super) fn few(count: usize, what: &str, place: &Place, errors: &mut Errors) -> bool {
    if count > MAX_ENTRIES {
        errors.add(place, format_args!("{count} {what} are more than {MAX_ENTRIES}"));
    }
    count <= MAX_ENTRIES
}

/// A list where an empty one would say nothing, or something else than a reader may think.
pub(super) fn filled_list<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j [Json]> {
    let items = list(json, place, errors)?;
    if items.is_empty() {
        errors.add(place, "empty; leave it out if all are meant");
    }
    Some(items)
}

/// An object of which only these fields are known, each given at most once.
pub(super) fn known<'j>(json: &'j Json, place: &Place<'_>, names: &[&str], errors: &mut Errors) -> Option<Fields<'j>> {
    let fields = object(json, place, errors)?;
    fields.check_unknown(names, place, errors);
    fields.check_twice(names, place, errors);
    Some(fields)
}

pub(super) fn object<'j>(json: &'j Json, place: &Place<'_>, errors: &mut Errors) -> Option<Fields<'j>> {
    match json {
        Json::Object(fields) => few(fields.len(), "fields", place, errors).then_some(Fields(fields)),
        _ => {
            errors.kind(place, json, "an object");
            None
        }
    }
}

/// The fields of an object; one that is `null` is absent.
pub(super) struct Fields<'j>(&'j [(String, Json)]);

impl<'j> Fields<'j> {
    pub(super) fn given(&self) -> impl Iterator<Item = (&'j str, &'j Json)> {
        self.0.iter().filter(|(_, value)| *value != Json::Null).map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'j Json> {
        self.given().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given().next().is_none()
    }

    pub(super) fn check_unknown(&self, names: &[&str], place: &Place, errors: &mut Errors) {
        for (name, _) in self.0 {
            if !names.contains(&name.as_str()) {
                errors.add(&place.field(name), format_args!("unknown field; known are {}", names.join(", ")));
            }
        }
    }

    pub(super) fn check_twice(&self, names: &[&str], place: &Place, errors: &mut Errors) {
        for name in names {
            if self.0.iter().filter(|(n, _)| n == name).count() > 1 {
                errors.add(&place.field(name), "given twice");
            }
        }
    }
}

/// All that is wrong so far.
#[derive(Default)]
pub(super) struct Errors(pub(super) Vec<ConfigError>);

impl Errors {
    #[cold]
    #[inline(never)]
    pub(super) fn add(&mut self, place: &Place<'_>, problem: impl fmt::Display) {
        self.0.push(ConfigError { place: place.to_string(), problem: problem.to_string() });
    }

    pub(super) fn kind(&mut self, place: &Place<'_>, json: &Json, wanted: &str) {
        self.add(place, format_args!("{}, not {wanted}", json.kind()));
    }
}

/// Where in the config; made into text only where there is an error.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    pub(super) fn field(&'p self, name: &'p str) -> Place<'p> {
        Place::Field(self, name)
    }

    pub(super) fn index(&'p self, index: usize) -> Place<'p> {
        Place::Index(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Place::Field(parent, name) => {
                let plain = !name.is_empty()
                    && name.len() <= 64
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                match (parent, plain) {
                    (Place::Root, true) => f.write_str(name),
                    (_, true) => write!(f, "{parent}.{name}"),
                    (_, false) => write!(f, "{parent}[{}]", quoted(name)),
                }
            }
        }
    }
}

/// A value as it is shown in an error: quoted, all beyond visible ASCII escaped, not longer than a line.
pub(super) fn quoted(value: &str) -> String {
    let mut quoted = "\"".to_owned();
    for (count, c) in value.chars().enumerate() {
        if count == 64 {
            quoted.push_str("\"…");
            return quoted;
        }
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}
