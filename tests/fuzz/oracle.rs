//! The whole decision again, as plainly as possible: no index, no parser of ours, everything from the JSON of the config.
//!
//! It takes only configs that the filter has accepted. It does not repeat the split's layout and the salt's bijection:
//! `tests/split.rs` holds them to their definition.
#![allow(dead_code, reason = "each fuzz target is a program of its own")]

use canary_split::request::Request;
use canary_split::request::claim::{self, ClaimPath};
use canary_split::split::{Draw, Salt, Split};
use regex::bytes::Regex;
use serde_json::Value;
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use xxhash_rust::xxh64::xxh64;

static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?s)(.*):[0-9]*$").unwrap());
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)^[ \t\n\x0c\r]*([^=]*?)[ \t\n\x0c\r]*=[ \t\n\x0c\r]*((?s:.*?))[ \t\n\x0c\r]*$").unwrap()
});
static ESCAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)%([0-9a-fA-F]{2})").unwrap());
static PART: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([0-9]*\.?[0-9]*)(ms|h|m|s|us|µs|ns)").unwrap());
static HELD: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(
        r"^1\.([0-9a-f]{8})\.([0-9a-f]{7})(?:\.([a-z0-9]|[a-z0-9][-a-z0-9]{0,61}[a-z0-9])\.([0-9a-f]{16}))?$",
    )
    .unwrap()
});

/// A request: lines `name: value`. `claim NAME.NAME` is a claim, `address` the client's address, `fresh` and `now` are numbers.
#[derive(Debug, Default)]
pub struct Asked(Vec<(String, Vec<u8>)>);

impl Asked {
    pub fn read(text: &[u8]) -> Asked {
        let line = |line: &[u8]| {
            let at = line.windows(2).position(|w| w == b": ")?;
            Some((String::from_utf8(line[..at].to_vec()).ok()?, line[at + 2..].to_vec()))
        };
        Asked(text.split(|&b| b == b'\n').filter_map(line).collect())
    }

    pub fn number(&self, name: &str) -> u32 {
        self.get(name).map_or(0, |value| xxh64(value, 7) as u32)
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    fn claim_of(&self, path: &str) -> Option<&[u8]> {
        let names = ClaimPath::parse(path).unwrap();
        self.get(&format!("claim {}", names.names().collect::<Vec<_>>().join("."))).filter(|value| !value.is_empty())
    }
}

impl Request<'_> for Asked {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.get(name)
    }

    fn claim(&mut self, path: &ClaimPath) -> Option<&[u8]> {
        let names: Vec<&str> = path.names().collect();
        self.get(&format!("claim {}", names.join("."))).filter(|value| !value.is_empty())
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        self.get("address")
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    pub rule: String,
    /// With its seal; where somebody else decides, `HEADER: POSITION`.
    pub subset: String,
    pub source: &'static str,
    pub cookie: Option<String>,
}

/// What is decided, and the cookies that are taken away.
pub fn decide(config: &[u8], asked: &Asked, fresh: u32, now: u32) -> (Option<Decision>, Vec<String>) {
    let mut config: Value = serde_json::from_slice(config).unwrap_or_default();
    without_nulls(&mut config);
    let mut gone = Vec::new();
    for rule in list(&config["rules"]).into_iter().filter(|rule| is_of_host(rule, asked)) {
        let entries = list(&rule["match"]);
        let matches = entries.is_empty() || entries.iter().any(|entry| entry_holds(entry, asked));
        if rule["remember"].is_null() {
            if matches {
                return (decide_by(&config, rule, asked, fresh, now), gone);
            }
        } else if list(&rule["remember"]["forget"]).iter().any(|entry| entry_holds(entry, asked)) {
            if !is_preflight(asked) {
                let (name, _) = remembering(rule);
                let https = asked.get(":scheme") == Some(b"https");
                let attributes = attributes(&rule["remember"]["cookie"], &name, 1, https);
                gone.push(format!("{name}={}", attributes.replacen("; Max-Age=1", "; Max-Age=0", 1)));
            }
        } else if let Some(decision) = remember(&config, rule, matches, asked, now) {
            return (Some(decision), gone);
        }
    }
    (None, gone)
}

