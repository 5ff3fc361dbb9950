//! `sticky.cookie`: the name and the attributes that browsers accept.

use super::duration::seconds;
use super::fields::{Errors, Place, boolean, known, quoted, string};
use super::json::Json;
use super::names::{host_pattern, is_token, why_no_token};
use crate::rule::hosts::HostPattern;
use crate::visitor::cookie::{Cookie, FirstDraw, Secure};

const MAX_COOKIE_NAME: usize = 64;
const DEFAULT_TTL: u32 = 720 * 3600;

/// Reads a cookie of a rule with this name and these hosts.
pub(super) fn read_cookie(
    json: &Json,
    rule: Option<&str>,
    hosts: &[HostPattern],
    place: &Place,
    errors: &mut Errors,
) -> Option<Cookie> {
    let fields = known(
        json,
        place,
        &["name", "ttl", "path", "domain", "sameSite", "secure", "httpOnly", "partitioned", "renew", "draw", "on"],
        errors,
    )?;
    let text = |field: &'static str, errors: &mut Errors| {
        fields.get(field).and_then(|json| string(json, &place.field(field), errors))
    };
    let name = text("name", errors);
    let ttl = text("ttl", errors);
    let path = text("path", errors);
    let domain = text("domain", errors);
    let same_site = text("sameSite", errors);
    let draw = text("draw", errors);
    let on = text("on", errors);
    let flag = |field: &'static str, errors: &mut Errors| {
        fields.get(field).and_then(|json| boolean(json, &place.field(field), errors))
    };
    let secure = flag("secure", errors);
    let http_only = flag("httpOnly", errors).unwrap_or(true);
    let partitioned = flag("partitioned", errors).unwrap_or(false);
    let renew = flag("renew", errors).unwrap_or(true);

    if let Some(name) = name {
        let place = place.field("name");
        if name.len() > MAX_COOKIE_NAME {
            errors.add(&place, format_args!("{} has {} bytes, more than {MAX_COOKIE_NAME}", quoted(name), name.len()));
        } else if !is_token(name) {
            errors.add(&place, format_args!("{} is not a cookie name: {}", quoted(name), why_no_token(name)));
        }
    }
    let ttl = match ttl.map(|ttl| seconds(ttl, ", the longest that browsers keep a cookie")) {
        None => DEFAULT_TTL,
        Some(Ok(seconds)) => seconds,
        Some(Err(problem)) => {
            errors.add(&place.field("ttl"), format_args!("{} {problem}", quoted(ttl.unwrap_or_default())));
            0
        }
    };
    if let Some(path) = path {
        let place = place.field("path");
        if !path.starts_with('/') {
            errors.add(&place, format_args!("{} does not start with /", quoted(path)));
        } else if !path.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b';') {
            errors.add(
                &place,
                format_args!(
                    "{} has a character that no cookie path can have: only visible ASCII without ;",
                    quoted(path)
                ),
            );
        }
    }
    if let Some(domain) = domain
        && let Some(problem) = domain_problem(domain, hosts)
    {
        errors.add(&place.field("domain"), format_args!("{} {problem}", quoted(domain)));
    }
    if let Some(other) = same_site.filter(|s| !matches!(*s, "Lax" | "Strict" | "None")) {
        errors.add(&place.field("sameSite"), format_args!("{} is not one of Lax, Strict, None", quoted(other)));
    }
    if let Some(other) = draw.filter(|s| !matches!(*s, "random" | "client")) {
        errors.add(&place.field("draw"), format_args!("{} is not one of random, client", quoted(other)));
    }
    if let Some(other) = on.filter(|s| !matches!(*s, "all" | "pages")) {
        errors.add(&place.field("on"), format_args!("{} is not one of all, pages", quoted(other)));
    }
    let same_site = same_site.unwrap_or("Lax");
    let path = path.unwrap_or("/");

    // Browsers accept these over https only, or refuse them otherwise (RFC 6265bis §4.1.2.7, §4.1.3, CHIPS).
    let prefix =
        |prefix: &str| name.and_then(|n| n.get(..prefix.len())).is_some_and(|n| n.eq_ignore_ascii_case(prefix));
    let host_only = prefix("__Host-");
    let needs_secure = [
        (host_only, "a name with __Host-"),
        (prefix("__Secure-"), "a name with __Secure-"),
        (same_site == "None", "sameSite: None"),
        (partitioned, "partitioned: true"),
    ];
    for (_, what) in needs_secure.iter().filter(|(needs, _)| *needs && secure == Some(false)) {
        errors.add(&place.field("secure"), format_args!("false, but browsers refuse {what} without Secure"));
    }
    if host_only && let Some(domain) = domain {
        errors
            .add(&place.field("domain"), format_args!("{}, but a name with __Host- allows no domain", quoted(domain)));
    }
    if host_only && path != "/" {
        errors.add(&place.field("path"), format_args!("{}, but a name with __Host- needs the path /", quoted(path)));
    }

    let mut attributes = format!("; Path={path}");
    if ttl > 0 {
        attributes.push_str(&format!("; Max-Age={ttl}"));
    }
    if let Some(domain) = domain {
        attributes.push_str(&format!("; Domain={domain}"));
    }
    if http_only {
        attributes.push_str("; HttpOnly");
    }
    attributes.push_str(&format!("; SameSite={same_site}"));
    if partitioned {
        attributes.push_str("; Partitioned");
    }
    Some(Cookie {
        name: name.map_or_else(|| format!("canary-{}", rule.unwrap_or_default()), str::to_owned),
        ttl,
        renew,
        secure: match secure {
            Some(true) => Secure::Always,
            Some(false) => Secure::Never,
            None if needs_secure.iter().any(|(needs, _)| *needs) => Secure::Always,
            None => Secure::WhenHttps,
        },
        attributes,
        draw: if draw == Some("client") { FirstDraw::Client } else { FirstDraw::Random },
        pages_only: on == Some("pages"),
    })
}

/// Why browsers would not take a cookie of this domain from any of a rule's hosts (RFC 6265bis §5.7).
fn domain_problem(domain: &str, hosts: &[HostPattern]) -> Option<&'static str> {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let is_host = matches!(host_pattern(&domain), Ok(HostPattern::Exact(host)) if !host.starts_with('['));
    if !is_host {
        return Some("is not a domain");
    }
    match domain.rsplit_once('.') {
        None => return Some("is a single label, which browsers take from no host"),
        Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => return Some("is an address, not a domain"),
        Some(_) => {}
    }
    let is_below =
        |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let covers = |host: &HostPattern| match host {
        HostPattern::Exact(host) => is_below(host, &domain),
        // At least some of them.
        HostPattern::Below(parent) => is_below(parent, &domain) || is_below(&domain, parent),
        HostPattern::Any => true,
    };
    (!hosts.is_empty() && !hosts.iter().any(covers)).then_some("covers none of the rule's hosts")
}
