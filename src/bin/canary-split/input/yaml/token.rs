//! The tokens of a YAML text.

use std::ops::Range;

/// A part of a text, and its meaning.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its meaning.
    pub kind: Kind,
    /// Its bytes.
    pub span: Range<usize>,
}

/// The meaning of a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text ends.
    End,
    /// `%…`
    Directive,
    /// `---`
    DocumentStart,
    /// `...`
    DocumentEnd,
    /// The first `-` of a list.
    BlockListStart,
    /// The first key of a mapping.
    BlockMapStart,
    /// A list or mapping ends, by its indentation.
    BlockEnd,
    /// `[`
    FlowListStart,
    /// `]`
    FlowListEnd,
    /// `{`
    FlowMapStart,
    /// `}`
    FlowMapEnd,
    /// `-`
    BlockEntry,
    /// `,`
    FlowEntry,
    /// `?`, or nothing before a key without it.
    Key,
    /// `:`
    Value,
    /// `*NAME`
    Alias(String),
    /// `&NAME`
    Anchor(String),
    /// `!TAG`
    Tag(String),
    /// Text.
    Scalar {
        /// What it says.
        text: String,
        /// Whether it has no quotes, so that it may be a number or the like.
        is_plain: bool,
    },
}

/// Why a text is not YAML.
#[derive(Debug)]
pub struct Malformed {
    /// The byte at which the reader noticed.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
}

impl Malformed {
    /// A problem at a byte.
    pub fn new(at: usize, problem: impl Into<String>) -> Malformed {
        Malformed { at, problem: problem.into() }
    }
}
