//! Changes at a path, and the conditions that must hold before.

use super::path::Step;
use serde_json::Value;

/// A change of a value in an object.
///
/// Edits are applied one after another; each path counts after the edits before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// From the root of the object, or of the value that is edited.
    pub path: Vec<Step>,
    /// The change there.
    pub action: Action,
}

/// A change at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sets the field or item; adds a field that does not exist.
    Set(Value),
    /// Removes the field or item.
    Remove,
    /// Inserts an item before the one at the path; after the last one: at the end.
    Insert(Value),
}

/// A condition on a path; if it does not hold, nothing is edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// From the object's root.
    pub path: Vec<Step>,
    /// The expected value.
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

    /// The new value.
    pub fn new_value(&self) -> Option<&Value> {
        match &self.action {
            Action::Set(new) | Action::Insert(new) => Some(new),
            Action::Remove => None,
        }
    }

    /// The same edit, from the root of a surrounding value.
    pub fn below(&self, path: &[Step]) -> Edit {
        Edit { path: [path, &self.path].concat(), action: self.action.clone() }
    }
}
