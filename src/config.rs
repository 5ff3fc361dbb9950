//! JSON → rules: every check and every error text.
//!
//! A rule stands or falls alone, so that its errors do not take the others with them; what to do about a rule that has
//! fallen is decided in [`crate::reload`].

use crate::hosts::{HostIndex, MAX_HOST};
use crate::json::Json;
use crate::re2::Re2;
use crate::rule::{Condition, HostPattern, Match, Rule, StringMatch, Subset, Target, WeightedSubsets};
use crate::split::{MAX_SUBSETS, Salt, Split, SplitError};
use crate::sticky::{Cookie, Secure, Sticky, is_label};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// The request header that carries the subset unless the config says otherwise.
pub const DEFAULT_HEADER: &str = "x-canary-subset";

const MAX_ENTRIES: usize = 10_000;
const MAX_STRING: usize = 8192;
const MAX_HEADER: usize = 64;
const MAX_COOKIE_NAME: usize = 64;
const MAX_COOKIE_ATTRIBUTE: usize = 1024;
const MAX_SALT: usize = 253;
/// Browsers keep no cookie longer than 400 days (RFC 6265bis).
const MAX_TTL: u64 = 400 * 86_400;
const DEFAULT_TTL: u32 = 720 * 3600;

/// The rules that are in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header that carries the subset.
    pub header: String,
    /// Tried in order; the first that matches decides.
    pub rules: Vec<Rule>,
    /// Which of them speak about a host.
    pub hosts: HostIndex,
}

impl Config {
    /// The rules under this header.
    pub fn new(header: String, rules: Vec<Rule>) -> Config {
        let hosts = HostIndex::new(&rules);
        Config { header, rules, hosts }
    }

    /// The config of this text, if nothing at all is wrong with it.
    ///
    /// # Errors
    ///
    /// All errors, in the order of the text's rules.
    pub fn from_json(text: &[u8]) -> Result<Config, Vec<ConfigError>> {
        let json = match read(text) {
            Ok(json) => json,
            Err(error) => return Err(vec![error]),
        };
        let (general, mut errors) = General::parse(&json).map_err(|refused| refused.errors)?;
        let mut rules = Vec::new();
        for entry in general.rules() {
            match entry.rule {
                Ok(rule) => rules.push(rule),
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(Config::new(general.header, rules)) } else { Err(errors) }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where in the config, as in `rules[1].split[0].weight`; empty: the whole of it.
    pub place: String,
    /// What is wrong: the value (secrets aside) and the limit.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.place, self.problem) }
    }
}

/// Parses the text of a config; an empty text is an empty config.
///
/// # Errors
///
/// If it is not JSON.
pub fn read(text: &[u8]) -> Result<Json, ConfigError> {
    if text.trim_ascii().is_empty() {
        return Ok(Json::Null);
    }
    Json::parse(text).map_err(|error| ConfigError { place: String::new(), problem: format!("not JSON: {error}") })
}

/// What a config says beside its rules.
#[derive(Clone, Debug)]
pub struct General<'j> {
    /// The request header that carries the subset.
    pub header: String,
    /// The secret that is appended to the header's value.
    pub seal: Option<String>,
    rules: &'j [Json],
}

/// Why a whole config is refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// All that is wrong, in the rules too.
    pub errors: Vec<ConfigError>,
    /// The header, if at least that could be read.
    pub header: Option<String>,
}

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct RuleEntry<'j> {
    /// Its name, if it has a valid one that no entry before it has.
    pub name: Option<&'j str>,
    /// What the config says.
    pub json: &'j Json,
    /// The rule, or all that is wrong with it.
    pub rule: Result<Rule, Vec<ConfigError>>,
}

