//! The effect of an edit on visitors whom a rule remembers.

use super::cookies::{attribute, is_attribute, path, unread};
use super::matches::entries;
use super::note::Note;
use canary_split::rule::{Rule, Target};
use canary_split::visitor::Sticky;
use canary_split::visitor::remember::Remember;

/// Who is forgotten, and what else changes for remembered visitors.
pub fn notes(old: &Rule, new: &Rule) -> Vec<Note> {
    let mut notes = Vec::new();
    match (&old.remember, &new.remember) {
        (None, None) => {}
        (None, Some(new)) => notes.push(note(format!(
            "remember is new: from now on everybody who matches stays, {}",
            if new.cookie.ttl == 0 {
                "until the browser closes".to_owned()
            } else {
                format!("for {} s", new.cookie.ttl)
            }
        ))),
        (Some(old), None) => notes.push(match sticky(new).filter(|sticky| is_of(sticky, old)) {
            None => unread(&old.cookie, "the rule no longer remembers anybody"),
            Some(sticky) => note(format!(
                "cookie {} is read as a cookie of the split: a visitor who was remembered {}",
                old.cookie.name,
                if sticky.keep.is_some() {
                    "is kept, or drawn by the minute of the link"
                } else {
                    "is drawn by the minute of the link"
                }
            ))
            .help("with another sticky.cookie.name they are drawn like everybody else"),
        }),
        (Some(before), Some(after)) => between(old, new, before, after, &mut notes),
    }
    if entries(&old.forget) != entries(&new.forget) {
        notes.push(Note::new("forget", "its forget changed: other requests leave the rule"));
    }
    notes
}

fn sticky(rule: &Rule) -> Option<&Sticky> {
    if let Target::Split(split) = &rule.target { split.sticky.as_deref() } else { None }
}

fn is_of(sticky: &Sticky, remember: &Remember) -> bool {
    sticky.cookie.as_ref().is_some_and(|cookie| cookie.name == remember.cookie.name)
}

fn note(text: impl Into<String>) -> Note {
    Note::new("remember", text)
}

fn between(old: &Rule, new: &Rule, before: &Remember, after: &Remember, notes: &mut Vec<Note>) {
    let (was, is) = (&before.cookie, &after.cookie);
    if was.name != is.name {
        notes.push(unread(was, &format!("the rule reads {} now", is.name)));
        return;
    }
    if !after.takes_over(before) {
        let why = match (&old.target, &new.target) {
            (Target::Fixed(old), Target::Fixed(new)) if old.name != new.name => {
                format!("the subset is {} instead of {}", new.name, old.name)
            }
            _ => "the seal of the config has changed".to_owned(),
        };
        notes.push(
            note(format!("everybody who was remembered is forgotten, because {why}"))
                .help("they match again, or go by the next rule; give testers the link once more"),
        );
        return;
    }
    if is.ttl > 0 && (was.ttl == 0 || is.ttl < was.ttl) {
        notes.push(note(format!(
            "the ttl is shorter: everybody who was remembered more than {} s ago is forgotten",
            is.ttl
        )));
    }
    if path(was) != path(is) || attribute(was, "Domain") != attribute(is, "Domain") {
        let text = "its path or domain has changed: old ones count where they are sent, and elsewhere their visitors match again";
        notes.push(note(format!("cookie {}: {text}", is.name)));
    }
    let other: Vec<&str> = [
        ("ttl", was.ttl > 0 && (is.ttl == 0 || is.ttl > was.ttl)),
        ("renew", before.renew != after.renew),
        ("on", was.pages_only != is.pages_only),
        ("secure", was.secure != is.secure),
        ("httpOnly", is_attribute(was, "HttpOnly") != is_attribute(is, "HttpOnly")),
        ("sameSite", attribute(was, "SameSite") != attribute(is, "SameSite")),
        ("partitioned", is_attribute(was, "Partitioned") != is_attribute(is, "Partitioned")),
    ]
    .into_iter()
    .filter_map(|(name, has_changed)| has_changed.then_some(name))
    .collect();
    if !other.is_empty() {
        let text = format!("{} of cookie {} changed: for new and renewed ones", other.join(", "), is.name);
        notes.push(Note::new("cookieAttributes", text));
    }
}
