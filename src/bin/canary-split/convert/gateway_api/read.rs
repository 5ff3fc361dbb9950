//! The routes that are given, and what their rules ask for.

use super::entry::Entry;
use super::weighted;
use crate::convert::refusal::Refusal;
use crate::convert::weighted::Weighted;
use crate::input::manifest::{Object, Objects};
use crate::input::time;
use crate::input::yaml::Node;
use canary_split::rollout::ramp::Second;

/// An HTTPRoute or a GRPCRoute.
#[derive(Clone, Debug)]
pub struct Route<'o> {
    /// All of it.
    pub object: &'o Object,
    /// What each of its rules asks for: any of these.
    pub rules: Vec<Vec<Entry>>,
    /// The rules with weights.
    pub weighted: Vec<Weighted<'o>>,
    /// A rule with several backends all of whose requests go to one.
    pub to_one: Option<&'o Node>,
    /// What of it cannot be converted, so that nothing of its host can.
    pub fault: Option<Refusal>,
}

/// The routes among all objects.
pub fn objects(objects: &Objects) -> Vec<Object> {
    ["HTTPRoute", "GRPCRoute"].into_iter().flat_map(|kind| objects.of_gateway_api(kind)).cloned().collect()
}

impl<'o> Route<'o> {
    /// Reads one.
    pub fn of(object: &'o Object) -> Route<'o> {
        let (mut rules, mut fault) = (Vec::new(), None);
        for rule in object.items(&["spec", "rules"]) {
            let entries = rule.get("matches").map_or(&[][..], Node::items).iter();
            let mut own = Vec::new();
            for entry in entries.map(|entry| Entry::of(object, entry)) {
                match entry {
                    Ok(entry) => own.push(entry),
                    Err((node, reason)) => fault = fault.or_else(|| Some(Refusal::at(object, node, reason))),
                }
            }
            rules.push(if own.is_empty() { vec![Entry::all(object.kind)] } else { own });
        }
        let (weighted, to_one) = weighted::of(object).unwrap_or_else(|refusal| {
            fault = fault.take().or(Some(refusal));
            Default::default()
        });
        Route { object, rules, weighted, to_one, fault }
    }

    /// Whether a rule of it has several backends.
    pub fn has_weights(&self) -> bool {
        let rules = self.object.items(&["spec", "rules"]).iter().filter_map(|rule| rule.get("backendRefs"));
        rules.into_iter().any(|backends| backends.items().len() > 1)
    }

    /// When it was made, if a cluster has said so.
    pub fn created(&self) -> Option<Second> {
        time::read(self.object.text(&["metadata", "creationTimestamp"])?).ok()
    }

    /// Whether it is older than another one; `None`: that cannot be told, or both are of the same second, for which gateways differ.
    pub fn is_older(&self, other: &Route) -> Option<bool> {
        let (own, theirs) = (self.created()?, other.created()?);
        (own != theirs).then_some(own < theirs)
    }

    /// `HTTPRoute shop/shop rules[1]`
    pub fn title(&self, rule: usize) -> String {
        format!("{} rules[{rule}]", self.object.title())
    }

    /// One of its rules as it is written.
    pub fn node(&self, rule: usize) -> &'o Node {
        self.object.items(&["spec", "rules"]).get(rule).unwrap_or(&self.object.node)
    }
}
