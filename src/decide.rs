//! One request → one decision.

use crate::config::Config;
use crate::rule::{Request, Rule, Subset, Target};
use crate::split::Draw;
use crate::sticky::{Cookie, Minutes};

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
    /// The draw in our cookie.
    Cookie,
}

/// A cookie for the final response, if [`crate::sticky::may_set_cookie`] lets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCookie {
    /// The value of the `set-cookie` header.
    pub header: String,
    /// Whether the request came over https.
    pub https: bool,
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
    let (draw, source, cookie) = match &subsets.sticky {
        None => (fresh(), Source::Fresh, None),
        Some(sticky) => visit(&sticky.cookie, request, fresh, now),
    };
    let subset_at = subsets.pick(draw);
    Some(Decision { rule, rule_at, subset: subsets.subsets.get(subset_at)?, subset_at, source, cookie })
}

fn first_match<'c>(config: &'c Config, request: &mut impl Request<'c>) -> Option<(usize, &'c Rule)> {
    let authority = if config.hosts.needs_host() { request.header(":authority").unwrap_or_default() } else { &[] };
    let mut candidates = config.hosts.rules(authority).map(|at| at as usize);
    candidates.find_map(|at| Some((at, config.rules.get(at).filter(|rule| rule.matches(request))?)))
}

/// The draw of a visitor with or without our cookie.
fn visit<'c>(
    cookie: &'c Cookie,
    request: &mut impl Request<'c>,
    fresh: impl FnOnce() -> Draw,
    now: impl FnOnce() -> Minutes,
) -> (Draw, Source, Option<NewCookie>) {
    let held = request.header("cookie").and_then(|header| cookie.read(header));
    let (draw, source) = match held {
        Some(held) => (held.draw, Source::Cookie),
        None => (fresh(), Source::Fresh),
    };
    // A session cookie and one that is not renewed need no clock.
    if held.is_some() && !cookie.can_be_due() {
        return (draw, source, None);
    }
    let now = now();
    if held.is_some_and(|held| !cookie.is_due(held, now)) || is_preflight(request) {
        return (draw, source, None);
    }
    let https = request.header(":scheme") == Some(b"https");
    (draw, source, Some(NewCookie { header: cookie.write(draw, now, https), https }))
}

/// A CORS preflight, as the Fetch standard defines it: it carries no cookies and must not set any.
fn is_preflight<'c>(request: &mut impl Request<'c>) -> bool {
    request.header(":method") == Some(b"OPTIONS")
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}