fn is_preflight(asked: &Asked) -> bool {
    asked.get(":method") == Some(b"OPTIONS")
        && asked.get("origin").is_some()
        && asked.get("access-control-request-method").is_some()
}

fn decide_by(config: &Value, rule: &Value, asked: &Asked, fresh: u32, now: u32) -> Option<Decision> {
    let name = text(&rule["name"]);
    let seal = config["seal"].as_str();
    let adopt = &rule["adopt"];
    let decision = |subset: &str, source, cookie| {
        // What carries a position is a number and nothing else.
        let seal = seal.filter(|_| adopt.is_null());
        let value = seal.map_or(subset.to_owned(), |seal| format!("{subset}.{seal}"));
        Some(Decision { rule: name.to_owned(), subset: value, source, cookie })
    };
    if let Some(subset) = rule["subset"].as_str() {
        return decision(subset, "fixed", None);
    }
    let sticky = &rule["sticky"];
    let salt = sticky["salt"].as_str().unwrap_or(name);
    let subsets = list(&rule["split"]);
    // Weights of somebody else may be any.
    let (weights, is_ahead) = if adopt.is_null() { weights(rule, now) } else { (Vec::new(), true) };
    let of = |draw: u32| {
        let position = Salt::new(salt.as_bytes()).position(Draw(draw));
        if !adopt.is_null() {
            return format!("{}: {position}", adopt["header"].as_str().unwrap_or("x-canary-draw"));
        }
        text(&subsets[Split::exact(&weights).unwrap().pick(position)]["subset"]).to_owned()
    };
    let preflight = is_preflight(asked);
    let client = {
        let mut bytes = asked.get("address").and_then(network).unwrap_or_default();
        bytes.push(0);
        bytes.extend(asked.get("user-agent").unwrap_or_default());
        xxh64(&bytes, 0) as u32
    };
    let key = list(&sticky["keys"]).into_iter().find_map(|key| key_draw(key, asked));
    let keep = sticky["onWeightChange"] == "keep";
    if sticky.is_null() {
        return decision(&of(fresh), "fresh", None);
    }
    if sticky["cookie"].is_null() {
        return match key {
            Some(draw) => decision(&of(draw), "key", None),
            None => decision(&of(if preflight { client } else { fresh }), "fresh", None),
        };
    }

    let cookie = &sticky["cookie"];
    let cookie_name = cookie["name"].as_str().map_or(format!("canary-{name}"), str::to_owned);
    let ttl = seconds(cookie["ttl"].as_str().unwrap_or("720h"));
    let renews = cookie["renew"].as_bool().unwrap_or(true) && ttl > 0;
    let is_due = |made: u32| {
        let age = i64::from(now) - i64::from(made);
        renews && (age < 0 || age * 60 * 2 > ttl as i64)
    };
    let https = asked.get(":scheme") == Some(b"https");
    let signed = |subset: &str, draw: u32| signed(seal, salt, name, subset, draw);
    let new = |draw: u32, subset: &str| {
        let kept = if keep { format!(".{subset}.{:016x}", signed(subset, draw)) } else { String::new() };
        format!("{cookie_name}=1.{draw:08x}.{now:07x}{kept}{}", attributes(cookie, &cookie_name, ttl, https))
    };
    let of_all = weights.iter().filter(|&&weight| weight > 0).count();
    let gives = !preflight && (keep || of_all > 1 || is_ahead) && is_for(cookie, asked);
    let held = asked.get("cookie").and_then(|c| cookies(c, &cookie_name).into_iter().find_map(held));
    if let (Some(draw), false) = (key, keep) {
        let has = held.as_ref().filter(|held| held.draw == draw);
        let again = has.is_none_or(|held| is_due(held.made));
        return decision(&of(draw), "key", (gives && again).then(|| new(draw, &of(draw))));
    }
    let Some(held) = held else {
        let (draw, source) = match key {
            Some(draw) => (draw, "key"),
            None if preflight || cookie["draw"] == "client" => (client, "fresh"),
            None => (fresh, "fresh"),
        };
        let subset = of(draw);
        return decision(&subset, source, gives.then(|| new(draw, &subset)));
    };
    let source = if keep { "kept" } else { "cookie" };
    let is_ours = |(subset, signature): &(String, u64)| {
        keep && subsets.iter().any(|entry| entry["subset"] == **subset) && signed(subset, held.draw) == *signature
    };
    let kept = held.kept.filter(is_ours).map(|(subset, _)| subset);
    let subset = kept.clone().unwrap_or_else(|| of(held.draw));
    let again = (is_due(held.made) || (keep && kept.is_none())) && gives;
    decision(&subset, source, again.then(|| new(held.draw, &subset)))
}

