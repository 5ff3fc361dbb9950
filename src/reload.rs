//! Which rules are in force after a config, given what was in force before it.
//!
//! A rule stands or falls alone: a bad one keeps its last good version, found by its name, or is off if there is none. A
//! config that cannot be used at all changes nothing.
//!
//! Envoy gives every config to several VMs, in any order, and each may find the state as it was before that config or
//! after it. So evaluation is idempotent: with the state that it leaves behind it gives the same answer again.

use crate::config::{Config, ConfigError, General, Headers, read, rule_name, rule_weights};
use crate::json::Json;
use std::collections::HashMap;
use xxhash_rust::xxh64::xxh64;

/// The state keeps the hashes of this many generations, to know a late config by.
const HASHES: usize = 32;

/// What a config changes that changes nothing.
const NOTHING: &str = "nothing changed";

/// What the VMs of a plugin share: what is in force, and of which configs it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// How many configs have taken effect.
    pub generation: u64,
    /// xxHash64 of the last configs' texts, one for each generation, the newest first.
    hashes: Vec<u64>,
    /// What is in force; `None`: nothing has ever been.
    in_force: Option<InForce>,
}

/// A config in which everything is good.
#[derive(Clone, Debug, PartialEq)]
struct InForce {
    headers: Headers,
    seal: Option<String>,
    /// The rules as the configs gave them, by name.
    rules: Vec<(String, Json)>,
}

/// What a config comes to.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The rules that are in force.
    pub config: Config,
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// How many rules are as the config says, on their last good version, and off.
    pub counts: Counts,
    /// What a newer config would change, in one line.
    pub changes: String,
    in_force: Option<InForce>,
    hash: u64,
}

/// Rules by their state; together they are all rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As the config says.
    pub active: usize,
    /// As the last config said in which they were good.
    pub last_good: usize,
    /// Not in force.
    pub off: usize,
}

/// Something wrong with a config, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, and where.
    pub error: ConfigError,
    /// What the filter does about it.
    pub consequence: String,
}

/// `error (consequence)`
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.error, self.consequence)
    }
}

/// What a VM that is given a config has to do about the shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The config is new: store the new state, then log and count.
    New,
    /// It is the config of this generation, the newest or a late one: another VM has done all that.
    Known(u64),
}

impl State {
    /// Whether this config is new to all VMs.
    ///
    /// `seen` is the generation of the config that this very VM was given last; 0 if it was given none. A VM is never given
    /// an older one again, so an old text that it cannot be late for is somebody's decision to go back.
    pub fn claim(&self, text: &[u8], seen: u64) -> Claim {
        let hash = hash(text);
        let oldest = self.generation.saturating_sub(self.hashes.len() as u64);
        let from_oldest = (oldest + 1..).zip(self.hashes.iter().rev());
        let mut since = from_oldest.filter(|(generation, _)| *generation >= seen);
        since.find(|(_, known)| **known == hash).map_or(Claim::New, |(generation, _)| Claim::Known(generation))
    }

    /// The state after this evaluation has taken effect.
    pub fn after(&self, evaluation: &Evaluation) -> State {
        let older = self.hashes.iter().copied();
        State {
            generation: self.generation + 1,
            hashes: std::iter::once(evaluation.hash).chain(older).take(HASHES).collect(),
            in_force: evaluation.in_force.clone(),
        }
    }

