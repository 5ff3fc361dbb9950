//! Which names are valid: of headers, cookies, claims, hosts, rules and subsets.

use super::fields::{Errors, MAX_STRING, Place, filled_list, quoted, string};
use super::json::Json;
use crate::request::claim::ClaimPath;
use crate::rule::hosts::{HostPattern, MAX_HOST};
use crate::subset::is_label;

pub(super) fn read_hosts(json: &Json, place: &Place, errors: &mut Errors) -> Vec<HostPattern> {
    let Some(items) = filled_list(json, place, errors) else { return Vec::new() };
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let place = place.index(index);
            let host = string(item, &place, errors)?;
            host_pattern(&host.to_ascii_lowercase())
                .map_err(|problem| errors.add(&place, format_args!("{} {problem}", quoted(host))))
                .ok()
        })
        .collect()
}

pub(super) fn host_pattern(host: &str) -> Result<HostPattern, String> {
    if host == "*" {
        return Ok(HostPattern::Any);
    }
    let (name, below) = match host.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (host, false),
    };
    if host.len() > MAX_HOST {
        return Err(format!("has {} bytes, more than {MAX_HOST}", host.len()));
    }
    if !below && let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(HostPattern::Exact(host.into())),
            Err(_) => Err("is not an IPv6 address in brackets".to_owned()),
        };
    }
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err("is an IPv6 address; write it in brackets".to_owned());
    }
    if name.contains('*') {
        return Err("has a * that is not one leading \"*.\"".to_owned());
    }
    if name.contains('/') {
        return Err("has a scheme or a path; write the host alone".to_owned());
    }
    if name.contains(':') {
        return Err("has a port; leave it out, ports do not matter".to_owned());
    }
    if name.ends_with('.') {
        return Err("ends with a dot; leave it out".to_owned());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if !name.split('.').all(is_label) {
        return Err("is not a host: labels of 1 to 63 letters, digits and - with dots between them".to_owned());
    }
    Ok(if below { HostPattern::Below(name.into()) } else { HostPattern::Exact(name.into()) })
}

/// A token of RFC 9110: what header and cookie names are made of.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_byte)
}

pub(super) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

pub(super) fn why_no_token(name: &str) -> String {
    match name.chars().find(|c| !u8::try_from(*c).is_ok_and(is_token_byte)) {
        None => "it is empty".to_owned(),
        Some(' ') => "it contains a space".to_owned(),
        Some(c @ '!'..='~') => format!("it contains '{c}'"),
        Some(_) => "it contains more than visible ASCII".to_owned(),
    }
}

pub(super) fn label<'j>(name: &'j str, place: &Place, errors: &mut Errors) -> Option<&'j str> {
    if is_label(name.as_bytes()) {
        return Some(name);
    }
    errors.add(
        place,
        format_args!("{} is not a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end", quoted(name)),
    );
    None
}

/// The path of a claim, if it is valid.
pub(super) fn claim_path(text: &str, place: &Place, errors: &mut Errors) -> Option<ClaimPath> {
    if text.len() > MAX_STRING {
        errors.add(place, format_args!("a name of {} bytes is more than {MAX_STRING}", text.len()));
        return None;
    }
    ClaimPath::parse(text).map_err(|problem| errors.add(place, format_args!("{} {problem}", quoted(text)))).ok()
}
