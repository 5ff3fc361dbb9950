//! Why something is not converted, and where.

use crate::input::manifest::Object;
use crate::input::yaml::Node;
use serde::Serialize;
use std::fmt;

/// Why a VirtualService is not converted, and where.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    file: String,
    line: usize,
    column: usize,
    object: String,
    reason: String,
}

impl Refusal {
    /// At a node of an object.
    pub fn at(object: &Object, node: &Node, reason: impl Into<String>) -> Refusal {
        Refusal::at_byte(object, node.span.start, reason)
    }

    /// The same of the object that this one was made of.
    pub fn of(self, origin: &Object) -> Refusal {
        Refusal::at(origin, &origin.node, self.reason)
    }

    /// At a byte of the text that an object is in.
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
