//! The routings at a gateway that a plugin may be on.

use super::host_index::HostIndex;
use super::routing::Routing;
use std::ops::Deref;

/// The routings, in their order and by their hosts.
#[derive(Debug)]
pub struct Beside<'w, 'o> {
    all: Vec<&'w Routing<'o>>,
    hosts: HostIndex,
}

impl<'w, 'o> Beside<'w, 'o> {
    /// Of these.
    pub fn new(all: Vec<&'w Routing<'o>>) -> Beside<'w, 'o> {
        let hosts = |(place, service): (usize, &&'w Routing<'o>)| {
            let namespace = &*service.object.namespace;
            let completed = |host: &str| {
                (!host.contains('.') && host != "*").then(|| format!("{host}.{namespace}.svc.cluster.local"))
            };
            let all = service.hosts.iter().flat_map(move |(_, host)| [Some((*host).to_owned()), completed(host)]);
            all.flatten().map(|host| (place, host)).collect::<Vec<_>>()
        };
        let hosts = HostIndex::of(all.iter().enumerate().flat_map(hosts));
        Beside { all, hosts }
    }

    fn at(&self, places: Vec<usize>) -> Vec<&'w Routing<'o>> {
        places.into_iter().filter_map(|place| self.all.get(place).copied()).collect()
    }

    /// The routings that may be for a host, as it is written or completed.
    pub fn near(&self, host: &str) -> Vec<&'w Routing<'o>> {
        self.at(self.hosts.at(host))
    }

    /// The routings that are for a host.
    pub fn overlapping(&self, host: &str) -> Vec<&'w Routing<'o>> {
        let mut all = self.near(host);
        all.retain(|service| service.is_for(host));
        all
    }

    /// The routings with exactly this host.
    pub fn with(&self, host: &str) -> Vec<&'w Routing<'o>> {
        let mut all = self.at(self.hosts.of_host(host));
        all.retain(|service| service.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host)));
        all
    }
}

impl<'w, 'o> Deref for Beside<'w, 'o> {
    type Target = [&'w Routing<'o>];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}
