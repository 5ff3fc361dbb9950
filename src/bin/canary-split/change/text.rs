//! Edits of a rule in the text that it is written in; every other byte stays.

use super::edit::{Edit, Shown, Step};
use super::rule::Chosen;
use crate::input::manifest::PluginConfig;
use crate::input::yaml::{self, Key, Node};
use serde_json::Value;
use std::ops::Range;

/// What was done at a place.
pub struct Done {
    /// What was written there; `None`: nothing.
    pub old: Option<String>,
    /// Where, from 1.
    pub line: usize,
}

/// The text with these edits, and what was done for each of them.
///
/// # Errors
///
/// If anything else would then say something else.
pub fn edited(
    config: &PluginConfig,
    documents: &[Node],
    rule: Chosen,
    edits: &[Edit],
) -> Result<(String, Vec<Done>), String> {
    let old = &config.source.text;
    let mut changes = Vec::new();
    let mut done = Vec::new();
    for edit in edits {
        let (change, old) = change(config, documents, rule, edit)?;
        done.push(Done { old, line: config.source.position(change.0.start).0 });
        changes.push(change);
    }
    changes.sort_by_key(|(span, _)| span.start);
    let mut text = String::with_capacity(old.len() + 64);
    let mut end = 0;
    for (span, new) in &changes {
        text.push_str(old.get(end..span.start).unwrap_or_default());
        text.push_str(new);
        end = span.end;
    }
    text.push_str(old.get(end..).unwrap_or_default());
    let mut new = json(rule.node);
    edits.iter().for_each(|edit| edit.apply(&mut new));
    let expected: Vec<Value> = documents.iter().map(|node| with(node, &rule.node.span, &new)).collect();
    if yaml::documents(&text).is_ok_and(|documents| documents.iter().map(json).eq(expected)) {
        return Ok((text, done));
    }
    Err(format!(
        "{}: rule {} cannot be edited without changing more than that; is it read elsewhere by an alias? Edit it by hand",
        config.source.name, rule.name
    ))
}

fn json(node: &Node) -> Value {
    serde_json::from_str(&node.to_json()).unwrap_or_default()
}

/// A document with another value at these bytes.
fn with(node: &Node, span: &Range<usize>, value: &Value) -> Value {
    if node.span == *span && !node.entries().is_empty() {
        return value.clone();
    }
    if !node.entries().is_empty() {
        return node.entries().iter().map(|(key, inner)| (key.name.to_string(), with(inner, span, value))).collect();
    }
    if !node.items().is_empty() {
        return node.items().iter().map(|inner| with(inner, span, value)).collect();
    }
    json(node)
}

/// The bytes that are replaced, by which, and what was there.
fn change(
    config: &PluginConfig,
    documents: &[Node],
    rule: Chosen,
    edit: &Edit,
) -> Result<((Range<usize>, String), Option<String>), String> {
    let text = &config.source.text;
    let impossible = || format!("rule {} has no {}; write one into the file first", rule.name, Shown(&edit.path));
    let (last, way) = edit.path.split_last().ok_or_else(impossible)?;
    let parent = way.iter().try_fold(rule.node, step).ok_or_else(impossible)?;
    let node = step(parent, last);
    // What an alias reads elsewhere is what is in it.
    let touched = node.or_else(|| parent.entries().first().map(|(_, value)| value)).unwrap_or(parent);
    if !is_written_there(documents, &touched.span) {
        let (line, column) = config.source.position(touched.span.start);
        return Err(format!(
            "{}:{line}:{column}: {} of rule {} is in or behind an alias, and says something elsewhere too; edit it by hand",
            config.source.name,
            Shown(&edit.path),
            rule.name
        ));
    }
    let old = node.and_then(|node| text.get(node.span.clone())).map(str::to_owned);
    let change = match (node, &edit.new, last) {
        (Some(node), Some(new), _) => (node.span.clone(), scalar(new, old.as_deref().unwrap_or_default())),
        (Some(node), None, Step::Field(name)) => {
            let (key, _) = parent.entries().iter().rfind(|(key, _)| *key.name == **name).ok_or_else(impossible)?;
            (removed(text, parent, key.span.start, node), String::new())
        }
        (Some(node), None, Step::Item(_)) => (removed(text, parent, node.span.start, node), String::new()),
        (None, Some(new), Step::Field(name)) => {
            let (first, _) = parent.entries().first().ok_or_else(impossible)?;
            added(text, parent, first, name, new)
        }
        (None, ..) => return Err(impossible()),
    };
    Ok((change, old))
}

