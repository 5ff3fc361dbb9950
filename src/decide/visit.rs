//! The subset of a visitor, by key, cookie or chance.

use super::clock::Clock;
use super::cookies::new_cookie;
use super::source::Source;
use crate::request::Request;
use crate::request::fetch::{is_navigation, is_preflight};
use crate::rollout::ramp::Second;
use crate::rule::{Adopted, WeightedSubsets};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::Sticky;
use crate::visitor::cookie::{Cookie, FirstDraw, Minutes};
use crate::visitor::keys::client_draw;
use crate::visitor::new_cookie::NewCookie;

/// Whose weights decide.
#[derive(Clone, Copy)]
pub(super) enum Weights<'c> {
    Ours(&'c WeightedSubsets),
    Adopted(&'c Adopted),
}

impl<'c> Weights<'c> {
    /// The place of the subset that a draw belongs to; 0 if somebody else decides.
    pub(super) fn pick(self, draw: Draw, clock: &mut Clock<impl FnOnce() -> Second>) -> usize {
        if let Weights::Ours(subsets) = self { subsets.pick(draw, || clock.second()) } else { 0 }
    }

    /// Whether all visitors get the same subset. Never true of weights that somebody else owns: they are unknown.
    fn is_settled(self, clock: &mut Clock<impl FnOnce() -> Second>) -> bool {
        if let Weights::Ours(subsets) = self { subsets.is_settled(|| clock.second()) } else { false }
    }

    fn subsets(self) -> &'c [Subset] {
        if let Weights::Ours(subsets) = self { &subsets.subsets } else { &[] }
    }

    fn or_stable(self, at: usize) -> usize {
        if let Weights::Ours(subsets) = self { subsets.or_stable(at) } else { at }
    }
}

/// The result of a visit.
pub(super) struct Visit {
    pub(super) draw: Draw,
    pub(super) subset_at: usize,
    pub(super) source: Source,
    pub(super) cookie: Option<NewCookie>,
}

/// The subset of a visitor, by key, cookie or chance.
pub(super) fn visit<'c>(
    weights: Weights<'c>,
    sticky: &'c Sticky,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    clock: &mut Clock<impl FnOnce() -> Second>,
) -> Visit {
    // Under `keep` the subset that this browser saw first wins over the key.
    let key = if sticky.keep.is_none() { keyed(sticky, request) } else { None };
    let Some(cookie) = &sticky.cookie else {
        let (draw, source) = key.map_or_else(|| first_draw(sticky, request, fresh), |draw| (draw, Source::Key));
        return Visit { draw, subset_at: weights.pick(draw, clock), source, cookie: None };
    };
    // If all visitors get the same subset, nothing needs to stick.
    let gives = sticky.keep.is_some() || !weights.is_settled(clock);
    let held = if key.is_none() || gives { read(weights.subsets(), sticky, cookie, request) } else { None };
    let (draw, source) = match (key, held) {
        (Some(draw), _) => (draw, Source::Key),
        (None, Some(held)) if sticky.keep.is_some() => (held.draw, Source::Kept),
        (None, Some(held)) => (held.draw, Source::Cookie),
        (None, None) => first_draw(sticky, request, fresh),
    };
    let kept = held.and_then(|held| held.kept);
    // A visitor kept by a removed canary belongs to stable from now on.
    let subset_at = weights.or_stable(kept.unwrap_or_else(|| weights.pick(draw, clock)));
    let stays = |kept: Option<usize>| sticky.keep.is_none() || kept == Some(subset_at);
    let has = held.filter(|held| held.draw == draw && stays(held.kept));
    let visit = |cookie| Visit { draw, subset_at, source, cookie };
    // A cookie that is never renewed needs no clock.
    if !gives || has.is_some() && !cookie.can_be_due() {
        return visit(None);
    }
    let now = clock.minute();
    if has.is_some_and(|held| !cookie.is_due(held.made, now))
        || is_preflight(request)
        || cookie.pages_only && !is_navigation(request)
    {
        return visit(None);
    }
    let new = new_cookie(cookie, kept_part(weights.subsets(), sticky, subset_at, draw), draw, now, request);
    visit(Some(new))
}

/// What the visitor's cookie says.
#[derive(Clone, Copy)]
struct Returning {
    draw: Draw,
    made: Minutes,
    /// Under `keep` the place of the subset that it keeps, if the split has it.
    kept: Option<usize>,
}

fn read<'c>(subsets: &[Subset], sticky: &Sticky, cookie: &Cookie, request: &mut impl Request<'c>) -> Option<Returning> {
    let held = cookie.read(request.header("cookie")?)?;
    let kept = sticky.keep.as_ref().and_then(|keep| keep.kept(&held, subsets));
    Some(Returning { draw: held.draw, made: held.made, kept })
}

/// The draw of the first key that is present.
fn keyed<'c>(sticky: &'c Sticky, request: &mut impl Request<'c>) -> Option<Draw> {
    sticky.keys.iter().find_map(|key| key.draw(request))
}

/// The draw of a visitor without a draw from a key (except under `keep`) or a cookie.
fn first_draw<'c>(sticky: &'c Sticky, request: &mut impl Request<'c>, fresh: impl FnOnce() -> Draw) -> (Draw, Source) {
    let key = if sticky.keep.is_some() { keyed(sticky, request) } else { None };
    let by_client = |cookie: &Cookie| cookie.draw == FirstDraw::Client;
    match key {
        Some(draw) => (draw, Source::Key),
        None if is_preflight(request) || sticky.cookie.as_ref().is_some_and(by_client) => {
            (client_draw(request), Source::Fresh)
        }
        None => (fresh(), Source::Fresh),
    }
}

/// The part of a decision that a cookie keeps under `keep`.
fn kept_part<'c>(subsets: &'c [Subset], sticky: &Sticky, at: usize, draw: Draw) -> Option<(&'c str, u64)> {
    let subset = &subsets.get(at)?.name;
    Some((subset, sticky.keep.as_ref()?.signature(subset, draw)))
}
