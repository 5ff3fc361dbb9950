//! Places by hosts, so that overlapping hosts are found without looking at every one.

use std::collections::HashMap;

/// Places by the hosts that they are for; a `*` at the beginning of a host means anything.
#[derive(Debug, Default)]
pub struct HostIndex {
    /// Hosts without a `*`.
    exact: HashMap<String, Vec<usize>>,
    /// The rest after a `*`.
    wide: HashMap<String, Vec<usize>>,
    /// All, by each end that begins with a dot.
    below: HashMap<String, Vec<usize>>,
    /// All.
    all: Vec<usize>,
}

impl HostIndex {
    /// Of hosts with their places.
    pub fn of<H: AsRef<str>>(hosts: impl IntoIterator<Item = (usize, H)>) -> HostIndex {
        let mut index = HostIndex::default();
        for (place, host) in hosts {
            index.add(place, host.as_ref());
        }
        index
    }

    /// Adds one.
    pub fn add(&mut self, place: usize, host: &str) {
        let host = host.to_ascii_lowercase();
        let end = host.strip_prefix('*').unwrap_or(&host);
        for (at, _) in end.match_indices('.') {
            self.below.entry(end.get(at..).unwrap_or_default().to_owned()).or_default().push(place);
        }
        let same = if end.len() < host.len() { &mut self.wide } else { &mut self.exact };
        same.entry(end.to_owned()).or_default().push(place);
        self.all.push(place);
    }

    /// Places of exactly this host.
    pub fn of_host(&self, host: &str) -> Vec<usize> {
        let host = host.to_ascii_lowercase();
        let found = match host.strip_prefix('*') {
            Some(end) => self.wide.get(end),
            None => self.exact.get(&host),
        };
        sorted(found.into_iter().flatten())
    }

    /// Places of hosts that overlap with this one.
    pub fn at(&self, host: &str) -> Vec<usize> {
        let host = host.to_ascii_lowercase();
        let end = host.strip_prefix('*').unwrap_or(&host);
        let ends = (0..=end.len()).filter_map(|at| self.wide.get(end.get(at..)?)).flatten();
        match host.len() - end.len() {
            0 => sorted(ends.chain(self.exact.get(&host).into_iter().flatten())),
            _ if end.starts_with('.') => sorted(ends.chain(self.below.get(end).into_iter().flatten())),
            _ => sorted(self.all.iter()),
        }
    }

    /// Whether any host overlaps with this one.
    pub fn has(&self, host: &str) -> bool {
        !self.at(host).is_empty()
    }
}

fn sorted<'p>(places: impl Iterator<Item = &'p usize>) -> Vec<usize> {
    let mut places: Vec<usize> = places.copied().collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::HostIndex;
    use crate::world::host::overlap;

    #[test]
    fn what_is_found_is_what_overlaps() {
        let hosts = [
            "a.example.com",
            "A.Example.com",
            "b.a.example.com",
            "example.com",
            "*.example.com",
            "*.a.example.com",
            "*",
            "*.com",
            "shop",
            "xexample.com",
            "",
        ];
        let index = HostIndex::of(hosts.into_iter().enumerate());
        for host in hosts.into_iter().chain(["c.example.com", "*.org", "ü.example.com", "*.b.a.example.com"]) {
            let found: Vec<&str> = index.at(host).into_iter().map(|place| hosts[place]).collect();
            let expected: Vec<&str> = hosts.into_iter().filter(|own| overlap(own, host)).collect();
            assert_eq!(found, expected, "{host}");
            let same: Vec<&str> = hosts.into_iter().filter(|own| own.eq_ignore_ascii_case(host)).collect();
            assert_eq!(index.of_host(host).into_iter().map(|place| hosts[place]).collect::<Vec<_>>(), same, "{host}");
        }
    }
}
