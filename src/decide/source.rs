//! What a decision rests on.

/// What a decision rests on.
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
