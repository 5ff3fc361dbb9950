//! The effect of an edit on stickiness: whose draw or subset is carried over, and which cookies lose their meaning.

use super::cookies::{attribute, is_attribute, path, unread};
use super::moves::Carried;
use super::note::Note;
use canary_split::request::claim::ClaimPath;
use canary_split::rule::{Rule, Target, WeightedSubsets};
use canary_split::split::{Draw, Salt};
use canary_split::visitor::Sticky;
use canary_split::visitor::cookie::{Cookie, FirstDraw, Secure};
use canary_split::visitor::keys::Key;

/// Visitors with the same fate.
pub struct Visitors {
    /// Who they are.
    pub who: String,
    /// What happens to their draws.
    pub carried: Carried,
}

impl Visitors {
    fn new(who: impl Into<String>, carried: Carried) -> Visitors {
        Visitors { who: who.into(), carried }
    }

    fn all(carried: Carried) -> Vec<Visitors> {
        vec![Visitors::new("visitors", carried)]
    }
}

/// What happens to the visitors of a rule, with notes.
pub fn carried(old: &Rule, new: &Rule) -> (Vec<Visitors>, Vec<Note>) {
    let mut notes = Vec::new();
    let visitors = match (&old.target, &new.target) {
        (Target::Fixed(_), _) => Visitors::all(Carried::Draw),
        (_, Target::Fixed(_)) => {
            if let Some(cookie) = old.sticky().and_then(|sticky| sticky.cookie.as_ref()) {
                notes.push(unread(cookie, "a fixed subset reads none"));
            }
            Visitors::all(Carried::Draw)
        }
        _ => between(old, new, &mut notes),
    };
    (visitors, notes)
}

fn salt(rule: &Rule) -> Option<Salt> {
    match &rule.target {
        Target::Fixed(_) => None,
        Target::Split(split) => Some(split.salt),
        Target::Adopted(adopted) => Some(adopted.salt),
    }
}

/// Why visitors are drawn again, although their draws are unchanged.
fn redrawn(old: &Rule, new: &Rule) -> Option<&'static str> {
    match (&old.target, &new.target) {
        (Target::Split(_), Target::Adopted(_)) => Some("somebody else's weights decide now"),
        (Target::Adopted(_), Target::Split(_)) => Some("the rule's own weights decide now"),
        _ if salt(old) != salt(new) => Some("the salt has changed"),
        _ => None,
    }
}

fn between(old: &Rule, new: &Rule, notes: &mut Vec<Note>) -> Vec<Visitors> {
    let (before, after) = match (old.sticky(), new.sticky()) {
        (None, None) => return vec![Visitors::new("requests", Carried::Nothing)],
        (None, Some(_)) => {
            notes.push(Note::new("sticky", "sticky is new: from now on visitors stay"));
            return vec![Visitors::new("requests", Carried::Nothing)];
        }
        (Some(before), None) => {
            notes.push(Note::new("sticky", "sticky is gone: from now on every request is drawn afresh"));
            notes.extend(before.cookie.as_ref().map(|cookie| unread(cookie, "nothing reads it")));
            return Visitors::all(Carried::Anew { why: "sticky is gone".to_owned() });
        }
        (Some(before), Some(after)) => (before, after),
    };
    cookie_notes(before, after, notes);
    let mut visitors = by_cookie_and_key(before, after, is_kept(before, after), notes);
    if let Some(why) = redrawn(old, new) {
        visitors.iter_mut().for_each(|visitors| visitors.carried = Carried::Anew { why: why.to_owned() });
    }
    if let (Target::Split(old), Target::Split(new)) = (&old.target, &new.target) {
        keep_notes(old, new, before, after, notes);
    }
    match visitors.split_first() {
        Some((first, others)) if others.iter().all(|other| other.carried == first.carried) => {
            let has_all = before.cookie.is_some() || others.is_empty() && before.keys.is_empty();
            let who = if has_all { "visitors" } else { first.who.as_str() };
            vec![Visitors::new(who, first.carried.clone())]
        }
        _ => visitors,
    }
}

/// Whether kept subsets stay authentic: their signature is made from the config's seal, the salt and the rule's name.
fn is_kept(old: &Sticky, new: &Sticky) -> bool {
    let signature = |sticky: &Sticky| Some(sticky.keep.as_ref()?.signature("", Draw(0)));
    signature(old).is_some() && signature(old) == signature(new)
}