impl<'j> General<'j> {
    /// What rules are read by, without any rules.
    pub fn of(header: String, seal: Option<String>) -> General<'j> {
        General { header, seal, rules: &[] }
    }

    /// Reads what a config says beside its rules, and the errors that refuse nothing (unknown fields).
    ///
    /// # Errors
    ///
    /// If the config cannot be used at all.
    pub fn parse(json: &'j Json) -> Result<(General<'j>, Vec<ConfigError>), Refused> {
        const NAMES: [&str; 3] = ["header", "seal", "rules"];
        let mut errors = Errors::default();
        let place = Place::Root;
        let header = json_header(json);
        if *json == Json::Null {
            return Ok((General::of(DEFAULT_HEADER.to_owned(), None), Vec::new()));
        }
        let refused = |errors: Errors, header| Refused { errors: errors.0, header };
        let Some(fields) = object(json, &place, &mut errors) else { return Err(refused(errors, header)) };
        let mut unknown = Errors::default();
        fields.check_unknown(&NAMES, &place, &mut unknown);
        fields.check_twice(&NAMES, &place, &mut errors);
        let seal = fields.get("seal").and_then(|seal| check_seal(seal, &place.field("seal"), &mut errors));
        if let Some(header) = fields.get("header") {
            check_header(header, &place.field("header"), &mut errors);
        }
        let rules: &[Json] = match fields.get("rules") {
            Some(rules) => list(rules, &place.field("rules"), &mut errors).unwrap_or_default(),
            None if fields.is_empty() => &[],
            None => {
                errors.add(&place.field("rules"), "missing; write rules: [] for none");
                &[]
            }
        };
        let general = General { header: header.clone().unwrap_or_else(|| DEFAULT_HEADER.to_owned()), seal, rules };
        if errors.0.is_empty() {
            return Ok((general, unknown.0));
        }
        errors.0.extend(unknown.0);
        errors.0.extend(general.rules().into_iter().filter_map(|entry| entry.rule.err()).flatten());
        Err(refused(errors, header))
    }

    /// All rules, good or bad, in the order of the list.
    pub fn rules(&self) -> Vec<RuleEntry<'j>> {
        let mut seen = HashMap::new();
        let root = Place::Root;
        let rules = root.field("rules");
        self.rules
            .iter()
            .enumerate()
            .map(|(index, json)| {
                let place = rules.index(index);
                let name = rule_name(json);
                let first = name.map(|name| *seen.entry(name).or_insert(index));
                match first.filter(|&first| first != index) {
                    Some(first) => {
                        let mut errors = Errors::default();
                        errors.add(
                            &place.field("name"),
                            format!("{} is already the name of rules[{first}]", quoted(name.unwrap_or_default())),
                        );
                        errors.0.extend(self.rule(json, &place).err().into_iter().flatten());
                        RuleEntry { name: None, json, rule: Err(errors.0) }
                    }
                    None => RuleEntry { name, json, rule: self.rule(json, &place) },
                }
            })
            .collect()
    }

    /// One rule; all that is wrong with it, if anything is.
    fn rule(&self, json: &Json, place: &Place) -> Result<Rule, Vec<ConfigError>> {
        let mut errors = Errors::default();
        match self.read_rule(json, place, &mut errors) {
            Some(rule) if errors.0.is_empty() => Ok(rule),
            _ => Err(errors.0),
        }
    }

    /// A rule that was good under this header and seal or others.
    pub fn restore_rule(&self, json: &Json) -> Option<Rule> {
        self.rule(json, &Place::Root).ok()
    }

    fn read_rule(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<Rule> {
        let fields = known(json, place, &["name", "hosts", "match", "subset", "split", "sticky"], errors)?;
        let name = match fields.get("name") {
            Some(name) => {
                string(name, &place.field("name"), errors).and_then(|name| label(name, &place.field("name"), errors))
            }
            None => {
                errors.add(&place.field("name"), "missing");
                None
            }
        };
        let hosts = fields.get("hosts").map_or(Vec::new(), |hosts| read_hosts(hosts, &place.field("hosts"), errors));
        let matches =
            fields.get("match").map_or(Vec::new(), |matches| self.read_matches(matches, &place.field("match"), errors));
        let sticky = fields.get("sticky");
        let target = match (fields.get("subset"), fields.get("split")) {
            (Some(_), Some(_)) => {
                errors.add(place, "subset and split exclude each other");
                None
            }
            (None, None) => {
                errors.add(place, "neither subset nor split is given");
                None
            }
            (Some(subset), None) => {
                if sticky.is_some() {
                    errors.add(&place.field("sticky"), "needs a split; a fixed subset draws nothing");
                }
                self.subset(subset, &place.field("subset"), errors).map(Target::Fixed)
            }
            (None, Some(split)) => {
                let split = self.read_split(split, &place.field("split"), errors);
                let sticky = sticky.map(|sticky| read_sticky(sticky, name, &place.field("sticky"), errors));
                split.map(|(subsets, split)| {
                    let (salt, sticky) = match sticky {
                        Some((salt, sticky)) => (salt, sticky),
                        None => (Salt::new(name.unwrap_or_default().as_bytes()), None),
                    };
                    Target::Split(WeightedSubsets { subsets, split, salt, sticky })
                })
            }
        };
        Some(Rule { name: name?.to_owned(), hosts, matches, target: target? })
    }

    fn subset(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<Subset> {
        let name = string(json, place, errors)?;
        let name = label(name, place, errors)?;
        let header_value = match &self.seal {
            Some(seal) => format!("{name}.{seal}"),
            None => name.to_owned(),
        };
        Some(Subset { name: name.to_owned(), header_value })
    }

    fn read_split(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<(Vec<Subset>, Split)> {
        let items = list(json, place, errors)?;
        if items.is_empty() || items.len() > MAX_SUBSETS {
            errors.add(place, format!("{} subsets; a split has 1 to {MAX_SUBSETS}", items.len()));
            return None;
        }
        let mut subsets: Vec<Subset> = Vec::new();
        let mut weights = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = place.index(index);
            let Some(fields) = known(item, &place, &["subset", "weight"], errors) else { continue };
            match fields.get("subset") {
                Some(subset) => {
                    if let Some(subset) = self.subset(subset, &place.field("subset"), errors) {
                        if subsets.iter().any(|other| other.name == subset.name) {
                            errors.add(
                                &place.field("subset"),
                                format!("{} is in this split already", quoted(&subset.name)),
                            );
                        }
                        subsets.push(subset);
                    }
                }
                None => errors.add(&place.field("subset"), "missing"),
            }
            match fields.get("weight") {
                Some(weight) => weights.extend(read_weight(weight, &place.field("weight"), errors)),
                None => errors.add(&place.field("weight"), "missing"),
            }
        }
        if weights.len() != items.len() || subsets.len() != items.len() {
            return None;
        }
        match Split::new(&weights) {
            Ok(split) => Some((subsets, split)),
            Err(SplitError::Nothing) => {
                errors.add(place, "the weights add up to 0; at least one must be positive");
                None
            }
            Err(SplitError::TooMuch(sum)) => {
                errors.add(place, format!("the weights add up to {sum}, which is more than {}", u32::MAX));
                None
            }
            Err(SplitError::TooMany) => None,
        }
    }

    fn read_matches(&self, json: &Json, place: &Place, errors: &mut Errors) -> Vec<Match> {
        let Some(items) = filled_list(json, place, errors) else { return Vec::new() };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let place = place.index(index);
                let fields = known(
                    item,
                    &place,
                    &["uri", "method", "headers", "withoutHeaders", "queryParams", "cookies"],
                    errors,
                )?;
                if fields.is_empty() {
                    errors.add(&place, "empty; leave match out if every request is meant");
                }
                let mut conditions = Vec::new();
                if let Some(json) = fields.get("method") {
                    conditions
                        .extend(read_string_match(json, &place.field("method"), false, errors).map(Condition::Method));
                }
                if let Some(json) = fields.get("uri") {
                    conditions.extend(read_string_match(json, &place.field("uri"), false, errors).map(Condition::Uri));
                }
                type Make = fn(String, StringMatch) -> Condition;
                let maps: [(&str, Make); 4] = [
                    ("headers", Condition::Header),
                    ("withoutHeaders", Condition::WithoutHeader),
                    ("queryParams", Condition::QueryParam),
                    ("cookies", Condition::Cookie),
                ];
                for (field, make) in maps {
                    if let Some(json) = fields.get(field) {
                        let matches = self.read_match_map(json, &place.field(field), field, errors);
                        conditions.extend(matches.into_iter().map(|(name, m)| make(name, m)));
                    }
                }
                Some(Match { conditions })
            })
            .collect()
    }

    /// `{NAME: {exact: …}}`, where what names are allowed depends on the field.
    fn read_match_map(
        &self,
        json: &Json,
        place: &Place,
        field: &str,
        errors: &mut Errors,
    ) -> Vec<(String, StringMatch)> {
        let Some(fields) = object(json, place, errors) else { return Vec::new() };
        if fields.is_empty() {
            errors.add(place, "empty; leave it out");
        }
        let is_header = matches!(field, "headers" | "withoutHeaders");
        let mut seen = HashSet::new();
        let mut matches = Vec::new();
        for (name, json) in fields.given() {
            let place = place.field(name);
            let name = if is_header { name.to_ascii_lowercase() } else { name.to_owned() };
            if name.len() > MAX_STRING {
                errors.add(&place, format!("a name of {} bytes is more than {MAX_STRING}", name.len()));
            } else if field == "queryParams" {
                if name.is_empty() {
                    errors.add(&place, "a query parameter needs a name");
                }
            } else if !is_token(&name) {
                let what = if is_header { "a header name" } else { "a cookie name" };
                errors.add(&place, format!("not {what}: {}", why_no_token(&name)));
            } else if is_header && name == self.header {
                errors.add(&place, "the header that this filter writes says nothing about a request");
            }
            if !seen.insert(name.clone()) {
                errors.add(&place, "given twice");
            }
            matches.extend(read_string_match(json, &place, true, errors).map(|m| (name, m)));
        }
        matches
    }
}

