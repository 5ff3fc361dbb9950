//! Short names of Services in objects of another namespace.

use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::host::ServiceName;
use crate::world::namespace::ROOT_NAMESPACE;
use crate::world::routing::Destination;
use crate::world::service::{DestinationRule, Service};
use std::collections::{HashMap, HashSet};

const SHORT: Code = Code {
    name: "short-host",
    severity: Severity::Error,
    why: "Istio completes a short name by the namespace of the object that it is in: this one means another Service, or none, and its subsets are unknown where the routes lead",
    fix: "write NAME.NAMESPACE.svc.cluster.local",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&SHORT];

/// What is known of Services, by their names without a namespace.
#[derive(Default)]
struct Names<'o> {
    /// The namespaces of those that are given.
    given: HashMap<&'o str, Each<'o>>,
    /// With a subset: the namespaces of those that routes lead to, and that have no rule.
    lacking: HashMap<(&'o str, &'o str), Each<'o>>,
    /// The same of those that are given.
    given_lacking: HashMap<(&'o str, &'o str), Each<'o>>,
    /// With a subset: those that are given and have it.
    ruled: HashSet<(&'o str, &'o str)>,
}

/// Namespaces in their order, each once.
#[derive(Default)]
struct Each<'o> {
    all: Vec<&'o str>,
    seen: HashSet<&'o str>,
}

impl<'o> Each<'o> {
    fn add(&mut self, namespace: &'o str) {
        if self.seen.insert(namespace) {
            self.all.push(namespace);
        }
    }

    /// Whether it may be one of them.
    fn has(&self, namespace: &str) -> bool {
        namespace.is_empty() && !self.all.is_empty() || ["", namespace].iter().any(|known| self.seen.contains(known))
    }

    /// The first that is known and another one.
    fn other_than(&self, namespace: &str) -> Option<&'o str> {
        self.all.iter().copied().find(|known| !known.is_empty() && *known != namespace)
    }
}

/// Looks at the hosts of DestinationRules and destinations.
pub fn check<'o>(world: &World<'o>, findings: &mut Vec<Finding>) {
    let names = Names::of(world);
    for rule in &world.destination_rules {
        let Some(node) = rule.object.at(&["spec", "host"]) else { continue };
        let Some(own) = short(node, &rule.object.namespace) else { continue };
        if names.is_elsewhere(&own) || names.is_unused(rule, &own) {
            findings.push(finding(rule.object, node, &own, names.meant(&own, rule)));
        }
    }
    for service in world.virtual_services() {
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
            if is_slip || names.is_elsewhere(&own) || names.is_without_rule(world, destination, &own) {
                let there = names.first_given(&own).map(str::to_owned);
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

impl<'o> Names<'o> {
    fn of(world: &World<'o>) -> Names<'o> {
        let mut names = Names::default();
        for ServiceName { name, namespace } in world.services.iter().map(Service::name) {
            names.given.entry(name).or_default().add(namespace);
        }
        for rule in &world.destination_rules {
            let Some(service) = rule.service().filter(|service| names.is_given(service)) else { continue };
            let subsets = rule.subsets().filter_map(|subset| subset.get("name").and_then(Node::text));
            names.ruled.extend(subsets.map(|subset| (service.name, subset)));
        }
        let routes = world.virtual_services().flat_map(|service| &service.routes);
        for destination in routes.flat_map(|route| route.destinations.iter().chain(&route.mirrors)) {
            let (Some(service), Some((_, subset))) = (destination.service(), destination.subset) else { continue };
            if has_rule(world, destination) {
                continue;
            }
            let key = (service.name, subset);
            if names.is_given(&service) {
                names.given_lacking.entry(key).or_default().add(service.namespace);
            }
            names.lacking.entry(key).or_default().add(service.namespace);
        }
        names
    }

    fn is_given(&self, own: &ServiceName) -> bool {
        self.given.get(own.name).is_some_and(|given| given.has(own.namespace))
    }

    /// The namespace of the first that is given.
    fn first_given(&self, own: &ServiceName) -> Option<&'o str> {
        self.given.get(own.name)?.all.first().copied()
    }

    /// Whether a Service of this name is given, and only outside of the root namespace, where no application lives.
    fn is_elsewhere(&self, own: &ServiceName) -> bool {
        own.namespace == ROOT_NAMESPACE && self.given.contains_key(own.name) && !self.is_given(own)
    }

    /// The first namespace of destinations of this name elsewhere that lack just the subsets of a rule.
    fn lacking(
        among: &HashMap<(&'o str, &'o str), Each<'o>>,
        rule: &DestinationRule<'o>,
        own: &ServiceName<'o>,
    ) -> Option<&'o str> {
        let mut subsets = rule.subsets().filter_map(|subset| subset.get("name").and_then(Node::text));
        subsets.find_map(|subset| among.get(&(own.name, subset))?.other_than(own.namespace))
    }

    /// Whether routes lead to another Service of this name that lacks the subsets of a rule, and this one is not given.
    fn is_unused(&self, rule: &DestinationRule<'o>, own: &ServiceName<'o>) -> bool {
        let among = if own.namespace == ROOT_NAMESPACE { &self.lacking } else { &self.given_lacking };
        !self.is_given(own) && Names::lacking(among, rule, own).is_some()
    }

    /// The namespace that a rule was meant for.
    fn meant(&self, own: &ServiceName<'o>, rule: &DestinationRule<'o>) -> Option<String> {
        Names::lacking(&self.lacking, rule, own).or_else(|| self.first_given(own)).map(str::to_owned)
    }

    /// Whether a destination's subset is that of another Service of this name, which is given, while its own is not.
    fn is_without_rule(&self, world: &World<'o>, destination: &Destination<'o>, own: &ServiceName<'o>) -> bool {
        let is_theirs = |(_, subset): (&Node, &'o str)| self.ruled.contains(&(own.name, subset));
        !self.is_given(own) && destination.subset.is_some_and(is_theirs) && !has_rule(world, destination)
    }
}

/// Whether there is a rule for a destination, and not for many at once.
fn has_rule<'o>(world: &World<'o>, destination: &Destination<'o>) -> bool {
    world.rules_of(destination).iter().any(|rule| rule.service().is_some())
}
