//! `sticky`: the keys, the cookie, the salt, and what a change of weights does.

use super::fields::{Errors, Place, boolean, known, list, quoted, string};
use super::names::{host_pattern, is_token, why_no_token};
use super::{General, claim_path};
use crate::json::Json;
use crate::keep::Keep;
use crate::keys::Key;
use crate::rule::HostPattern;
use crate::split::Salt;
use crate::sticky::{Cookie, FirstDraw, Secure, Sticky};

const MAX_SALT: usize = 253;
const MAX_COOKIE_NAME: usize = 64;
const MAX_COOKIE_ATTRIBUTE: usize = 1024;
/// Browsers keep no cookie longer than 400 days (RFC 6265bis).
const MAX_TTL: u64 = 400 * 86_400;
const DEFAULT_TTL: u32 = 720 * 3600;

impl General<'_> {
    pub(super) fn read_sticky(
        &self,
        json: &Json,
        rule: Option<&str>,
        place: &Place,
        errors: &mut Errors,
    ) -> (Salt, Option<Sticky>) {
        let name = rule.unwrap_or_default();
        let by_name = Salt::new(name.as_bytes());
        let Some(fields) = known(json, place, &["keys", "cookie", "salt", "onWeightChange"], errors) else {
            return (by_name, None);
        };
        let salt = fields.get("salt").and_then(|salt| {
            let place = place.field("salt");
            let salt = string(salt, &place, errors)?;
            if salt.is_empty() || salt.len() > MAX_SALT {
                errors.add(&place, format_args!("a salt of {} bytes; it has 1 to {MAX_SALT}", salt.len()));
            }
            Some(salt.as_bytes())
        });
        let salt = salt.unwrap_or(name.as_bytes());
        let keys = fields.get("keys").map(|keys| self.read_keys(keys, &place.field("keys"), errors));
        let cookie = fields.get("cookie").map(|cookie| read_cookie(cookie, rule, &place.field("cookie"), errors));
        if keys.is_none() && cookie.is_none() {
            errors.add(place, "needs keys or a cookie; write cookie: {} for one with the defaults");
        }
        let keep = fields.get("onWeightChange").and_then(|json| {
            let place = place.field("onWeightChange");
            match string(json, &place, errors)? {
                "rebalance" => None,
                "keep" => {
                    if cookie.is_none() {
                        errors.add(&place, "keep, but only a cookie can keep; add cookie: {}");
                    }
                    Some(Keep::new(self.seal.as_deref(), salt, name))
                }
                other => {
                    errors.add(&place, format_args!("{} is none of rebalance, keep", quoted(other)));
                    None
                }
            }
        });
        let cookie = match cookie {
            Some(None) => return (Salt::new(salt), None),
            Some(cookie) => cookie,
            None => None,
        };
        if let Some(Key::Cookie(_)) = keys
            .iter()
            .flatten()
            .find(|key| matches!((key, &cookie), (Key::Cookie(name), Some(ours)) if *name == ours.name))
        {
            errors.add(&place.field("keys"), "the cookie of this rule cannot be its key");
        }
        (Salt::new(salt), Some(Sticky { keys: keys.unwrap_or_default(), cookie, keep }))
    }

    fn read_keys(&self, json: &Json, place: &Place, errors: &mut Errors) -> Vec<Key> {
        const KINDS: [&str; 5] = ["header", "claim", "queryParam", "cookie", "remoteIp"];
        let Some(items) = list(json, place, errors) else { return Vec::new() };
        if items.is_empty() {
            errors.add(place, "empty; leave it out if only the cookie is meant");
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = place.index(index);
            let Some(fields) = known(item, &place, &KINDS, errors) else { continue };
            let mut given = fields.given();
            let (Some((kind, json)), None) = (given.next(), given.next()) else {
                errors.add(&place, format_args!("one of {} in each entry", KINDS.join(", ")));
                continue;
            };
            let Some(key) = self.read_key(kind, json, &place.field(kind), errors) else { continue };
            if let Some(first) = keys.iter().position(|known| *known == key) {
                errors.add(&place, format_args!("the same as keys[{first}]"));
            }
            keys.push(key);
        }
        keys
    }

    fn read_key(&self, kind: &str, json: &Json, place: &Place, errors: &mut Errors) -> Option<Key> {
        if kind == "remoteIp" {
            if !boolean(json, place, errors)? {
                errors.add(place, "false; leave it out");
            }
            return Some(Key::RemoteIp);
        }
        let text = string(json, place, errors)?;
        match kind {
            "claim" => claim_path(text, place, errors).map(Key::Claim),
            "queryParam" => {
                if text.is_empty() {
                    errors.add(place, "a query parameter needs a name");
                }
                Some(Key::QueryParam(text.to_owned()))
            }
            _ if !is_token(text) => {
                errors.add(place, format_args!("{} is not a {kind} name: {}", quoted(text), why_no_token(text)));
                None
            }
            "header" => {
                let name = text.to_ascii_lowercase();
                if name == self.headers.request {
                    errors.add(place, "the header that this filter writes says nothing about a request");
                }
                Some(Key::Header(name))
            }
            _ => Some(Key::Cookie(text.to_owned())),
        }
    }
}

