//! Finds the places of config errors in a text.

use super::yaml::{Key, Node};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// An entry of a mapping.
type Entry = (Key, Node);

/// Entries by their names.
type ByName<'c> = HashMap<&'c str, &'c Entry>;

/// Finds places in a config, reading each mapping on the way once.
#[derive(Debug)]
pub struct Locator<'c> {
    node: Option<&'c Node>,
    /// The place of everything that is missing.
    whole: Range<usize>,
    /// The entries of mappings by their names; for a repeated field the second.
    entries: RefCell<HashMap<*const Node, ByName<'c>>>,
}

impl<'c> Locator<'c> {
    /// For a config; without one, all places are `whole`.
    pub fn new(node: Option<&'c Node>, whole: Range<usize>) -> Locator<'c> {
        Locator { node, whole, entries: RefCell::default() }
    }

    /// The bytes of a place of a config error (`rules[1].split[0].weight`): the value, or the name of an unknown field; for a missing
    /// field, the value in which it is missing.
    pub fn locate(&self, place: &str, is_name: bool) -> Range<usize> {
        let Some(mut node) = self.node else { return self.whole.clone() };
        let mut rest = place;
        loop {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
                && let Some(item) = index.parse::<usize>().ok().and_then(|index| node.items().get(index))
            {
                (node, rest) = (item, after);
                continue;
            }
            match self.entry(node, rest) {
                Some(((key, _), "")) if is_name => return key.span.clone(),
                Some(((_, value), after)) => (node, rest) = (value, after),
                None => return node.span.clone(),
            }
        }
    }

    /// The entry with whose name a place begins, and the rest. Names may contain dots: the longest one wins.
    fn entry<'p>(&self, node: &'c Node, place: &'p str) -> Option<(&'c Entry, &'p str)> {
        let mut entries = self.entries.borrow_mut();
        let by_name = || node.entries().iter().map(|entry| (&*entry.0.name, entry)).collect();
        let known = entries.entry(node).or_insert_with(by_name);
        let ends = place.match_indices(['.', '[']).map(|(at, _)| at).chain([place.len()]);
        let found = |at: usize| place.split_at_checked(at).and_then(|(name, rest)| Some((*known.get(name)?, rest)));
        ends.rev().find_map(found)
    }
}