/// The name of a rule, if it is a valid one.
pub fn rule_name(json: &Json) -> Option<&str> {
    let Json::Object(fields) = json else { return None };
    match fields.iter().find(|(name, value)| name == "name" && *value != Json::Null) {
        Some((_, Json::String(name))) if is_label(name.as_bytes()) => Some(name),
        _ => None,
    }
}

/// The header that a config names, if it is valid and given once.
fn json_header(json: &Json) -> Option<String> {
    let Json::Object(fields) = json else { return None };
    let mut headers = fields.iter().filter(|(name, value)| name == "header" && *value != Json::Null);
    match (headers.next(), headers.next()) {
        (Some((_, Json::String(header))), None) if header_problem(header).is_none() => Some(header.clone()),
        _ => None,
    }
}

fn check_header(json: &Json, place: &Place, errors: &mut Errors) {
    if let Some(problem) = string(json, place, errors).and_then(header_problem) {
        errors.add(place, problem);
    }
}

/// Why this cannot be the header that carries the subset.
fn header_problem(header: &str) -> Option<String> {
    // What HTTP, Envoy, Istio, tracing and proxies use already; `…-` stands for all that begin so.
    const USED: [&str; 75] = [
        "accept",
        "accept-",
        "access-control-",
        "age",
        "allow",
        "alt-",
        "authorization",
        "b3",
        "baggage",
        "cache-control",
        "cdn-loop",
        "client-cert",
        "client-cert-chain",
        "connection",
        "content-",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "early-data",
        "end-user",
        "etag",
        "expect",
        "expires",
        "forwarded",
        "from",
        "grpc-",
        "host",
        "http2-settings",
        "if-",
        "jwt",
        "keep-alive",
        "last-modified",
        "link",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "proxy-",
        "range",
        "referer",
        "referrer-",
        "save-data",
        "sec-",
        "server",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "upgrade",
        "upgrade-insecure-requests",
        "user-agent",
        "vary",
        "via",
        "want-",
        "warning",
        "www-authenticate",
        "x-b3-",
        "x-client-trace-id",
        "x-cloud-trace-context",
        "x-datadog-",
        "x-envoy-",
        "x-forwarded-",
        "x-http-method-override",
        "x-istio-",
        "x-ot-span-context",
        "x-real-ip",
        "x-request-id",
        "x-requested-with",
    ];
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
    } else if USED.iter().any(|used| header == *used || (used.ends_with('-') && header.starts_with(used)))
        || header == "x-forwarded"
    {
        Some(format!("{shown} has a meaning of its own in HTTP, Envoy or Istio"))
    } else {
        None
    }
}

