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
#[derive(Debug)]
pub struct Route<'o> {
    /// All of it.
    pub object: &'o Object,
    /// What each of its rules asks for: any of these.
    pub rules: Vec<Vec<Entry>>,
    /// The rules with weights.
    pub weighted: Vec<Weighted<'o>>,
    /// A rule with several backends all of whose requests go to one.
    pub to_one: Option<&'o Node>,
}

/// The routes among all objects.
pub fn objects(objects: &Objects) -> Vec<Object> {
    ["HTTPRoute", "GRPCRoute"].into_iter().flat_map(|kind| objects.of_gateway_api(kind)).cloned().collect()
}

impl<'o> Route<'o> {
    /// Reads one.
    pub fn of(object: &'o Object) -> Result<Route<'o>, Refusal> {
        let mut rules = Vec::new();
        for rule in object.items(&["spec", "rules"]) {
            let entries = rule.get("matches").map_or(&[][..], Node::items).iter();
            let entries: Result<Vec<Entry>, _> = entries.map(|entry| Entry::of(object, entry)).collect();
            let entries = entries.map_err(|(node, reason)| Refusal::at(object, node, reason))?;
            rules.push(if entries.is_empty() { vec![Entry::all(object.kind)] } else { entries });
        }
        let (weighted, to_one) = weighted::of(object)?;
        Ok(Route { object, rules, weighted, to_one })
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