/// The weights of a minute, in any scale, and whether a ramp is still to change them.
fn weights(rule: &Value, now: u32) -> (Vec<u64>, bool) {
    let number = |weight: &Value| weight.as_f64().unwrap() as u64;
    let subsets = list(&rule["split"]);
    let split: Vec<u64> = subsets.iter().map(|entry| number(&entry["weight"])).collect();
    let ramp = &rule["ramp"];
    if ramp.is_null() {
        return (split, false);
    }
    let time = |text: &Value| OffsetDateTime::parse(self::text(text), &Rfc3339).unwrap().unix_timestamp();
    let now = i64::from(now) * 60;
    let now = if ramp["pausedAt"].is_null() { now } else { now.min(time(&ramp["pausedAt"])) };
    let mut points = vec![(i64::MIN, split.clone()), (time(&ramp["start"]), split)];
    for step in list(&ramp["steps"]) {
        let at = points[1].0 + seconds(self::text(&step["after"])) as i64;
        let weights = subsets.iter().map(|entry| number(&step["weights"][self::text(&entry["subset"])])).collect();
        points.push((at, weights));
    }
    let is_ahead = now < points.last().unwrap().0;
    let reached = points.iter().rposition(|(at, _)| *at <= now).unwrap();
    let (from, weights) = points[reached].clone();
    match points.get(reached + 1) {
        Some((to, next)) if ramp["between"] == "linear" && reached > 0 => {
            let (passed, left) = ((now - from) as u64, (to - now) as u64);
            (weights.iter().zip(next).map(|(from, to)| from * left + to * passed).collect(), is_ahead)
        }
        _ => (weights, is_ahead),
    }
}

/// Whether a cookie is for the response to this request.
fn is_for(cookie: &Value, asked: &Asked) -> bool {
    let is_page = match asked.get("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => asked
            .get("accept")
            .is_some_and(|accept| String::from_utf8_lossy(accept).to_ascii_lowercase().contains("text/html")),
    };
    is_page || cookie["on"] != "pages"
}

fn signed(seal: Option<&str>, salt: &str, rule: &str, subset: &str, draw: u32) -> u64 {
    let secret = [seal.unwrap_or_default().as_bytes(), b"\0", salt.as_bytes()].concat();
    let mut hasher = SipHasher24::new_with_keys(xxh64(&secret, 0), xxh64(&secret, 1));
    hasher.write(&[rule.as_bytes(), b"\0", subset.as_bytes(), b"\0", &draw.to_le_bytes()].concat());
    hasher.finish()
}

/// The name and the ttl of a cookie that remembers.
fn remembering(rule: &Value) -> (String, u64) {
    let cookie = &rule["remember"]["cookie"];
    let name = cookie["name"].as_str().map_or(format!("canary-{}", text(&rule["name"])), str::to_owned);
    (name, seconds(cookie["ttl"].as_str().unwrap_or("720h")))
}

