//! What names may look like: of headers, cookies, hosts, rules and subsets.

use super::fields::{Errors, Place, filled_list, quoted, string};
use crate::hosts::MAX_HOST;
use crate::json::Json;
use crate::rule::HostPattern;
use crate::sticky::is_label;

/// The longest header name that can be configured.
const MAX_HEADER: usize = 64;

/// What HTTP, Envoy, Istio, tracing and proxies use already; `…-` stands for all that begin so.
pub const USED_HEADERS: &str = "\
    accept accept- access-control- age allow alt- authorization b3 baggage cache-control cdn-loop client-cert \
    client-cert-chain connection content- cookie cookie2 date dnt early-data end-user etag expect expires forwarded \
    from grpc- host http2-settings if- jwt keep-alive last-modified link location max-forwards origin pragma \
    priority proxy- range referer referrer- save-data sec- server set-cookie set-cookie2 strict-transport-security \
    te traceparent tracestate trailer transfer-encoding true-client-ip upgrade upgrade-insecure-requests user-agent \
    vary via want- warning www-authenticate x-b3- x-client-trace-id x-cloud-trace-context x-datadog- x-envoy- \
    x-forwarded- x-http-method-override x-istio- x-ot-span-context x-real-ip x-request-id x-requested-with";

pub(super) fn check_header(json: &Json, place: &Place, errors: &mut Errors) {
    if let Some(problem) = string(json, place, errors).and_then(header_problem) {
        errors.add(place, problem);
    }
}

/// Why this cannot be the header that carries the subset.
pub(super) fn header_problem(header: &str) -> Option<String> {
    let shown = quoted(header);
    if header.len() > MAX_HEADER {
        Some(format!("{shown} has {} bytes, more than {MAX_HEADER}", header.len()))
    } else if header.starts_with(':') {
        Some(format!("{shown} is a pseudo-header"))
    } else if !is_token(header) {
        Some(format!("{shown} is not a header name: {}", why_no_token(header)))
    } else if header.bytes().any(|b| b.is_ascii_uppercase()) {
        Some(format!("{shown} is not in lower case"))
    } else if header.contains('_') {
        Some(format!("{shown} contains a _, which Envoy may drop or refuse"))
    } else if USED_HEADERS.split(' ').any(|used| header == used || (used.ends_with('-') && header.starts_with(used)))
        || header == "x-forwarded"
    {
        Some(format!("{shown} has a meaning of its own in HTTP, Envoy or Istio"))
    } else {
        None
    }
}

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
    errors
        .add(place, format_args!("{} is no DNS label: 1 to 63 of a-z, 0-9 and -, with no - at the ends", quoted(name)));
    None
}