/// Visitors who are known by our cookie, and visitors with a key.
fn by_cookie_and_key(before: &Sticky, after: &Sticky, is_kept: bool, notes: &mut Vec<Note>) -> Vec<Visitors> {
    let anew = |why: &str| Carried::Anew { why: why.to_owned() };
    let mut visitors = Vec::new();
    let with_cookie = before.cookie.as_ref().map(|old| match &after.cookie {
        None => anew("their cookie is gone"),
        Some(new) if !is_read(old, new) => anew("their cookies are no longer read"),
        Some(_) if is_kept => Carried::Subset,
        Some(_) => Carried::Draw,
    });
    if let Some(carried) = &with_cookie {
        let who = if before.keys.is_empty() { "visitors" } else { "visitors without a key" };
        visitors.push(Visitors::new(who, carried.clone()));
    }
    // Under `keep` visitors with a key have a cookie too, and it comes first.
    if before.keep.is_some() && after.keep.is_some() && matches!(with_cookie, Some(Carried::Draw | Carried::Subset)) {
        return visitors;
    }
    if before.keys == after.keys {
        if !before.keys.is_empty() {
            visitors.push(Visitors::new("visitors with a key", Carried::Draw));
        }
        return visitors;
    }
    let list = |keys: &[Key]| match keys {
        [] => "none".to_owned(),
        keys => keys.iter().map(key).collect::<Vec<_>>().join(", "),
    };
    notes.push(
        Note::new("keys", format!("the keys have changed from {} to {}", list(&before.keys), list(&after.keys)))
            .help("a visitor whose first key has changed is drawn again by it; append new keys at the end"),
    );
    let common: Vec<Key> =
        before.keys.iter().zip(&after.keys).take_while(|(old, new)| old == new).map(|(old, _)| old.clone()).collect();
    if !common.is_empty() {
        visitors.push(Visitors::new(format!("visitors with {}", list(&common)), Carried::Draw));
    }
    let carried = match (&with_cookie, after.keys.is_empty()) {
        // A cookie that `keep` has written for them.
        (Some(carried @ (Carried::Draw | Carried::Subset)), true) if before.keep.is_some() => carried.clone(),
        _ => anew("their key has changed"),
    };
    visitors.push(Visitors::new("visitors whose first key has changed", carried));
    visitors
}

/// A key as the config spells it.
fn key(key: &Key) -> String {
    let path = |path: &ClaimPath| {
        let names: Vec<&str> = path.names().collect();
        if names.iter().any(|name| name.contains('.')) { format!("[{}]", names.join("][")) } else { names.join(".") }
    };
    match key {
        Key::Header(name) => format!("header {name}"),
        Key::Claim(claim) => format!("claim {}", path(claim)),
        Key::QueryParam(name) => format!("queryParam {name}"),
        Key::Cookie(name) => format!("cookie {name}"),
        Key::RemoteIp => "remoteIp".to_owned(),
    }
}

/// Whether the new rule reads cookies of the old one, where both apply.
fn is_read(old: &Cookie, new: &Cookie) -> bool {
    let (was, is) = (path(old), path(new));
    old.name == new.name && (covers(was, is) || covers(is, was))
}

/// Whether a cookie of one path is sent to the other (RFC 6265 §5.1.4).
fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'))
}