fn check_seal(json: &Json, place: &Place, errors: &mut Errors) -> Option<String> {
    let seal = string(json, place, errors)?;
    if !(16..=128).contains(&seal.len()) {
        errors.add(place, format!("a seal of {} bytes; it has 16 to 128", seal.len()));
        return None;
    }
    if !seal.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        errors.add(place, "a seal has letters, digits, _ and - only");
        return None;
    }
    Some(seal.to_owned())
}

fn read_hosts(json: &Json, place: &Place, errors: &mut Errors) -> Vec<HostPattern> {
    let Some(items) = filled_list(json, place, errors) else { return Vec::new() };
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let place = place.index(index);
            let host = string(item, &place, errors)?;
            host_pattern(&host.to_ascii_lowercase())
                .map_err(|problem| errors.add(&place, format!("{} {problem}", quoted(host))))
                .ok()
        })
        .collect()
}

fn host_pattern(host: &str) -> Result<HostPattern, String> {
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
            Ok(_) => Ok(HostPattern::Exact(host.to_owned())),
            Err(_) => Err("is not an IPv6 address in brackets".to_owned()),
        };
    }
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err("is an IPv6 address; write it in brackets".to_owned());
    }
    if name.contains('*') {
        return Err("has a * that is not one leading \"*.\"".to_owned());
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
    Ok(if below { HostPattern::Below(name.to_owned()) } else { HostPattern::Exact(name.to_owned()) })
}

