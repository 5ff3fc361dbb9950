//! The client's address, read in one place: to keys, `draw: client` and `remoteIpBlocks` it must mean the same client.
//!
//! An IPv4-mapped address (`::ffff:a.b.c.d`) is the IPv4 inside. So is a NAT64 address (`64:ff9b::/96`, RFC 6052): all clients
//! behind a translator share one /64.

use crate::order::sorted;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The number of bits of an IPv6 before the IPv4 inside.
const BEFORE_IPV4: u32 = 96;
const MAPPED: u128 = 0xffff << 32;
const NAT64: u128 = 0x64_ff9b << 96;
/// All values of the IPv4 inside.
const IPV4: u128 = 0xffff_ffff;

/// An address with or without a port; `None` if it is not an address.
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse::<IpAddr>()).ok()?;
    Some(address.to_canonical())
}

/// The bytes that an address is hashed by: the 4 of an IPv4, the first 8 (the /64) of an IPv6.
pub fn network(address: IpAddr) -> Vec<u8> {
    match (ipv4_of_nat64(number(address)), address) {
        (Some(number), _) => ((number & IPV4) as u32).to_be_bytes().to_vec(),
        (None, IpAddr::V4(address)) => address.octets().to_vec(),
        (None, IpAddr::V6(address)) => address.octets().into_iter().take(8).collect(),
    }
}

/// Blocks of addresses: sorted ranges of numbers that do not touch, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks(Box<[(u128, u128)]>);

impl Blocks {
    /// These blocks, each an address and the number of its bits that count; the other bits are ignored, as in Istio. A number that
    /// is too large means all bits.
    pub fn new(blocks: &[(IpAddr, u32)]) -> Blocks {
        let mut ranges = Vec::with_capacity(blocks.len());
        for &(address, bits) in blocks {
            let free = address_bits(address).saturating_sub(bits);
            let ignored = 1_u128.checked_shl(free).unwrap_or(0).wrapping_sub(1);
            let (first, last) = (number(address) & !ignored, number(address) | ignored);
            if first < MAPPED && last > MAPPED {
                // A wide IPv6 block says nothing about IPv4.
                ranges.extend([(first, MAPPED - 1), (MAPPED + IPV4 + 1, last)]);
            } else {
                ranges.push((first, last));
            }
        }
        Blocks::merged(&ranges)
    }

    /// All of these.
    pub fn together<'b>(all: impl Iterator<Item = &'b Blocks>) -> Blocks {
        Blocks::merged(&all.flat_map(|blocks| blocks.0.iter().copied()).collect::<Vec<_>>())
    }

    /// The ranges of the addresses that are in these and not in those: the first and the last of each.
    pub fn without(&self, those: &Blocks) -> Vec<(IpAddr, IpAddr)> {
        let mut rest = Vec::new();
        let mut those = those.0.iter().peekable();
        for &(first, last) in &self.0 {
            while those.next_if(|other| other.1 < first).is_some() {}
            let mut from = Some(first);
            for other in those.clone().take_while(|other| other.0 <= last) {
                if let Some(from) = from.filter(|&from| from < other.0) {
                    rest.push((from, other.0 - 1));
                }
                from = other.1.checked_add(1);
            }
            rest.extend(from.filter(|&from| from <= last).map(|from| (from, last)));
        }
        rest.into_iter().map(|(first, last)| (address(first), address(last))).collect()
    }

    fn merged(ranges: &[(u128, u128)]) -> Blocks {
        let order = sorted(ranges.len(), &|a, b| ranges.get(a).cmp(&ranges.get(b)));
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for &(first, last) in order.into_iter().filter_map(|at| ranges.get(at)) {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Blocks(merged.into())
    }

    /// Whether an address, or the IPv4 inside, is in any of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = number(address);
        self.has(address) || ipv4_of_nat64(address).is_some_and(|inside| self.has(inside))
    }

    fn has(&self, number: u128) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|&(_, last)| number <= last)
    }
}

/// The number of bits of an address.
pub fn address_bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { Ipv4Addr::BITS } else { BEFORE_IPV4 + Ipv4Addr::BITS }
}

/// An address as a number; an IPv4 has that of its IPv4-mapped address.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of a number.
fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

