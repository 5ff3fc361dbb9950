//! One request → one decision.

use super::clock::Clock;
use super::first::{HeldRule, first_that_holds};
use super::source::Source;
use super::visit::{Visit, visit};
use crate::config::Config;
use crate::request::Request;
use crate::rollout::ramp::Second;
use crate::rule::{Rule, Target};
use crate::split::Draw;
use crate::subset::Subset;
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
    /// The visitor's draw; `None` where nothing is drawn.
    pub draw: Option<Draw>,
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
    now: impl FnOnce() -> Second,
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
    now: impl FnOnce() -> Second,
) -> Answer<'c> {
    let mut clock = Clock::new(now);
    let mut forgotten = Vec::new();
    let decision = first_that_holds(config, request, &mut clock, &mut forgotten)
        .and_then(|held| decide_by(held, request, fresh, &mut clock));
    Answer { decision, forgotten }
}

fn decide_by<'c>(
    held: HeldRule<'c>,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    clock: &mut Clock<impl FnOnce() -> Second>,
) -> Option<Decision<'c>> {
    let HeldRule { at: rule_at, rule, remembered } = held;
    let subsets = match &rule.target {
        Target::Fixed(subset) => {
            let (source, cookie) = remembered.map_or((Source::Fixed, None), |remembered| *remembered);
            return Some(Decision { rule, rule_at, subset, subset_at: 0, draw: None, source, cookie });
        }
        Target::Split(subsets) => subsets,
    };
    let Visit { draw, subset_at, source, cookie } = match &subsets.sticky {
        None => {
            let draw = fresh();
            Visit { draw, subset_at: subsets.pick(draw, || clock.second()), source: Source::Fresh, cookie: None }
        }
        Some(sticky) => visit(subsets, sticky, request, fresh, clock),
    };
    let subset = subsets.subsets.get(subset_at)?;
    Some(Decision { rule, rule_at, subset, subset_at, draw: Some(draw), source, cookie })
}