/// One of `exact`, `prefix`, `regex`; or `{}` where presence can be asked for. The value is not shown: it may be a secret.
fn read_string_match(json: &Json, place: &Place, presence: bool, errors: &mut Errors) -> Option<StringMatch> {
    let fields = known(json, place, &["exact", "prefix", "regex"], errors)?;
    let mut given = fields.given();
    let (Some((kind, value)), more) = (given.next(), given.next()) else {
        if presence {
            return Some(StringMatch::Present);
        }
        errors.add(place, "empty; write one of exact, prefix, regex");
        return None;
    };
    if more.is_some() {
        errors.add(place, "more than one of exact, prefix, regex");
        return None;
    }
    let place = place.field(kind);
    let value = string(value, &place, errors)?;
    match kind {
        "exact" => Some(StringMatch::Exact(value.to_owned())),
        "prefix" if value.is_empty() => {
            errors.add(&place, "an empty prefix; leave the match out or write {}");
            None
        }
        "prefix" => Some(StringMatch::Prefix(value.to_owned())),
        _ => Re2::new(value).map_err(|problem| errors.add(&place, problem)).ok().map(StringMatch::Regex),
    }
}

fn read_weight(json: &Json, place: &Place, errors: &mut Errors) -> Option<u32> {
    let (weight, shown) = match *json {
        Json::Unsigned(weight) => (u32::try_from(weight).ok(), weight.to_string()),
        Json::Float(weight) if weight < 0.0 => {
            errors.add(place, format!("{weight} is less than 0"));
            return None;
        }
        Json::Float(weight) if weight.fract() != 0.0 => {
            errors.add(place, format!("{weight} is not an integer"));
            return None;
        }
        Json::Float(weight) => ((weight <= f64::from(u32::MAX)).then_some(weight as u32), weight.to_string()),
        _ => {
            errors.kind(place, json, "a number");
            return None;
        }
    };
    if weight.is_none() {
        errors.add(place, format!("{shown} is more than {}", u32::MAX));
    }
    weight
}

fn read_sticky(json: &Json, rule: Option<&str>, place: &Place, errors: &mut Errors) -> (Salt, Option<Sticky>) {
    let by_name = Salt::new(rule.unwrap_or_default().as_bytes());
    let Some(fields) = known(json, place, &["cookie", "salt"], errors) else { return (by_name, None) };
    let salt = fields.get("salt").and_then(|salt| {
        let place = place.field("salt");
        let salt = string(salt, &place, errors)?;
        if salt.is_empty() || salt.len() > MAX_SALT {
            errors.add(&place, format!("a salt of {} bytes; it has 1 to {MAX_SALT}", salt.len()));
        }
        Some(Salt::new(salt.as_bytes()))
    });
    let sticky = match fields.get("cookie") {
        Some(cookie) => read_cookie(cookie, rule, &place.field("cookie"), errors).map(|cookie| Sticky { cookie }),
        None => {
            errors.add(place, "needs a cookie; write cookie: {} for one with the defaults");
            None
        }
    };
    (salt.unwrap_or(by_name), sticky)
}

