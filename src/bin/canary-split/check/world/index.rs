//! Places of objects by what they are looked up by, so that the cost grows with their number and not with its square.

use super::gateway::Gateway;
use super::routing::Destination;
use super::service::{DestinationRule, Service, Workload};
use crate::input::manifest::Unknown;
use std::collections::HashMap;

/// Places in the lists of a world.
#[derive(Debug, Default)]
pub struct Index<'o> {
    /// Services by their names.
    services: HashMap<&'o str, Vec<usize>>,
    /// DestinationRules by the names of their Services.
    rules: HashMap<&'o str, Vec<usize>>,
    /// DestinationRules by hosts that are no Service's, in lower case.
    hosts: HashMap<String, Vec<usize>>,
    /// DestinationRules for many hosts.
    wide: Vec<usize>,
    /// Gateways by their names.
    gateways: HashMap<&'o str, Vec<usize>>,
    /// What makes pods, by its namespace.
    workloads: HashMap<&'o str, Vec<usize>>,
    /// What may make pods, by its namespace.
    unknown: HashMap<&'o str, Vec<usize>>,
}

impl<'o> Index<'o> {
    /// Of these lists.
    pub fn of(
        services: &[Service<'o>],
        rules: &[DestinationRule<'o>],
        gateways: &[Gateway<'o>],
        workloads: &[Workload<'o>],
        unknown: &[&'o Unknown],
    ) -> Index<'o> {
        let mut index = Index {
            services: places(services.iter().map(|service| service.name().name)),
            gateways: places(gateways.iter().map(|gateway| &*gateway.object.name)),
            workloads: places(workloads.iter().map(|pods| &*pods.object.namespace)),
            unknown: places(unknown.iter().map(|unknown| &*unknown.namespace)),
            ..Index::default()
        };
        for (place, rule) in rules.iter().enumerate() {
            match rule.service() {
                _ if rule.is_wildcard() => index.wide.push(place),
                Some(service) => index.rules.entry(service.name).or_default().push(place),
                None => index.hosts.entry(rule.host.to_ascii_lowercase()).or_default().push(place),
            }
        }
        index
    }

    /// Services of this name.
    pub fn services(&self, name: &str) -> &[usize] {
        self.services.get(name).map_or(&[], Vec::as_slice)
    }

    /// Gateways of this name.
    pub fn gateways(&self, name: &str) -> &[usize] {
        self.gateways.get(name).map_or(&[], Vec::as_slice)
    }

    /// DestinationRules that may be for a destination.
    pub fn rules(&self, destination: &Destination) -> impl Iterator<Item = usize> {
        let own = match destination.service() {
            Some(service) => self.rules.get(service.name),
            None => self.hosts.get(&destination.host.1.to_ascii_lowercase()),
        };
        own.into_iter().flatten().chain(&self.wide).copied()
    }

    /// What makes pods that may be in a namespace.
    pub fn workloads(&self, namespace: &str) -> Vec<usize> {
        in_namespace(&self.workloads, namespace)
    }

    /// What may make pods in a namespace.
    pub fn unknown(&self, namespace: &str) -> Vec<usize> {
        in_namespace(&self.unknown, namespace)
    }
}

fn places<'o>(keys: impl Iterator<Item = &'o str>) -> HashMap<&'o str, Vec<usize>> {
    let mut places = HashMap::<_, Vec<_>>::new();
    for (place, key) in keys.enumerate() {
        places.entry(key).or_default().push(place);
    }
    places
}

/// In their order; an empty namespace may be any.
fn in_namespace(places: &HashMap<&str, Vec<usize>>, namespace: &str) -> Vec<usize> {
    let mut found: Vec<usize> = if namespace.is_empty() {
        places.values().flatten().copied().collect()
    } else {
        [namespace, ""].iter().filter_map(|namespace| places.get(namespace)).flatten().copied().collect()
    };
    found.sort_unstable();
    found
}
