//! A way through an object.

use std::rc::Rc;

/// A step from a node to one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(Rc<str>),
    /// To an item.
    Item(usize),
}
