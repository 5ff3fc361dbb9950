//! One request → one decision.

use crate::config::Config;
use crate::request::Request;
use crate::rule::{Rule, Target, WeightedSubsets};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::Sticky;
use crate::visitor::cookie::{Cookie, FirstDraw, Minutes};
use crate::visitor::keys::client_draw;

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
    /// The cookie that the visitor should get.
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

/// A cookie for the final response, if [`crate::visitor::cookie::may_set_cookie`] lets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCookie {
    /// The value of the `set-cookie` header.
    pub header: String,
    /// Whether the request came over https.
    pub https: bool,
    /// Whether it keeps a subset.
    pub keeps: bool,
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
    if sticky.keep.is_none()
        && let Some(draw) = keyed(sticky, request)
    {
        return (subsets.pick(draw), Source::Key, None);
    }
    let Some(cookie) = &sticky.cookie else {
        let draw = if is_preflight(request) { client_draw(request) } else { fresh() };
        return (subsets.pick(draw), Source::Fresh, None);
    };

    if let Some(held) = request.header("cookie").and_then(|header| cookie.read(header)) {
        let kept = sticky.keep.as_ref().and_then(|keep| keep.kept(&held, &subsets.subsets));
        let (draw, made) = (held.draw, held.made);
        let subset_at = kept.unwrap_or_else(|| subsets.pick(draw));
        let source = if sticky.keep.is_some() { Source::Kept } else { Source::Cookie };
        let is_whole = kept.is_some() || sticky.keep.is_none();
        // One that is never given out again needs no clock.
        if is_whole && !cookie.can_be_due() {
            return (subset_at, source, None);
        }
        let now = now();
        if is_whole && !cookie.is_due(made, now) || is_preflight(request) {
            return (subset_at, source, None);
        }
        return (
            subset_at,
            source,
            Some(new_cookie(cookie, kept_part(subsets, sticky, subset_at, draw), draw, now, request)),
        );
    }

    let preflight = is_preflight(request);
    let key = if sticky.keep.is_some() { keyed(sticky, request) } else { None };
    let (draw, source) = match key {
        Some(draw) => (draw, Source::Key),
        None if preflight || cookie.draw == FirstDraw::Client => (client_draw(request), Source::Fresh),
        None => (fresh(), Source::Fresh),
    };
    let subset_at = subsets.pick(draw);
    if preflight {
        return (subset_at, source, None);
    }
    (subset_at, source, Some(new_cookie(cookie, kept_part(subsets, sticky, subset_at, draw), draw, now(), request)))
}

/// The draw of the first key that is present.
fn keyed<'c>(sticky: &'c Sticky, request: &mut impl Request<'c>) -> Option<Draw> {
    sticky.keys.iter().find_map(|key| key.draw(request))
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
    NewCookie { header: cookie.write(draw, now, kept, https), https, keeps: kept.is_some() }
}

/// A CORS preflight, as the Fetch standard defines it: it carries no cookies and must not set any.
fn is_preflight<'c>(request: &mut impl Request<'c>) -> bool {
    request.header(":method") == Some(b"OPTIONS")
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}
