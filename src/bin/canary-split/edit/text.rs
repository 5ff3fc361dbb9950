//! Edits in the text of an object; every other byte stays.

use super::edit::Edit;
use super::patch;
use super::path::Step;
use super::spot::{Splice, Spot};
use super::style::Style;
use crate::input::yaml::{self, Node};
use serde_json::Value;
use std::ops::Range;

/// An edited text.
#[derive(Debug)]
pub struct Edited {
    /// All of it.
    pub text: String,
    /// The result of each edit.
    pub done: Vec<Done>,
}

/// An edit that was made.
#[derive(Debug)]
pub struct Done {
    /// The old text there; `None`: none.
    pub old: Option<String>,
    /// Where that was, in bytes of the old text.
    pub at: usize,
}

/// Why a text cannot be edited.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The place of this edit does not exist.
    Missing(usize),
    /// The place of this edit, at this byte of the old text, is in or behind an alias, and is used elsewhere too.
    Aliased(usize, usize),
    /// More would change than the edits say.
    Unwritable,
}

/// Applies edits to the value at these bytes.
///
/// # Errors
///
/// If anything else would change its meaning, or the result is not as asked for.
pub fn edited(old: &str, root: &Range<usize>, edits: &[Edit]) -> Result<Edited, Refused> {
    let mut documents = yaml::documents(old).map_err(|_| Refused::Unwritable)?;
    let (document, base) = address(&documents, root).ok_or(Refused::Unwritable)?;
    let mut expected: Vec<Value> = documents.iter().map(json).collect();
    let style = Style::of(old);
    let (mut text, mut done, mut splices) = (old.to_owned(), Vec::new(), Vec::<Splice>::new());
    for (number, edit) in edits.iter().enumerate() {
        let edit = edit.below(&base);
        let missing = || Refused::Missing(number);
        let root = documents.get(document).ok_or(Refused::Unwritable)?;
        let (last, way) = edit.path.split_last().ok_or_else(missing)?;
        let mut parents = vec![root];
        for step in way {
            parents.extend(parents.last().and_then(|node| step.of_node(node)));
        }
        let parent = *parents.last().filter(|_| parents.len() == edit.path.len()).ok_or_else(missing)?;
        let node = last.of_node(parent);
        // An alias contains what it reads elsewhere.
        let near = || parent.entries().first().map(|(_, value)| value).or(parent.items().last());
        let touched = node.or_else(near).unwrap_or(parent);
        if parents.iter().any(|node| node.is_alias) || !is_written_there(&documents, &touched.span) {
            return Err(Refused::Aliased(number, before(&splices, touched.span.start)));
        }
        let is_json = parents.iter().any(|node| is_json(&text, node));
        let spot = Spot { text: &text, style, parent, is_json };
        let (span, new) = spot.splice(last, &edit.action).ok_or_else(missing)?;
        let was = node.and_then(|node| text.get(node.span.clone())).map(str::to_owned);
        done.push(Done { old: was, at: before(&splices, node.map_or(span.start, |node| node.span.start)) });
        if text.get(span.clone()).is_none() {
            return Err(Refused::Unwritable);
        }
        text.replace_range(span.clone(), &new);
        splices.push((span, new));
        documents = yaml::documents(&text).map_err(|_| Refused::Unwritable)?;
        let value = expected.get_mut(document).ok_or(Refused::Unwritable)?;
        patch::apply(value, std::slice::from_ref(&edit)).map_err(|_| missing())?;
        if !documents.iter().map(json).eq(expected.iter().cloned()) {
            return Err(Refused::Unwritable);
        }
    }
    Ok(Edited { text, done })
}

fn json(node: &Node) -> Value {
    serde_json::from_str(&node.to_json()).unwrap_or_default()
}

/// The document with the value at these bytes, and the path to it.
fn address(documents: &[Node], span: &Range<usize>) -> Option<(usize, Vec<Step>)> {
    fn find(node: &Node, span: &Range<usize>, way: &mut Vec<Step>) -> bool {
        if node.span == *span {
            return true;
        }
        let fields = node.entries().iter().map(|(key, value)| (Step::Field(key.name.to_string()), value));
        let items = node.items().iter().enumerate().map(|(at, value)| (Step::Item(at), value));
        for (step, value) in fields.chain(items) {
            way.push(step);
            if find(value, span, way) {
                return true;
            }
            way.pop();
        }
        false
    }
    let mut way = Vec::new();
    let document = documents.iter().position(|node| find(node, span, &mut way))?;
    Some((document, way))
}

/// The place of a byte before all edits.
fn before(splices: &[Splice], at: usize) -> usize {
    splices.iter().rev().fold(at, |at, (span, new)| {
        if at >= span.start + new.len() { at - new.len() + span.len() } else { at.min(span.start) }
    })
}

/// Whether a mapping is JSON: in braces, with quotes around its keys.
fn is_json(text: &str, node: &Node) -> bool {
    let is_quoted = |(key, _): &(yaml::Key, Node)| text.get(key.span.clone()).is_some_and(|key| key.starts_with('"'));
    text.get(node.span.clone()).is_some_and(|text| text.starts_with('{'))
        && node.entries().first().is_some_and(is_quoted)
}

/// Whether a value is written at these bytes and read nowhere else: not through an alias or a merged mapping.
fn is_written_there(documents: &[Node], span: &Range<usize>) -> bool {
    fn uses(node: &Node, span: &Range<usize>, is_alias: bool) -> usize {
        let is_alias = is_alias || node.is_alias;
        let below = node.items().iter().chain(node.entries().iter().map(|(_, value)| value));
        // A value that is read in two places counts twice.
        let own = if node.span == *span { 1 + usize::from(is_alias) } else { 0 };
        own + below.map(|node| uses(node, span, is_alias)).sum::<usize>()
    }
    documents.iter().map(|node| uses(node, span, false)).sum::<usize>() == 1
}
