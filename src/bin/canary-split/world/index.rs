//! Places of objects by their keys, so that the cost grows with their number and not with its square.

use super::gateway::Gateway;
use super::host::ServiceName;
use super::host_index::HostIndex;
use super::labels::Labels;
use super::makers::Maker;
use super::parent::Parent;
use super::routing::{Destination, Routing};
use super::service::{DestinationRule, Service, Workload};
use crate::input::yaml::Node;
use std::collections::HashMap;

/// Places in the lists of a world.
#[derive(Debug, Default)]
pub struct Index<'o> {
    services: ByName<'o>,
    /// DestinationRules by their Services.
    rules: ByName<'o>,
    /// DestinationRules by hosts that do not belong to a Service, and those for many hosts.
    hosts: HostIndex,
    /// Istio's Gateways.
    gateways: ByName<'o>,
    /// Gateways of the Gateway API.
    api_gateways: ByName<'o>,
    /// Gateways by the hosts that they serve.
    served: HostIndex,
    /// Routings by their hosts.
    routed: HostIndex,
    /// VirtualServices without hosts.
    delegates: ByName<'o>,
    /// Routes of the Gateway API, by their names and by those of their gateways.
    routes: ByName<'o>,
    /// The same by their gateways alone.
    attached: ByName<'o>,
    /// Makers of pods, by each label of the pods.
    workloads: ByLabel<'o>,
    /// Possible makers of pods, by each label that they mention.
    unknown: ByLabel<'o>,
}

/// Places by names, and by namespaces below these.
#[derive(Debug, Default)]
struct ByName<'o>(HashMap<&'o str, HashMap<&'o str, Vec<usize>>>);

/// Places by namespaces, and by a label below these; an empty name: all.
#[derive(Debug, Default)]
struct ByLabel<'o>(HashMap<&'o str, HashMap<(&'o str, &'o str), Vec<usize>>>);

/// The lists to index.
pub struct Lists<'l, 'o> {
    pub routings: &'l [Routing<'o>],
    pub services: &'l [Service<'o>],
    pub rules: &'l [DestinationRule<'o>],
    pub gateways: &'l [Gateway<'o>],
    pub workloads: &'l [Workload<'o>],
    pub unknown: &'l [Maker<'o>],
}

impl<'o> Index<'o> {
    /// Of these lists.
    pub fn of(lists: &Lists<'_, 'o>) -> Index<'o> {
        let gateways = |is_of_api: bool| {
            let all = lists.gateways.iter();
            ByName::of(all.map(|gateway| (gateway.is_of_api() == is_of_api).then(|| name(gateway.object))))
        };
        let mut index = Index {
            services: ByName::of(lists.services.iter().map(|service| Some(service.name()))),
            rules: ByName::of(lists.rules.iter().map(DestinationRule::service)),
            gateways: gateways(false),
            api_gateways: gateways(true),
            delegates: ByName::of(
                lists.routings.iter().map(|routing| routing.is_delegate().then(|| name(routing.object))),
            ),
            ..Index::default()
        };
        for (place, rule) in lists.rules.iter().enumerate().filter(|(_, rule)| rule.service().is_none()) {
            index.hosts.add(place, rule.host);
        }
        for (place, gateway) in lists.gateways.iter().enumerate() {
            let hosts = gateway.servers.iter().flat_map(|server| server.hosts());
            hosts.for_each(|host| index.served.add(place, host.rsplit('/').next().unwrap_or_default()));
        }
        for (place, routing) in lists.routings.iter().enumerate() {
            routing.hosts.iter().for_each(|(_, host)| index.routed.add(place, host));
            if routing.is_virtual_service() {
                continue;
            }
            index.routes.add(place, name(routing.object));
            for (namespace, name) in routing.gateways() {
                index.routes.add(place, ServiceName { name, namespace });
                index.attached.add(place, ServiceName { name, namespace });
            }
        }
        for (place, pods) in lists.workloads.iter().enumerate() {
            index.workloads.add(place, &pods.object.namespace, &pods.labels);
        }
        for (place, unknown) in lists.unknown.iter().enumerate() {
            spoken_of(unknown.node, &mut |labels| index.unknown.add(place, unknown.namespace, &labels));
        }
        index
    }

    /// Services of this name.
    pub fn services(&self, name: &ServiceName) -> Vec<usize> {
        self.services.at(name.name, name.namespace)
    }

    /// Gateways that are named so.
    pub fn gateways(&self, parent: &Parent) -> Vec<usize> {
        let gateways = if parent.is_of_api { &self.api_gateways } else { &self.gateways };
        gateways.at(parent.name, parent.namespace)
    }

    /// Gateways that may serve a host.
    pub fn serving(&self, host: &str) -> Vec<usize> {
        self.served.at(host)
    }

    /// Routings that are for a host.
    pub fn routing(&self, host: &str) -> Vec<usize> {
        self.routed.at(host)
    }

    /// VirtualServices of this name to which others may delegate.
    pub fn delegates(&self, namespace: &str, name: &str) -> Vec<usize> {
        self.delegates.at(name, namespace)
    }

    /// Routes of the Gateway API that have this name, or a gateway that has it.
    pub fn routes(&self, namespace: &str, name: &str) -> Vec<usize> {
        self.routes.at(name, namespace)
    }

    /// Routes of the Gateway API that name a gateway in just this way.
    pub fn attached_to(&self, (namespace, name): (&str, &str)) -> impl Iterator<Item = usize> {
        let places = self.attached.0.get(name).and_then(|places| places.get(namespace));
        places.into_iter().flatten().copied()
    }

    /// DestinationRules that may be for a destination.
    pub fn rules(&self, destination: &Destination) -> Vec<usize> {
        let mut found = match destination.service() {
            Some(ServiceName { name, namespace }) => {
                let mut found = self.hosts.at(&format!("{name}.{namespace}.svc.cluster.local"));
                found.extend(self.rules.at(name, namespace));
                found
            }
            None => self.hosts.at(destination.host.1),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Makers of pods in a namespace that may have these labels.
    pub fn workloads(&self, namespace: &str, labels: &Labels) -> Vec<usize> {
        self.workloads.at(namespace, labels)
    }

    /// Possible makers of pods in a namespace that mention these labels.
    pub fn unknown(&self, namespace: &str, labels: &Labels) -> Vec<usize> {
        self.unknown.at(namespace, labels)
    }
}

fn name(object: &crate::input::manifest::Object) -> ServiceName<'_> {
    ServiceName { name: &object.name, namespace: &object.namespace }
}

