//! YAML and JSON → a tree that knows the place of each value in the text, read as `kubectl` reads them.
//!
//! ```text
//! documents → json
//!           → tree (entries) → scanner → scalars, words → cursor
//! ```
//!
//! `kubectl` reads YAML with go-yaml 2, which is laxer than YAML 1.2 in some places and stricter in others. So the scanner here
//! follows go-yaml, not a crate; tests/istio/reading compares the two on a corpus.

#[cfg(test)]
mod corpus;
mod cursor;
mod documents;
mod entries;
mod json;
mod node;
mod plain;
mod scalars;
mod scanner;
mod token;
mod tree;
mod words;

pub use documents::{TEMPLATE, documents, pieces, read};
pub use node::{Key, Node, Value};
