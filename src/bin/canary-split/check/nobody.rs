//! Whether anybody answers the requests of a subset: its Deployment has pods, and its route a backend.

use crate::input::manifest::Objects;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::labels::Labels;
use crate::world::namespace::is_same_namespace;
use crate::world::plugin::Named;
use crate::world::routing::{Destination, Form, Route};
use crate::world::service::Workload;
use crate::world::site::Site;
use crate::world::table::Step;
use canary_split::rule::{Rule, Target};
use std::collections::{HashMap, HashSet};

const NO_REPLICAS: Code = Code {
    name: "no-replicas",
    severity: Severity::Warning,
    why: "requests for a subset without pods are answered with 503",
    fix: "set replicas to 1 or more before the subset gets a weight; where something else scales it, leave replicas out",
};

const NO_BACKEND: Code = Code {
    name: "no-backend",
    severity: Severity::Error,
    why: "the gateway answers 500 to every request of a rule that has no backend with a weight",
    fix: "name a backend in backendRefs, and leave out its weight or let it be above 0",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&NO_REPLICAS, &NO_BACKEND];

/// Looks at the subsets that requests get now, and at the routes for them.
pub fn check<'o>(objects: &'o Objects, world: &World<'o>, sites: &[Site<'_, 'o>], findings: &mut Vec<Finding>) {
    let mut scaled = None;
    let mut seen = HashSet::new();
    for site in sites {
        for named in site.subsets().iter().filter(|named| gets_requests(site.rule, named)) {
            for step in site.steps() {
                if step.takes(site.header, &named.subset.header_value) && is_without_backend(step.route) {
                    findings.push(without_backend(step));
                }
                let all = step.route.destinations.iter();
                for destination in all.filter(|destination| destination.is_version(&named.subset.name)) {
                    if !seen.insert((&site.rule.name, destination.place())) {
                        continue;
                    }
                    let scaled = scaled.get_or_insert_with(|| self::scaled(objects));
                    if let Some(off) = off(world, destination, scaled) {
                        findings.push(without_replicas(site.rule, named, off));
                    }
                }
            }
        }
    }
}

/// Whether a rule sends requests to a subset now; of a ramp that may be later.
fn gets_requests(rule: &Rule, named: &Named) -> bool {
    match &rule.target {
        Target::Fixed(_) => true,
        Target::Adopted(_) => false,
        Target::Split(split) => {
            let mut weights = split.subsets.iter().zip(&split.weights);
            let has_ramp = split.rollout.as_ref().is_some_and(|rollout| rollout.ramp.is_some());
            !has_ramp && weights.any(|(subset, weight)| subset.name == named.subset.name && *weight > 0)
        }
    }
}

/// A maker of a destination's pods, if none of them makes any and nobody is known to scale it.
fn off<'w, 'o>(world: &'w World<'o>, destination: &Destination, scaled: &Scaled) -> Option<&'w Workload<'o>> {
    let service = world.service_of(destination)?;
    let labels = match destination.subset {
        Some((_, name)) => {
            let rules = world.rules_of(destination);
            Labels::of(rules.iter().find_map(|rule| rule.subset(name))?.get("labels")?)?
        }
        None => Labels::default(),
    };
    let mut pods = world.pods_of(service, &labels)?;
    pods.retain(|pods| labels.selects(&pods.labels));
    let is_off = |pods: &&Workload| {
        let object = pods.object;
        let by = scaled.get(&*object.name).into_iter().flatten();
        object.at(&["spec", "replicas"]).and_then(Node::number) == Some(0)
            && !object.source.is_living
            && !by.into_iter().any(|there| is_same_namespace(there, &object.namespace))
    };
    pods.first().copied().filter(|_| pods.iter().all(is_off))
}

fn without_replicas(rule: &Rule, named: &Named, pods: &Workload) -> Finding {
    let object = pods.object;
    let node = object.at(&["spec", "replicas"]).unwrap_or(&object.node);
    let message =
        format!("rule {} sends requests to {}, and {} has replicas: 0", rule.name, named.subset.name, object.title());
    Finding::new(&NO_REPLICAS, &object.source, &node.span, message)
}

/// The namespaces of objects that name a workload, by its name: they may scale it.
type Scaled<'o> = HashMap<&'o str, Vec<&'o str>>;

fn scaled(objects: &Objects) -> Scaled<'_> {
    let mut scaled = Scaled::new();
    let unknown = objects.unknown.iter().map(|object| (&object.node, &*object.namespace));
    let rollouts = objects.of_kind("Rollout").map(|object| (&object.node, &*object.namespace));
    for (node, namespace) in unknown.chain(rollouts) {
        let spec = node.get("spec").map_or(&[][..], Node::entries);
        let references = spec.iter().filter(|(key, _)| key.name.ends_with("Ref")).map(|(_, value)| value);
        let names = references.filter_map(|reference| reference.get("name").and_then(Node::text));
        names.for_each(|name| scaled.entry(name).or_default().push(namespace));
    }
    scaled
}

/// Whether a rule of the Gateway API answers with 500: it has no backend that gets anything, and nothing answers in its place.
fn is_without_backend(route: &Route) -> bool {
    let answers = |filter: &Node| {
        let kind = filter.get("type").and_then(Node::text);
        kind.is_none_or(|kind| ["RequestRedirect", "ExtensionRef"].contains(&kind))
    };
    let is_read = route.entries().iter().all(|entry| entry.get("weight").and_then(Node::number) == Some(0));
    matches!(route.form, Form::Rule { .. })
        && is_read
        && !route.node.get("filters").map_or(&[][..], Node::items).iter().any(answers)
}

fn without_backend(step: &Step) -> Finding {
    let object = step.service.object;
    let weight = step.route.entries().first().and_then(|entry| entry.get("weight"));
    let message = format!("{} has no backend with a weight", step.title());
    Finding::new(&NO_BACKEND, &object.source, &weight.unwrap_or(step.route.node).span, message)
}