fn cookie_notes(before: &Sticky, after: &Sticky, notes: &mut Vec<Note>) {
    let (old, new) = match (&before.cookie, &after.cookie) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => {
            notes.push(unread(old, "nothing reads it"));
            return;
        }
        (None, Some(new)) => {
            let text = format!(
                "cookie {} is new: visitors without a key, who were drawn afresh with every request, stay from now on",
                new.name
            );
            notes.push(Note::new("cookie", text));
            return;
        }
        (None, None) => return,
    };
    if old.name != new.name {
        notes.push(unread(old, &format!("the rule reads {} now", new.name)));
        return;
    }
    let (was, is) = (path(old), path(new));
    let renewed = if new.can_be_due() { "renewed with its draw" } else { "gone" };
    if was != is {
        let what = format!("the path of cookie {} is {is} instead of {was}", old.name);
        notes.push(Note::new(
            "cookiePath",
            if covers(was, is) {
                format!("{what}: old ones are sent there too and count until they are {renewed}")
            } else if covers(is, was) {
                format!("{what}: under {was} the old one comes first and wins; elsewhere visitors are drawn again, so that one can see two subsets until the old one has expired")
            } else {
                format!("{what}: no old one is sent there")
            },
        ));
    }
    let domain =
        |cookie| attribute(cookie, "Domain").map(|domain| domain.strip_prefix('.').unwrap_or(domain).to_owned());
    let (was, is) = (domain(old), domain(new));
    if was != is {
        let shown = |domain: &Option<String>| domain.clone().unwrap_or_else(|| "the host alone".to_owned());
        notes.push(Note::new(
            "cookieDomain",
            format!(
                "the domain of cookie {} is {} instead of {}: where old ones are sent they stay next to the new and, being older, win until they expire; on other hosts visitors are drawn for themselves",
                old.name,
                shown(&is),
                shown(&was),
            ),
        ));
    }
    let other: Vec<&str> = [
        ("ttl", old.ttl != new.ttl),
        ("renew", old.renew != new.renew),
        ("on", old.pages_only != new.pages_only),
        ("secure", old.secure != new.secure),
        ("draw", old.draw != new.draw),
        ("httpOnly", is_attribute(old, "HttpOnly") != is_attribute(new, "HttpOnly")),
        ("sameSite", attribute(old, "SameSite") != attribute(new, "SameSite")),
        ("partitioned", is_attribute(old, "Partitioned") != is_attribute(new, "Partitioned")),
    ]
    .into_iter()
    .filter_map(|(name, has_changed)| has_changed.then_some(name))
    .collect();
    if !other.is_empty() {
        let text = format!("{} of cookie {} changed: for new and renewed ones", other.join(", "), old.name);
        notes.push(Note::new("cookieAttributes", text));
    }
    if old.secure == Secure::Always && new.secure != Secure::Always {
        notes.push(Note::new(
            "cookieSecure",
            "over http a browser neither sends nor replaces a cookie that is Secure: its visitors are drawn again there",
        ));
    }
    if old.draw != new.draw && new.draw == FirstDraw::Client {
        notes.push(Note::new(
            "cookieDraw",
            "first draws are hashed from address and user agent now; visitors with a cookie keep their draw",
        ));
    }
}

/// What happens to kept subsets.
fn keep_notes(old: &WeightedSubsets, new: &WeightedSubsets, before: &Sticky, after: &Sticky, notes: &mut Vec<Note>) {
    let is_read = before.cookie.as_ref().zip(after.cookie.as_ref()).is_some_and(|(old, new)| is_read(old, new));
    let note = |text: &str| Note::new("keep", text);
    match (&before.keep, &after.keep) {
        (None, None) => {}
        (None, Some(_)) => notes.push(note("keep instead of rebalance: each cookie is taken over with the subset that its draw has now; from then on it stays")),
        (Some(_), None) => notes.push(note("rebalance instead of keep: only the draw of each cookie counts; visitors who were kept under earlier weights go where the draw says, in addition to those counted here")),
        (Some(_), Some(_)) if old.salt != new.salt => {
            notes.push(note("kept subsets are ignored: they were signed with the old salt"));
        }
        (Some(_), Some(_)) if !is_read => {}
        (Some(_), Some(_)) if !is_kept(before, after) => notes.push(note(
            "kept subsets are ignored, because the config's seal has changed: the draw counts; visitors who were kept under earlier weights go where the draw says, in addition to those counted here",
        )),
        (Some(_), Some(_)) => kept_notes(old, new, notes),
    }
}

/// What happens to kept visitors.
fn kept_notes(old: &WeightedSubsets, new: &WeightedSubsets, notes: &mut Vec<Note>) {
    let weight = |subsets: &WeightedSubsets, name: &str| {
        let at = subsets.subsets.iter().position(|subset| &*subset.name == name)?;
        subsets.weights.get(at).copied()
    };
    if old.split != new.split {
        notes.push(Note::new(
            "keep",
            "keep: visitors who have been here before stay; the new weights are for new visitors",
        ));
    }
    for name in old.subsets.iter().map(|subset| &*subset.name) {
        match (weight(old, name), weight(new, name)) {
            (_, None) => notes.push(Note::new(
                "evict",
                format!("{name} is gone: visitors who are kept there go where the draw says; more or fewer than counted here if its weight was another one before"),
            )),
            (Some(1..), Some(0)) => notes.push(
                Note::new("drain", format!("{name} drains: its visitors stay, no new ones come"))
                    .help(format!("to move everybody away at once, remove {name} from the split or change to rebalance")),
            ),
            _ => {}
        }
    }
}
