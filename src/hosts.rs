//! Which rules speak about a host: an index, so that rules for other hosts cost nothing.

use crate::rule::{HostPattern, Rule};
use std::collections::HashMap;

/// The longest host that can be configured: a DNS name, RFC 1035. A longer one in a request matches no pattern.
pub const MAX_HOST: usize = 253;

/// The positions of the rules, by host pattern; each list ascends.
#[derive(Clone, Debug, Default)]
pub struct HostIndex {
    exact: HashMap<String, Vec<u32>>,
    below: HashMap<String, Vec<u32>>,
    any: Vec<u32>,
}

impl HostIndex {
    /// Indexes rules by their hosts.
    pub fn new(rules: &[Rule]) -> HostIndex {
        let mut index = HostIndex::default();
        for (position, rule) in (0_u32..).zip(rules) {
            let add = |list: &mut Vec<u32>| {
                // A rule may name a host twice.
                if list.last() != Some(&position) {
                    list.push(position);
                }
            };
            if rule.hosts.is_empty() {
                add(&mut index.any);
            }
            for host in &rule.hosts {
                match host {
                    HostPattern::Exact(host) => add(index.exact.entry(host.clone()).or_default()),
                    HostPattern::Below(domain) => add(index.below.entry(domain.clone()).or_default()),
                    HostPattern::Any => add(&mut index.any),
                }
            }
        }
        index
    }

    /// Whether there is any host to look up; if not, nobody needs to ask for `:authority`.
    pub fn needs_host(&self) -> bool {
        !(self.exact.is_empty() && self.below.is_empty())
    }

    /// The positions of the rules that speak about the host of this authority (`host:port`), in the order of the list.
    pub fn rules<'i>(&'i self, authority: &[u8]) -> impl Iterator<Item = u32> + use<'i> {
        let mut lists: Vec<&[u32]> = Vec::new();
        let host = normalized(authority);
        if let Some(host) = host.as_deref() {
            lists.extend(self.exact.get(host).map(Vec::as_slice));
            if !self.below.is_empty() {
                // As in Envoy, the * stands for something.
                let dots = host.match_indices('.').filter(|&(dot, _)| dot > 0);
                let domains = dots.filter_map(|(dot, _)| host.get(dot + 1..));
                lists.extend(domains.filter_map(|domain| self.below.get(domain)).map(Vec::as_slice));
            }
        }
        lists.push(&self.any);
        Merge { lists, last: None }
    }
}

/// The union of ascending lists, ascending.
struct Merge<'i> {
    lists: Vec<&'i [u32]>,
    last: Option<u32>,
}

impl Iterator for Merge<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        for list in &mut self.lists {
            while let [first, rest @ ..] = list
                && Some(*first) <= self.last
            {
                *list = rest;
            }
        }
        self.last = self.lists.iter().filter_map(|list| list.first()).min().copied();
        self.last
    }
}

/// The host of an authority: without port and one trailing dot, in lower case. `None` if no pattern could match it.
fn normalized(authority: &[u8]) -> Option<String> {
    let host = match authority.iter().rposition(|&b| b == b':') {
        // The colon of a port stands behind the `]` of an IPv6 literal.
        Some(colon) if authority.get(colon + 1..)?.iter().all(u8::is_ascii_digit) => authority.get(..colon)?,
        _ => authority,
    };
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.len() > MAX_HOST {
        return None;
    }
    std::str::from_utf8(host).ok().map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Subset, Target};

    fn index(rules: &[&[HostPattern]]) -> HostIndex {
        let subset = Subset { name: String::new(), header_value: String::new() };
        let rule = |hosts: &&[HostPattern]| Rule {
            name: String::new(),
            hosts: hosts.to_vec(),
            matches: Vec::new(),
            target: Target::Fixed(subset.clone()),
        };
        HostIndex::new(&rules.iter().map(rule).collect::<Vec<_>>())
    }

    #[test]
    fn list_order_alone_decides_between_exact_and_wildcard_hosts() {
        let exact = |h: &str| HostPattern::Exact(h.to_owned());
        let below = |h: &str| HostPattern::Below(h.to_owned());
        let index = index(&[
            &[below("example.com")],
            &[exact("a.example.com"), exact("a.example.com"), below("example.com")],
            &[],
            &[exact("example.com"), exact("[::1]")],
            &[below("a.example.com")],
            &[HostPattern::Any],
        ]);
        let table: &[(&str, &[u32])] = &[
            ("a.example.com", &[0, 1, 2, 5]),
            ("A.Example.COM:8443", &[0, 1, 2, 5]),
            ("a.example.com.", &[0, 1, 2, 5]),
            ("a.example.com.:80", &[0, 1, 2, 5]),
            ("a.example.com..", &[2, 5]),
            ("x.a.example.com", &[0, 1, 2, 4, 5]),
            ("example.com", &[2, 3, 5]),
            ("xexample.com", &[2, 5]),
            (".example.com", &[2, 5]),
            ("[::1]", &[2, 3, 5]),
            ("[::1]:443", &[2, 3, 5]),
            ("", &[2, 5]),
            (":", &[2, 5]),
        ];
        for &(host, expected) in table {
            assert_eq!(index.rules(host.as_bytes()).collect::<Vec<_>>(), expected, "{host:?}");
        }
        assert_eq!(index.rules(b"\xff.example.com").collect::<Vec<_>>(), [2, 5]);
        let long = format!("{}.example.com", "a".repeat(MAX_HOST));
        assert_eq!(index.rules(long.as_bytes()).collect::<Vec<_>>(), [2, 5]);
    }
}
