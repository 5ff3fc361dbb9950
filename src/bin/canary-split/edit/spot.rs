//! The bytes of a text that one edit replaces, and their replacement.

use super::edit::Action;
use super::path::Step;
use super::style::{Style, flow, scalar};
use crate::input::yaml::Node;
use serde_json::{Value, json};
use std::ops::Range;

/// Bytes of a text, and their replacement.
pub type Splice = (Range<usize>, String);

/// The text in which an edit is made.
pub struct Spot<'t> {
    /// All of the text.
    pub text: &'t str,
    /// How it is written.
    pub style: Style,
    /// The document of the value.
    pub parent: &'t Node,
    /// Whether everything around it is JSON.
    pub is_json: bool,
}

impl Spot<'_> {
    /// The replacement of an edit; `None`: its place does not exist.
    pub fn splice(&self, step: &Step, action: &Action) -> Option<Splice> {
        let node = step.of_node(self.parent);
        match (action, step, node) {
            (Action::Set(new), _, Some(node)) => Some(self.set(node, new)),
            (Action::Set(new), Step::Field(name), None) => self.added(name, new),
            (Action::Remove, Step::Field(name), Some(value)) => {
                let (key, _) = self.parent.entries().iter().rfind(|(key, _)| *key.name == **name)?;
                Some(self.removed_field(key.span.start, value))
            }
            (Action::Remove, Step::Item(at), Some(_)) => self.removed_item(*at),
            (Action::Insert(new), Step::Item(at), _) => self.inserted(*at, new),
            _ => None,
        }
    }

    fn set(&self, node: &Node, new: &Value) -> Splice {
        let old = self.written(node);
        let span = node.span.start..node.span.start + old.len();
        let is_collection = matches!(new, Value::Object(fields) if !fields.is_empty())
            || matches!(new, Value::Array(items) if !items.is_empty());
        if span.is_empty() {
            return (span, format!(" {}", flow(new, self.is_json)));
        }
        if !self.is_block(node) {
            return (span, scalar(new, old, self.is_json));
        }
        if is_collection {
            let indent = if new.is_array() { "" } else { self.indent(node) };
            let column = span.start - self.line_start(span.start) + indent.len();
            return (span, format!("{indent}{}", self.style.block(new, column)));
        }
        self.inline(node, &flow(new, self.is_json))
    }

    /// A field before the first one.
    fn added(&self, name: &str, new: &Value) -> Option<Splice> {
        let whole = || json!({ name: new });
        let Some((first, _)) = self.parent.entries().first() else {
            let is_empty = self.written(self.parent).starts_with('{');
            return is_empty.then(|| (self.parent.span.clone(), flow(&whole(), self.is_json)));
        };
        let at = first.span.start;
        if self.is_block(self.parent) {
            let column = at - self.line_start(at);
            let field = self.style.field(name, new, column);
            return Some((at..at, format!("{field}{}{}", self.style.end, " ".repeat(column))));
        }
        let field = flow(&whole(), self.is_json);
        let field = field.strip_prefix('{').and_then(|field| field.strip_suffix('}')).unwrap_or_default();
        Some((at..at, format!("{field},{}", self.between(at))))
    }

    fn removed_field(&self, start: usize, value: &Node) -> Splice {
        let end = start.max(value.span.start + self.written(value).len());
        let (entries, is_block) = (self.parent.entries(), self.is_block(self.parent));
        if is_block && entries.len() == 1 {
            return self.emptied("{}");
        }
        if !is_block {
            return (self.without_comma(start, end), String::new());
        }
        if self.is_first_of_line(start) {
            return (self.line_start(start)..self.line_end(end), String::new());
        }
        // The first field of an item, after its dash: the next one replaces it.
        let next = entries.iter().map(|(key, _)| key.span.start).filter(|at| *at > start).min();
        (start..next.unwrap_or(end), String::new())
    }

    fn removed_item(&self, at: usize) -> Option<Splice> {
        let items = self.parent.items();
        let item = items.get(at)?;
        let end = item.span.start + self.written(item).len();
        if !self.is_block(self.parent) {
            return Some((self.without_comma(item.span.start, end), String::new()));
        }
        if items.len() == 1 {
            return Some(self.emptied("[]"));
        }
        let dashes = self.dashes()?;
        let dash = *dashes.get(at)?;
        if self.is_first_of_line(dash) {
            return Some((self.line_start(dash)..self.line_end(end.max(dash + 1)), String::new()));
        }
        Some((dash..*dashes.get(at + 1)?, String::new()))
    }

    fn inserted(&self, at: usize, new: &Value) -> Option<Splice> {
        let items = self.parent.items();
        if at > items.len() {
            return None;
        }
        let Some(last) = items.last() else {
            let is_empty = self.written(self.parent).starts_with('[');
            return is_empty.then(|| (self.parent.span.clone(), flow(&json!([new]), self.is_json)));
        };
        let last_end = last.span.start + self.written(last).len();
        if !self.is_block(self.parent) {
            let item = flow(new, self.is_json);
            return Some(match items.get(at) {
                Some(next) => (next.span.start..next.span.start, format!("{item},{}", self.between(next.span.start))),
                None => (last_end..last_end, format!(",{}{item}", self.between(last.span.start))),
            });
        }
        let dashes = self.dashes()?;
        let first = *dashes.first()?;
        let column = first - self.line_start(first);
        let (item, indent, end) = (self.style.item(new, column), " ".repeat(column), self.style.end);
        Some(match dashes.get(at) {
            Some(dash) if self.is_first_of_line(*dash) => {
                let line = self.line_start(*dash);
                (line..line, format!("{indent}{item}{end}"))
            }
            Some(dash) => (*dash..*dash, format!("{item}{end}{indent}")),
            None => {
                let behind = self.line_end(last_end.max(*dashes.last()? + 1));
                let is_line = self.text.get(..behind).is_some_and(|text| text.ends_with('\n'));
                let line = if is_line { format!("{indent}{item}{end}") } else { format!("{end}{indent}{item}") };
                (behind..behind, line)
            }
        })
    }

    /// The only thing in a block is gone.
    fn emptied(&self, empty: &str) -> Splice {
        self.inline(self.parent, empty)
    }

    /// Replaces a block with something that is not a block.
    fn inline(&self, block: &Node, new: &str) -> Splice {
        let start = self.pulled_up(block.span.start);
        let space = if start < block.span.start { " " } else { self.indent(block) };
        (start..block.span.start + self.written(block).len(), format!("{space}{new}"))
    }

    /// Only a list may be as far left as its key.
    fn indent(&self, node: &Node) -> &'static str {
        if !node.items().is_empty() && self.is_first_of_line(node.span.start) { "  " } else { "" }
    }

    /// The start of the line with the key of a block below it, or the same place.
    fn pulled_up(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        let key = before.trim_end();
        if key.ends_with(':') && before.get(key.len()..).is_some_and(|space| space.contains('\n')) {
            key.len()
        } else {
            at
        }
    }

    /// A value as it is written, without what follows it.
    fn written(&self, node: &Node) -> &str {
        self.text.get(node.span.clone()).unwrap_or_default().trim_end()
    }

    fn is_block(&self, node: &Node) -> bool {
        let is_collection = !node.entries().is_empty() || !node.items().is_empty();
        is_collection && !self.written(node).starts_with(['{', '['])
    }

    /// Where the dashes of a list in block style are.
    fn dashes(&self) -> Option<Vec<usize>> {
        let first = self.parent.span.start;
        let column = first - self.line_start(first);
        let (mut dashes, mut from) = (Vec::new(), first);
        for item in self.parent.items() {
            let before = self.text.get(from..item.span.start)?;
            let dashes_in = before.match_indices('-').map(|(at, _)| from + at);
            let is_dash =
                |at: &usize| *at == first || at - self.line_start(*at) == column && self.is_first_of_line(*at);
            dashes.push(dashes_in.into_iter().find(is_dash)?);
            from = item.span.start + self.written(item).len();
        }
        Some(dashes)
    }

    /// A value in braces with one of the commas next to it.
    fn without_comma(&self, start: usize, end: usize) -> Range<usize> {
        let rest = self.text.get(end..).unwrap_or_default();
        if let Some(tail) = rest.trim_start().strip_prefix(',') {
            return start..self.text.len() - tail.trim_start_matches([' ', '\t']).len();
        }
        let before = self.text.get(..start).unwrap_or_default().trim_end();
        before.strip_suffix(',').map_or(start, str::len)..end
    }

    /// The space between a comma and the next value in braces: a line break, if that value begins a line.
    fn between(&self, at: usize) -> String {
        if self.is_first_of_line(at) {
            let indent = self.text.get(self.line_start(at)..at).unwrap_or_default();
            format!("{}{indent}", self.style.end)
        } else {
            " ".to_owned()
        }
    }

    fn is_first_of_line(&self, at: usize) -> bool {
        self.text.get(self.line_start(at)..at).is_some_and(|before| before.trim().is_empty())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
    }

    /// Where the next line begins.
    fn line_end(&self, at: usize) -> usize {
        self.text.get(at..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |end| at + end + 1)
    }
}