/// What a rule with a fixed subset decides about those who match and those whom it remembers.
fn remember(config: &Value, rule: &Value, matches: bool, asked: &Asked, now: u32) -> Option<Decision> {
    let (name, ttl) = remembering(rule);
    let (rule_name, subset, cookie) = (text(&rule["name"]), text(&rule["subset"]), &rule["remember"]["cookie"]);
    let seal = config["seal"].as_str();
    let written = |minute: u32| {
        format!("1.{minute:08x}.{minute:07x}.{subset}.{:016x}", signed(seal, rule_name, rule_name, subset, minute))
    };
    let is_ours = |value: &&[u8]| held(value).is_some_and(|held| *value == written(held.made).as_bytes());
    let values = asked.get("cookie").map(|line| cookies(line, &name)).unwrap_or_default();
    let newest = values.into_iter().filter(is_ours).filter_map(held).map(|held| i64::from(held.made)).max();
    let lives = if ttl == 0 { 9600 * 3600 } else { ttl };
    // Written in the last second of its minute, and read in the first second of this one.
    let age = newest.map(|made| (i64::from(now) - made).max(0) * 60 - 59);
    let counts = age.is_some_and(|age| age <= lives as i64);
    if !matches && !counts {
        return None;
    }
    let renews = ttl > 0 && (matches || cookie["renew"].as_bool().unwrap_or(true));
    let due = newest.is_some_and(|made| made > i64::from(now) || (i64::from(now) - made) * 60 * 2 + 118 > ttl as i64);
    let https = asked.get(":scheme") == Some(b"https");
    let new = || format!("{name}={}{}", written(now), attributes(cookie, &name, ttl, https));
    Some(Decision {
        rule: rule_name.to_owned(),
        subset: seal.map_or(subset.to_owned(), |seal| format!("{subset}.{seal}")),
        source: if matches { "fixed" } else { "remembered" },
        cookie: (!is_preflight(asked) && is_for(cookie, asked) && (!counts || renews && due)).then(new),
    })
}

fn is_of_host(rule: &Value, asked: &Asked) -> bool {
    let host = asked.get(":authority").map(|authority| String::from_utf8(authority.to_vec()).unwrap_or_default());
    let host = host.unwrap_or_default().to_ascii_lowercase();
    let host = PORT.captures(host.as_bytes()).map_or(host.clone(), |c| String::from_utf8_lossy(&c[1]).into_owned());
    let host = host.strip_suffix('.').unwrap_or(&host);
    let covers = |pattern: &str| {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('*') {
            Some("") => true,
            Some(suffix) => host.len() <= 253 && host.len() > suffix.len() && host.ends_with(suffix),
            None => host == pattern,
        }
    };
    let hosts = list(&rule["hosts"]);
    hosts.is_empty() || hosts.iter().any(|host| covers(text(host)))
}

