//! Values as YAML and JSON write them, in the style of the text around them.

use crate::input::yaml::{self, Node, Value as Said};
use serde_json::Value;

/// How a text is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Its line ends.
    pub end: &'static str,
    /// Whether the dashes of a list are further right than its key.
    pub are_lists_indented: bool,
}

impl Style {
    /// The style of a text.
    pub fn of(text: &str) -> Style {
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let mut before = "";
        let are_lists_indented = lines.find_map(|line| {
            let key = std::mem::replace(&mut before, line);
            let is_list = key.trim_end().ends_with(':') && line.trim_start().starts_with("- ");
            // The key of an item's first field is where its name is.
            let column = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
            let dash = line.len() - line.trim_start().len();
            is_list.then(|| dash > column(key))
        });
        Style { end, are_lists_indented: are_lists_indented.unwrap_or_default() }
    }

    /// A value in block style, whose first line begins at this column.
    pub fn block(self, value: &Value, column: usize) -> String {
        let between = format!("{}{}", self.end, " ".repeat(column));
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let field = |(name, value): (&String, &Value)| self.field(name, value, column);
                fields.iter().map(field).collect::<Vec<_>>().join(&between)
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().map(|item| self.item(item, column)).collect::<Vec<_>>().join(&between)
            }
            value => flow(value, false),
        }
    }

    /// A field of a mapping at this column.
    pub fn field(self, name: &str, value: &Value, column: usize) -> String {
        let name = plain(name).unwrap_or_else(|| in_quotes(name));
        let below = match value {
            Value::Object(fields) if !fields.is_empty() => column + 2,
            Value::Array(items) if !items.is_empty() => column + if self.are_lists_indented { 2 } else { 0 },
            value => return format!("{name}: {}", flow(value, false)),
        };
        format!("{name}:{}{}{}", self.end, " ".repeat(below), self.block(value, below))
    }

    /// An item of a list whose dashes are at this column.
    pub fn item(self, value: &Value, column: usize) -> String {
        format!("- {}", self.block(value, column + 2))
    }
}

/// A value on one line.
pub fn flow(value: &Value, is_json: bool) -> String {
    match value {
        Value::String(text) if is_json => in_quotes(text),
        Value::String(text) => plain(text).unwrap_or_else(|| in_quotes(text)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| flow(item, is_json)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let name = |name: &String| plain(name).filter(|_| !is_json).unwrap_or_else(|| in_quotes(name));
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("{}: {}", name(key), flow(value, is_json))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        value => value.to_string(),
    }
}

/// A scalar that replaces another one, with the same quotes.
pub fn scalar(new: &Value, old: &str, is_json: bool) -> String {
    match new {
        Value::String(text) if old.starts_with('\'') && !text.contains(|text: char| text.is_control()) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Value::String(text) if old.starts_with('"') => in_quotes(text),
        new => flow(new, is_json),
    }
}

/// A text in double quotes, as both JSON and YAML read it: YAML takes no control character as it is, and folds line ends.
fn in_quotes(text: &str) -> String {
    let json = Value::from(text).to_string();
    let is_taken = |each: char| !each.is_control() && !matches!(each, '\u{2028}' | '\u{2029}' | '\u{feff}');
    json.chars()
        .map(|each| if is_taken(each) { each.to_string() } else { format!("\\u{:04x}", u32::from(each)) })
        .collect()
}

/// A text without quotes, if it means the same everywhere.
fn plain(text: &str) -> Option<String> {
    let says =
        |node: Option<&Node>| matches!(node.map(|node| &node.value), Some(Said::String(said)) if **said == *text);
    let is_fine = |written: &str, find: fn(&Node) -> Option<&Node>| {
        yaml::documents(written).is_ok_and(|documents| documents.len() == 1 && says(documents.first().and_then(find)))
    };
    let is_key = |written: &str| {
        yaml::documents(written).is_ok_and(|documents| {
            documents.first().is_some_and(|node| matches!(node.entries(), [(key, _)] if *key.name == *text))
        })
    };
    let is_short = !text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    let is_plain = is_short
        && text != "<<"
        && is_fine(&format!("a: {text}\n"), |node| node.get("a"))
        && is_fine(&format!("[{text}]\n"), |node| node.items().first())
        && is_fine(&format!("{{a: {text}}}\n"), |node| node.get("a"))
        && is_key(&format!("{text}: 1\n"))
        && is_key(&format!("{{{text}: 1}}\n"));
    is_plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Value, flow, in_quotes};
    use crate::input::yaml;

    #[test]
    fn what_yaml_takes_only_as_an_escape_is_written_as_one() {
        let text = "a\u{7f}\u{85}\u{9b}\u{2028}\u{feff}b \u{1f680} \"\\";
        let written = in_quotes(text);
        assert_eq!(written, "\"a\\u007f\\u0085\\u009b\\u2028\\ufeffb \u{1f680} \\\"\\\\\"");
        assert_eq!(flow(&Value::from(text), false), written);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        assert_eq!(yaml::documents(&written).unwrap()[0].text(), Some(text));
    }
}