fn read_cookie(json: &Json, rule: Option<&str>, place: &Place, errors: &mut Errors) -> Option<Cookie> {
    let fields = known(
        json,
        place,
        &["name", "ttl", "path", "domain", "sameSite", "secure", "httpOnly", "partitioned", "renew"],
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
            errors.add(&place, format!("{} has {} bytes, more than {MAX_COOKIE_NAME}", quoted(name), name.len()));
        } else if !is_token(name) {
            errors.add(&place, format!("{} is not a cookie name: {}", quoted(name), why_no_token(name)));
        }
    }
    let ttl = match ttl.map(seconds) {
        None => DEFAULT_TTL,
        Some(Ok(seconds)) => seconds,
        Some(Err(problem)) => {
            errors.add(&place.field("ttl"), format!("{} {problem}", quoted(ttl.unwrap_or_default())));
            0
        }
    };
    if let Some(path) = path {
        let place = place.field("path");
        if !path.starts_with('/') {
            errors.add(&place, format!("{} does not start with /", quoted(path)));
        } else if !path.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b';') {
            errors.add(
                &place,
                format!("{} has a character that no cookie path can have: only visible ASCII without ;", quoted(path)),
            );
        }
        too_long(path, &place, errors);
    }
    if let Some(domain) = domain {
        let place = place.field("domain");
        if !matches!(host_pattern(&domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase()), Ok(HostPattern::Exact(host)) if !host.starts_with('['))
        {
            errors.add(&place, format!("{} is not a domain", quoted(domain)));
        }
    }
    if let Some(other) = same_site.filter(|s| !matches!(*s, "Lax" | "Strict" | "None")) {
        errors.add(&place.field("sameSite"), format!("{} is none of Lax, Strict, None", quoted(other)));
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
        errors.add(&place.field("secure"), format!("false, but browsers refuse {what} without Secure"));
    }
    if host_only && domain.is_some() {
        errors.add(&place.field("domain"), "a name with __Host- excludes a domain");
    }
    if host_only && path != "/" {
        errors.add(&place.field("path"), format!("{}, but a name with __Host- needs the path /", quoted(path)));
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
    })
}

/// Browsers ignore longer attributes (RFC 6265bis §5.6).
fn too_long(value: &str, place: &Place, errors: &mut Errors) {
    if value.len() > MAX_COOKIE_ATTRIBUTE {
        errors.add(
            place,
            format!("{} bytes are more than {MAX_COOKIE_ATTRIBUTE}, the most that browsers take", value.len()),
        );
    }
}

/// A Go duration in whole seconds, at most 400 days. The error goes on after the value.
fn seconds(text: &str) -> Result<u32, String> {
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
    if !total.is_multiple_of(1_000_000_000) {
        return Err("is not a whole number of seconds".to_owned());
    }
    match total / 1_000_000_000 {
        seconds if seconds <= MAX_TTL => Ok(seconds as u32),
        _ => Err("is more than 9600h (400 days), the longest that browsers keep a cookie".to_owned()),
    }
}

/// A token of RFC 9110: what header and cookie names are made of.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_byte)
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

fn why_no_token(name: &str) -> String {
    match name.chars().find(|c| !u8::try_from(*c).is_ok_and(is_token_byte)) {
        None => "it is empty".to_owned(),
        Some(' ') => "it contains a space".to_owned(),
        Some(c) => format!("it contains {c:?}"),
    }
}

fn label<'j>(name: &'j str, place: &Place, errors: &mut Errors) -> Option<&'j str> {
    if is_label(name.as_bytes()) {
        return Some(name);
    }
    errors.add(place, format!("{} is no DNS label: 1 to 63 of a-z, 0-9 and -, with no - at the ends", quoted(name)));
    None
}

/// A value as it is shown in an error: quoted, escaped, not longer than a line.
fn quoted(value: &str) -> String {
    match value.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}…", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

