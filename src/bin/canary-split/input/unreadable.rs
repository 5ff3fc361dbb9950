//! Input that could not be read, and why.

use super::stderr;
use serde::Serialize;
use std::fmt;

/// A file, a document or a kustomization that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    problem: String,
}

impl Unreadable {
    /// A problem in a file, with line and column if they are known.
    pub fn new(file: &str, place: Option<(usize, usize)>, problem: String) -> Unreadable {
        let (line, column) = place.unzip();
        Unreadable { file: file.to_owned(), line, column, problem }
    }
}

/// Prints to standard error what could not be read.
pub fn warn(all: &[Unreadable]) {
    all.iter().for_each(stderr::say);
}

/// `FILE:LINE:COLUMN: PROBLEM`
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { file, line, column, problem } = self;
        match (line, column) {
            (Some(line), Some(column)) => write!(f, "{file}:{line}:{column}: {problem}"),
            _ => write!(f, "{file}: {problem}"),
        }
    }
}

impl From<Unreadable> for String {
    fn from(unreadable: Unreadable) -> String {
        unreadable.to_string()
    }
}
