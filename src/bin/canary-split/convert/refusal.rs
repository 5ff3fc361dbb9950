//! Refusals: why an object is not converted, and where the problem is.

use crate::input::manifest::Object;
use crate::input::yaml::Node;
use serde::Serialize;
use std::fmt;

/// The reason why an object is not converted, and its position.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    file: String,
    line: usize,
    column: usize,
    object: String,
    reason: String,
}

impl Refusal {
    /// A refusal at a node of an object.
    pub fn at(object: &Object, node: &Node, reason: impl Into<String>) -> Refusal {
        Refusal::at_byte(object, node.span.start, reason)
    }

    /// The same reason, at the object that this one was made from.
    pub fn of(self, origin: &Object) -> Refusal {
        Refusal::at(origin, &origin.node, self.reason)
    }

    /// A refusal at a byte of the object's source text.
    pub fn at_byte(object: &Object, at: usize, reason: impl Into<String>) -> Refusal {
        let (line, column) = object.source.position(at);
        Refusal { file: object.source.name.clone(), line, column, object: object.title(), reason: reason.into() }
    }
}

/// `FILE:LINE:COLUMN: OBJECT: REASON`
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { file, line, column, object, reason } = self;
        write!(f, "{file}:{line}:{column}: {object}: {reason}")
    }
}
