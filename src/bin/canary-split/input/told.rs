//! The values of secrets, to find them wherever else they are written.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Shorter ones cannot be told from other words.
const SHORTEST: usize = 6;
/// Longer ones are found within words too.
const LONG: usize = 16;
/// Texts are found by their first bytes.
const BEGINS: usize = 4;

/// The texts of secrets.
#[derive(Debug, Default)]
pub struct Told {
    /// All of them.
    texts: HashSet<String>,
    /// The lengths of the texts that begin this way.
    lengths: HashMap<Vec<u8>, Vec<usize>>,
}

impl Told {
    /// One more, unless it is too short.
    pub fn add(&mut self, text: &str) {
        for text in [text, format!("{text:?}").trim_matches('"')] {
            let Some(begin) = text.as_bytes().get(..BEGINS).filter(|_| text.len() >= SHORTEST) else { continue };
            if self.texts.insert(text.to_owned()) {
                let lengths = self.lengths.entry(begin.to_owned()).or_default();
                // The longest first.
                if let Err(at) = lengths.binary_search_by(|known| text.len().cmp(known)) {
                    lengths.insert(at, text.len());
                }
            }
        }
    }

    /// Their places in a text.
    pub fn within(&self, text: &str) -> Vec<Range<usize>> {
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(begin) = text.as_bytes().get(at..at + BEGINS) {
            let lengths = self.lengths.get(begin).map_or(&[][..], Vec::as_slice);
            let fits = |length: &&usize| {
                let is_one = text.get(at..at + **length).is_some_and(|part| self.texts.contains(part));
                is_one && (**length >= LONG || is_word(text, &(at..at + **length)))
            };
            match lengths.iter().find(fits) {
                Some(length) => {
                    found.push(at..at + length);
                    at += length;
                }
                None => at += 1,
            }
        }
        found
    }

    /// A text without them.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        self.within(text).into_iter().rev().for_each(|range| hidden.replace_range(range, "***"));
        hidden
    }
}

/// Whether a part is not within a longer word.
fn is_word(text: &str, part: &Range<usize>) -> bool {
    let goes_on = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = part.start.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    !goes_on(before) && !goes_on(text.as_bytes().get(part.end))
}
