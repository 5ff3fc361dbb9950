//! The routings at a gateway that a plugin may be on.

use super::host_index::HostIndex;
use super::routing::Routing;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Names of Gateways, by their namespaces. They are copies: a world that keeps references in a cell could not be lent for a shorter time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// Whether a Gateway is among them.
    pub fn has(&self, (namespace, name): (&str, &str)) -> bool {
        self.0.get(namespace).is_some_and(|names| names.contains(name))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(namespace, names)| names.iter().map(move |name| (&**namespace, &**name)))
    }
}

impl<'n> FromIterator<(&'n str, &'n str)> for Names {
    fn from_iter<I: IntoIterator<Item = (&'n str, &'n str)>>(all: I) -> Names {
        let mut names = Names::default();
        for (namespace, name) in all {
            names.0.entry(namespace.to_owned()).or_default().insert(name.to_owned());
        }
        names
    }
}

/// The routings, in their order and by their hosts.
#[derive(Debug)]
pub struct Beside<'w, 'o> {
    routings: &'w [Routing<'o>],
    found: Rc<Found>,
}

/// What plugins at the same gateways share.
#[derive(Debug)]
pub struct Found {
    /// The places of the routings, in their order.
    places: Vec<usize>,
    hosts: HostIndex,
    /// The gateways of the Gateway API that the plugin may be on.
    gateways: Names,
}

impl Found {
    /// The routings at these places.
    pub fn new(routings: &[Routing], places: Vec<usize>, gateways: Names) -> Found {
        let mut hosts = HostIndex::default();
        for (place, routing) in places.iter().filter_map(|place| Some((*place, routings.get(*place)?))) {
            for (_, host) in &routing.hosts {
                hosts.add(place, host);
                if !host.contains('.') && *host != "*" {
                    hosts.add(place, &format!("{host}.{}.svc.cluster.local", routing.object.namespace));
                }
            }
        }
        Found { places, hosts, gateways }
    }
}

impl<'w, 'o> Beside<'w, 'o> {
    /// What was found among all routings.
    pub fn new(routings: &'w [Routing<'o>], found: Rc<Found>) -> Beside<'w, 'o> {
        Beside { routings, found }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'w Routing<'o>> {
        self.at(&self.found.places)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.places.len()
    }

    /// Whether the routing at a place among all is one of them.
    pub fn has(&self, place: usize) -> bool {
        self.found.places.binary_search(&place).is_ok()
    }

    /// Whether the plugin may be on a Gateway of the Gateway API.
    pub fn is_at(&self, namespace: &str, name: &str) -> bool {
        self.found.gateways.has((namespace, name))
    }

    fn at(&self, places: &[usize]) -> impl Iterator<Item = &'w Routing<'o>> {
        places.iter().filter_map(|place| self.routings.get(*place))
    }

    /// The routings that may be for a host, as it is written or completed.
    pub fn near(&self, host: &str) -> Vec<&'w Routing<'o>> {
        self.at(&self.found.hosts.at(host)).collect()
    }

    /// The routings that are for a host.
    pub fn overlapping(&self, host: &str) -> Vec<&'w Routing<'o>> {
        let mut all = self.near(host);
        all.retain(|service| service.is_for(host));
        all
    }

    /// The routings with exactly this host.
    pub fn with(&self, host: &str) -> Vec<&'w Routing<'o>> {
        let mut all: Vec<_> = self.at(&self.found.hosts.of_host(host)).collect();
        all.retain(|service| service.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host)));
        all
    }
}
