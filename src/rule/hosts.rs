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
        let host = authority::host(authority);
        if host.len() > MAX_HOST {
            return merge;
        }
        merge.exact = self.exact.of(host);
        if !self.below.0.is_empty() {
            // As in Envoy, the * is never empty.
            let dots = host.iter().enumerate().skip(1).filter(|&(_, &b)| b == b'.');
            let domains = dots.filter_map(|(dot, _)| host.get(dot + 1..));
            merge.below.extend(domains.map(|domain| self.below.of(domain)).filter(|list| !list.is_empty()));
            if std::str::from_utf8(host).is_err() {
                merge.below.clear();
            }
        }
        merge
    }
}

/// Hosts and the positions of the rules that name them, sorted by the hosts' hashes: half the memory of a map of lists.
#[derive(Clone, Debug, Default)]
struct Positions(Box<[Entry]>);

/// A host and the position of a rule that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hash: u32,
    host: Rc<str>,
    position: u32,
}

impl Positions {
    fn new(pairs: &[(Rc<str>, u32)]) -> Positions {
        let hashes: Vec<u32> = pairs.iter().map(|(host, _)| hash(host.as_bytes())).collect();
        let key = |at| Some((*hashes.get(at)?, pairs.get(at)?));
        let places = sorted(pairs.len(), &|a, b| key(a).cmp(&key(b)));
        let entry = |(hash, (host, position)): (u32, &(Rc<str>, u32))| Entry {
            hash,
            host: Rc::clone(host),
            position: *position,
        };
        let mut entries: Vec<Entry> = places.into_iter().filter_map(key).map(entry).collect();
        // A rule may name a host twice.
        entries.dedup();
        Positions(entries.into())
    }

    /// The entries of a host, in any letter case.
    fn of(&self, host: &[u8]) -> &[Entry] {
        let hash = hash(host);
        let start = self.0.partition_point(|entry| entry.hash < hash);
        let rest = self.0.get(start..).unwrap_or_default();
        let of_hash = rest.get(..rest.partition_point(|entry| entry.hash == hash)).unwrap_or_default();
        let (Some(first), Some(last)) = (of_hash.first(), of_hash.last()) else { return &[] };
        if Rc::ptr_eq(&first.host, &last.host) || first.host == last.host {
            return if is_same(first.host.as_bytes(), host) { of_hash } else { &[] };
        }
        // Several hosts have this hash.
        let start = of_hash.iter().position(|entry| is_same(entry.host.as_bytes(), host)).unwrap_or(of_hash.len());
        let rest = of_hash.get(start..).unwrap_or_default();
        let end = rest.iter().take_while(|entry| is_same(entry.host.as_bytes(), host)).count();
        rest.get(..end).unwrap_or_default()
    }
}

/// A hash of a host in any letter case. Only what a config names is indexed, so nobody who sends a host can make hashes meet.
fn hash(host: &[u8]) -> u32 {
    let add = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The high bits depend on all of it.
    (words(host).fold(host.len() as u64, add) >> 32) as u32
}

/// Whether two hosts are one, in any letter case.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && words(one).eq(words(other))
}

/// A host in lower case, eight bytes at a time: byte by byte this would take most of a request's time. The last word overlaps the one before.
fn words(host: &[u8]) -> impl Iterator<Item = u64> {
    let short = || host.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let last = host.last_chunk().map_or_else(short, |word| u64::from_le_bytes(*word));
    let (whole, _) = host.as_chunks();
    whole.iter().map(|word| u64::from_le_bytes(*word)).chain([last]).map(lower)
}

/// Eight bytes with ASCII's capital letters made small.
fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low = word & !HIGH;
    // The high bit of each byte says: it is at least `A`; it is beyond `Z`.
    let (from_a, beyond_z) = (low + (0x80 - u64::from(b'A')) * EACH, low + (0x7f - u64::from(b'Z')) * EACH);
    let capital = (from_a ^ beyond_z) & !word & HIGH;
    word | capital >> 2
}

/// The union of ascending lists, ascending.
struct Merge<'i> {
    exact: &'i [Entry],
    below: Vec<&'i [Entry]>,
    any: &'i [u32],
}

impl Iterator for Merge<'_> {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        if self.below.is_empty() && self.any.is_empty() {
            let (next, rest) = self.exact.split_first()?;
            self.exact = rest;
            return Some(next.position);
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
fn first(list: &[Entry]) -> u32 {
    list.first().map_or(u32::MAX, |entry| entry.position)
}

fn skip(list: &mut &[Entry], position: u32) {
    if first(list) == position {
        *list = list.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn index(rules: &[&[HostPattern]]) -> HostIndex {
        HostIndex::new(rules.iter().copied())
    }

    #[test]
    fn a_host_is_read_in_any_letter_case() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 8, 9, 20] {
                let written = vec![byte; length];
                let small = written.to_ascii_lowercase();
                assert!(is_same(&written, &small) && hash(&written) == hash(&small), "{byte} × {length}");
                let other = vec![byte.wrapping_add(1); length];
                assert_eq!(is_same(&written, &other), small == other.to_ascii_lowercase(), "{byte} × {length}");
            }
        }
    }

    #[test]
    fn two_bytes_next_to_each_other_are_made_small_as_one_is() {
        for bytes in (0..=u16::MAX).map(u16::to_le_bytes) {
            let written = [bytes; 4].concat();
            let words = [written.clone(), written.to_ascii_lowercase()];
            let [word, small] = words.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
            assert_eq!(lower(word), small, "{bytes:?}");
        }
    }

    #[test]
    fn hosts_that_differ_in_two_places_have_other_hashes() {
        for length in [1, 7, 8, 9, 16] {
            let host = vec![b'a'; length];
            let longer = vec![b'a'; length + 1];
            assert!(!is_same(&host, &longer) && hash(&host) != hash(&longer), "{length}");
            for (one, other) in (0..length).flat_map(|one| (one..length).map(move |other| (one, other))) {
                let mut hashes = BTreeSet::new();
                for letters in (b'a'..=b'z').flat_map(|first| (b'a'..=b'z').map(move |second| [first, second])) {
                    let mut written = host.clone();
                    [written[one], written[other]] = letters;
                    assert_eq!(is_same(&written, &host), written == host, "{written:?}");
                    hashes.insert(hash(&written));
                }
                let hosts = if one == other { 26 } else { 26 * 26 };
                assert_eq!(hashes.len(), hosts, "{length}: {one} and {other}");
            }
        }
    }

    #[test]
    fn hosts_with_one_hash_are_told_apart() {
        let hash = hash(b"b");
        let entry = |(host, position): (&str, u32)| Entry { hash, host: host.into(), position };
        let positions = Positions([("a", 0), ("b", 1), ("b", 2), ("c", 3)].map(entry).into());
        let found: Vec<u32> = positions.of(b"B").iter().map(|entry| entry.position).collect();
        assert_eq!(found, [1, 2]);
        let others = Positions([("a", 0), ("c", 3)].map(entry).into());
        assert_eq!(others.of(b"b"), []);
        assert_eq!(Positions([("a", 0)].map(entry).into()).of(b"b"), []);
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
