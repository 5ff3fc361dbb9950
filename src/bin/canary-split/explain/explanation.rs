//! The decision about a request, and the reasons.

use super::cookie::Decoded;
use super::draw::{Candidate, Ignored};
use super::passed::{Passed, Place};
use super::routed::Routed;
use crate::input::unreadable::Unreadable;
use crate::report::fault::FaultAt;
use crate::report::plan::Progress;
use serde::Serialize;

/// The decision, and the reasons.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The file of the config.
    pub file: String,
    /// The rules before the one that decides.
    pub passed: Vec<Passed>,
    /// The rule that decides.
    pub rule: Option<String>,
    /// The place of that rule.
    pub at: Option<Place>,
    /// The shares of its subsets at this moment, if it has a ramp.
    pub weights: Option<String>,
    /// The state of its ramp.
    pub ramp: Option<Progress>,
    /// What the decision is based on, as in the label of the counter.
    pub source: &'static str,
    /// 8 hex digits; `None`: nothing is drawn, or the draw is unknown.
    pub draw: Option<String>,
    /// The source of the draw.
    pub from: Option<String>,
    /// The subset, if it is certain.
    pub subset: Option<String>,
    /// All subsets, if it is left to chance.
    pub shares: Vec<Candidate>,
    /// The request header.
    pub header: Written,
    /// The request headers by which Envoy picks if somebody else owns the weights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub position_headers: Vec<Written>,
    /// The cookie that the response gets.
    pub set_cookie: Option<SetCookie>,
    /// Cookies that are removed, each as a `set-cookie` value.
    pub forgotten: Vec<SetCookie>,
    /// The response header.
    pub response_header: Option<Written>,
    /// Where the request goes then; only for a cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Routed>,
    /// The content of the visitor's cookie for this rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Decoded>,
    /// Notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is ignored.
    pub ignored: Vec<Ignored>,
    /// Whether the config is that of the cluster.
    #[serde(skip)]
    pub is_living: bool,
    /// The faults of the config.
    pub faults: Vec<FaultAt>,
    /// The files next to it that could not be read.
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
