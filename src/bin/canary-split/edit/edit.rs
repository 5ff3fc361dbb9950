//! What changes at a path, and what must be so before.

use super::path::Step;
use serde_json::Value;

/// A value of an object that becomes another one.
///
/// Edits are done one after the other; each path is right after the edits before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// From the object's root, or from whatever else it is an edit of.
    pub path: Vec<Step>,
    /// What is done there.
    pub action: Action,
}

/// What is done at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The field or item becomes this; a field that does not exist is added.
    Set(Value),
    /// The field or item is removed.
    Remove,
    /// This becomes an item before the one at the path; behind the last one: at the end.
    Insert(Value),
}

/// What must be at a path, or nothing is edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// From the object's root.
    pub path: Vec<Step>,
    /// What is there.
    pub value: Value,
}

impl Edit {
    /// A value at a path.
    pub fn set(path: Vec<Step>, new: impl Into<Value>) -> Edit {
        Edit { path, action: Action::Set(new.into()) }
    }

    /// Nothing at a path.
    pub fn remove(path: Vec<Step>) -> Edit {
        Edit { path, action: Action::Remove }
    }

    /// A new item before the one at a path.
    pub fn insert(path: Vec<Step>, new: impl Into<Value>) -> Edit {
        Edit { path, action: Action::Insert(new.into()) }
    }

    /// What is there afterwards that was not there before.
    pub fn new_value(&self) -> Option<&Value> {
        match &self.action {
            Action::Set(new) | Action::Insert(new) => Some(new),
            Action::Remove => None,
        }
    }

    /// The same edit of what the edited value is in.
    pub fn below(&self, path: &[Step]) -> Edit {
        Edit { path: [path, &self.path].concat(), action: self.action.clone() }
    }
}
