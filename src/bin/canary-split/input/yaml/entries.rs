//! The entries of a mapping, with what is merged into it.

use super::node::{Key, Node, Value};
use super::token::Malformed;
use std::collections::HashMap;
use std::rc::Rc;

/// What a mapping says so far.
#[derive(Default)]
pub struct Entries {
    /// All of it, in its order.
    pub all: Vec<(Key, Node)>,
    /// Where the last entry of a name is, and whether it is from a merged mapping.
    known: HashMap<Rc<str>, (usize, bool)>,
}

impl Entries {
    /// `<<` gives what the mapping says before it has said anything, and takes the place of what it has said, as in go-yaml 2.
    pub fn add(&mut self, key: Node, is_plain: bool, value: Node) -> Result<(), Malformed> {
        let malformed = |problem: &str| Err(Malformed::new(key.span.start, problem));
        let name = match key.value {
            Value::Null => return malformed("a key that is empty or null"),
            _ => key.name(),
        };
        let Some(name) = name else { return malformed("a key that is a list or a mapping") };
        if !(is_plain && &*name == "<<") {
            self.set(Key { name, span: key.span }, value, false);
            return Ok(());
        }
        let merged: Vec<Node> = if let Value::List(items) = &value.value { items.to_vec() } else { vec![value] };
        if !merged.iter().all(|node| matches!(node.value, Value::Map(_))) {
            return malformed("<< takes a mapping or a list of mappings");
        }
        // The earlier ones count more.
        for node in merged.iter().rev() {
            for (key, value) in node.entries() {
                self.set(key.clone(), Node { is_alias: true, ..value.clone() }, true);
            }
        }
        Ok(())
    }

    fn set(&mut self, key: Key, value: Node, is_merged: bool) {
        let known = self.known.get(&key.name).copied();
        match known.filter(|(_, was_merged)| is_merged || *was_merged) {
            Some((at, _)) => {
                self.known.insert(Rc::clone(&key.name), (at, is_merged));
                if let Some(entry) = self.all.get_mut(at) {
                    *entry = (key, value);
                }
            }
            None => {
                self.known.insert(Rc::clone(&key.name), (self.all.len(), is_merged));
                self.all.push((key, value));
            }
        }
    }
}
