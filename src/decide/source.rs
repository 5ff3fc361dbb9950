//! What a decision rests on.

use crate::rule::WeightedSubsets;
use crate::visitor::Sticky;

/// What a decision is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The rule has one fixed subset.
    Fixed,
    /// A draw for this request alone, or for a new cookie.
    Fresh,
    /// The draw of a key.
    Key,
    /// The draw in our cookie.
    Cookie,
    /// A return under `keep`: the subset in our cookie, or the draw if it keeps none that we know.
    Kept,
    /// The rule has one fixed subset, and its cookie says that the visitor has matched before.
    Remembered,
}

impl Source {
    /// What decisions of a split can rest on.
    pub fn of(split: &WeightedSubsets) -> impl Iterator<Item = Source> {
        let has = |look: fn(&Sticky) -> bool| split.sticky.as_ref().is_some_and(|sticky| look(sticky));
        [
            (Source::Fresh, true),
            (Source::Key, has(|sticky| !sticky.keys.is_empty())),
            (Source::Cookie, has(|sticky| sticky.cookie.is_some() && sticky.keep.is_none())),
            (Source::Kept, has(|sticky| sticky.keep.is_some())),
        ]
        .into_iter()
        .filter_map(|(source, can_be)| can_be.then_some(source))
    }
}
