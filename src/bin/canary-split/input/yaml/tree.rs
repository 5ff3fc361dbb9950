//! Tokens → a tree.

use super::entries::Entries;
use super::node::{Node, Value};
use super::plain;
use super::scanner::Scanner;
use super::token::{Kind, Malformed, Token};
use std::collections::HashMap;
use std::ops::Range;

/// Deeper than any manifest.
const MAX_DEPTH: usize = 100;
/// The limit for expanded aliases, as in go-yaml.
const MAX_UNFOLDED: usize = 400_000;

/// Adds the documents of a part of a text, which begins at this byte, and their values that are written but have no effect.
pub fn read(part: &str, base: usize, documents: &mut Vec<Node>, replaced: &mut Vec<Node>) -> Result<(), Malformed> {
    // A byte order mark is not part of the content.
    let (part, base) = part.strip_prefix('\u{feff}').map_or((part, base), |rest| (rest, base + '\u{feff}'.len_utf8()));
    let mut reader =
        Reader { scanner: Scanner::new(part), base, anchors: HashMap::new(), nodes: 0, unfolded: 0, replaced };
    let at = |malformed: Malformed| Malformed { at: malformed.at + base, ..malformed };
    let is_control =
        |text: char| !matches!(text, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    if let Some((control, _)) = part.char_indices().find(|(_, text)| is_control(*text)) {
        return Err(at(Malformed::new(control, "a control character")));
    }
    while let Some(node) = reader.document().map_err(at)? {
        documents.push(node);
        reader.end_of_document().map_err(at)?;
    }
    Ok(())
}

struct Reader<'t, 'r> {
    scanner: Scanner<'t>,
    base: usize,
    /// The named values, and the number of values in each.
    anchors: HashMap<String, (Node, usize)>,
    nodes: usize,
    unfolded: usize,
    replaced: &'r mut Vec<Node>,
}

impl Reader<'_, '_> {
    fn kind(&mut self) -> Result<&Kind, Malformed> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn is(&mut self, kinds: &[Kind]) -> Result<bool, Malformed> {
        Ok(kinds.contains(self.kind()?))
    }

    fn range(&self, span: &Range<usize>) -> Range<usize> {
        span.start + self.base..span.end + self.base
    }

    fn document(&mut self) -> Result<Option<Node>, Malformed> {
        while self.is(&[Kind::DocumentEnd])? {
            self.scanner.next()?;
        }
        let mut is_begun = false;
        while self.is(&[Kind::Directive, Kind::DocumentStart])? {
            let kind = self.scanner.next()?.kind;
            if kind == Kind::DocumentStart {
                is_begun = true;
                break;
            }
            if !self.is(&[Kind::Directive, Kind::DocumentStart])? {
                let at = self.scanner.peek()?.span.start;
                return Err(Malformed::new(at, "a directive without --- below it"));
            }
        }
        self.anchors.clear();
        let is_empty = self.is(&[Kind::Directive, Kind::DocumentStart, Kind::DocumentEnd, Kind::End])?;
        if is_empty && !is_begun {
            return Ok(None);
        }
        Ok(Some(if is_empty { self.empty()? } else { self.node(true, false, 0)? }))
    }

    /// `kubectl` silently ignores anything below a document that does not belong to it.
    fn end_of_document(&mut self) -> Result<(), Malformed> {
        if !self.is(&[Kind::Directive, Kind::DocumentStart, Kind::DocumentEnd, Kind::End])? {
            let at = self.scanner.peek()?.span.start;
            return Err(Malformed::new(at, "kubectl ignores everything from here on; is the indentation right?"));
        }
        Ok(())
    }

    /// A missing value, before the next token.
    fn empty(&mut self) -> Result<Node, Malformed> {
        let at = self.scanner.peek()?.span.start;
        self.empty_at(at)
    }

    fn empty_at(&mut self, at: usize) -> Result<Node, Malformed> {
        self.count(1, 0, at)?;
        Ok(Node { value: Value::Null, span: self.range(&(at..at)), is_alias: false })
    }

    fn count(&mut self, nodes: usize, unfolded: usize, at: usize) -> Result<(), Malformed> {
        self.nodes += nodes;
        self.unfolded += unfolded;
        let all = self.nodes + self.unfolded;
        let is_excessive = self.unfolded > 100 && all > 1000 && self.unfolded > self.nodes.saturating_mul(99);
        if is_excessive || self.unfolded > MAX_UNFOLDED {
            return Err(Malformed::new(at, "aliases that unfold to too much"));
        }
        Ok(())
    }

    fn node(&mut self, is_block: bool, is_indentless: bool, depth: usize) -> Result<Node, Malformed> {
        let start = self.scanner.peek()?.span.start;
        if depth > MAX_DEPTH {
            return Err(Malformed::new(start, format!("nested deeper than {MAX_DEPTH}")));
        }
        if let Kind::Alias(name) = self.kind()? {
            let name = name.clone();
            let span = self.scanner.next()?.span;
            let Some((known, size)) = self.anchors.get(&name).cloned() else {
                return Err(Malformed::new(span.start, "an alias of a name that is not defined before"));
            };
            self.count(0, size, span.start)?;
            return Ok(Node { value: known.value, span: self.range(&span), is_alias: true });
        }
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.kind()? {
                Kind::Anchor(name) if anchor.is_none() => anchor = Some(name.clone()),
                Kind::Tag(name) if tag.is_none() => tag = Some(name.clone()),
                _ => break,
            }
            self.scanner.next()?;
        }
        let before = self.nodes + self.unfolded;
        self.count(1, 0, start)?;
        let has_properties = anchor.is_some() || tag.is_some();
        let node = self.content(is_block, is_indentless, depth, tag, has_properties)?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (node.clone(), self.nodes + self.unfolded - before));
        }
        Ok(node)
    }

    fn content(
        &mut self,
        is_block: bool,
        is_indentless: bool,
        depth: usize,
        tag: Option<String>,
        has_properties: bool,
    ) -> Result<Node, Malformed> {
        let Token { kind, span } = self.scanner.peek()?.clone();
        let (value, end) = match kind {
            Kind::BlockEntry if is_indentless => self.block_list(true, depth)?,
            Kind::Scalar { text, is_plain } => {
                self.scanner.next()?;
                let value = plain::tagged(text, is_plain, tag.as_deref());
                (value.map_err(|problem| Malformed::new(span.start, problem))?, span.end)
            }
            Kind::FlowListStart => self.flow_list(depth)?,
            Kind::FlowMapStart => self.flow_map(depth)?,
            Kind::BlockListStart if is_block => self.block_list(false, depth)?,
            Kind::BlockMapStart if is_block => self.block_map(depth)?,
            _ if has_properties => {
                let value = plain::tagged(String::new(), true, tag.as_deref());
                (value.map_err(|problem| Malformed::new(span.start, problem))?, span.start)
            }
            Kind::End => return Err(Malformed::new(span.start, "the text ends where a value should be")),
            _ => return Err(Malformed::new(span.start, "something else where a value should be")),
        };
        Ok(Node { value, span: self.range(&(span.start..end.max(span.start))), is_alias: false })
    }

    fn block_list(&mut self, is_indentless: bool, depth: usize) -> Result<(Value, usize), Malformed> {
        if !is_indentless {
            self.scanner.next()?;
        }
        let (mut items, mut end) = (Vec::new(), 0);
        while self.is(&[Kind::BlockEntry])? {
            let entry = self.scanner.next()?.span;
            let is_empty = if is_indentless {
                self.is(&[Kind::BlockEntry, Kind::Key, Kind::Value, Kind::BlockEnd])?
            } else {
                self.is(&[Kind::BlockEntry, Kind::BlockEnd])?
            };
            let node = if is_empty { self.empty_at(entry.end)? } else { self.node(true, false, depth + 1)? };
            end = node.span.end - self.base;
            items.push(node);
        }
        if !is_indentless {
            self.end_of_block("something in this list is not an item; is the indentation right?")?;
        }
        Ok((Value::List(items.into()), end))
    }

    fn end_of_block(&mut self, problem: &str) -> Result<(), Malformed> {
        let token = self.scanner.next()?;
        if token.kind == Kind::BlockEnd { Ok(()) } else { Err(Malformed::new(token.span.start, problem)) }
    }

    fn block_map(&mut self, depth: usize) -> Result<(Value, usize), Malformed> {
        self.scanner.next()?;
        let (mut entries, mut end) = (Entries::default(), 0);
        let ends = [Kind::Key, Kind::Value, Kind::BlockEnd];
        while self.is(&[Kind::Key])? {
            let at = self.scanner.next()?.span.end;
            let is_plain = matches!(self.kind()?, Kind::Scalar { is_plain: true, .. });
            let key = if self.is(&ends)? { self.empty_at(at)? } else { self.node(true, true, depth + 1)? };
            let value = if self.is(&[Kind::Value])? {
                let at = self.scanner.next()?.span.end;
                if self.is(&ends)? { self.empty_at(at)? } else { self.node(true, true, depth + 1)? }
            } else {
                self.empty()?
            };
            end = value.span.end.max(key.span.end) - self.base;
            entries.add(key, is_plain, value).map_err(|malformed| self.within(malformed))?;
        }
        self.end_of_block("something in this mapping is not a key; is the indentation right?")?;
        self.replaced.append(&mut entries.replaced);
        Ok((Value::Map(entries.all.into()), end))
    }

    /// Turns a place in the whole text into one in this part.
    fn within(&self, malformed: Malformed) -> Malformed {
        Malformed { at: malformed.at.saturating_sub(self.base), ..malformed }
    }

    fn flow_list(&mut self, depth: usize) -> Result<(Value, usize), Malformed> {
        self.scanner.next()?;
        let mut items = Vec::new();
        loop {
            if !self.is(&[Kind::FlowListEnd])? && !items.is_empty() {
                self.comma("a list in brackets without , or ] after an item")?;
            }
            if self.is(&[Kind::FlowListEnd])? {
                return Ok((Value::List(items.into()), self.scanner.next()?.span.end));
            }
            let node = if self.is(&[Kind::Key])? { self.pair(depth)? } else { self.node(false, false, depth + 1)? };
            items.push(node);
        }
    }

    fn comma(&mut self, problem: &str) -> Result<(), Malformed> {
        let token = self.scanner.next()?;
        if token.kind == Kind::FlowEntry { Ok(()) } else { Err(Malformed::new(token.span.start, problem)) }
    }

    /// `[KEY: VALUE]` is a list with a mapping.
    fn pair(&mut self, depth: usize) -> Result<Node, Malformed> {
        let start = self.scanner.next()?.span.start;
        let mut entries = Entries::default();
        let ends = [Kind::FlowEntry, Kind::FlowListEnd];
        let is_plain = matches!(self.kind()?, Kind::Scalar { is_plain: true, .. });
        let key = if self.is(&ends)? || self.is(&[Kind::Value])? {
            self.empty()?
        } else {
            self.node(false, false, depth + 2)?
        };
        let value = self.flow_value(&ends, depth + 1)?;
        let end = value.span.end.max(key.span.end);
        entries.add(key, is_plain, value).map_err(|malformed| self.within(malformed))?;
        self.count(1, 0, start)?;
        self.replaced.append(&mut entries.replaced);
        Ok(Node { value: Value::Map(entries.all.into()), span: start + self.base..end, is_alias: false })
    }

    fn flow_value(&mut self, ends: &[Kind], depth: usize) -> Result<Node, Malformed> {
        if !self.is(&[Kind::Value])? {
            return self.empty();
        }
        self.scanner.next()?;
        if self.is(ends)? { self.empty() } else { self.node(false, false, depth + 1) }
    }

    fn flow_map(&mut self, depth: usize) -> Result<(Value, usize), Malformed> {
        self.scanner.next()?;
        let (mut entries, mut is_first) = (Entries::default(), true);
        let ends = [Kind::FlowEntry, Kind::FlowMapEnd];
        loop {
            if !self.is(&[Kind::FlowMapEnd])? && !is_first {
                self.comma("a mapping in braces without , or } after a value")?;
            }
            if self.is(&[Kind::FlowMapEnd])? {
                self.replaced.append(&mut entries.replaced);
                return Ok((Value::Map(entries.all.into()), self.scanner.next()?.span.end));
            }
            is_first = false;
            let has_key = self.is(&[Kind::Key])?;
            if has_key {
                self.scanner.next()?;
            }
            let is_plain = matches!(self.kind()?, Kind::Scalar { is_plain: true, .. });
            let is_empty = has_key && (self.is(&ends)? || self.is(&[Kind::Value])?);
            let key = if is_empty { self.empty()? } else { self.node(false, false, depth + 1)? };
            let value = if has_key { self.flow_value(&ends, depth)? } else { self.empty()? };
            entries.add(key, is_plain, value).map_err(|malformed| self.within(malformed))?;
        }
    }
}
