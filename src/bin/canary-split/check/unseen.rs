//! Whether a gateway sees the DestinationRule that has the subsets of its routes.

use super::destinations::NO_SUBSET;
use super::hosts::pods_of;
use crate::input::yaml::Node;
use crate::report::finding::Finding;
use crate::world::World;
use crate::world::namespace::ROOT_NAMESPACE;
use crate::world::routing::Destination;
use crate::world::service::DestinationRule;
use crate::world::site::Site;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Looks at the subsets that the routes of every rule lead to.
pub fn check<'o>(world: &World<'o>, sites: &[Site<'_, 'o>], findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    let mut found: BTreeMap<usize, (Finding, BTreeSet<&str>)> = BTreeMap::new();
    for site in sites {
        let gateways = gateway_namespaces(world, site);
        if gateways.is_empty() {
            continue;
        }
        for destination in site.steps().flat_map(|step| &step.route.destinations) {
            let Some((_, name)) = destination.subset else { continue };
            if !seen.insert((destination.place(), gateways.clone())) {
                continue;
            }
            if let Some(finding) = unseen(world, destination, name, &gateways) {
                found.entry(finding.span.start).or_insert((finding, BTreeSet::new())).1.insert(name);
            }
        }
    }
    findings.extend(found.into_values().map(|(mut finding, names)| {
        let names: Vec<_> = names.into_iter().collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        finding.message = finding.message.replace(NAMES, &format!("subset{plural} {}", names.join(", ")));
        finding
    }));
}

/// Where a message names the subsets.
const NAMES: &str = "{subsets}";

/// The namespaces of the pods on which a site's routes are met: those of its gateways, or else that of its plugin, which works nowhere
/// else.
fn gateway_namespaces<'w, 'o>(world: &'w World<'o>, site: &Site<'w, 'o>) -> BTreeSet<&'w str> {
    let mut all = BTreeSet::new();
    let plugin = site.plugin.object().map_or("", |plugin| &plugin.namespace);
    let own = (!plugin.is_empty() && plugin != ROOT_NAMESPACE && !site.plugin.is_policy()).then_some(plugin);
    for service in site.services.iter().filter(|service| service.is_virtual_service()) {
        let (gateways, are_all) = world.gateways_of(service);
        let known: Vec<_> = gateways.iter().map(|gateway| pods_of(world, gateway, service)).collect();
        if are_all && !known.is_empty() && known.iter().all(|there| !there.is_empty()) {
            all.extend(known.into_iter().flatten());
        } else if let Some(own) = own {
            all.insert(own);
        } else {
            return BTreeSet::new();
        }
    }
    all
}

/// Why no gateway in these namespaces knows a subset that a given DestinationRule has.
fn unseen(world: &World, destination: &Destination, subset: &str, gateways: &BTreeSet<&str>) -> Option<Finding> {
    let all = world.all_rules_of(destination);
    let own = destination.service()?.namespace;
    let having = all.iter().find(|rule| !rule.is_wildcard() && rule.subset(subset).is_some())?;
    // It is unknown where they are, or which pods they are for.
    let is_unclear = |rule: &DestinationRule| {
        rule.object.namespace.is_empty() || rule.object.at(&["spec", "workloadSelector"]).is_some()
    };
    if own.is_empty() || all.iter().any(|rule| is_unclear(rule)) {
        return None;
    }
    let chosen: Vec<_> = gateways.iter().map(|gateway| chosen(&all, own, gateway)).collect();
    if chosen.iter().any(|rules| rules.iter().any(|rule| rule.subset(subset).is_some())) {
        return None;
    }
    let there = gateways.iter().copied().collect::<Vec<_>>().join(", ");
    let (title, namespace) = (having.object.title(), &*having.object.namespace);
    let node = |rule: &DestinationRule, keys: &[&str]| -> std::ops::Range<usize> {
        let node: &Node = rule.object.at(keys).unwrap_or(&rule.object.node);
        node.span.clone()
    };
    let (rule, span, message) = if let Some(first) = chosen.iter().flatten().next() {
        let message =
            format!("{} has no {NAMES}, and for a gateway in {there} it comes before {title}", first.object.title());
        (*first, node(first, &["spec", "host"]), message)
    } else if [own, ROOT_NAMESPACE].contains(&namespace) {
        let message = format!("{title} has {NAMES} and is not exported to {there}, where the gateway is");
        (*having, node(having, &["spec", "exportTo"]), message)
    } else {
        let message = format!(
            "{title} has {NAMES}, and a gateway in {there} does not see it: put it into {own}, next to its Service"
        );
        (*having, node(having, &["metadata", "namespace"]), message)
    };
    Some(Finding::new(&NO_SUBSET, &rule.object.source, &span, message))
}

/// Those that a gateway in a namespace takes for a Service in another one. Istio looks in the namespace of the gateway, then in that of
/// the Service, then in its own; the first that has any decides, and there the most specific host.
fn chosen<'r, 'o>(all: &[&'r DestinationRule<'o>], own: &str, gateway: &str) -> Vec<&'r DestinationRule<'o>> {
    let is_in = |rule: &DestinationRule, namespace: &str| rule.object.namespace == namespace;
    let is_first = |rule: &DestinationRule| is_in(rule, gateway) && (gateway != ROOT_NAMESPACE || is_private(rule));
    let steps: [&dyn Fn(&DestinationRule) -> bool; 3] =
        [&is_first, &|rule| is_in(rule, own) && is_exported_to(rule, gateway), &|rule| {
            is_in(rule, ROOT_NAMESPACE) && is_exported_to(rule, gateway)
        }];
    for is_its in steps {
        let there: Vec<_> = all.iter().copied().filter(|rule| is_its(rule)).collect();
        let (wide, exact): (Vec<_>, Vec<_>) = there.into_iter().partition(|rule| rule.is_wildcard());
        let longest = wide.iter().map(|rule| rule.host.len()).max();
        if !exact.is_empty() {
            return exact;
        }
        if longest.is_some() {
            return wide.into_iter().filter(|rule| Some(rule.host.len()) == longest).collect();
        }
    }
    Vec::new()
}

fn exported<'r>(rule: &'r DestinationRule) -> Vec<&'r str> {
    rule.object.items(&["spec", "exportTo"]).iter().filter_map(Node::text).collect()
}

/// Whether it is for its own namespace alone.
fn is_private(rule: &DestinationRule) -> bool {
    matches!(exported(rule).as_slice(), [only] if *only == "." || *only == rule.object.namespace)
}

fn is_exported_to(rule: &DestinationRule, namespace: &str) -> bool {
    let all = exported(rule);
    let is_it = |name: &&str| ["*", namespace].contains(name) || *name == "." && rule.object.namespace == namespace;
    all.is_empty() || all.iter().any(is_it)
}
