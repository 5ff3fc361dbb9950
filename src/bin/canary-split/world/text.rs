//! Conditions on a text, and which of them imply others.

use crate::input::yaml::{Key, Node, Value};
use canary_split::rule::re2::Re2;
use std::cell::OnceCell;

/// How many of some requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// None.
    None,
    /// At most some.
    Few,
    /// Unknown.
    Unknown,
    /// Some, but as far as known not all.
    Some,
    /// All.
    All,
}

impl Taken {
    /// The requests that two conditions take together.
    pub fn and(self, other: Taken) -> Taken {
        match (self, other) {
            (Taken::All, taken) | (taken, Taken::All) => taken,
            (Taken::None, _) | (_, Taken::None) => Taken::None,
            (one, other) if one == other => one,
            _ => Taken::Few,
        }
    }
}

/// A condition on a text.
#[derive(Debug)]
pub enum Text<'c> {
    /// It is present.
    Present,
    /// It equals this.
    Exact(&'c str),
    /// It begins with this.
    Prefix(&'c str),
    /// It is this path, or one below it: `/a` takes `/a/b` and not `/ab`. Without a slash at its end.
    Below(&'c str),
    /// A regex of a route, which may be unreadable.
    Regex(&'c str, OnceCell<Option<Re2>>),
    /// A regex of a rule.
    Compiled(&'c Re2),
    /// Something else.
    Unclear(&'c Node),
}

impl<'c> Text<'c> {
    /// Reads the condition of a route.
    pub fn of(node: &'c Node) -> Text<'c> {
        match node.entries() {
            [] if matches!(node.value, Value::Map(_)) => Text::Present,
            [(key, value)] => match (&*key.name, value.text()) {
                ("exact", Some(text)) => Text::Exact(text),
                ("prefix", Some(text)) => Text::Prefix(text),
                ("regex", Some(text)) => Text::Regex(text, OnceCell::new()),
                _ => Text::Unclear(node),
            },
            _ => Text::Unclear(node),
        }
    }

    /// How many requests at a gateway come from this source. A gateway has labels too, but not those of an application.
    pub fn taken_of_gateway(&self) -> Taken {
        let Text::Unclear(node) = self else { return Taken::Unknown };
        let is_gateways = |(key, value): &(Key, Node)| {
            &*key.name == "istio" || value.text().is_none_or(|text| text.contains("gateway"))
        };
        let labels = node.entries();
        if labels.is_empty() || labels.iter().any(is_gateways) { Taken::Unknown } else { Taken::Few }
    }

    /// How many of the values that meet this meet another one, with or without regard to case.
    pub fn implies(&self, ignores_case: bool, other: &Text, other_ignores_case: bool) -> Taken {
        let taken = match (self, other) {
            (_, Text::Present) => Taken::All,
            (Text::Present, _) => Taken::Some,
            (Text::Unclear(one), Text::Unclear(other)) if one.to_json() == other.to_json() => Taken::All,
            (Text::Exact(text), wanted) => match wanted.holds(text, other_ignores_case) {
                Some(true) => Taken::All,
                Some(false) => Taken::None,
                None => Taken::Unknown,
            },
            (Text::Prefix(own), Text::Prefix(wanted)) if begins(own, wanted, other_ignores_case) => Taken::All,
            (Text::Prefix(own), Text::Exact(wanted) | Text::Prefix(wanted)) => {
                if begins(wanted, own, ignores_case || other_ignores_case) { Taken::Some } else { Taken::None }
            }
            (Text::Below(own), Text::Prefix(wanted)) if begins(own, wanted, other_ignores_case) => Taken::All,
            (Text::Below(own), Text::Prefix(wanted) | Text::Exact(wanted)) => {
                if is_below(wanted, own, ignores_case || other_ignores_case) { Taken::Some } else { Taken::None }
            }
            (Text::Below(own) | Text::Prefix(own), Text::Below(wanted)) => {
                let is_path = matches!(self, Text::Below(_)) || own.len() > wanted.len();
                let is_within = is_path && is_below(own, wanted, other_ignores_case);
                let may_be = match self {
                    Text::Below(_) => is_below(wanted, own, ignores_case || other_ignores_case),
                    _ => begins(wanted, own, ignores_case || other_ignores_case),
                };
                match (is_within, may_be) {
                    (true, _) => Taken::All,
                    (_, true) => Taken::Some,
                    _ => Taken::None,
                }
            }
            (Text::Regex(own, _), Text::Regex(wanted, _)) if own == wanted => Taken::All,
            (Text::Regex(..) | Text::Compiled(_), Text::Exact(wanted)) if !other_ignores_case => {
                match self.holds(wanted, false) {
                    Some(true) => Taken::Some,
                    Some(false) => Taken::None,
                    None => Taken::Unknown,
                }
            }
            _ => Taken::Unknown,
        };
        match taken {
            // Only this condition takes values in another case.
            Taken::All | Taken::None if ignores_case && !other_ignores_case => Taken::Unknown,
            _ => taken,
        }
    }

    /// Whether a value meets it; `None`: unknown.
    pub fn holds(&self, value: &str, ignores_case: bool) -> Option<bool> {
        match self {
            Text::Present => Some(true),
            Text::Exact(text) if ignores_case => Some(value.eq_ignore_ascii_case(text)),
            Text::Exact(text) => Some(value == *text),
            Text::Prefix(text) => Some(begins(value, text, ignores_case)),
            Text::Below(text) => Some(is_below(value, text, ignores_case)),
            Text::Regex(text, compiled) => {
                compiled.get_or_init(|| Re2::new(text).ok()).as_ref().map(|regex| regex.is_match(value.as_bytes()))
            }
            Text::Compiled(regex) => Some(regex.is_match(value.as_bytes())),
            Text::Unclear(_) => None,
        }
    }
}

/// Whether a path is another one, or below it.
fn is_below(path: &str, other: &str, ignores_case: bool) -> bool {
    let rest = path.get(other.len()..);
    begins(path, other, ignores_case) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn begins(text: &str, prefix: &str, ignores_case: bool) -> bool {
    let begin = text.get(..prefix.len());
    begin.is_some_and(|begin| begin == prefix || ignores_case && begin.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::{Taken, Text};
    use std::cell::OnceCell;

    fn regex(pattern: &str) -> Text<'_> {
        Text::Regex(pattern, OnceCell::new())
    }

    #[test]
    fn what_one_text_implies_for_another() {
        use Text::{Below, Exact, Prefix, Present};
        let table = [
            (Exact("/a"), Exact("/a"), Taken::All),
            (Exact("/a"), Exact("/A"), Taken::None),
            (Exact("/a/b"), Prefix("/a"), Taken::All),
            (Exact("/b"), Prefix("/a"), Taken::None),
            (Exact("v2"), regex("v[23]"), Taken::All),
            (Exact("v4"), regex("v[23]"), Taken::None),
            (Exact("v4"), regex("v\\C"), Taken::Unknown),
            (Exact("v4"), Present, Taken::All),
            (Prefix("/a/b"), Prefix("/a"), Taken::All),
            (Prefix("/a"), Prefix("/a/b"), Taken::Some),
            (Prefix("/a"), Prefix("/b"), Taken::None),
            (Prefix("/a"), Exact("/a/b"), Taken::Some),
            (Prefix("/a"), Exact("/b"), Taken::None),
            (Prefix("/a"), regex("/a.*"), Taken::Unknown),
            (Present, Exact("x"), Taken::Some),
            (Below("/a"), Exact("/a"), Taken::Some),
            (Below("/a"), Exact("/a/b"), Taken::Some),
            (Below("/a"), Exact("/ab"), Taken::None),
            (Below("/a"), Below("/a"), Taken::All),
            (Below("/a/b"), Below("/a"), Taken::All),
            (Below("/a"), Below("/a/b"), Taken::Some),
            (Below("/a"), Below("/ab"), Taken::None),
            (Below("/ab"), Below("/a"), Taken::None),
            (Below("/a"), Below(""), Taken::All),
            (Below("/ab"), Prefix("/a"), Taken::All),
            (Below("/a"), Prefix("/a/"), Taken::Some),
            (Below("/a"), Prefix("/ab"), Taken::None),
            (Prefix("/a/"), Below("/a"), Taken::All),
            (Prefix("/a"), Below("/a"), Taken::Some),
            (Prefix("/a"), Below("/ab"), Taken::Some),
            (Prefix("/ab"), Below("/a"), Taken::None),
            (Exact("/a/b"), Below("/a"), Taken::All),
            (Exact("/ab"), Below("/a"), Taken::None),
            (regex("/a.*"), Below("/a"), Taken::Unknown),
            (regex("v."), regex("v."), Taken::All),
            (regex("v."), regex("v.*"), Taken::Unknown),
            (regex("v."), Exact("v2"), Taken::Some),
            (regex("v."), Exact("w2"), Taken::None),
            (regex("v."), Prefix("v"), Taken::Unknown),
        ];
        for (one, other, expected) in table {
            assert_eq!(one.implies(false, &other, false), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn who_ignores_case_takes_more() {
        let (lower, upper) = (Text::Prefix("/a"), Text::Prefix("/A"));
        assert_eq!(lower.implies(false, &upper, true), Taken::All);
        assert_eq!(lower.implies(true, &lower, false), Taken::Unknown);
        assert_eq!(lower.implies(true, &upper, true), Taken::All);
        assert_eq!(Text::Exact("/b").implies(true, &upper, true), Taken::None);
    }

    #[test]
    fn conditions_take_together_what_both_take() {
        let table = [
            (Taken::All, Taken::Some, Taken::Some),
            (Taken::None, Taken::Unknown, Taken::None),
            (Taken::Some, Taken::Unknown, Taken::Few),
            (Taken::Unknown, Taken::Unknown, Taken::Unknown),
            (Taken::Few, Taken::All, Taken::Few),
        ];
        for (one, other, expected) in table {
            assert_eq!((one.and(other), other.and(one)), (expected, expected), "{one:?} {other:?}");
        }
    }
}
