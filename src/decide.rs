//! One request → one decision.

use crate::config::Config;
use crate::request::Request;
use crate::request::fetch::{is_navigation, is_preflight};
use crate::rule::{Rule, Target, WeightedSubsets};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::Sticky;
use crate::visitor::cookie::{Cookie, FirstDraw, Minutes, Secure};
use crate::visitor::keys::client_draw;
use crate::visitor::new_cookie::NewCookie;

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
}

/// Decides by the first rule that matches; `None` if none does.
///
/// There is one draw per request, made here, used for the decision and for the cookie alike. `fresh` and `now` are called
/// at most once, and only where they are needed.
pub fn decide<'c>(
    config: &'c Config,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> Option<Decision<'c>> {
    let (rule_at, rule) = first_match(config, request)?;
    let subsets = match &rule.target {
        Target::Fixed(subset) => {
            return Some(Decision { rule, rule_at, subset, subset_at: 0, source: Source::Fixed, cookie: None });
        }
        Target::Split(subsets) => subsets,
    };
    let (subset_at, source, cookie) = match &subsets.sticky {
        None => (subsets.pick(fresh()), Source::Fresh, None),
        Some(sticky) => visit(subsets, sticky, request, fresh, now),
    };
    Some(Decision { rule, rule_at, subset: subsets.subsets.get(subset_at)?, subset_at, source, cookie })
}

fn first_match<'c>(config: &'c Config, request: &mut impl Request<'c>) -> Option<(usize, &'c Rule)> {
    let authority = if config.hosts.needs_host() { request.header(":authority").unwrap_or_default() } else { &[] };
    let mut candidates = config.hosts.rules(authority).map(|at| at as usize);
    let mut next = candidates.next();
    while let Some(at) = next {
        if config.paths.knows(at) {
            let path = request.header(":path").unwrap_or_default();
            if config.paths.rules_out(at, path) {
                // Whoever has a hundred rules for a host spends the time here.
                next = candidates.find(|&at| !config.paths.rules_out(at, path));
                continue;
            }
        }
        match config.rules.get(at) {
            Some(rule) if rule.matches(request) => return Some((at, rule)),
            _ => next = candidates.next(),
        }
    }
    None
}

/// The subset of a visitor, by what sticks to him or her.
fn visit<'c>(
    subsets: &'c WeightedSubsets,
    sticky: &'c Sticky,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> (usize, Source, Option<NewCookie>) {
    // Under `keep` what this browser has seen first wins over the key.
    let key = if sticky.keep.is_none() { keyed(sticky, request) } else { None };
    let Some(cookie) = &sticky.cookie else {
        let (draw, source) = key.map_or_else(|| first_draw(sticky, request, fresh), |draw| (draw, Source::Key));
        return (subsets.pick(draw), source, None);
    };
    // Where nothing can differ, nothing needs to stick.
    let gives = sticky.keep.is_some() || !subsets.split.is_undivided();
    let held = if key.is_none() || gives { read(subsets, sticky, cookie, request) } else { None };
    let (draw, source) = match (key, held) {
        (Some(draw), _) => (draw, Source::Key),
        (None, Some(held)) if sticky.keep.is_some() => (held.draw, Source::Kept),
        (None, Some(held)) => (held.draw, Source::Cookie),
        (None, None) => first_draw(sticky, request, fresh),
    };
    let kept = held.and_then(|held| held.kept);
    let subset_at = kept.unwrap_or_else(|| subsets.pick(draw));
    let has = held.filter(|held| held.draw == draw && (kept.is_some() || sticky.keep.is_none()));
    // One that is never given out again needs no clock.
    if !gives || has.is_some() && !cookie.can_be_due() {
        return (subset_at, source, None);
    }
    let now = now();
    if has.is_some_and(|held| !cookie.is_due(held.made, now))
        || is_preflight(request)
        || cookie.pages_only && !is_navigation(request)
    {
        return (subset_at, source, None);
    }
    let new = new_cookie(cookie, kept_part(subsets, sticky, subset_at, draw), draw, now, request);
    (subset_at, source, Some(new))
}

/// What the visitor's cookie says.
#[derive(Clone, Copy)]
struct Returning {
    draw: Draw,
    made: Minutes,
    /// Under `keep` the place of the subset that it keeps, if that is one of the split's.
    kept: Option<usize>,
}

fn read<'c>(
    subsets: &WeightedSubsets,
    sticky: &Sticky,
    cookie: &Cookie,
    request: &mut impl Request<'c>,
) -> Option<Returning> {
    let held = cookie.read(request.header("cookie")?)?;
    let kept = sticky.keep.as_ref().and_then(|keep| keep.kept(&held, &subsets.subsets));
    Some(Returning { draw: held.draw, made: held.made, kept })
}

/// The draw of the first key that is present.
fn keyed<'c>(sticky: &'c Sticky, request: &mut impl Request<'c>) -> Option<Draw> {
    sticky.keys.iter().find_map(|key| key.draw(request))
}

/// The draw of a visitor who brings none by key (but under `keep`) or cookie.
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

/// What a cookie keeps of a decision under `keep`.
fn kept_part<'c>(subsets: &'c WeightedSubsets, sticky: &Sticky, at: usize, draw: Draw) -> Option<(&'c str, u64)> {
    let subset = &subsets.subsets.get(at)?.name;
    Some((subset, sticky.keep.as_ref()?.seal(subset, draw)))
}

fn new_cookie<'c>(
    cookie: &Cookie,
    kept: Option<(&str, u64)>,
    draw: Draw,
    now: Minutes,
    request: &mut impl Request<'c>,
) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    let plain_at = if cookie.secure == Secure::WhenHttps && !https { request.header(":authority") } else { None };
    NewCookie {
        plain_at: plain_at.map(<[u8]>::to_vec),
        header: cookie.write(draw, now, kept, https),
        keeps: kept.is_some(),
    }
}
