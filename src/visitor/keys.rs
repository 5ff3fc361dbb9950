//! What is known about a visitor without a cookie, hashed into a draw.
//!
//! The draw is the lower half of xxHash64 with seed 0 (as in Envoy). The kind of the key is not hashed: the same bytes are the
//! same user, in a header or in a query parameter.

use crate::request::claim::ClaimPath;
use crate::request::query::query_param;
use crate::request::{Request, address, cookies};
use crate::split::Draw;
use xxhash_rust::xxh64::xxh64;

/// Where a request has a key. An empty value is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The first value of a header, by its name in lower case.
    Header(String),
    /// A claim of a token that the gateway has verified, if it is a string. Envoy hands over anything else in a binary form, which
    /// has control characters or is not UTF-8.
    Claim(ClaimPath),
    /// The first value of a query parameter, percent-decoded; `+` stays.
    QueryParam(String),
    /// The first value of a cookie of the application.
    Cookie(String),
    /// The client's address as Envoy trusts it: the 4 bytes of an IPv4, the first 8 (its /64) of an IPv6, the IPv4 inside of
    /// a NAT64 address.
    RemoteIp,
}

impl Key {
    /// The draw of the visitor who has this key.
    pub fn draw<'c>(&'c self, request: &mut impl Request<'c>) -> Option<Draw> {
        match self {
            Key::Header(name) => hashed(request.header(name)?),
            Key::Claim(path) => hashed(request.claim(path).filter(|value| is_string(value))?),
            Key::QueryParam(name) => hashed(&percent_decoded(query_param(request.header(":path")?, name)?)),
            Key::Cookie(name) => hashed(cookies::values(request.header("cookie")?, name).next()?),
            Key::RemoteIp => hashed(&network(request.client_address()?)?),
        }
    }
}

/// The draw of an address and a user agent: parallel first requests of a browser share it before any cookie has come back.
pub fn client_draw<'c>(request: &mut impl Request<'c>) -> Draw {
    let mut bytes = request.client_address().and_then(network).unwrap_or_default();
    bytes.push(0);
    bytes.extend(request.header("user-agent").unwrap_or_default());
    draw_of(&bytes)
}

fn is_string(claim: &[u8]) -> bool {
    std::str::from_utf8(claim).is_ok_and(|text| !text.contains(char::is_control))
}

fn hashed(key: &[u8]) -> Option<Draw> {
    (!key.is_empty()).then(|| draw_of(key))
}

/// The draw of these bytes.
pub fn draw_of(key: &[u8]) -> Draw {
    Draw((xxh64(key, 0) & 0xffff_ffff) as u32)
}

/// An invalid `%zz` is taken literally.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The bytes of an address with or without a port.
fn network(address: &[u8]) -> Option<Vec<u8>> {
    address::parse(address).map(address::network)
}

#[cfg(test)]
mod tests {
    use super::*;

    // From xxHash's own sanity checks and its documentation, for seed 0; a draw is the lower half.
    #[test]
    fn the_hash_is_xxhash64() {
        for (key, hash) in [
            ("", 0xef46_db37_51d8_e999_u64),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
            ("Nobody inspects the spammish repetition", 0xfbce_a83c_8a37_8bf1),
        ] {
            assert_eq!(xxh64(key.as_bytes(), 0), hash, "{key}");
            assert_eq!(draw_of(key.as_bytes()), Draw(hash as u32), "{key}");
        }
    }

    #[test]
    fn percent_signs_are_decoded_where_they_can_be() {
        for (text, expected) in [
            ("", ""),
            ("a+b", "a+b"),
            ("a%20b%2B", "a b+"),
            ("%41%4a%4A", "AJJ"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%4", "%zz%4"),
            ("%%41", "%A"),
        ] {
            assert_eq!(percent_decoded(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        assert_eq!(percent_decoded(b"%ff\xfe"), b"\xff\xfe");
    }
}
