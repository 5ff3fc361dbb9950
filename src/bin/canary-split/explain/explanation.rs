//! What is decided about a request, and why.

use super::cookie::Decoded;
use super::draw::{Candidate, Ignored};
use super::passed::{Passed, Place};
use super::routed::Routed;
use crate::input::unreadable::Unreadable;
use crate::report::fault::FaultAt;
use crate::report::plan::Progress;
use serde::Serialize;

/// What is decided, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The file of the config.
    pub file: String,
    /// The rules before the one that decides.
    pub passed: Vec<Passed>,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Where that rule is.
    pub at: Option<Place>,
    /// The shares of its subsets at this moment, if it has a ramp.
    pub weights: Option<String>,
    /// Where its ramp is.
    pub ramp: Option<Progress>,
    /// What the decision rests on, as the counter says it.
    pub source: &'static str,
    /// 8 hex digits; `None`: nothing is drawn, or nobody knows what.
    pub draw: Option<String>,
    /// Where it comes from.
    pub from: Option<String>,
    /// The subset, if it is certain.
    pub subset: Option<String>,
    /// All subsets, if it is left to chance.
    pub shares: Vec<Candidate>,
    /// The request header.
    pub header: Written,
    /// The request headers by which Envoy picks where somebody else owns the weights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub position_headers: Vec<Written>,
    /// The cookie that the response gets.
    pub set_cookie: Option<SetCookie>,
    /// Cookies that are taken away, each as its `set-cookie` says it.
    pub forgotten: Vec<SetCookie>,
    /// The response header.
    pub response_header: Option<Written>,
    /// Where the request goes then; of a cluster alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Routed>,
    /// What the visitor's cookie for this rule says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Decoded>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What does not count.
    pub ignored: Vec<Ignored>,
    /// Whether the config is that of the cluster.
    #[serde(skip)]
    pub is_living: bool,
    /// What is wrong with the config.
    pub faults: Vec<FaultAt>,
    /// What could not be read next to it.
    pub unreadable: Vec<Unreadable>,
}

/// A header as it is written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// `None`: it is removed.
    pub value: Option<String>,
}

/// A cookie that the response gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetCookie {
    /// All of it.
    pub value: String,
    /// Responses that do not get it.
    pub not_with: Vec<&'static str>,
}