pub(super) fn read_cookie(json: &Json, rule: Option<&str>, place: &Place, errors: &mut Errors) -> Option<Cookie> {
    let fields = known(
        json,
        place,
        &["name", "ttl", "path", "domain", "sameSite", "secure", "httpOnly", "partitioned", "renew", "draw"],
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
    let ttl = match ttl.map(seconds) {
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
        too_long(path, &place, errors);
    }
    if let Some(domain) = domain {
        let place = place.field("domain");
        if !matches!(host_pattern(&domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase()), Ok(HostPattern::Exact(host)) if !host.starts_with('['))
        {
            errors.add(&place, format_args!("{} is not a domain", quoted(domain)));
        }
    }
    if let Some(other) = same_site.filter(|s| !matches!(*s, "Lax" | "Strict" | "None")) {
        errors.add(&place.field("sameSite"), format_args!("{} is none of Lax, Strict, None", quoted(other)));
    }
    if let Some(other) = draw.filter(|s| !matches!(*s, "random" | "client")) {
        errors.add(&place.field("draw"), format_args!("{} is none of random, client", quoted(other)));
    }
    let same_site = same_site.unwrap_or("Lax");
    let path = path.unwrap_or("/");

    // What browsers accept over https only, or refuse otherwise (RFC 6265bis §4.1.2.7, §4.1.3, CHIPS).
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
    if host_only && domain.is_some() {
        errors.add(&place.field("domain"), "a name with __Host- excludes a domain");
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
    })
}

/// Browsers ignore longer attributes (RFC 6265bis §5.6).
pub(super) fn too_long(value: &str, place: &Place, errors: &mut Errors) {
    if value.len() > MAX_COOKIE_ATTRIBUTE {
        errors.add(
            place,
            format_args!("{} bytes are more than {MAX_COOKIE_ATTRIBUTE}, the most that browsers take", value.len()),
        );
    }
}

/// A Go duration in whole seconds, at most 400 days. The error goes on after the value.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1_000_000),
        ("us", 1_000),
        ("µs", 1_000),
        ("ns", 1),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    let wrong = || "is not a duration; write numbers with the units h, m and s, such as 720h or 1h30m".to_owned();
    if text == "0" {
        return Ok(0);
    }
    if text.starts_with('-') {
        return Err("is less than 0s".to_owned());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let (unit, nanoseconds) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(wrong());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
        total = total.saturating_add(whole.saturating_mul(*nanoseconds));
        let mut digit_worth = *nanoseconds;
        for digit in fraction.bytes() {
            // A fraction finer than a nanosecond adds nothing, as in Go.
            digit_worth /= 10;
            total = total.saturating_add(u64::from(digit - b'0') * digit_worth);
        }
        rest = tail.strip_prefix(unit).ok_or_else(wrong)?;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    let seconds = total / 1_000_000_000;
    if seconds > MAX_TTL {
        return Err("is more than 9600h (400 days), the longest that browsers keep a cookie".to_owned());
    }
    if !total.is_multiple_of(1_000_000_000) {
        return Err("is not a whole number of seconds".to_owned());
    }
    Ok(seconds as u32)
}
