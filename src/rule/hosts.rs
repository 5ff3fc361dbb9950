//! The rules for a host: an index, so that rules for other hosts cost nothing.

use crate::order::sorted;
use crate::request::authority;
use std::rc::Rc;

/// The longest host that can be configured: a DNS name, RFC 1035. A longer one in a request matches no pattern.
pub const MAX_HOST: usize = 253;

/// A host in a rule, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Rc<str>),
    /// Every host below this one, at any depth, but not the host itself: `*.example.com`.
    Below(Rc<str>),
    /// Every host: `*`.
    Any,
}

/// The positions of the rules, by host pattern.
#[derive(Clone, Debug, Default)]
pub struct HostIndex {
    exact: Positions,
    below: Positions,
    any: Box<[u32]>,
}

impl HostIndex {
    /// Indexes rules by their hosts, given in the order of the rules; no host means every host.
    pub fn new<'r>(rules: impl Iterator<Item = &'r [HostPattern]>) -> HostIndex {
        let (mut exact, mut below, mut any) = (Vec::new(), Vec::new(), Vec::new());
        for (position, hosts) in (0_u32..).zip(rules) {
            for host in hosts {
                match host {
                    HostPattern::Exact(host) => exact.push((Rc::clone(host), position)),
                    HostPattern::Below(domain) => below.push((Rc::clone(domain), position)),
                    HostPattern::Any => any.push(position),
                }
            }
            if hosts.is_empty() {
                any.push(position);
            }
        }
        any.dedup();
        HostIndex { exact: Positions::new(&exact), below: Positions::new(&below), any: any.into() }
    }

    /// Whether any rule has a host; if not, `:authority` is not needed.
    pub fn needs_host(&self) -> bool {
        !(self.exact.0.is_empty() && self.below.0.is_empty())
    }

    /// The positions of the rules for the host of this authority (`host:port`), in the order of the list.
    pub fn rules<'i>(&'i self, authority: &[u8]) -> impl Iterator<Item = u32> + use<'i> {
        let mut merge = Merge { exact: &[], below: Vec::new(), any: &self.any };
        let mut lower = [0; MAX_HOST];
        if let Some(host) = normalized(authority, &mut lower) {
            merge.exact = self.exact.of(host);
            if !self.below.0.is_empty() {
                // As in Envoy, the * is never empty.
                let dots = host.iter().enumerate().skip(1).filter(|&(_, &b)| b == b'.');
                let domains = dots.filter_map(|(dot, _)| host.get(dot + 1..));
                merge.below.extend(domains.map(|domain| self.below.of(domain)).filter(|list| !list.is_empty()));
            }
        }
        merge
    }
}

/// Hosts and the positions of the rules that name them, sorted by both: half the memory of a map of lists.
#[derive(Clone, Debug, Default)]
struct Positions(Box<[(Rc<str>, u32)]>);

impl Positions {
    fn new(pairs: &[(Rc<str>, u32)]) -> Positions {
        let places = sorted(pairs.len(), &|a, b| pairs.get(a).cmp(&pairs.get(b)));
        let mut pairs: Vec<_> = places.into_iter().filter_map(|at| pairs.get(at).cloned()).collect();
        // A rule may name a host twice.
        pairs.dedup();
        Positions(pairs.into())
    }

    fn of(&self, host: &[u8]) -> &[(Rc<str>, u32)] {
        let start = self.0.partition_point(|(known, _)| known.as_bytes() < host);
        let rest = self.0.get(start..).unwrap_or_default();
        let end = rest.partition_point(|(known, _)| known.as_bytes() == host);
        rest.get(..end).unwrap_or_default()
    }
}

/// The union of ascending lists, ascending.
struct Merge<'i> {
    exact: &'i [(Rc<str>, u32)],
    below: Vec<&'i [(Rc<str>, u32)]>,
    any: &'i [u32],
}

impl Iterator for Merge<'_> {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        if self.below.is_empty() && self.any.is_empty() {
            let (&(_, next), rest) = self.exact.split_first()?;
            self.exact = rest;
            return Some(next);
        }
        self.next_of_several()
    }
}

impl Merge<'_> {
    fn next_of_several(&mut self) -> Option<u32> {
        let mut next = u32::MAX;
        for list in &self.below {
            next = next.min(first(list));
        }
        next = next.min(first(self.exact)).min(self.any.first().copied().unwrap_or(u32::MAX));
        if next == u32::MAX {
            return None;
        }
        for list in &mut self.below {
            skip(list, next);
        }
        skip(&mut self.exact, next);
        if self.any.first() == Some(&next) {
            self.any = self.any.get(1..).unwrap_or_default();
        }
        Some(next)
    }
}

/// A list's first position; no rule has the number that means none.
fn first(list: &[(Rc<str>, u32)]) -> u32 {
    list.first().map_or(u32::MAX, |&(_, position)| position)
}

fn skip(list: &mut &[(Rc<str>, u32)], position: u32) {
    if first(list) == position {
        *list = list.get(1..).unwrap_or_default();
    }
}

/// The host of an authority: without port and one trailing dot, in lower case. `None` if no pattern could match it.
fn normalized<'l>(authority: &[u8], lower: &'l mut [u8; MAX_HOST]) -> Option<&'l [u8]> {
    let host = authority::host(authority);
    std::str::from_utf8(host).ok()?;
    let lower = lower.get_mut(..host.len())?;
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(rules: &[&[HostPattern]]) -> HostIndex {
        HostIndex::new(rules.iter().copied())
    }

    #[test]
    fn list_order_alone_decides_between_exact_and_wildcard_hosts() {
        let exact = |h: &str| HostPattern::Exact(h.into());
        let below = |h: &str| HostPattern::Below(h.into());
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