fn entry_holds(entry: &Value, asked: &Asked) -> bool {
    let path = asked.get(":path");
    let query = |name: &str| {
        let query = path?.splitn(2, |&b| b == b'?').nth(1)?;
        let pairs = query.split(|&b| b == b'&').map(|pair| {
            let mut parts = pair.splitn(2, |&b| b == b'=');
            (parts.next().unwrap(), parts.next().unwrap_or_default())
        });
        pairs.into_iter().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value)
    };
    let fields = entry.as_object().unwrap();
    fields.iter().all(|(field, wanted)| {
        let each = |value: &dyn Fn(&str) -> Option<Vec<u8>>| {
            wanted
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, wanted)| value(name).is_some_and(|value| holds(wanted, &value)))
        };
        match field.as_str() {
            "method" => asked.get(":method").is_some_and(|method| holds(wanted, method)),
            "uri" => path.is_some_and(|path| holds(wanted, path.split(|&b| b == b'?').next().unwrap())),
            "headers" => each(&|name| asked.get(&name.to_ascii_lowercase()).map(<[u8]>::to_vec)),
            "withoutHeaders" => wanted.as_object().unwrap().iter().all(|(name, wanted)| {
                let value = asked.get(&name.to_ascii_lowercase());
                let is_presence = wanted.as_object().is_none_or(|wanted| wanted.is_empty());
                if is_presence { value.is_none() } else { !holds(wanted, value.unwrap_or_default()) }
            }),
            "queryParams" => each(&|name| query(name).map(<[u8]>::to_vec)),
            "cookies" => each(&|name| cookies(asked.get("cookie")?, name).first().map(|value| value.to_vec())),
            "remoteIpBlocks" => asked
                .get("address")
                .and_then(ip)
                .is_some_and(|client| list(wanted).into_iter().any(|block| is_in(client, text(block)))),
            "claims" => wanted.as_object().unwrap().iter().all(|(path, wanted)| {
                let Some(value) = asked.claim_of(path) else { return false };
                let is_presence = wanted.as_object().is_none_or(|wanted| wanted.is_empty());
                match claim::items(value) {
                    Some(mut items) => is_presence || items.any(|item| holds(wanted, item)),
                    None => holds(wanted, value),
                }
            }),
            other => panic!("unknown condition {other}"),
        }
    })
}

fn holds(wanted: &Value, value: &[u8]) -> bool {
    let get = |kind: &str| wanted.get(kind).and_then(Value::as_str);
    if let Some(exact) = get("exact") {
        value == exact.as_bytes()
    } else if let Some(prefix) = get("prefix") {
        value.len() >= prefix.len() && &value[..prefix.len()] == prefix.as_bytes()
    } else if let Some(regex) = get("regex") {
        // What is no UTF-8 is matched by no regex.
        std::str::from_utf8(value)
            .is_ok_and(|value| regex::Regex::new(&format!("^(?:{regex})$")).unwrap().is_match(value))
    } else {
        true
    }
}

/// The values of a cookie.
pub fn cookies<'h>(header: &'h [u8], name: &str) -> Vec<&'h [u8]> {
    let mut values = Vec::new();
    for part in header.split(|&b| b == b';') {
        let Some(found) = PAIR.captures(part) else { continue };
        let (known, value) = (found.get(1).unwrap().as_bytes(), found.get(2).unwrap().as_bytes());
        if known == name.as_bytes() {
            let quoted = value.len() >= 2 && value.starts_with(b"\"") && value.ends_with(b"\"");
            values.push(if quoted { &value[1..value.len() - 1] } else { value });
        }
    }
    values
}

pub struct HeldCookie {
    pub draw: u32,
    pub made: u32,
    pub kept: Option<(String, u64)>,
}

/// What a value of our cookie says.
pub fn held(value: &[u8]) -> Option<HeldCookie> {
    let found = HELD.captures(std::str::from_utf8(value).ok()?)?;
    let number = |at: usize| u64::from_str_radix(&found[at], 16).unwrap();
    let kept = found.get(3).map(|subset| (subset.as_str().to_owned(), number(4)));
    Some(HeldCookie { draw: number(1) as u32, made: number(2) as u32, kept })
}

fn key_draw(key: &Value, asked: &Asked) -> Option<u32> {
    let (kind, name) = key.as_object().unwrap().iter().next().unwrap();
    let bytes = match kind.as_str() {
        "header" => asked.get(&text(name).to_ascii_lowercase())?.to_vec(),
        "claim" => asked.claim_of(text(name))?.to_vec(),
        "cookie" => cookies(asked.get("cookie")?, text(name)).first()?.to_vec(),
        "queryParam" => {
            let query = asked.get(":path")?.splitn(2, |&b| b == b'?').nth(1)?;
            let pairs = query.split(|&b| b == b'&').map(|pair| pair.splitn(2, |&b| b == b'=').collect::<Vec<_>>());
            let found = pairs.into_iter().find(|pair| pair[0] == text(name).as_bytes())?;
            let decode =
                |c: &regex::bytes::Captures| vec![u8::from_str_radix(std::str::from_utf8(&c[1]).unwrap(), 16).unwrap()];
            ESCAPE.replace_all(found.get(1).copied().unwrap_or_default(), decode).into_owned()
        }
        "remoteIp" => network(asked.get("address")?)?,
        other => panic!("unknown key {other}"),
    };
    (!bytes.is_empty()).then(|| xxh64(&bytes, 0) as u32)
}

