//! A value that is not shown.

use super::yaml::{Key, Node, Value};
use std::ops::Range;

/// The place of a secret, and its value.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its bytes in the text; empty: what follows is secret, as a comment may be.
    pub span: Range<usize>,
    /// Its value, if it differs from the written bytes.
    pub text: String,
}

impl Secret {
    /// A text without it, however it is quoted there. A shorter secret could not be told from other words.
    pub fn hidden_in(&self, text: &str) -> String {
        const SHORTEST: usize = 4;
        if self.text.len() < SHORTEST {
            return text.to_owned();
        }
        let quoted = format!("{:?}", self.text);
        let escaped = quoted.trim_matches('"');
        text.replace(&self.text, "***").replace(escaped, "***")
    }

    /// The value of this key is a secret, even if it is only a comment.
    pub fn behind(key: &Key) -> Secret {
        Secret { span: key.span.end..key.span.end, text: String::new() }
    }

    /// A key.
    pub fn key(key: &Key) -> Secret {
        Secret { span: key.span.clone(), text: key.name.to_string() }
    }
}

/// All scalars and keys below a node.
pub fn everything(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| everything(item, secrets)),
        Value::Map(entries) => {
            for (key, value) in entries.iter() {
                secrets.push(Secret::key(key));
                everything(value, secrets);
            }
        }
        Value::String(text) | Value::Number(text) => {
            secrets.push(Secret { span: node.span.clone(), text: text.to_string() })
        }
        Value::Bool(_) | Value::Null => secrets.push(Secret { span: node.span.clone(), text: String::new() }),
    }
}

/// The value of a key.
pub fn value(key: &Key, node: &Node, secrets: &mut Vec<Secret>) {
    secrets.push(Secret::behind(key));
    everything(node, secrets);
}

/// Everything below each key of a node, but not the key.
pub fn values(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::Map(entries) => entries.iter().for_each(|(key, node)| value(key, node, secrets)),
        _ => everything(node, secrets),
    }
}

/// `data` and `stringData` of a Secret, and the annotation with its applied state.
pub fn of_secret(node: &Node) -> Vec<Secret> {
    let mut secrets = Vec::new();
    let entries = node.entries().iter();
    entries
        .filter(|(key, _)| ["data", "stringdata"].contains(&&*normal(&key.name)))
        .for_each(|(_, data)| values(data, &mut secrets));
    applied(node, &mut secrets);
    secrets
}

/// The whole object as it was applied, which is in an annotation.
pub fn applied(object: &Node, secrets: &mut Vec<Secret>) {
    let annotations = object.at(&["metadata", "annotations"]).map_or(&[][..], Node::entries);
    annotations
        .iter()
        .filter(|(key, _)| key.name.ends_with("/last-applied-configuration"))
        .for_each(|(key, node)| value(key, node, secrets));
}

/// A key however it is spelled: without case, `-` and `_`.
pub fn normal(key: &str) -> String {
    key.chars().filter(|letter| !"-_ ".contains(*letter)).flat_map(char::to_lowercase).collect()
}
