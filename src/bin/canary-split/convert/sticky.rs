//! `--sticky`: how visitors stay with their subset.

use std::str::FromStr;

/// One way to recognise a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// The filter's own cookie.
    Cookie,
    /// A request header.
    Header(String),
    /// A claim of a token that the gateway has verified.
    Claim(String),
}

impl FromStr for Sticky {
    type Err = String;

    fn from_str(text: &str) -> Result<Sticky, String> {
        match text.split_once(':') {
            None if text == "cookie" => Ok(Sticky::Cookie),
            Some(("header", name)) if !name.is_empty() => Ok(Sticky::Header(name.to_owned())),
            Some(("claim", name)) if !name.is_empty() => Ok(Sticky::Claim(name.to_owned())),
            _ => Err("write cookie, header:NAME or claim:NAME".to_owned()),
        }
    }
}

impl Sticky {
    /// The kind and name of the rule's key; `None` for the cookie.
    pub fn key(&self) -> Option<(&'static str, &str)> {
        match self {
            Sticky::Cookie => None,
            Sticky::Header(name) => Some(("header", name)),
            Sticky::Claim(name) => Some(("claim", name)),
        }
    }
}

/// Describes how visitors are recognised, in the order in which the rule tries it.
pub fn kept(all: &[Sticky]) -> String {
    let one = |sticky: &Sticky| match sticky.key() {
        None => "cookie".to_owned(),
        Some((kind, name)) => format!("{kind} {name}"),
    };
    // A rule tries its keys before the cookie.
    let (keys, cookie): (Vec<_>, Vec<_>) = all.iter().partition(|sticky| sticky.key().is_some());
    keys.into_iter().chain(cookie).map(one).collect::<Vec<_>>().join(", else ")
}

/// Notes for the user on the chosen ways.
pub fn notes(all: &[Sticky]) -> Vec<String> {
    let mut notes = Vec::new();
    let keys: Vec<_> = all.iter().filter_map(Sticky::key).map(|(kind, name)| format!("{kind} {name}")).collect();
    if !all.contains(&Sticky::Cookie) {
        let keys = keys.join(" or ");
        notes.push(format!(
            "a request without {keys} is drawn afresh each time; --sticky cookie in addition keeps these visitors too"
        ));
    }
    if all.iter().any(|sticky| matches!(sticky, Sticky::Claim(_))) {
        notes.push("a claim counts if a RequestAuthentication at the gateway has verified the token".to_owned());
    }
    notes
}

/// A note for callers that keep no cookies, if nothing else recognises them.
pub fn without_cookies(all: &[Sticky], callers: &str) -> Option<String> {
    let has_key = all.iter().any(|sticky| sticky.key().is_some());
    (!has_key).then(|| {
        format!(
            "{callers} keep no cookies, so each of their requests is drawn afresh; convert with a key that they send, as in --sticky header:x-user-id"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::Sticky;

    #[test]
    fn three_ways_are_known() {
        let table = [
            ("cookie", Some(Sticky::Cookie)),
            ("header:x-user", Some(Sticky::Header("x-user".to_owned()))),
            ("claim:realm.role", Some(Sticky::Claim("realm.role".to_owned()))),
            ("header:", None),
            ("header", None),
            ("cookie:x", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
