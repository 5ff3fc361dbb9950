//! The cost of the regexes of all rules for one request: those of rules for its host that its path can meet.

use super::fields::{Errors, Place};
use crate::rule::Rule;
use crate::rule::condition::{Condition, Match, StringMatch};
use crate::rule::hosts::HostPattern;
use crate::rule::re2::{MAX_COST, milliseconds};
use std::collections::HashMap;

/// The cost of a regex whose prefix the value does not have.
const ASKED: u64 = 100;

/// Costs by host and path, as a tree: `com`, `example.com`, `*.example.com/shop`, … Only rules with regexes are in it.
#[derive(Clone, Debug, Default)]
pub(super) struct RegexCosts {
    places: HashMap<String, u32>,
    nodes: Vec<Node>,
}

/// A domain, or a path under one host pattern.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The cost for every host below the domain, or every path with this prefix.
    all: u64,
    /// The most that one of them costs in addition.
    below: u64,
    /// The cost for the host itself.
    itself: u64,
}

impl Node {
    fn most(self) -> u64 {
        self.itself.max(self.all + self.below)
    }
}

impl RegexCosts {
    /// Adds a rule; false, and an error, if a request could then cost too much.
    pub(super) fn add(&mut self, rule: &Rule, place: &Place, errors: &mut Errors) -> bool {
        let matches = rule.matches.iter().chain(&rule.forget);
        let costs: Vec<(&str, u64)> = matches.flat_map(costs).collect();
        if costs.is_empty() {
            return true;
        }
        let every = [HostPattern::Any];
        let hosts = if rule.hosts.is_empty() { &every[..] } else { &rule.hosts };
        let mut undo = Vec::new();
        for host in hosts {
            for (path, cost) in &costs {
                self.add_cost(host, path, *cost, &mut undo);
            }
        }
        let most = self.nodes.first().map_or(0, |root| root.most());
        if most <= MAX_COST.into() {
            return true;
        }
        for (at, node) in undo.into_iter().rev() {
            if let Some(changed) = self.nodes.get_mut(at) {
                *changed = node;
            }
        }
        let tenths = most.div_ceil(100_000);
        errors.add(
            &place.field("match"),
            format_args!(
                "its regexes and those of the rules before it could cost one request {}.{} ms, more than {}: give the \
                rules different hosts or path prefixes",
                tenths / 10,
                tenths % 10,
                milliseconds(MAX_COST)
            ),
        );
        false
    }

    fn add_cost(&mut self, host: &HostPattern, path: &str, cost: u64, undo: &mut Vec<(usize, Node)>) {
        let (name, domain) = match host {
            HostPattern::Exact(host) => (format!("{host}/"), &**host),
            HostPattern::Below(domain) => (format!("*.{domain}/"), &**domain),
            HostPattern::Any => ("*/".to_owned(), ""),
        };
        // From the whole path to shorter prefixes: the part after the last / may be incomplete.
        let mut path = path.rsplit_once('/').map_or("", |(whole, _)| whole);
        let mut most = self.change(&format!("{name}{path}"), undo, |node| node.all += cost);
        while !path.is_empty() {
            path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            most = self.change(&format!("{name}{path}"), undo, |node| node.below = node.below.max(most));
        }
        let is_exact = matches!(host, HostPattern::Exact(_));
        most = self.change(domain, undo, |node| if is_exact { node.itself = most } else { node.all = most });
        let mut domain = domain;
        while !domain.is_empty() {
            domain = domain.split_once('.').map_or("", |(_, parent)| parent);
            most = self.change(domain, undo, |node| node.below = node.below.max(most));
        }
    }

    /// Changes a node, and returns the most that its requests cost.
    fn change(&mut self, name: &str, undo: &mut Vec<(usize, Node)>, change: impl FnOnce(&mut Node)) -> u64 {
        if self.nodes.is_empty() {
            // Every host; it is the root.
            self.places.insert(String::new(), 0);
            self.nodes.push(Node::default());
        }
        let at = match self.places.get(name) {
            Some(at) => *at as usize,
            None => {
                self.places.insert(name.to_owned(), self.nodes.len() as u32);
                self.nodes.push(Node::default());
                self.nodes.len() - 1
            }
        };
        let Some(node) = self.nodes.get_mut(at) else { return 0 };
        undo.push((at, *node));
        change(node);
        node.most()
    }
}

/// The costs of an entry's regexes, each with the path prefix under which it applies.
fn costs(entry: &Match) -> Vec<(&str, u64)> {
    let mut path = "";
    let mut costs = Vec::new();
    for condition in &entry.conditions {
        let is_path = matches!(condition, Condition::Uri(_));
        match string_match(condition) {
            Some(StringMatch::Regex(regex)) => {
                if is_path {
                    costs.push((path, ASKED));
                    path = regex.prefix();
                }
                costs.push((path, regex.cost().into()));
            }
            Some(StringMatch::Exact(begin) | StringMatch::Prefix(begin)) if is_path => path = begin,
            _ => {}
        }
    }
    costs
}

fn string_match(condition: &Condition) -> Option<&StringMatch> {
    match condition {
        Condition::Method(value) | Condition::Uri(value) | Condition::Claim(_, value) => Some(value),
        Condition::Header(_, value) | Condition::WithoutHeader(_, value) => Some(value),
        Condition::QueryParam(_, value) | Condition::Cookie(_, value) => Some(value),
        Condition::RemoteIpBlocks(_) => None,
    }
}
