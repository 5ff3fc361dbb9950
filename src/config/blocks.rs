//! `remoteIpBlocks`: addresses and blocks of them, as Istio's AuthorizationPolicy takes them.

use super::fields::{Errors, Place, filled_list, quoted, string};
use super::json::Json;
use crate::request::address::{Blocks, address_bits};
use std::net::{IpAddr, SocketAddr};

pub(super) fn read_blocks(json: &Json, place: &Place, errors: &mut Errors) -> Option<Blocks> {
    let items = filled_list(json, place, errors)?;
    let mut blocks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let place = place.index(index);
        let Some(text) = string(item, &place, errors) else { continue };
        match block(text) {
            Ok(block) => blocks.push(block),
            Err(problem) => errors.add(&place, format_args!("{} {problem}", quoted(text))),
        }
    }
    Some(Blocks::new(&blocks))
}

/// An address and how many of its bits count.
fn block(text: &str) -> Result<(IpAddr, u32), String> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| why_no_address(address).to_owned())?;
    let most = address_bits(address);
    let Some(prefix) = prefix else { return Ok((address, most)) };
    // No sign and no leading zero, as in Go.
    let is_plain = prefix.bytes().all(|b| b.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
    let bits = prefix.parse().ok().filter(|&bits| is_plain && bits <= most);
    Ok((address, bits.ok_or_else(|| format!("has a prefix that is not a number from 0 to {most}"))?))
}

fn why_no_address(text: &str) -> &'static str {
    let is_dotted = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if text.parse::<SocketAddr>().is_ok() {
        "has a port; leave it out"
    } else if text.bytes().filter(|&b| b == b':').count() > 1 {
        "is not an IPv6 address, or block of them, such as 2001:db8::/32"
    } else if is_dotted {
        "is not an IPv4 address: four numbers from 0 to 255 without leading zeros"
    } else {
        "is neither an IP address nor a block of them, such as 203.0.113.0/24"
    }
}
