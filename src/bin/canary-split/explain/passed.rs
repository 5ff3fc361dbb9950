//! Why the rules before the deciding one do not hold.

use super::remembered;
use super::request::Seen;
use super::shown::quoted;
use crate::input::manifest::PluginConfig;
use crate::input::yaml::Node;
use canary_split::config::Config;
use canary_split::request::claim::ClaimPath;
use canary_split::request::query::query_param;
use canary_split::request::{Request, address, cookies};
use canary_split::rule::Rule;
use canary_split::rule::condition::{Condition, Match};
use canary_split::visitor::cookie::Minutes;
use serde::Serialize;
use std::collections::HashSet;

/// A place in the config, and where it is in the file.
#[derive(Debug, Serialize)]
pub struct Place {
    /// As in `rules[1].match[0].uri`.
    pub place: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
}

/// A rule that does not hold.
#[derive(Debug, Serialize)]
pub struct Passed {
    /// Its name.
    pub rule: String,
    /// The hosts, the entry that makes the rule forget its visitors, or the first condition of each match entry that does not hold.
    pub reasons: Vec<Reason>,
}

/// A condition that does not hold.
#[derive(Debug, Serialize)]
pub struct Reason {
    /// Its place.
    #[serde(flatten)]
    pub at: Place,
    /// The wanted value, as in the config.
    pub wanted: String,
    /// The value in the request.
    pub found: Option<String>,
    /// The reason, if it is not a condition that does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The rules before a place in the list of those in force.
pub fn passed<'c>(
    config: &'c Config,
    before: usize,
    written: &PluginConfig,
    request: &mut Seen,
    now: Minutes,
) -> Vec<Passed> {
    let authority = request.header(":authority").unwrap_or_default().to_vec();
    let hosted: HashSet<u32> = config.hosts.rules(&authority).collect();
    let mut reasons = |(rule, at): (&'c Rule, u32)| {
        let entry = Entry::of(rule, written);
        let forgets =
            |one: &'c Match, request: &mut Seen| one.conditions.iter().all(|condition| condition.holds(request));
        let reasons = if !hosted.contains(&at) {
            let hosts = entry.node.and_then(|rule| rule.get("hosts"));
            vec![entry.reason(".hosts", hosts, Some(quoted(&authority)))]
        } else if let Some(at) = rule.forget.iter().position(|one| forgets(one, request)) {
            vec![entry.forget(at)]
        } else {
            let matches = rule.matches.iter().enumerate();
            let mut reasons: Vec<Reason> = matches
                .filter_map(|(at, one)| {
                    let condition = one.conditions.iter().find(|condition| !condition.holds(request))?;
                    Some(entry.condition(at, condition, request))
                })
                .collect();
            if let Some((remember, line)) = rule.remember.as_ref().zip(request.values("cookie").next()) {
                let ignored = remembered::ignored(remember, line, now).into_iter();
                reasons.extend(ignored.map(|(what, why)| entry.remember(format!("{what} does not count: {why}"))));
            }
            reasons
        };
        Passed { rule: rule.name.clone(), reasons }
    };
    config.rules.iter().zip(0..).take(before).map(&mut reasons).collect()
}

/// The place of a rule.
pub fn place(rule: &Rule, written: &PluginConfig) -> Place {
    let entry = Entry::of(rule, written);
    entry.place("", entry.node)
}

/// An entry of `rules`, as it is written.
struct Entry<'w> {
    written: &'w PluginConfig,
    at: usize,
    node: Option<&'w Node>,
}

impl<'w> Entry<'w> {
    /// The entry of a rule in force: the first of its name.
    fn of(rule: &Rule, written: &'w PluginConfig) -> Entry<'w> {
        let rules = written.node.as_ref().and_then(|config| config.get("rules")).map_or(&[][..], Node::items);
        let is_named = |entry: &Node| entry.get("name").and_then(Node::text) == Some(&rule.name);
        let at = rules.iter().position(is_named).unwrap_or_default();
        Entry { written, at, node: rules.get(at) }
    }

    fn place(&self, below: &str, node: Option<&Node>) -> Place {
        let span = node.or(self.node).map(|node| node.span.clone()).unwrap_or_default();
        let source = &self.written.source;
        // Objects in the cluster have no lines.
        let (line, column) = (!source.is_living).then(|| source.position(span.start)).unzip();
        Place { place: format!("rules[{}]{below}", self.at), line, column }
    }

    fn reason(&self, below: &str, node: Option<&Node>, found: Option<String>) -> Reason {
        let wanted = node.map(Node::to_json).unwrap_or_default();
        Reason { at: self.place(below, node), wanted, found, why: None }
    }

    /// The reason that an entry of `forget` matches.
    fn forget(&self, at: usize) -> Reason {
        let forget = self.node.and_then(|rule| rule.at(&["remember", "forget"]));
        let node = forget.and_then(|forget| forget.items().get(at));
        let why = "holds: the rule forgets the visitor".to_owned();
        Reason { why: Some(why), ..self.reason(&format!(".remember.forget[{at}]"), node, None) }
    }

    /// Why the visitor is not remembered.
    fn remember(&self, why: String) -> Reason {
        Reason { why: Some(why), ..self.reason(".remember", self.node.and_then(|rule| rule.get("remember")), None) }
    }

    /// A condition of an entry of `match`.
    fn condition(&self, at: usize, condition: &Condition, request: &mut Seen) -> Reason {
        let path = request.header(":path").unwrap_or_default().to_vec();
        let without_query = path.split(|&byte| byte == b'?').next();
        let is_same = |name: &str, key: &str| key.eq_ignore_ascii_case(name);
        let (field, found): (&str, Option<String>) = match condition {
            Condition::Method(_) => ("method", request.header(":method").map(quoted)),
            Condition::Uri(_) => ("uri", without_query.map(quoted)),
            Condition::Header(name, _) => ("headers", request.header(name).map(quoted)),
            Condition::WithoutHeader(name, _) => ("withoutHeaders", request.header(name).map(quoted)),
            Condition::QueryParam(name, _) => ("queryParams", query_param(&path, name).map(quoted)),
            Condition::Cookie(name, _) => {
                let value = request.values("cookie").next().and_then(|line| cookies::values(line, name).next());
                ("cookies", value.map(quoted))
            }
            Condition::RemoteIpBlocks(_) => {
                let address = request.client_address().and_then(address::parse);
                ("remoteIpBlocks", address.map(|address| address.to_string()))
            }
            Condition::Claim(path, _) => ("claims", request.claim_value(path).map(ToString::to_string)),
        };
        let is_meant = |key: &str| match condition {
            Condition::Method(_) | Condition::Uri(_) | Condition::RemoteIpBlocks(_) => false,
            Condition::Header(name, _) | Condition::WithoutHeader(name, _) => is_same(name, key),
            Condition::QueryParam(name, _) | Condition::Cookie(name, _) => name == key,
            Condition::Claim(path, _) => ClaimPath::parse(key).as_ref() == Ok(path),
        };
        let matches = self.node.and_then(|rule| rule.get("match"));
        let node = matches.and_then(|matches| matches.items().get(at)?.get(field));
        let below = format!(".match[{at}].{field}");
        match node.and_then(|map| map.entries().iter().find(|(key, _)| is_meant(&key.name))) {
            Some((key, node)) => self.reason(&(below + &step(&key.name)), Some(node), found),
            None => self.reason(&below, node, found),
        }
    }
}

/// A name as the last step of a place.
fn step(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_plain { format!(".{name}") } else { format!("[{name:?}]") }
}
