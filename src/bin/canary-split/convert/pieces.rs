//! The parts of a text that are edited separately: an edit of one object need not read the others again.

use crate::input::yaml::{self, Node};
use std::ops::Range;

/// A part of a text.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its bytes.
    pub span: Range<usize>,
    /// The object in it, if it is an item of a `List`.
    pub item: Option<Item>,
}

/// How an item of a `List` is written.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// In lines of its own, with its dash.
    Dashed,
    /// In braces.
    Braced,
}

impl Item {
    /// The item in the documents of its piece.
    pub fn of(self, documents: &[Node]) -> Option<&Node> {
        match (self, documents) {
            (Item::Dashed, [list]) => list.items().first(),
            (Item::Braced, [item]) => Some(item),
            _ => None,
        }
    }
}

/// The documents of a text, in order; of a `List`, its items.
pub fn of(text: &str) -> Vec<Piece> {
    let whole = |span| Piece { span, item: None };
    yaml::pieces(text).into_iter().flat_map(|span| items(text, &span).unwrap_or_else(|| vec![whole(span)])).collect()
}

/// The items of a `List`, if none of them says anything that is written elsewhere.
fn items(text: &str, span: &Range<usize>) -> Option<Vec<Piece>> {
    let documents = yaml::documents(text.get(span.clone())?).ok()?;
    let [list] = documents.as_slice() else { return None };
    let items = list.get("items")?.items();
    if items.is_empty() || !list.get("kind")?.text()?.ends_with("List") || !is_whole(list) {
        return None;
    }
    let item = |item: &Node| piece(text, span.start + item.span.start..span.start + item.span.end);
    items.iter().map(item).collect()
}

/// Whether everything in a value is written within it.
fn is_whole(node: &Node) -> bool {
    let mut below = node.items().iter().chain(node.entries().iter().map(|(_, value)| value));
    !node.is_alias
        && below.all(|below| node.span.start <= below.span.start && below.span.end <= node.span.end && is_whole(below))
}

fn piece(text: &str, node: Range<usize>) -> Option<Piece> {
    if text.get(node.clone())?.starts_with('{') {
        return Some(Piece { span: node, item: Some(Item::Braced) });
    }
    let start = text.get(..node.start)?.rfind('\n').map_or(0, |end| end + 1);
    let is_dashed = text.get(start..node.start)?.trim() == "-";
    let rest = text.get(node.end..)?;
    let end = match text.get(node.clone())?.ends_with('\n') {
        true => node.end,
        false => rest.find('\n').map_or(text.len(), |end| node.end + end + 1),
    };
    is_dashed.then_some(Piece { span: start..end, item: Some(Item::Dashed) })
}
