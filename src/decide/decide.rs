//! One request → one decision.

use super::clock::Clock;
use super::first::{HeldRule, first_that_holds};
use super::source::Source;
use super::visit::visit;
use crate::config::Config;
use crate::request::Request;
use crate::rule::{Rule, Target};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::cookie::Minutes;
use crate::visitor::new_cookie::NewCookie;

/// What comes of a request.
#[derive(Clone, Debug)]
pub struct Answer<'c> {
    /// Which subset it belongs to; `None`: no rule speaks about it.
    pub decision: Option<Decision<'c>>,
    /// Cookies that are removed from the visitor, whatever is decided.
    pub forgotten: Vec<NewCookie>,
}

/// Which subset a request belongs to, and why.
#[derive(Clone, Debug)]
pub struct Decision<'c> {
    /// The rule that decided.
    pub rule: &'c Rule,
    /// Its place in the list.
    pub rule_at: usize,
    /// The subset.
    pub subset: &'c Subset,
    /// Its place in the split; 0 for a fixed subset.
    pub subset_at: usize,
    /// What the decision rests on.
    pub source: Source,
    /// The cookie that the visitor gets, if the response may carry it.
    pub cookie: Option<NewCookie>,
}

/// Decides by the first rule that holds; `None` if none does. What is forgotten is left out.
pub fn decide<'c>(
    config: &'c Config,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> Option<Decision<'c>> {
    answer(config, request, fresh, now).decision
}

/// Decides by the first rule that holds.
///
/// There is one draw per request, made here, used for the decision and for the cookie alike. `fresh` and `now` are called
/// at most once, and only where they are needed.
pub fn answer<'c>(
    config: &'c Config,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> Answer<'c> {
    let mut clock = Clock::new(now);
    let mut forgotten = Vec::new();
    let decision = first_that_holds(config, request, &mut clock, &mut forgotten)
        .and_then(|held| decide_by(held, request, fresh, || clock.now()));
    Answer { decision, forgotten }
}

fn decide_by<'c>(
    held: HeldRule<'c>,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> Option<Decision<'c>> {
    let HeldRule { at: rule_at, rule, remembered } = held;
    let subsets = match &rule.target {
        Target::Fixed(subset) => {
            let (source, cookie) = remembered.map_or((Source::Fixed, None), |remembered| *remembered);
            return Some(Decision { rule, rule_at, subset, subset_at: 0, source, cookie });
        }
        Target::Split(subsets) => subsets,
    };
    let (subset_at, source, cookie) = match &subsets.sticky {
        None => (subsets.pick(fresh()), Source::Fresh, None),
        Some(sticky) => visit(subsets, sticky, request, fresh, now),
    };
    Some(Decision { rule, rule_at, subset: subsets.subsets.get(subset_at)?, subset_at, source, cookie })
}
