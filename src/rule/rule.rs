//! Does this rule speak about this request?
//!
//! Matches mean what they mean in a VirtualService. Values are bytes; of a repeated header the first value counts.

use crate::claim::{self, ClaimPath};
use crate::cookie;
use crate::re2::Re2;
use crate::split::{Draw, Salt, Split};
use crate::sticky::Sticky;
use std::rc::Rc;

/// What a rule may ask about a request.
///
/// `'c` is the life of the configuration, which the names belong to: an implementation may remember what it was asked.
pub trait Request<'c> {
    /// The first value of a header. `:authority`, `:path`, `:method` and `:scheme` are headers too.
    fn header(&mut self, name: &'c str) -> Option<&[u8]>;
    /// A claim of a token that has been verified before; a list of strings in Envoy's format for pairs.
    fn claim(&mut self, path: &'c ClaimPath) -> Option<&[u8]>;
    /// The client's address as Envoy trusts it, with or without a port.
    fn client_address(&mut self) -> Option<&[u8]>;
}

/// A name, a match, and a split or one fixed subset.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique among the rules.
    pub name: String,
    /// The hosts that it speaks about; empty: every host.
    pub hosts: Box<[HostPattern]>,
    /// Any of these may hold; empty: every request.
    pub matches: Box<[Match]>,
    /// Where its requests go.
    pub target: Target,
}

/// A host in a rule, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Rc<str>),
    /// Every host below this one, at any depth, but not itself: `*.example.com`.
    Below(Rc<str>),
    /// Every host: `*`.
    Any,
}

/// Where a rule's requests go.
#[derive(Clone, Debug)]
pub enum Target {
    /// All to one subset: an override.
    Fixed(Subset),
    /// By weight.
    Split(WeightedSubsets),
}

/// A split and where its draws come from.
#[derive(Clone, Debug)]
pub struct WeightedSubsets {
    /// In the order of the list; the first is stable.
    pub subsets: Box<[Subset]>,
    /// Their weights.
    pub weights: Box<[u32]>,
    /// Which position belongs to which of them.
    pub split: Split,
    /// From a draw to a position.
    pub salt: Salt,
    /// What sticks to the visitor; `None`: every request draws afresh.
    pub sticky: Option<Box<Sticky>>,
}

/// One version behind a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// Its name, as in the DestinationRule.
    pub name: Rc<str>,
    /// What the subset header says: the name, with the seal appended if there is one.
    pub header_value: Rc<str>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Match {
    /// Cheap ones first.
    pub conditions: Box<[Condition]>,
}

/// One condition of a match.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The request's method.
    Method(StringMatch),
    /// The path without the query.
    Uri(StringMatch),
    /// A header by its name in lower case.
    Header(String, StringMatch),
    /// A header that must not match; an absent header has an empty value, as in Istio.
    WithoutHeader(String, StringMatch),
    /// A query parameter, not decoded, as in Envoy; of a repeated one the first counts.
    QueryParam(String, StringMatch),
    /// One cookie by name; of a repeated one the first counts.
    Cookie(String, StringMatch),
    /// A claim of a verified token; of a list any item.
    Claim(ClaimPath, StringMatch),
}

/// How a value is matched.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// It is there.
    Present,
    /// It is this.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// All of it matches.
    Regex(Box<Re2>),
}

impl Rule {
    /// Whether any of the matches holds. The host has been looked up before: see [`crate::hosts`].
    pub fn matches<'c>(&'c self, request: &mut impl Request<'c>) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|m| m.conditions.iter().all(|c| c.holds(request)))
    }
}

impl WeightedSubsets {
    /// The place in the list of the subset that a draw belongs to.
    pub fn pick(&self, draw: Draw) -> usize {
        self.split.pick(self.salt.position(draw))
    }
}

impl Condition {
    /// Whether a request meets it.
    pub fn holds<'c>(&'c self, request: &mut impl Request<'c>) -> bool {
        match self {
            Condition::Method(m) => m.holds(request.header(":method")),
            Condition::Uri(m) => request.header(":path").is_some_and(|path| {
                // Of a hundred conditions most end here, before anybody looks for the query.
                m.may_begin(path) && m.holds(Some(split_query(path).0))
            }),
            Condition::Header(name, m) => m.holds(request.header(name)),
            Condition::WithoutHeader(name, StringMatch::Present) => request.header(name).is_none(),
            Condition::WithoutHeader(name, m) => !m.holds(Some(request.header(name).unwrap_or_default())),
            Condition::QueryParam(name, m) => m.holds(request.header(":path").and_then(|path| query_param(path, name))),
            Condition::Cookie(name, m) => {
                m.holds(request.header("cookie").and_then(|header| cookie::values(header, name).next()))
            }
            Condition::Claim(path, m) => request.claim(path).is_some_and(|value| match claim::items(value) {
                Some(mut items) => matches!(m, StringMatch::Present) || items.any(|item| m.holds(Some(item))),
                None => m.holds(Some(value)),
            }),
        }
    }
}

impl StringMatch {
    /// Whether a beginning of this text may match.
    fn may_begin(&self, text: &[u8]) -> bool {
        match self {
            StringMatch::Exact(begin) | StringMatch::Prefix(begin) => text.starts_with(begin.as_bytes()),
            StringMatch::Present | StringMatch::Regex(_) => true,
        }
    }

    fn holds(&self, value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| match self {
            StringMatch::Present => true,
            StringMatch::Exact(exact) => value == exact.as_bytes(),
            StringMatch::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            StringMatch::Regex(regex) => regex.is_match(value),
        })
    }
}

/// A path without its query, and the query.
fn split_query(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |&b| b == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

/// The first value of a query parameter; without `=` it is empty.
pub fn query_param<'p>(path: &'p [u8], name: &str) -> Option<&'p [u8]> {
    split_query(path).1?.split(|&b| b == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |&b| b == b'=');
        (parts.next()? == name.as_bytes()).then(|| parts.next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::{query_param, split_query};

    #[test]
    fn the_query_is_no_part_of_the_uri() {
        assert_eq!(split_query(b"/a?b?c"), (&b"/a"[..], Some(&b"b?c"[..])));
        assert_eq!(split_query(b"/a"), (&b"/a"[..], None));
    }

    #[test]
    fn query_parameters_are_read_as_envoy_reads_them() {
        let table = [
            ("/", None),
            ("/?", None),
            ("/?a", Some("")),
            ("/?a=", Some("")),
            ("/?a=1&a=2", Some("1")),
            ("/?b=a&aa=1&a=%20+=", Some("%20+=")),
            ("/?A=1", None),
        ];
        for (path, expected) in table {
            assert_eq!(query_param(path.as_bytes(), "a"), expected.map(str::as_bytes), "{path}");
        }
    }
}
