//! The entries of a mapping, including merged ones.

use super::node::{Key, Node, Value};
use super::token::Malformed;
use std::collections::HashMap;
use std::rc::Rc;

/// The entries of a mapping so far.
#[derive(Default)]
pub struct Entries {
    /// All entries, in their order.
    pub all: Vec<(Key, Node)>,
    /// Entries that were written here and have been replaced by or after a merge.
    pub replaced: Vec<Node>,
    /// The last entry of a name.
    known: HashMap<Rc<str>, Known>,
}

/// An entry.
#[derive(Clone, Copy)]
struct Known {
    at: usize,
    /// Whether it is from a merged mapping.
    is_merged: bool,
    /// Whether it is written in this mapping, even if only after `<<`.
    is_here: bool,
}

impl Entries {
    /// `<<` adds entries that later ones override, and replaces the earlier ones, as in go-yaml 2.
    pub fn add(&mut self, key: Node, is_plain: bool, value: Node) -> Result<(), Malformed> {
        let malformed = |problem: &str| Err(Malformed::new(key.span.start, problem));
        let name = match key.value {
            Value::Null => return malformed("a key that is empty or null"),
            _ => key.name(),
        };
        let Some(name) = name else { return malformed("a key that is a list or a mapping") };
        if !(is_plain && &*name == "<<") {
            self.set(Key { name, span: key.span }, value, false, true);
            return Ok(());
        }
        let merged: Vec<Node> = if let Value::List(items) = &value.value { items.to_vec() } else { vec![value] };
        if !merged.iter().all(|node| matches!(node.value, Value::Map(_))) {
            return malformed("<< takes a mapping or a list of mappings");
        }
        // The earlier ones count more.
        for node in merged.iter().rev() {
            for (key, value) in node.entries() {
                self.set(key.clone(), Node { is_alias: true, ..value.clone() }, true, !node.is_alias);
            }
        }
        Ok(())
    }

    fn set(&mut self, key: Key, value: Node, is_merged: bool, is_here: bool) {
        let known = self.known.get(&key.name).copied();
        let known = known.filter(|known| is_merged || known.is_merged);
        let at = known.map_or(self.all.len(), |known| known.at);
        self.known.insert(Rc::clone(&key.name), Known { at, is_merged, is_here });
        match self.all.get_mut(at) {
            Some(entry) => {
                let (_, before) = std::mem::replace(entry, (key, value));
                self.replaced.extend(known.filter(|known| known.is_here).map(|_| before));
            }
            None => self.all.push((key, value)),
        }
    }
}
