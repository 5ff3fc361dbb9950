//! One request → one decision.

use crate::config::Config;
use crate::request::Request;
use crate::rule::{Rule, Target, WeightedSubsets};
use crate::split::Draw;
use crate::subset::Subset;
use crate::visitor::Sticky;
use crate::visitor::cookie::{Cookie, FirstDraw, Minutes};
use crate::visitor::keys::client_draw;
use crate::visitor::remember::Remember;

/// What comes of a request.
#[derive(Clone, Debug)]
pub struct Answer<'c> {
    /// Which subset it belongs to; `None`: no rule speaks about it.
    pub decision: Option<Decision<'c>>,
    /// Cookies that are taken away from the visitor, whatever is decided.
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
    /// The rule has one fixed subset, and its cookie says that the visitor has matched before.
    Remembered,
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
    let mut clock = Clock { ask: Some(now), now: Minutes(0) };
    let mut forgotten = Vec::new();
    let decision = first_that_holds(config, request, &mut clock, &mut forgotten)
        .and_then(|held| decide_by(held, request, fresh, || clock.now()));
    Answer { decision, forgotten }
}

/// A rule that holds.
struct HeldRule<'c> {
    at: usize,
    rule: &'c Rule,
    /// If it remembers its visitors: why it holds, and which cookie follows.
    remembered: Option<Box<(Source, Option<NewCookie>)>>,
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

/// A clock that is looked at once.
struct Clock<F> {
    ask: Option<F>,
    now: Minutes,
}

impl<F: FnOnce() -> Minutes> Clock<F> {
    fn now(&mut self) -> Minutes {
        if let Some(ask) = self.ask.take() {
            self.now = ask();
        }
        self.now
    }
}

fn first_that_holds<'c>(
    config: &'c Config,
    request: &mut impl Request<'c>,
    clock: &mut Clock<impl FnOnce() -> Minutes>,
    forgotten: &mut Vec<NewCookie>,
) -> Option<HeldRule<'c>> {
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
        if let Some(rule) = config.rules.get(at) {
            match &rule.remember {
                None if rule.matches(request) => return Some(HeldRule { at, rule, remembered: None }),
                None => {}
                Some(remember) => {
                    let remembered = recall(rule, remember, request, clock, forgotten);
                    if remembered.is_some() {
                        return Some(HeldRule { at, rule, remembered });
                    }
                }
            }
        }
        next = candidates.next();
    }
    None
}

/// Whether a rule that remembers its visitors holds: why, and which cookie follows.
#[inline(never)]
fn recall<'c>(
    rule: &'c Rule,
    remember: &'c Remember,
    request: &mut impl Request<'c>,
    clock: &mut Clock<impl FnOnce() -> Minutes>,
    forgotten: &mut Vec<NewCookie>,
) -> Option<Box<(Source, Option<NewCookie>)>> {
    if rule.forgets(request) {
        // Also one that was not sent: a cookie may be for another path, or not be sent on the way from another site.
        if !is_preflight(request) {
            forgotten.push(removing_cookie(remember, request));
        }
        return None;
    }
    let matches = rule.matches(request);
    let made = request.header("cookie").and_then(|header| remember.made(header));
    let made = made.filter(|&made| remember.counts(made, clock.now()));
    if !matches && made.is_none() {
        return None;
    }
    let source = if matches { Source::Fixed } else { Source::Remembered };
    let is_due = made.is_none_or(|made| remember.is_due(made, clock.now(), matches));
    let is_given = is_due && !is_preflight(request);
    let cookie = if is_given { Some(remembering_cookie(remember, clock.now(), request)) } else { None };
    Some(Box::new((source, cookie)))
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

/// A broken version must not hold a visitor whom it never served: it keeps.
fn remembering_cookie<'c>(remember: &Remember, now: Minutes, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    NewCookie { header: remember.write(now, https), https, keeps: true }
}

/// It goes out with a server's error too: whoever wants to leave may.
fn removing_cookie<'c>(remember: &Remember, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    NewCookie { header: remember.remove(https), https, keeps: false }
}

/// A CORS preflight, as the Fetch standard defines it: it carries no cookies and must not set any.
fn is_preflight<'c>(request: &mut impl Request<'c>) -> bool {
    request.header(":method") == Some(b"OPTIONS")
        && request.header("origin").is_some()
        && request.header("access-control-request-method").is_some()
}
