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
use crate::visitor::remember::Remember;

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
    let is_for_this = |request: &mut _| !remember.cookie.pages_only || is_navigation(request);
    let is_given = is_due && !is_preflight(request) && is_for_this(request);
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
    NewCookie {
        header: cookie.write(draw, now, kept, https),
        keeps: kept.is_some(),
        plain_at: plain_at(cookie, https, request),
    }
}

/// A broken version must not hold a visitor whom it never served: it keeps.
fn remembering_cookie<'c>(remember: &Remember, now: Minutes, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    let plain_at = plain_at(&remember.cookie, https, request);
    NewCookie { header: remember.write(now, https), keeps: true, plain_at }
}

/// It goes out with a server's error too: whoever wants to leave may.
fn removing_cookie<'c>(remember: &Remember, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    let plain_at = plain_at(&remember.cookie, https, request);
    NewCookie { header: remember.remove(https), keeps: false, plain_at }
}

/// See [`NewCookie::plain_at`].
fn plain_at<'c>(cookie: &Cookie, https: bool, request: &mut impl Request<'c>) -> Option<Vec<u8>> {
    let goes_by_scheme = cookie.secure == Secure::WhenHttps && !https;
    if goes_by_scheme { request.header(":authority").map(<[u8]>::to_vec) } else { None }
}