/// The number of the IPv4 inside of a NAT64 address.
fn ipv4_of_nat64(number: u128) -> Option<u128> {
    (number & !IPV4 == NAT64).then_some(MAPPED | number & IPV4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_its_network() {
        let v4 = Some(vec![203, 0, 113, 7]);
        let v6 = Some(vec![0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2]);
        let local = Some(vec![0, 0x64, 0xff, 0x9b, 0, 1, 0, 0]);
        for (address, expected) in [
            ("203.0.113.7:4711", &v4),
            ("203.0.113.7", &v4),
            ("[::ffff:203.0.113.7]:4711", &v4),
            ("[64:ff9b::203.0.113.7]:4711", &v4),
            ("64:ff9b::cb00:7107", &v4),
            // Translators of one's own (RFC 8215) may have any layout.
            ("64:ff9b:1::cb00:7107", &local),
            ("[2001:db8:1:2:3:4:5:6]:443", &v6),
            ("[2001:db8:1:2::ffff]:443", &v6),
            ("2001:db8:1:2::", &v6),
            ("/run/envoy.sock", &None),
            ("", &None),
        ] {
            assert_eq!(&parse(address.as_bytes()).map(network), expected, "{address}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    fn blocks(texts: &[&str]) -> Blocks {
        let block = |text: &&str| {
            let (address, bits) = text.split_once('/').unwrap();
            (address.parse().unwrap(), bits.parse().unwrap())
        };
        Blocks::new(&texts.iter().map(block).collect::<Vec<_>>())
    }

    #[test]
    fn a_block_holds_whatever_begins_with_its_bits() {
        let table: &[(&[&str], &str, bool)] = &[
            (&["203.0.113.0/24"], "203.0.113.255", true),
            (&["203.0.113.0/24"], "203.0.114.0", false),
            (&["203.0.113.0/24"], "203.0.112.255", false),
            (&["203.0.113.77/24"], "203.0.113.1", true),
            (&["203.0.113.7/32"], "203.0.113.7", true),
            (&["203.0.113.7/32"], "203.0.113.8", false),
            (&["0.0.0.0/0"], "255.255.255.255", true),
            (&["0.0.0.0/0"], "2001:db8::1", false),
            (&["::/0"], "2001:db8::1", true),
            (&["::/0"], "::", true),
            (&["::/0"], "203.0.113.7", false),
            (&["::/0"], "::ffff:203.0.113.7", false),
            (&["2001:db8::/32"], "2001:db8:ffff::", true),
            (&["2001:db8::/32"], "2001:db9::", false),
            (&["10.0.0.0/8"], "64:ff9b::10.1.2.3", true),
            (&["10.0.0.0/8"], "::ffff:10.1.2.3", true),
            (&["10.0.0.0/8"], "64:ff9b::11.1.2.3", false),
            (&["10.0.0.0/8"], "64:ff9b:1::10.1.2.3", false),
            (&["64:ff9b::/96"], "64:ff9b::10.1.2.3", true),
            (&["64:ff9b::/96"], "10.1.2.3", false),
            (&["::ffff:10.0.0.0/104"], "10.1.2.3", true),
            (&["::ffff:10.0.0.0/104"], "11.1.2.3", false),
            (&["::ffff:0:0/96"], "10.1.2.3", true),
            (&["::ffff:0:0/95"], "10.1.2.3", false),
            (&["::ffff:0:0/95"], "::fffe:10.1.2.3", true),
            (&[], "10.1.2.3", false),
        ];
        for (list, address, expected) in table {
            let address = parse(address.as_bytes()).unwrap();
            assert_eq!(blocks(list).contain(address), *expected, "{address} in {list:?}");
        }
    }

    #[test]
    fn what_differs_is_said_by_first_and_last_addresses() {
        type Case<'c> = (&'c [&'c str], &'c [&'c str], &'c [(&'c str, &'c str)]);
        let table: &[Case] = &[
            (&["10.0.0.0/24"], &[], &[("10.0.0.0", "10.0.0.255")]),
            (&[], &["10.0.0.0/24"], &[]),
            (&["10.0.0.0/24"], &["10.0.0.0/8"], &[]),
            (&["10.0.0.0/24"], &["10.0.0.0/25"], &[("10.0.0.128", "10.0.0.255")]),
            (&["10.0.0.0/24"], &["10.0.0.128/25"], &[("10.0.0.0", "10.0.0.127")]),
            (
                &["10.0.0.0/24"],
                &["10.0.0.1/32", "10.0.0.9/32"],
                &[("10.0.0.0", "10.0.0.0"), ("10.0.0.2", "10.0.0.8"), ("10.0.0.10", "10.0.0.255")],
            ),
            (&["10.0.0.0/32", "10.0.0.2/32", "10.0.0.4/32"], &["10.0.0.0/30"], &[("10.0.0.4", "10.0.0.4")]),
            (
                &["::/0"],
                &["8000::/1"],
                &[("::", "::fffe:ffff:ffff"), ("::1:0:0:0", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")],
            ),
        ];
        for (these, those, expected) in table {
            let rest = blocks(these).without(&blocks(those));
            let rest: Vec<_> = rest.iter().map(|(first, last)| (first.to_string(), last.to_string())).collect();
            let rest: Vec<_> = rest.iter().map(|(first, last)| (first.as_str(), last.as_str())).collect();
            assert_eq!(rest, *expected, "{these:?} without {those:?}");
        }
    }

    #[test]
    fn blocks_that_meet_are_one() {
        assert_eq!(blocks(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7/32"]), blocks(&["10.0.0.0/23"]));
        assert_eq!(blocks(&["::/1", "8000::/1"]), blocks(&["::/0"]));
        let many: Vec<String> = (0..10_000_u32).map(|n| format!("{}/32", Ipv4Addr::from_bits(2 * n))).collect();
        let many = blocks(&many.iter().map(String::as_str).collect::<Vec<_>>());
        for n in 0..20_000 {
            assert_eq!(many.contain(Ipv4Addr::from_bits(n).into()), n % 2 == 0, "{n}");
        }
    }
}
