//! The source of a draw, the subsets that chance may choose, and the cookies that are ignored.

use super::remembered;
use super::request::Seen;
use super::shown::{masked, quoted};
use crate::report::plan;
use crate::report::share::Share;
use canary_split::decide::{Decision, Source};
use canary_split::request::cookies;
use canary_split::rollout::ramp::Second;
use canary_split::rule::{Rule, Target};
use canary_split::split::Draw;
use canary_split::visitor::Sticky;
use canary_split::visitor::cookie::{Held, Minutes};
use canary_split::visitor::keys::{Key, client_draw};
use serde::Serialize;

/// What decides if nothing about the visitor does.
pub const CHANCE: &str = "chance";

/// The fresh draw, if one was needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Chance {
    /// None was needed.
    Unasked,
    /// This one, by `--draw`.
    Given(Draw),
    /// Unknown.
    Open,
}

/// A subset that chance may choose.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its name.
    pub subset: String,
    /// The value of the header.
    pub header_value: String,
    /// Its part of all draws.
    #[serde(flatten)]
    pub share: Share,
}

/// A cookie that is ignored, wholly or in part.
#[derive(Debug, Serialize)]
pub struct Ignored {
    /// The part that is ignored.
    pub what: String,
    /// Why.
    pub why: String,
}

/// The draw, if any, and its source.
pub fn origin<'c>(decision: &Decision<'c>, chance: Chance, request: &mut Seen) -> (Option<Draw>, String) {
    let sticky = decision.rule.sticky();
    match decision.source {
        Source::Fixed => (None, "none: the subset is fixed".to_owned()),
        Source::Remembered => {
            let name =
                decision.rule.remember.as_ref().map(|remember| remember.cookie.name.as_str()).unwrap_or_default();
            (None, format!("none: the cookie {name} remembers the visitor"))
        }
        Source::Key => {
            let keys = sticky.map(|sticky| sticky.keys.iter()).into_iter().flatten();
            let mut present = keys.filter_map(|key| Some((key.draw(request)?, key)));
            present.next().map_or((None, String::new()), |(draw, key)| (Some(draw), format!("the key {}", name(key))))
        }
        Source::Cookie | Source::Kept => {
            let cookie = sticky.and_then(|sticky| sticky.cookie.as_ref());
            let held = cookie.zip(request.values("cookie").next()).and_then(|(cookie, line)| cookie.read(line));
            let name = cookie.map(|cookie| cookie.name.as_str()).unwrap_or_default();
            (held.map(|held| held.draw), format!("the cookie {name}"))
        }
        Source::Fresh => match chance {
            Chance::Given(draw) => (Some(draw), "--draw".to_owned()),
            Chance::Open => (None, CHANCE.to_owned()),
            Chance::Unasked => (Some(client_draw(request)), "the client's address and user agent".to_owned()),
        },
    }
}

/// The subsets of a rule with their exact shares at a moment.
pub fn candidates(rule: &Rule, now: Second) -> Vec<Candidate> {
    let Target::Split(subsets) = &rule.target else { return Vec::new() };
    let candidate = |(subset, draws): (&canary_split::subset::Subset, u64)| Candidate {
        subset: subset.name.to_string(),
        header_value: masked(subset),
        share: Share::of_draws(draws),
    };
    subsets.subsets.iter().zip(plan::draws(subsets, now)).map(candidate).collect()
}

/// The cookies of the rule that are not read, or only in part.
pub fn ignored(decision: &Decision, request: &Seen, now: Minutes) -> Vec<Ignored> {
    let mut ignored = Vec::new();
    let mut add = |what: String, why: &str| ignored.push(Ignored { what, why: why.to_owned() });
    let mut lines = request.values("cookie");
    let Some(line) = lines.next() else { return ignored };
    if lines.next().is_some() {
        add("every cookie header but the first".to_owned(), "browsers send one");
    }
    if let Some(remember) = &decision.rule.remember {
        for (what, why) in remembered::ignored(remember, line, now) {
            add(what, why);
        }
        return ignored;
    }
    let Some(sticky) = decision.rule.sticky() else {
        let name = format!("canary-{}", decision.rule.name);
        if cookies::values(line, &name).next().is_some() {
            add(format!("cookie {name}"), "nothing of this rule sticks");
        }
        return ignored;
    };
    let Some(cookie) = &sticky.cookie else { return ignored };
    let is_keyed = decision.source == Source::Key;
    let mut is_read = false;
    for value in cookies::values(line, &cookie.name) {
        let what = format!("cookie {}={}", cookie.name, quoted(value));
        match Held::parse(value) {
            _ if is_keyed && sticky.keep.is_none() => add(what, "the key decides"),
            None => add(what, "it is not of the filter's form"),
            Some(_) if is_read => add(what, "one before it counts"),
            Some(held) => {
                is_read = true;
                if let Some(why) = why_not_kept(&held, decision.rule, sticky) {
                    add(format!("the subset that {what} keeps"), why);
                }
            }
        }
    }
    ignored
}

/// Why the subset that a cookie keeps does not count, if it keeps one.
fn why_not_kept(held: &Held, rule: &Rule, sticky: &Sticky) -> Option<&'static str> {
    let (name, _) = held.kept?;
    let Target::Split(subsets) = &rule.target else { return Some("the rule decides no subset: its draw counts") };
    let Some(keep) = &sticky.keep else { return Some("onWeightChange is rebalance: its draw counts") };
    if keep.kept(held, &subsets.subsets).is_some() {
        return None;
    }
    let is_there = subsets.subsets.iter().any(|subset| subset.name.as_bytes() == name);
    Some(if is_there {
        "it was made under another seal or salt, or altered: its draw counts"
    } else {
        "the split has no such subset: its draw counts"
    })
}

/// A key as the config names it.
fn name(key: &Key) -> String {
    match key {
        Key::Header(name) => format!("header: {name}"),
        Key::Claim(path) => format!("claim: {}", path.names().collect::<Vec<_>>().join(".")),
        Key::QueryParam(name) => format!("queryParam: {name}"),
        Key::Cookie(name) => format!("cookie: {name}"),
        Key::RemoteIp => "remoteIp".to_owned(),
    }
}