    /// Weights as they are after this evaluation, by `(rule, subset)`; 0 for those that are in force until now alone.
    pub fn weights<'a>(&'a self, evaluation: &'a Evaluation) -> HashMap<(&'a str, &'a str), u32> {
        let until_now = weights(self.in_force.as_ref()).map(|(subset, _)| (subset, 0));
        until_now.chain(weights(evaluation.in_force.as_ref())).collect()
    }

    /// Evaluates a config's text.
    pub fn evaluate(&self, text: &[u8]) -> Evaluation {
        let refused = |errors: Vec<ConfigError>, header: Option<String>| self.refused(errors, header, hash(text));
        let json = match read(text) {
            Ok(json) => json,
            Err(error) => return refused(vec![error], None),
        };
        let (general, ignored) = match General::parse(&json) {
            Ok(parsed) => parsed,
            Err(whole) => return refused(whole.errors, whole.header),
        };

        let before = self.in_force.as_ref();
        let last_good: HashMap<&str, &Json> =
            before.iter().flat_map(|b| &b.rules).map(|(name, json)| (name.as_str(), json)).collect();
        let mut faults = faults(ignored, "ignored; the rules take effect");
        let mut counts = Counts::default();
        let mut rules = Vec::new();
        let mut sources = Vec::new();
        for entry in general.rules() {
            let errors = match entry.rule {
                Ok(rule) => {
                    counts.active += 1;
                    sources.push((rule.name.clone(), entry.json.clone()));
                    rules.push(rule);
                    continue;
                }
                Err(errors) => errors,
            };
            let restored = entry
                .name
                .and_then(|name| last_good.get(name))
                .and_then(|&json| Some((general.restore_rule(json)?, json)));
            match restored {
                Some((rule, json)) => {
                    counts.last_good += 1;
                    faults.extend(self::faults(errors, &format!("rule {} keeps its last good version", rule.name)));
                    sources.push((rule.name.clone(), json.clone()));
                    rules.push(rule);
                }
                None => {
                    counts.off += 1;
                    let consequence =
                        entry.name.map_or("this rule is off".to_owned(), |name| format!("rule {name} is off"));
                    faults.extend(self::faults(errors, &consequence));
                }
            }
        }
        let in_force = InForce { headers: general.headers.clone(), seal: general.seal.clone(), rules: sources };
        Evaluation {
            changes: changes(before, &in_force),
            config: Config::new(general.headers, rules),
            faults,
            counts,
            in_force: Some(in_force),
            hash: hash(text),
        }
    }

    /// A config that cannot be used: the last good one stays in force, or nothing is.
    fn refused(&self, errors: Vec<ConfigError>, header: Option<String>, hash: u64) -> Evaluation {
        let (config, consequence, last_good) = match &self.in_force {
            Some(before) => {
                let general = General::of(before.headers.clone(), before.seal.clone());
                let rules: Vec<_> = before.rules.iter().filter_map(|(_, json)| general.restore_rule(json)).collect();
                let last_good = rules.len();
                (
                    Config::new(general.headers, rules),
                    "config refused; the last good one stays in force".to_owned(),
                    last_good,
                )
            }
            None => {
                let mut headers = Headers::default();
                headers.request = header.unwrap_or(headers.request);
                let consequence =
                    format!("config refused; no rule is in force, {} is removed from every request", headers.request);
                (Config::new(headers, Vec::new()), consequence, 0)
            }
        };
        Evaluation {
            config,
            faults: faults(errors, &consequence),
            counts: Counts { last_good, ..Counts::default() },
            changes: NOTHING.to_owned(),
            in_force: self.in_force.clone(),
            hash,
        }
    }

    /// The state as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = |text: &str| Json::String(text.to_owned());
        let mut fields = vec![
            ("generation".to_owned(), Json::Unsigned(self.generation)),
            ("hashes".to_owned(), Json::List(self.hashes.iter().map(|&hash| Json::Unsigned(hash)).collect())),
        ];
        if let Some(in_force) = &self.in_force {
            fields.push(("header".to_owned(), text(&in_force.headers.request)));
            let response = in_force.headers.response.as_deref();
            fields.push(("responseHeader".to_owned(), response.map_or(Json::Null, text)));
            fields.push(("seal".to_owned(), in_force.seal.as_deref().map_or(Json::Null, text)));
            let rules = in_force.rules.iter().map(|(_, json)| json.clone()).collect();
            fields.push(("rules".to_owned(), Json::List(rules)));
        }
        Json::Object(fields).to_string().into_bytes()
    }

    /// Reads what [`State::to_bytes`] wrote; of anything else comes the state before any config.
    pub fn from_bytes(bytes: &[u8]) -> State {
        let Ok(Json::Object(fields)) = Json::parse(bytes) else { return State::default() };
        let mut state = State::default();
        let (mut header, mut response, mut seal, mut rules) = (None, None, None, None);
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("generation", Json::Unsigned(generation)) => state.generation = generation,
                ("hashes", Json::List(hashes)) => {
                    let numbers =
                        hashes.into_iter().filter_map(|h| if let Json::Unsigned(h) = h { Some(h) } else { None });
                    state.hashes = numbers.collect();
                }
                ("header", Json::String(text)) => header = Some(text),
                ("responseHeader", Json::String(text)) => response = Some(text),
                ("seal", Json::String(text)) => seal = Some(text),
                ("rules", Json::List(list)) => rules = Some(list),
                _ => {}
            }
        }
        if let (Some(request), Some(rules)) = (header, rules) {
            let named = |json: Json| Some((rule_name(&json)?.to_owned(), json));
            let headers = Headers { request, response };
            state.in_force = Some(InForce { headers, seal, rules: rules.into_iter().filter_map(named).collect() });
        }
        state
    }
}

fn hash(text: &[u8]) -> u64 {
    xxh64(text, 0)
}

fn faults(errors: Vec<ConfigError>, consequence: &str) -> Vec<Fault> {
    errors.into_iter().map(|error| Fault { error, consequence: consequence.to_owned() }).collect()
}

/// Every weight of every rule: `((rule, subset), weight)`.
fn weights(in_force: Option<&InForce>) -> impl Iterator<Item = ((&str, &str), u32)> {
    let rules = in_force.into_iter().flat_map(|in_force| &in_force.rules);
    rules.flat_map(|(name, json)| {
        rule_weights(json).into_iter().map(move |(subset, weight)| ((name.as_str(), subset), weight))
    })
}

/// What is different, by the names of the rules.
fn changes(before: Option<&InForce>, after: &InForce) -> String {
    let Some(before) = before else { return "first config".to_owned() };
    let old: HashMap<&str, &Json> = before.rules.iter().map(|(name, json)| (name.as_str(), json)).collect();
    let new: HashMap<&str, &Json> = after.rules.iter().map(|(name, json)| (name.as_str(), json)).collect();
    let names = |rules: &[(String, Json)], pick: &dyn Fn(&str, &Json) -> bool| {
        rules.iter().filter(|(name, json)| pick(name, json)).map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut parts: Vec<String> = [
        ("new", names(&after.rules, &|name, _| !old.contains_key(name))),
        ("changed", names(&after.rules, &|name, json| old.get(name).is_some_and(|&other| other != json))),
        ("gone", names(&before.rules, &|name, _| !new.contains_key(name))),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| match names.get(..8) {
        Some(few) if names.len() > 8 => format!("{what}: {} and {} more", few.join(", "), names.len() - 8),
        _ => format!("{what}: {}", names.join(", ")),
    })
    .collect();
    if before.headers.request != after.headers.request {
        parts.push(format!("header: {}", after.headers.request));
    }
    if before.headers.response != after.headers.response {
        parts.push(format!("responseHeader: {}", after.headers.response.as_deref().unwrap_or("none")));
    }
    if before.seal != after.seal {
        parts.push("seal".to_owned());
    }
    let order = |in_force: &InForce| in_force.rules.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if parts.is_empty() && order(before) != order(after) {
        parts.push("order of the rules".to_owned());
    }
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join("; ") }
}
