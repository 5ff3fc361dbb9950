//! `--sticky`: by what visitors stay with their subset.

use std::str::FromStr;

/// One way to know a visitor again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// By the filter's own cookie.
    Cookie,
    /// By a header of the request.
    Header(String),
    /// By a claim of a token that the gateway has verified.
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
    /// The key of a rule that it is.
    pub fn key(&self) -> Option<(&'static str, &str)> {
        match self {
            Sticky::Cookie => None,
            Sticky::Header(name) => Some(("header", name)),
            Sticky::Claim(name) => Some(("claim", name)),
        }
    }
}

/// What is to be known of these; nothing if everybody is known again.
pub fn note(all: &[Sticky]) -> Option<String> {
    if all.contains(&Sticky::Cookie) {
        return None;
    }
    let keys: Vec<_> = all.iter().filter_map(Sticky::key).map(|(kind, name)| format!("{kind} {name}")).collect();
    let keys = keys.join(" or ");
    Some(format!("a request without {keys} is drawn afresh each time; --sticky cookie in addition keeps these visitors too"))
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
