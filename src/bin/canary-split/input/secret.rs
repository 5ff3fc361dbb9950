//! A value that is not shown.

use super::yaml::{Node, Value};
use std::ops::Range;

/// Where a secret is, and what it says.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What it says, if that is more than the written bytes.
    pub text: String,
}

impl Secret {
    /// A text without it, however it is quoted there. What is shorter than this could not be told from other words.
    pub fn hidden_in(&self, text: &str) -> String {
        const SHORTEST: usize = 4;
        if self.text.len() < SHORTEST {
            return text.to_owned();
        }
        let quoted = format!("{:?}", self.text);
        let escaped = quoted.trim_matches('"');
        text.replace(&self.text, "***").replace(escaped, "***")
    }
}

/// All scalars below a node.
pub fn scalars(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| scalars(item, secrets)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| scalars(value, secrets)),
        Value::String(text) | Value::Number(text) => {
            secrets.push(Secret { span: node.span.clone(), text: text.to_string() })
        }
        Value::Bool(_) | Value::Null => secrets.push(Secret { span: node.span.clone(), text: String::new() }),
    }
}

/// `data` and `stringData` of a Secret.
pub fn of_secret(node: &Node) -> Vec<Secret> {
    let mut secrets = Vec::new();
    ["data", "stringData"].iter().filter_map(|key| node.get(key)).for_each(|data| scalars(data, &mut secrets));
    secrets
}
