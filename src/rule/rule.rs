//! A rule: a name, a match, and the target of its requests.

use super::condition::Match;
use super::hosts::HostPattern;
use crate::request::Request;
use crate::rollout::Rollout;
use crate::split::{Salt, Split};
use crate::subset::Subset;
use crate::visitor::Sticky;
use crate::visitor::cookie::Cookie;
use crate::visitor::remember::Remember;

/// A name, a match, and the target of its requests.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique among the rules.
    pub name: String,
    /// The hosts that it is for; empty: every host.
    pub hosts: Box<[HostPattern]>,
    /// At least one of these must hold; empty: every request.
    pub matches: Box<[Match]>,
    /// Where its requests go.
    pub target: Target,
    /// How visitors who have matched are remembered, so that the rule holds for them too. Only with a fixed subset.
    pub remember: Option<Box<Remember>>,
    /// A visitor who meets any of these is forgotten, and the rule does not hold.
    pub forget: Box<[Match]>,
}

/// Where a rule's requests go.
#[derive(Clone, Debug)]
pub enum Target {
    /// All to one subset: an override.
    Fixed(Subset),
    /// By weight.
    Split(WeightedSubsets),
    /// By the weights of a route that somebody else owns.
    Adopted(Adopted),
}

/// Weights that somebody else owns: Envoy picks a destination by the visitor's position, which this header carries.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Carries the position, as a decimal number. Envoy's routes name it in `weighted_clusters.header_name`.
    pub header: String,
    /// From a draw to a position.
    pub salt: Salt,
    /// What sticks to the visitor; it keeps no subset. `None`: every request has a new draw.
    pub sticky: Option<Box<Sticky>>,
}

/// A split, the origin of its draws, and what changes its weights.
#[derive(Clone, Debug)]
pub struct WeightedSubsets {
    /// In the order of the list; the first is stable.
    pub subsets: Box<[Subset]>,
    /// Their weights.
    pub weights: Box<[u32]>,
    /// Which subset owns which position.
    pub split: Split,
    /// From a draw to a position.
    pub salt: Salt,
    /// What sticks to the visitor; `None`: every request draws afresh.
    pub sticky: Option<Box<Sticky>>,
    /// What changes the weights without an edit; `None`: nothing does.
    pub rollout: Option<Box<Rollout>>,
}

impl Rule {
    /// Whether any of the matches holds. The host has been looked up before: see [`super::hosts`].
    pub fn matches<'c>(&'c self, request: &mut impl Request<'c>) -> bool {
        self.matches.is_empty() || any_holds(&self.matches, request)
    }

    /// The matches without which the rule does not hold: none where it remembers its visitors.
    pub fn needed_matches(&self) -> &[Match] {
        if self.remember.is_some() { &[] } else { &self.matches }
    }

    /// Whether a request makes the rule forget its visitor.
    pub fn forgets<'c>(&'c self, request: &mut impl Request<'c>) -> bool {
        any_holds(&self.forget, request)
    }
}

fn any_holds<'c>(matches: &'c [Match], request: &mut impl Request<'c>) -> bool {
    matches.iter().any(|m| m.conditions.iter().all(|c| c.holds(request)))
}

impl Rule {
    /// Our own cookie, and whether it keeps a subset.
    pub fn cookie(&self) -> Option<(&Cookie, bool)> {
        if let Some(remember) = &self.remember {
            return Some((&remember.cookie, true));
        }
        let sticky = self.sticky()?;
        Some((sticky.cookie.as_ref()?, sticky.keep.is_some()))
    }

    /// What sticks to the visitor.
    pub fn sticky(&self) -> Option<&Sticky> {
        match &self.target {
            Target::Fixed(_) => None,
            Target::Split(split) => split.sticky.as_deref(),
            Target::Adopted(adopted) => adopted.sticky.as_deref(),
        }
    }
}