fn step<'n>(node: &'n Node, step: &Step) -> Option<&'n Node> {
    match step {
        Step::Field(name) => node.get(name),
        Step::Item(at) => node.items().get(*at),
    }
}

/// A value as it is written in the place of another one, with its quotes.
fn scalar(new: &Value, old: &str) -> String {
    match new {
        Value::String(new) => {
            let quote = old.chars().next().filter(|first| ['"', '\''].contains(first));
            let quote = quote.map(String::from).unwrap_or_default();
            format!("{quote}{new}{quote}")
        }
        new => new.to_string(),
    }
}

/// A field before the first one.
fn added(text: &str, parent: &Node, first: &Key, name: &str, new: &Value) -> (Range<usize>, String) {
    let at = first.span.start;
    let is_quoted = text.get(first.span.clone()).is_some_and(|key| key.starts_with('"'));
    let entry = if is_quoted { format!("\"{name}\": {new}") } else { format!("{name}: {}", scalar(new, "")) };
    let between = if is_flow(parent, text) {
        ", ".to_owned()
    } else {
        format!("{}{}", if text.contains("\r\n") { "\r\n" } else { "\n" }, " ".repeat(at - line_start(text, at)))
    };
    (at..at, format!("{entry}{between}"))
}

/// The bytes of an entry or item with what divides it from the others: its lines, or the comma next to it.
fn removed(text: &str, parent: &Node, start: usize, value: &Node) -> Range<usize> {
    let end = start + text.get(start..value.span.end).map_or(0, |text| text.trim_end().len());
    let rest = text.get(end..).unwrap_or_default();
    if is_flow(parent, text) {
        if let Some(tail) = rest.trim_start().strip_prefix(',') {
            return start..text.len() - tail.trim_start_matches([' ', '\t']).len();
        }
        let before = text.get(..start).unwrap_or_default().trim_end();
        return before.strip_suffix(',').map_or(start, str::len)..end;
    }
    let line = line_start(text, start);
    let before = text.get(line..start).unwrap_or_default().trim();
    let end_of_line = rest.find('\n').map_or(text.len(), |at| end + at + 1);
    let is_item = !parent.items().is_empty();
    if before.is_empty() || is_item && before == "-" {
        return line..end_of_line;
    }
    // The first of an item, after its dash: what follows takes its place.
    let next = parent.entries().iter().map(|(key, _)| key.span.start).filter(|at| *at > start).min();
    start..next.unwrap_or(end)
}

fn is_flow(node: &Node, text: &str) -> bool {
    text.get(node.span.clone()).is_some_and(|text| text.starts_with(['{', '[']))
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Whether a value is written at these bytes and read nowhere else: not through an alias or a merged mapping.
fn is_written_there(documents: &[Node], span: &Range<usize>) -> bool {
    fn uses(node: &Node, span: &Range<usize>, is_alias: bool) -> usize {
        let is_alias = is_alias || node.is_alias;
        let below = node.items().iter().chain(node.entries().iter().map(|(_, value)| value));
        // One that is read in two places counts twice.
        let own = if node.span == *span { 1 + usize::from(is_alias) } else { 0 };
        own + below.map(|node| uses(node, span, is_alias)).sum::<usize>()
    }
    documents.iter().map(|node| uses(node, span, false)).sum::<usize>() == 1
}
