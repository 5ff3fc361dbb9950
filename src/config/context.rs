//! What the config around a rule says that the rule is read by.

use crate::rule::re2::Effort;
use std::cell::Cell;

/// All regexes of a config together; about 5 MB. A VM that runs out of memory takes all requests in flight with it.
pub(super) const MAX_STEPS: u32 = 1_000_000;

/// What a rule is read by.
pub(super) struct Context<'g> {
    /// The request header that carries the subset: it says nothing about a request. `None`: the rule was good under another one,
    /// and goes on.
    pub(super) header: Option<&'g str>,
    /// The secret that is appended to the header's value.
    pub(super) seal: Option<&'g str>,
    /// What the regexes of good rules have taken of [`MAX_STEPS`].
    pub(super) steps: &'g Cell<u32>,
    /// What is left for finding out what regexes may cost.
    pub(super) effort: &'g Effort,
}