/// The labels that an object has anywhere.
fn spoken_of<'o>(node: &'o Node, found: &mut impl FnMut(Labels<'o>)) {
    for (key, value) in node.entries() {
        if ["labels", "label"].contains(&&*key.name) {
            Labels::of(value).into_iter().for_each(&mut *found);
        }
        spoken_of(value, found);
    }
    node.items().iter().for_each(|item| spoken_of(item, found));
}

impl<'o> ByName<'o> {
    fn of(names: impl Iterator<Item = Option<ServiceName<'o>>>) -> ByName<'o> {
        let mut places = ByName::default();
        for (place, name) in names.enumerate() {
            name.into_iter().for_each(|name| places.add(place, name));
        }
        places
    }

    fn add(&mut self, place: usize, ServiceName { name, namespace }: ServiceName<'o>) {
        self.0.entry(name).or_default().entry(namespace).or_default().push(place);
    }

    fn at(&self, name: &str, namespace: &str) -> Vec<usize> {
        self.0.get(name).map_or_else(Vec::new, |places| in_namespace(places, namespace, Some))
    }
}

impl<'o> ByLabel<'o> {
    fn add(&mut self, place: usize, namespace: &'o str, labels: &Labels<'o>) {
        let places = self.0.entry(namespace).or_default();
        for label in labels.pairs().chain([("", "")]) {
            let places = places.entry(label).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }

    fn at(&self, namespace: &str, labels: &Labels) -> Vec<usize> {
        let wanted = || labels.pairs().filter(|(name, value)| labels.get(name) == Some(value)).chain([("", "")]);
        in_namespace(&self.0, namespace, |places| {
            // By the rarest label.
            let fewest = wanted().map(|label| places.get(&label)).min_by_key(|places| places.map_or(0, Vec::len));
            fewest.flatten()
        })
    }
}

/// In their order; an empty namespace may be any.
fn in_namespace<'p, P, L: AsRef<[usize]> + ?Sized + 'p>(
    places: &'p HashMap<&str, P>,
    namespace: &str,
    of: impl Fn(&'p P) -> Option<&'p L>,
) -> Vec<usize> {
    let own = [namespace, ""].into_iter().filter_map(|namespace| places.get(namespace));
    let all: Vec<&P> = if namespace.is_empty() { places.values().collect() } else { own.collect() };
    let mut found: Vec<usize> = all.into_iter().filter_map(of).flat_map(AsRef::as_ref).copied().collect();
    found.sort_unstable();
    found.dedup();
    found
}