fn string<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j str> {
    match json {
        Json::String(text) if text.len() <= MAX_STRING => Some(text),
        Json::String(text) => {
            errors.add(place, format!("{} bytes are more than {MAX_STRING}", text.len()));
            None
        }
        _ => {
            errors.kind(place, json, "a string");
            None
        }
    }
}

fn boolean(json: &Json, place: &Place, errors: &mut Errors) -> Option<bool> {
    if let Json::Bool(value) = json {
        return Some(*value);
    }
    errors.kind(place, json, "true or false");
    None
}

fn list<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j [Json]> {
    match json {
        Json::List(items) if items.len() <= MAX_ENTRIES => Some(items),
        Json::List(items) => {
            errors.add(place, format!("{} entries are more than {MAX_ENTRIES}", items.len()));
            None
        }
        _ => {
            errors.kind(place, json, "a list");
            None
        }
    }
}

/// A list where an empty one would say nothing, or something else than a reader may think.
fn filled_list<'j>(json: &'j Json, place: &Place, errors: &mut Errors) -> Option<&'j [Json]> {
    let items = list(json, place, errors)?;
    if items.is_empty() {
        errors.add(place, "empty; leave it out if all are meant");
    }
    Some(items)
}

/// An object of which only these fields are known, each given at most once.
fn known<'j>(json: &'j Json, place: &Place<'_>, names: &[&str], errors: &mut Errors) -> Option<Fields<'j>> {
    let fields = object(json, place, errors)?;
    fields.check_unknown(names, place, errors);
    fields.check_twice(names, place, errors);
    Some(fields)
}

fn object<'j>(json: &'j Json, place: &Place<'_>, errors: &mut Errors) -> Option<Fields<'j>> {
    match json {
        Json::Object(fields) if fields.len() <= MAX_ENTRIES => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name);
            Some(Fields(fields))
        }
        Json::Object(fields) => {
            errors.add(place, format!("{} fields are more than {MAX_ENTRIES}", fields.len()));
            None
        }
        _ => {
            errors.kind(place, json, "an object");
            None
        }
    }
}

/// The fields of an object by name: protobuf keeps no order, and errors should not depend on it. One that is `null` is
/// absent.
struct Fields<'j>(Vec<&'j (String, Json)>);

impl<'j> Fields<'j> {
    fn given(&self) -> impl Iterator<Item = (&'j str, &'j Json)> {
        self.0.iter().filter(|(_, value)| *value != Json::Null).map(|(name, value)| (name.as_str(), value))
    }

    fn get(&self, name: &str) -> Option<&'j Json> {
        self.given().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    fn is_empty(&self) -> bool {
        self.given().next().is_none()
    }

    fn check_unknown(&self, names: &[&str], place: &Place, errors: &mut Errors) {
        for (name, _) in &self.0 {
            if !names.contains(&name.as_str()) {
                errors.add(&place.field(name), format!("unknown field; known are {}", names.join(", ")));
            }
        }
    }

    fn check_twice(&self, names: &[&str], place: &Place, errors: &mut Errors) {
        for name in names {
            if self.0.iter().filter(|(n, _)| n == name).count() > 1 {
                errors.add(&place.field(name), "given twice");
            }
        }
    }
}

/// All that is wrong so far.
#[derive(Default)]
struct Errors(Vec<ConfigError>);

impl Errors {
    fn add(&mut self, place: &Place<'_>, problem: impl Into<String>) {
        self.0.push(ConfigError { place: place.to_string(), problem: problem.into() });
    }

    fn kind(&mut self, place: &Place<'_>, json: &Json, wanted: &str) {
        self.add(place, format!("{}, not {wanted}", json.kind()));
    }
}

/// Where in the config; made into text only where there is an error.
#[derive(Clone, Copy)]
enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    fn field(&'p self, name: &'p str) -> Place<'p> {
        Place::Field(self, name)
    }

    fn index(&'p self, index: usize) -> Place<'p> {
        Place::Index(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Place::Field(parent, name) => {
                let plain = !name.is_empty()
                    && name.len() <= 64
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                match (parent, plain) {
                    (Place::Root, true) => f.write_str(name),
                    (_, true) => write!(f, "{parent}.{name}"),
                    (_, false) => write!(f, "{parent}[{}]", quoted(name)),
                }
            }
        }
    }
}
