//! The pods that destinations lead to, and whether two destinations share some.

use super::World;
use super::labels::Labels;
use super::namespace::is_same_namespace;
use super::routing::Destination;
use super::service::{DestinationRule, Service, Target, Workload};
use crate::input::yaml::Node;

/// How a destination selects its pods.
#[derive(Debug)]
pub struct Selected<'w, 'o> {
    /// Its Service, if it can be only one.
    service: Option<&'w Service<'o>>,
    /// Its subset, and the DestinationRule that has it.
    pub subset: Option<(&'w DestinationRule<'o>, &'o Node)>,
    /// The labels of the subset.
    labels: Labels<'o>,
    /// The pod's port that its port leads to.
    target: Option<Target<'o>>,
}

/// What two destinations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// No pod, as far as known.
    None,
    /// Some pods of each.
    Some,
    /// The first has all pods of the second.
    First,
    /// The second has all pods of the first.
    Second,
    /// Both have the same pods.
    All,
}

impl<'w, 'o> Selected<'w, 'o> {
    /// Reads it; `None` if the subset is not given or cannot be read.
    pub fn of(world: &'w World<'o>, destination: &Destination<'o>) -> Option<Selected<'w, 'o>> {
        let service = world.service_of(destination);
        let port = service.and_then(|service| match (destination.port, service.ports.as_slice()) {
            (Some((_, number)), _) => service.port(number),
            (None, [only]) => Some(only),
            _ => None,
        });
        let target = port.and_then(|port| port.target());
        if !destination.has_subset() {
            return Some(Selected { service, subset: None, labels: Labels::default(), target });
        }
        let (_, name) = destination.subset?;
        let (rule, subset) =
            world.rules_of(destination).into_iter().find_map(|rule| Some((rule, rule.subset(name)?)))?;
        let labels = subset.get("labels").map_or(Some(Labels::default()), Labels::of)?;
        Some(Selected { service, subset: Some((rule, subset)), labels, target })
    }

    /// Whether it selects the pods of a workload behind its Service.
    fn has(&self, pods: &Workload) -> bool {
        self.labels.selects(&pods.labels) && self.service.is_none_or(|service| pods.is_behind(service))
    }

    /// Whether its pods cannot be behind its Service.
    fn is_empty(&self) -> bool {
        let selector = self.service.and_then(|service| service.selector.as_ref());
        selector.is_some_and(|selector| selector.contradiction(&self.labels).is_some())
    }

    /// All labels that its pods have, if that is known.
    fn all_labels(&self) -> Option<Labels<'o>> {
        Some(self.service?.selector.as_ref()?.with(&self.labels))
    }
}

/// The pods that two destinations have in common. For given pods their labels decide; for others, whether one selector implies
/// the other.
pub fn in_common<'o>(world: &World<'o>, one: &Destination<'o>, other: &Destination<'o>) -> Common {
    let is_one_host = one.is_with(other);
    if is_one_host && !one.has_subset() && !other.has_subset() {
        return Common::None;
    }
    let (Some(first), Some(second)) = (Selected::of(world, one), Selected::of(world, other)) else {
        return Common::None;
    };
    let labels = match is_one_host {
        _ if first.is_empty() || second.is_empty() => None,
        true => Some((first.labels.clone(), second.labels.clone())),
        false => first.all_labels().zip(second.all_labels()).filter(|_| are_neighbours(&first, &second)),
    };
    let Some((own, others)) = labels else { return Common::None };
    let given = pods(world, &first, &own).zip(pods(world, &second, &others));
    let known = given.as_ref().map(|(own, others)| (own.as_slice(), others.as_slice()));
    let shared = first.service.map_or_else(Vec::new, |service| world.pods_behind(service));
    let shared: Vec<_> = shared.into_iter().filter(|pods| first.has(pods) && second.has(pods)).collect();
    let are_equal = own.selects(&others) && others.selects(&own);
    // A controller distinguishes its pods by labels that no manifest has.
    let is_controlled = || {
        let is_obscure = first.service.is_some_and(|service| world.has_obscure_pods(service));
        shared.iter().any(|pods| pods.object.kind == "Rollout")
            || are_equal && (is_obscure || !is_one_host && known.is_none())
    };
    let are_two_containers = |pods: &Workload| {
        let ports = [first.target, second.target].map(|target| pods.port_at(target?));
        matches!(ports, [Some(one), Some(other)] if one != other)
    };
    if is_controlled() || !shared.is_empty() && shared.iter().all(|pods| are_two_containers(pods)) {
        return Common::None;
    }
    let (has_all, is_in) = match known {
        _ if shared.is_empty() && known.is_some() => return Common::None,
        Some((own, others)) => (others.iter().all(|pods| first.has(pods)), own.iter().all(|pods| second.has(pods))),
        None => (own.selects(&others), others.selects(&own)),
    };
    match (has_all, is_in) {
        (true, true) => Common::All,
        (true, false) => Common::First,
        (false, true) => Common::Second,
        (false, false) if shared.is_empty() => Common::None,
        (false, false) => Common::Some,
    }
}

/// The selected pods; `None` if more than the given ones may be selected, or none is.
fn pods<'w, 'o>(world: &'w World<'o>, selected: &Selected<'w, 'o>, labels: &Labels) -> Option<Vec<&'w Workload<'o>>> {
    let mut pods = world.pods_of(selected.service?, labels)?;
    pods.retain(|pods| selected.has(pods));
    (!pods.is_empty()).then_some(pods)
}

/// Whether two Services may share a pod.
fn are_neighbours(one: &Selected, other: &Selected) -> bool {
    one.service
        .zip(other.service)
        .is_some_and(|(one, other)| is_same_namespace(&one.object.namespace, &other.object.namespace))
}
