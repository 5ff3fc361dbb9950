//! Values, and their places in the text.

use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

/// A value, and its bytes in the text.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place; that of an alias is where it is used.
    pub span: Range<usize>,
    /// Whether it is an alias: the value is written elsewhere.
    pub is_alias: bool,
}

/// The value of a node.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as JSON writes it.
    Number(Rc<str>),
    /// Text.
    String(Rc<str>),
    /// A sequence.
    List(Rc<[Node]>),
    /// A mapping, in its order.
    Map(Rc<[(Key, Node)]>),
}

/// The key of an entry of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name.
    pub name: Rc<str>,
    /// Where it is.
    pub span: Range<usize>,
}

impl Node {
    /// The value of a key, if this is a mapping that has it. Of a key that is given twice the last one counts, as for kubectl.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rfind(|(known, _)| &*known.name == key).map(|(_, value)| value)
    }

    /// The value at the end of these keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The items of a sequence; none of anything else.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// A string.
    pub fn text(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// Whether this is `true`.
    pub fn is_true(&self) -> bool {
        matches!(self.value, Value::Bool(true))
    }

    /// A number that is a `u32`.
    pub fn number(&self) -> Option<u32> {
        if let Value::Number(text) = &self.value { text.parse().ok() } else { None }
    }

    /// What this says as the name of a key.
    pub fn name(&self) -> Option<Rc<str>> {
        match &self.value {
            Value::String(text) | Value::Number(text) => Some(Rc::clone(text)),
            Value::Bool(value) => Some(value.to_string().into()),
            Value::Null => Some("null".into()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The same as JSON; a key that is given twice exists twice.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.value {
            Value::Null => json.push_str("null"),
            Value::Bool(value) => {
                let _ = write!(json, "{value}");
            }
            Value::Number(text) => json.push_str(text),
            Value::String(text) => write_string(text, json),
            Value::List(items) => {
                json.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    item.write_json(json);
                }
                json.push(']');
            }
            Value::Map(entries) => {
                json.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    write_string(&key.name, json);
                    json.push(':');
                    value.write_json(json);
                }
                json.push('}');
            }
        }
    }
}

fn write_string(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}
