//! Short names of Services in objects of another namespace.

use super::world::World;
use super::world::host::ServiceName;
use super::world::namespace::{ROOT_NAMESPACE, is_same_namespace};
use super::world::routing::Destination;
use super::world::service::DestinationRule;
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use std::collections::HashMap;

const SHORT: Code = Code {
    name: "short-host",
    severity: Severity::Error,
    why: "Istio completes a short name by the namespace of the object that it is in: this one means another Service, or none, and its subsets are unknown where the routes lead",
    fix: "write NAME.NAMESPACE.svc.cluster.local",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&SHORT];

/// What is known of Services, by their names without a namespace.
struct Names<'w, 'o> {
    services: HashMap<&'o str, Vec<ServiceName<'o>>>,
    rules: HashMap<&'o str, Vec<&'w DestinationRule<'o>>>,
    /// Destinations with a subset, each with the object that it is in.
    destinations: HashMap<&'o str, Vec<(&'o Object, &'w Destination<'o>)>>,
}

/// Looks at the hosts of DestinationRules and destinations.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let names = Names::of(world);
    for rule in &world.destination_rules {
        let Some(node) = rule.object.at(&["spec", "host"]) else { continue };
        let Some(own) = short(node, &rule.object.namespace) else { continue };
        if names.is_elsewhere(&own) || names.is_unused(rule, &own) {
            findings.push(finding(rule.object, node, &own, names.meant(&own, rule)));
        }
    }
    for service in &world.virtual_services {
        let destinations = || service.routes.iter().flat_map(|route| route.destinations.iter().chain(&route.mirrors));
        let in_full = destinations().filter(|destination| destination.host.1.contains('.'));
        let in_full: HashMap<_, _> =
            in_full.filter_map(Destination::service).map(|there| (there.name, there)).collect();
        for destination in destinations() {
            let (node, _) = destination.host;
            let Some(own) = short(node, &service.object.namespace) else { continue };
            // The same routes name it in full, and only there it is given.
            let is_meant = |there: &ServiceName| names.is_given(there) && !names.is_given(&own);
            let is_slip = in_full.get(own.name).is_some_and(is_meant);
            if is_slip || names.is_elsewhere(&own) || names.is_without_rule(destination, &own) {
                let there = names.given(&own).first().map(|there| there.namespace.to_owned());
                findings.push(finding(service.object, node, &own, there));
            }
        }
    }
}

/// The Service that a short name means in an object of a known namespace.
fn short<'o>(node: &'o Node, namespace: &'o str) -> Option<ServiceName<'o>> {
    let host = node.text().filter(|host| !host.contains('.') && !namespace.is_empty())?;
    ServiceName::of(host, namespace)
}

fn finding(object: &Object, node: &Node, own: &ServiceName, there: Option<String>) -> Finding {
    let ServiceName { name, namespace } = own;
    let meant = there.map_or_else(String::new, |there| format!("; {name} of {there} is meant"));
    let message = format!("{name} in namespace {namespace} is {name}.{namespace}.svc.cluster.local{meant}");
    Finding::new(&SHORT, &object.source, &node.span, message)
}

impl<'w, 'o> Names<'w, 'o> {
    fn of(world: &'w World<'o>) -> Names<'w, 'o> {
        let mut names = Names { services: HashMap::new(), rules: HashMap::new(), destinations: HashMap::new() };
        for service in &world.services {
            names.services.entry(service.name().name).or_default().push(service.name());
        }
        for rule in &world.destination_rules {
            if let Some(service) = rule.service() {
                names.rules.entry(service.name).or_default().push(rule);
            }
        }
        for service in &world.virtual_services {
            let routes = service.routes.iter();
            let all = routes.flat_map(|route| route.destinations.iter().chain(&route.mirrors));
            for destination in all.filter(|destination| destination.subset.is_some()) {
                if let Some(name) = destination.service() {
                    names.destinations.entry(name.name).or_default().push((service.object, destination));
                }
            }
        }
        names
    }

    fn given(&self, own: &ServiceName) -> &[ServiceName<'o>] {
        self.services.get(own.name).map_or(&[], Vec::as_slice)
    }

    fn is_given(&self, own: &ServiceName) -> bool {
        self.given(own).iter().any(|known| is_same_namespace(known.namespace, own.namespace))
    }

    /// Whether a Service of this name is given, and only outside of the root namespace, where no application lives.
    fn is_elsewhere(&self, own: &ServiceName) -> bool {
        own.namespace == ROOT_NAMESPACE && !self.given(own).is_empty() && !self.is_given(own)
    }

    /// The destinations of a Service of this name in another namespace that lack just the subsets of a rule.
    fn lacking(&self, rule: &DestinationRule, own: &ServiceName) -> Vec<ServiceName<'o>> {
        let all = self.destinations.get(own.name).map_or(&[][..], Vec::as_slice);
        let lacks = |destination: &Destination| {
            let has_own = self.rules.get(own.name).into_iter().flatten().any(|known| known.is_for(destination));
            !has_own && destination.subset.is_some_and(|(_, subset)| rule.subset(subset).is_some())
        };
        let lacking = all.iter().filter(|(_, destination)| lacks(destination));
        let services = lacking.filter_map(|(_, destination)| destination.service());
        services.filter(|service| !service.namespace.is_empty() && service.namespace != own.namespace).collect()
    }

    /// Whether routes lead to another Service of this name that lacks the subsets of a rule, and this one is not given.
    fn is_unused(&self, rule: &DestinationRule, own: &ServiceName) -> bool {
        let is_sure = |there: &ServiceName| self.is_given(there) || own.namespace == ROOT_NAMESPACE;
        !self.is_given(own) && self.lacking(rule, own).iter().any(is_sure)
    }

    /// The namespace that a rule was meant for.
    fn meant(&self, own: &ServiceName, rule: &DestinationRule) -> Option<String> {
        let there = self.lacking(rule, own).first().or(self.given(own).first()).map(|there| there.namespace);
        there.map(str::to_owned)
    }

    /// Whether a destination's subset is that of another Service of this name, which is given, while its own is not.
    fn is_without_rule(&self, destination: &Destination, own: &ServiceName) -> bool {
        let Some((_, subset)) = destination.subset else { return false };
        let rules = self.rules.get(own.name).map_or(&[][..], Vec::as_slice);
        let is_theirs = |rule: &&&DestinationRule| {
            rule.subset(subset).is_some() && rule.service().is_some_and(|service| self.is_given(&service))
        };
        !self.is_given(own)
            && !rules.iter().any(|rule| rule.is_for(destination))
            && rules.iter().any(|rule| is_theirs(&rule))
    }
}
