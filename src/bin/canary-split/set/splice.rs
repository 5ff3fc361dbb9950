//! Numbers in a text are replaced where they stand; every other byte stays.

use crate::input::sources::Source;
use crate::input::yaml::{self, Node, Value};
use std::ops::Range;

/// Where a weight stands.
pub struct Weight {
    /// Whose it is.
    pub subset: String,
    /// Its bytes.
    pub span: Range<usize>,
}

/// The weight that a number says.
pub fn weight(node: &Node) -> Option<u32> {
    let Value::Number(text) = &node.value else { return None };
    // A double holds every weight, in whatever form it is written.
    let number: f64 = text.parse().ok()?;
    let weight = number as u32;
    (f64::from(weight) == number).then_some(weight)
}

/// Whether a value is written at these bytes and read nowhere else: not through an alias or a merged mapping.
pub fn is_written_there(documents: &[Node], span: &Range<usize>) -> bool {
    fn uses(node: &Node, span: &Range<usize>, is_alias: bool) -> usize {
        let is_alias = is_alias || node.is_alias;
        let below = node.items().iter().chain(node.entries().iter().map(|(_, value)| value));
        // One that is read in two places counts twice.
        let own = if node.span == *span { 1 + usize::from(is_alias) } else { 0 };
        own + below.map(|node| uses(node, span, is_alias)).sum::<usize>()
    }
    documents.iter().map(|node| uses(node, span, false)).sum::<usize>() == 1
}

/// The text with these numbers in place of the old ones.
///
/// # Errors
///
/// If anything else would then say something else.
pub fn spliced(source: &Source, edits: &[(Weight, u32)], documents: &[Node]) -> Result<String, String> {
    let mut text = String::with_capacity(source.text.len() + 16);
    let mut end = 0;
    for (weight, new) in edits {
        text.push_str(source.text.get(end..weight.span.start).unwrap_or_default());
        text.push_str(&new.to_string());
        end = weight.span.end;
    }
    text.push_str(source.text.get(end..).unwrap_or_default());
    let is_edited = |span: &Range<usize>| edits.iter().any(|(weight, _)| weight.span == *span);
    let is_right = yaml::documents(&text).is_ok_and(|new| {
        new.len() == documents.len() && documents.iter().zip(&new).all(|(old, new)| is_same(old, new, &is_edited))
    });
    if is_right {
        Ok(text)
    } else {
        Err(format!(
            "{}: cannot be edited without changing more than the weights; is one read elsewhere by an alias?",
            source.name
        ))
    }
}

/// Whether a value says the same, but for what was edited, which is a number.
fn is_same(old: &Node, new: &Node, is_edited: &dyn Fn(&Range<usize>) -> bool) -> bool {
    match (&old.value, &new.value) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same(a, b, is_edited))
        }
        (Value::Map(a), Value::Map(b)) => {
            let is_entry = |((a, old), (b, new)): ((&yaml::Key, &Node), (&yaml::Key, &Node))| {
                a.name == b.name && is_same(old, new, is_edited)
            };
            a.len() == b.len() && a.iter().map(|(k, v)| (k, v)).zip(b.iter().map(|(k, v)| (k, v))).all(is_entry)
        }
        (Value::Number(_), Value::Number(_)) if is_edited(&old.span) => true,
        (Value::Number(a), Value::Number(b)) | (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}
