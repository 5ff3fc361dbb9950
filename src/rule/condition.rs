//! The conditions of a match.
//!
//! They mean what they mean in a VirtualService. Values are bytes; of a repeated header the first value counts.

use super::re2::Re2;
use crate::request::address::{self, Blocks};
use crate::request::claim::{self, ClaimPath};
use crate::request::query::{query_param, split_query};
use crate::request::{Request, cookies};

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
    /// The client's address is in one of these blocks; an unknown address is in none.
    RemoteIpBlocks(Blocks),
    /// A claim of a verified token; any item of a list.
    Claim(ClaimPath, StringMatch),
}

/// How a value is matched.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// It is present.
    Present,
    /// It equals this.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// All of it matches.
    Regex(Box<Re2>),
}

impl Condition {
    /// Whether a request meets the condition.
    pub fn holds<'c>(&'c self, request: &mut impl Request<'c>) -> bool {
        match self {
            Condition::Method(m) => m.holds(request.header(":method")),
            Condition::Uri(m) => request.header(":path").is_some_and(|path| {
                // Most of a hundred conditions end here, before the query is searched for.
                m.may_begin(path) && m.holds(Some(split_query(path).0))
            }),
            Condition::Header(name, m) => m.holds(request.header(name)),
            Condition::WithoutHeader(name, StringMatch::Present) => request.header(name).is_none(),
            Condition::WithoutHeader(name, m) => !m.holds(Some(request.header(name).unwrap_or_default())),
            Condition::QueryParam(name, m) => m.holds(request.header(":path").and_then(|path| query_param(path, name))),
            Condition::Cookie(name, m) => {
                m.holds(request.header("cookie").and_then(|header| cookies::values(header, name).next()))
            }
            Condition::RemoteIpBlocks(blocks) => {
                request.client_address().and_then(address::parse).is_some_and(|address| blocks.contain(address))
            }
            Condition::Claim(path, m) => request.claim(path).is_some_and(|value| match claim::items(value) {
                Some(mut items) => matches!(m, StringMatch::Present) || items.any(|item| m.holds(Some(item))),
                None => m.holds(Some(value)),
            }),
        }
    }
}

impl StringMatch {
    /// Whether a prefix of this text may match.
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
