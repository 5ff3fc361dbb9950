//! How a config is read: the fields of an object, the place of an error, and all errors so far.

use super::json::Json;
use std::fmt;

/// The most entries that a list, or fields that an object, may have.
const MAX_ENTRIES: usize = 10_000;
/// The longest string, in bytes.
pub(super) const MAX_STRING: usize = 8192;

/// An error and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The place in the config, as in `rules[1].split[0].weight`; empty: all of it.
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

/// Whether their number is within the limit.
pub(super) fn few(count: usize, what: &str, place: &Place, errors: &mut Errors) -> bool {
    if count > MAX_ENTRIES {
        errors.add(place, format_args!("{count} {what} are more than {MAX_ENTRIES}"));
    }
    count <= MAX_ENTRIES
}

/// A list that may not be empty: an empty one would say nothing, or not what a reader expects.
pub(super) fn filled_list<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j [Json]> {
    let items = list(json, place, errors)?;
    if items.is_empty() {
        errors.add(place, "empty; leave it out if all are meant");
    }
    Some(items)
}

/// An object that may have these fields only, each at most once.
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

/// All errors so far.
#[derive(Default)]
pub(super) struct Errors(pub(super) Vec<ConfigError>);

impl Errors {
    #[cold]
    #[inline(never)]
    pub(super) fn add(&mut self, place: &Place<'_>, problem: impl fmt::Display) {
        self.0.push(ConfigError { place: place.to_string(), problem: problem.to_string() });
    }

    /// A value of the wrong kind.
    pub(super) fn kind(&mut self, place: &Place<'_>, json: &Json, wanted: &str) {
        let kind = json.kind();
        match *json != Json::Null && place.may_show(json) {
            true => self.add(place, format_args!("{} is {kind}, not {wanted}", shown(json))),
            false => self.add(place, format_args!("{kind}, not {wanted}")),
        }
    }
}

/// A place in the config; becomes text only for an error.
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

    /// The names of the fields that lead here, the innermost first.
    fn names(&self) -> impl Iterator<Item = &'p str> {
        let mut place = Some(*self);
        std::iter::from_fn(move || {
            loop {
                match place? {
                    Place::Root => place = None,
                    Place::Index(parent, _) => place = Some(*parent),
                    Place::Field(parent, name) => {
                        place = Some(*parent);
                        return Some(name);
                    }
                }
            }
        })
    }

    /// Whether a value in this place may be a secret.
    pub(super) fn is_secret(&self) -> bool {
        self.names().any(|name| SECRET.contains(&name))
    }

    /// Whether this value of the wrong type may be shown: neither it nor anything in it is a secret.
    fn may_show(&self, json: &Json) -> bool {
        /// The kinds of values that secrets are in.
        const AROUND: [&str; 4] = ["rules", "match", "remember", "forget"];
        // A whole config may be in a string too.
        let may_hold_some = matches!(json, Json::List(_) | Json::Object(_) | Json::String(_));
        let is_around = self.names().all(|name| AROUND.contains(&name));
        !(self.is_secret() || holds_secrets(json) || may_hold_some && is_around)
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

/// The fields whose values are secrets.
const SECRET: [&str; 6] = ["seal", "headers", "withoutHeaders", "queryParams", "cookies", "claims"];

/// Whether a field in here has the name of a secret, or matches one: it may be in the wrong place.
fn holds_secrets(json: &Json) -> bool {
    match json {
        Json::List(items) => items.iter().any(holds_secrets),
        Json::Object(fields) => fields.iter().any(|(name, value)| {
            SECRET.contains(&&**name) || matches!(&**name, "exact" | "prefix" | "regex") || holds_secrets(value)
        }),
        _ => false,
    }
}

/// A JSON value as it is shown in an error: not longer than a line.
fn shown(json: &Json) -> String {
    let mut text = String::new();
    write_json(json, &mut text);
    match text.char_indices().nth(MAX_SHOWN + 2) {
        Some((end, _)) => {
            text.truncate(end);
            text.push('…');
            text
        }
        None => text,
    }
}

fn write_json(json: &Json, text: &mut String) {
    let mut list = |items: &mut dyn Iterator<Item = (Option<&String>, &Json)>, [open, close]: [char; 2]| {
        text.push(open);
        for (at, (name, item)) in items.enumerate() {
            if text.len() > 4 * MAX_SHOWN {
                return;
            }
            if at > 0 {
                text.push(',');
            }
            if let Some(name) = name {
                text.push_str(&quoted(name));
                text.push(':');
            }
            write_json(item, text);
        }
        text.push(close);
    };
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => text.push_str(number),
        Json::String(string) => text.push_str(&quoted(string)),
        Json::List(items) => list(&mut items.iter().map(|item| (None, item)), ['[', ']']),
        Json::Object(fields) => list(&mut fields.iter().map(|(name, value)| (Some(name), value)), ['{', '}']),
    }
}

/// The most characters of a value that an error shows.
const MAX_SHOWN: usize = 64;

/// A value as it is shown in an error: quoted, all beyond visible ASCII escaped, not longer than a line.
pub(super) fn quoted(value: &str) -> String {
    let mut quoted = "\"".to_owned();
    for (count, c) in value.chars().enumerate() {
        if count == MAX_SHOWN {
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