fn network(address: &[u8]) -> Option<Vec<u8>> {
    let ip = ip(address)?;
    Some(match (inside(ip), ip) {
        (Some(ip), _) => ip.octets().to_vec(),
        (None, IpAddr::V4(ip)) => ip.octets().to_vec(),
        (None, IpAddr::V6(ip)) => ip.octets()[..8].to_vec(),
    })
}

/// An address with or without a port.
fn ip(address: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(address).ok()?;
    match text.parse::<SocketAddr>() {
        Ok(socket) => Some(socket.ip()),
        Err(_) => text.parse().ok(),
    }
}

/// The IPv4 inside of an IPv6 address.
fn inside(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    match ip.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => ip.to_ipv4_mapped(),
    }
}

/// Whether a client is in a block, bit by bit.
fn is_in(client: IpAddr, block: &str) -> bool {
    let bits = |ip: IpAddr| -> String {
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        octets.iter().map(|octet| format!("{octet:08b}")).collect()
    };
    let (address, prefix) = block.split_once('/').unwrap_or((block, "128"));
    let (mut address, mut prefix): (IpAddr, usize) = (address.parse().unwrap(), prefix.parse().unwrap());
    if let (IpAddr::V6(mapped), 96..) = (address, prefix)
        && let Some(ip) = mapped.to_ipv4_mapped()
    {
        (address, prefix) = (ip.into(), prefix - 96);
    }
    let is_mapped = matches!(client, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    let known_as = [(!is_mapped).then_some(client), inside(client).map(IpAddr::V4)];
    known_as.into_iter().flatten().any(|client| {
        let (client, block) = (bits(client), bits(address));
        client.len() == block.len() && client.bytes().zip(block.bytes()).take(prefix).all(|(a, b)| a == b)
    })
}

fn attributes(cookie: &Value, name: &str, ttl: u64, https: bool) -> String {
    let flag = |field: &str, default: bool| cookie[field].as_bool().unwrap_or(default);
    let same_site = cookie["sameSite"].as_str().unwrap_or("Lax");
    let prefixed = ["__host-", "__secure-"].iter().any(|prefix| name.to_ascii_lowercase().starts_with(prefix));
    let must = same_site == "None" || flag("partitioned", false) || prefixed;
    let mut all = format!("; Path={}", cookie["path"].as_str().unwrap_or("/"));
    if ttl > 0 {
        all += &format!("; Max-Age={ttl}");
    }
    if let Some(domain) = cookie["domain"].as_str() {
        all += &format!("; Domain={domain}");
    }
    if flag("httpOnly", true) {
        all += "; HttpOnly";
    }
    all += &format!("; SameSite={same_site}");
    if flag("partitioned", false) {
        all += "; Partitioned";
    }
    if must || cookie["secure"].as_bool().unwrap_or(https) {
        all += "; Secure";
    }
    all
}

/// A duration as Go writes it, in whole seconds.
fn seconds(text: &str) -> u64 {
    let unit = |unit: &[u8]| match unit {
        b"h" => 3600.0,
        b"m" => 60.0,
        b"s" => 1.0,
        b"ms" => 1e-3,
        b"ns" => 1e-9,
        _ => 1e-6,
    };
    let sum: f64 = PART
        .captures_iter(text.as_bytes())
        .map(|c| std::str::from_utf8(&c[1]).unwrap().parse::<f64>().unwrap() * unit(&c[2]))
        .sum();
    sum.round() as u64
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
