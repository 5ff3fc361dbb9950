//! One request → one decision.

use super::clock::Clock;
use super::first::{HeldRule, first_that_holds};
use super::source::Source;
use super::visit::{Visit, Weights, visit};
use crate::config::Config;
use crate::request::Request;
use crate::rollout::ramp::Second;
use crate::rule::{Adopted, Rule, Target};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::new_cookie::NewCookie;

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer<'c> {
    /// Where it goes; `None`: no rule matches.
    pub decision: Option<Decision<'c>>,
    /// Cookies that are removed from the visitor, whatever is decided.
    pub forgotten: Vec<NewCookie>,
}

/// Where a request goes, and why.
#[derive(Clone, Debug)]
pub struct Decision<'c> {
    /// The rule that decided.
    pub rule: &'c Rule,
    /// Its place in the list.
    pub rule_at: usize,
    /// What was decided.
    pub choice: Choice<'c>,
    /// The subset's place in the split; 0 without one.
    pub subset_at: usize,
    /// The visitor's draw; `None` where nothing is drawn.
    pub draw: Option<Draw>,
    /// What the decision rests on.
    pub source: Source,
    /// The cookie that the visitor gets, if the response may carry it.
    pub cookie: Option<NewCookie>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'c> {
    /// The subset that the request belongs to.
    Subset(&'c Subset),
    /// Somebody else owns the weights: Envoy picks a destination by the visitor's position, which is written into this header.
    Position(&'c str, u32),
}

impl<'c> Choice<'c> {
    /// The subset, where the filter decides it.
    pub fn subset(self) -> Option<&'c Subset> {
        if let Choice::Subset(subset) = self { Some(subset) } else { None }
    }

    /// The position that this header carries, where it is the one.
    pub fn position_in(self, header: &str) -> Option<u32> {
        match self {
            Choice::Position(own, position) if own == header => Some(position),
            _ => None,
        }
    }
}

/// Decides by the first rule that holds; `None` if none does. Forgotten cookies are left out.
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
    let weights = match &rule.target {
        Target::Fixed(subset) => {
            let (source, cookie) = remembered.map_or((Source::Fixed, None), |remembered| *remembered);
            let choice = Choice::Subset(subset);
            return Some(Decision { rule, rule_at, choice, subset_at: 0, draw: None, source, cookie });
        }
        Target::Split(subsets) => Weights::Ours(subsets),
        Target::Adopted(adopted) => Weights::Adopted(adopted),
    };
    let Visit { draw, subset_at, source, cookie } = match rule.sticky() {
        None => {
            let draw = fresh();
            Visit { draw, subset_at: weights.pick(draw, clock), source: Source::Fresh, cookie: None }
        }
        Some(sticky) => visit(weights, sticky, request, fresh, clock),
    };
    let choice = match weights {
        Weights::Ours(subsets) => Choice::Subset(subsets.subsets.get(subset_at)?),
        Weights::Adopted(Adopted { header, salt, .. }) => Choice::Position(header, salt.position(draw)),
    };
    Some(Decision { rule, rule_at, choice, subset_at, draw: Some(draw), source, cookie })
}
