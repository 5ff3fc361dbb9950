//! The part of a config that is needed to read one of its rules.

use crate::rule::re2::Effort;
use std::cell::Cell;

/// All regexes of a config together; about 5 MB. A VM that runs out of memory takes all requests in flight with it.
pub(super) const MAX_STEPS: u32 = 1_000_000;

/// What is needed to read a rule.
pub(super) struct Context<'g> {
    /// The request header that carries the subset: no condition may use it. `None`: the rule was good under another header
    /// and stays in force.
    pub(super) header: Option<&'g str>,
    /// The secret that is appended to the header's value.
    pub(super) seal: Option<&'g str>,
    /// How much of [`MAX_STEPS`] the regexes of good rules have used.
    pub(super) steps: &'g Cell<u32>,
    /// What is left for finding out what regexes may cost.
    pub(super) effort: &'g Effort,
}
