//! Which rules are in force after a config, given what was in force before it.
//!
//! A rule stands or falls alone: a bad one keeps its last good version, found by its name, or is off if there is none. A
//! config that cannot be used at all changes nothing.
//!
//! Envoy gives every config to several VMs, in any order, and each may find the state as it was before that config or
//! after it. So evaluation is idempotent: with the state that it leaves behind it gives the same answer again.

use crate::config::{Config, ConfigError, General, Headers, rule_name};
use crate::json::Text;
use crate::rule::{Rule, Target};
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;
use xxhash_rust::xxh64::xxh64;

/// The state keeps the hashes of this many generations, to know a late config by.
const HASHES: usize = 32;

/// A VM that is given its first config is late for a newer one by no more than these milliseconds. After that an old text
/// is somebody's decision to go back, together with a new build of the module.
const LATE: u64 = 500;

/// What a config changes that changes nothing.
const NOTHING: &str = "nothing changed";

/// What the VMs of a plugin share: what is in force, and of which configs it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// How many configs have taken effect.
    pub generation: u64,
    /// When the last one did, in milliseconds since 1970.
    since: u64,
    /// xxHash64 of the last configs' texts, one for each generation, the newest first.
    hashes: Vec<u64>,
    /// What is in force; `None`: nothing has ever been.
    in_force: Option<Rc<InForce>>,
}

/// A config in which everything is good.
#[derive(Debug, Default, PartialEq)]
struct InForce {
    headers: Headers,
    seal: Option<String>,
    /// The rules as the configs gave them: a list in JSON. As text they take little, and are seldom needed.
    rules: String,
}

impl InForce {
    fn new(general: &General, rules: String) -> Rc<InForce> {
        Rc::new(InForce { headers: general.headers.clone(), seal: general.seal.clone(), rules })
    }

    fn rules(&self) -> impl Iterator<Item = Text<'_>> {
        Text::parse(self.rules.as_bytes()).into_iter().flat_map(Text::items)
    }

    /// The rules in their order, with their names.
    fn named(&self) -> Vec<(String, Text<'_>)> {
        let named = |text: Text<'_>| Some(rule_name(&text.tree().ok()?)?.to_owned());
        self.rules().filter_map(|text| Some((named(text)?, text))).collect()
    }

    fn restored(&self) -> impl Iterator<Item = Rule> {
        let general = General::of(self.headers.clone(), self.seal.clone());
        self.rules().filter_map(move |text| general.restore_rule(text))
    }
}

/// Where each name stands.
fn places(names: &mut dyn Iterator<Item = &str>) -> HashMap<String, u32> {
    names.map(str::to_owned).zip(0..).collect()
}

/// The names of these rules.
fn names<'n>(named: &'n [(String, Text<'_>)]) -> impl Iterator<Item = &'n str> {
    named.iter().map(|(name, _)| &**name)
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
    in_force: Given,
}

/// What is in force after a config.
#[derive(Clone, Debug)]
enum Given {
    /// What it says.
    AsItIs,
    /// Something else, or nothing.
    Instead(Option<Rc<InForce>>),
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
    /// an older one again, so an old text that it cannot be late for is somebody's decision to go back. `now` is in milliseconds
    /// since 1970.
    pub fn claim(&self, text: &[u8], seen: u64, now: u64) -> Claim {
        let hash = hash(text);
        // A new VM is given the newest config there is, if nobody has changed that just now.
        let seen = if seen == 0 && now.saturating_sub(self.since) > LATE { self.generation } else { seen };
        let oldest = self.generation.saturating_sub(self.hashes.len() as u64);
        let from_oldest = (oldest + 1..).zip(self.hashes.iter().rev());
        let mut since = from_oldest.filter(|(generation, _)| *generation >= seen);
        since.find(|(_, known)| **known == hash).map_or(Claim::New, |(generation, _)| Claim::Known(generation))
    }

    /// The state after this evaluation of this text has taken effect.
    pub fn after(&self, text: &[u8], evaluation: &Evaluation, now: u64) -> State {
        let given = || {
            let (general, _) = General::parse(text).ok()?;
            Some(InForce::new(&general, general.list().unwrap_or("[]").to_owned()))
        };
        let in_force = match &evaluation.in_force {
            Given::AsItIs => given(),
            Given::Instead(in_force) => in_force.clone(),
        };
        self.next(hash(text), in_force, now)
    }

    fn next(&self, hash: u64, in_force: Option<Rc<InForce>>, now: u64) -> State {
        let hashes = std::iter::once(hash).chain(self.hashes.iter().copied()).take(HASHES).collect();
        State { generation: self.generation + 1, since: now, hashes, in_force }
    }

    /// The state after what an earlier one has put in force is so again. Envoy goes back to a config without giving it to anybody
    /// where some worker still has it.
    pub fn back_to(&self, earlier: &State, now: u64) -> State {
        self.next(earlier.hashes.first().copied().unwrap_or_default(), earlier.in_force.clone(), now)
    }

    /// Whether the newest config is the same as that of an earlier state.
    pub fn is_as(&self, earlier: &State) -> bool {
        self.hashes.first() == earlier.hashes.first()
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.in_force.iter().flat_map(|in_force| in_force.restored())
    }

    /// The weighted subsets that are in force until these rules are: `(rule, subset)`.
    pub fn gone(&self, now: &[Rule]) -> Vec<(String, String)> {
        let weighted = |rule: &Rule| match &rule.target {
            Target::Split(split) => split.subsets.iter().map(|subset| subset.name.to_string()).collect(),
            Target::Fixed(_) => Vec::new(),
        };
        let places = places(&mut now.iter().map(|rule| &*rule.name));
        let mut gone = Vec::new();
        for rule in self.rules() {
            let subsets =
                places.get(&*rule.name).and_then(|&at| now.get(at as usize)).map(weighted).unwrap_or_default();
            let missing = weighted(&rule).into_iter().filter(|subset| !subsets.contains(subset));
            gone.extend(missing.map(|subset| (rule.name.clone(), subset)));
        }
        gone
    }

    /// Evaluates a config's text.
    pub fn evaluate(&self, text: &[u8]) -> Evaluation {
        let (general, ignored) = match General::parse(text) {
            Ok(parsed) => parsed,
            Err(whole) => return self.refused(whole.errors, whole.header),
        };
        let mut faults = faults(ignored, "ignored; the rules take effect");
        let mut counts = Counts::default();
        let mut rules = Vec::with_capacity(general.count());
        let mut texts = Vec::with_capacity(general.count());
        // Looked up only where a rule is bad.
        let mut last_good = None;
        for entry in general.rules() {
            let errors = match entry.rule {
                Ok(rule) => {
                    counts.active += 1;
                    texts.push(entry.text.as_str());
                    rules.push(rule);
                    continue;
                }
                Err(errors) => errors,
            };
            let (named, places) = last_good.get_or_insert_with(|| {
                let named = self.in_force.as_deref().map(InForce::named).unwrap_or_default();
                let places = places(&mut names(&named));
                (named, places)
            });
            let restored = entry.name.as_ref().and_then(|name| {
                let (_, text) = named.get(*places.get(&**name)? as usize)?;
                Some((general.restore_rule(*text)?, *text))
            });
            match restored {
                Some((rule, text)) => {
                    counts.last_good += 1;
                    faults.extend(self::faults(errors, &format!("rule {} keeps its last good version", rule.name)));
                    texts.push(text.as_str());
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
        let in_force = match last_good {
            None => Given::AsItIs,
            Some(_) => Given::Instead(Some(InForce::new(&general, format!("[{}]", texts.join(","))))),
        };
        Evaluation { config: Config::new(general.headers, rules), faults, counts, in_force }
    }

    /// A config that cannot be used: the last good one stays in force, or nothing is.
    fn refused(&self, errors: Vec<ConfigError>, header: Option<String>) -> Evaluation {
        let (config, consequence) = match &self.in_force {
            Some(before) => (
                Config::new(before.headers.clone(), before.restored().collect()),
                "config refused; the last good one stays in force".to_owned(),
            ),
            None => {
                let mut headers = Headers::default();
                headers.request = header.unwrap_or(headers.request);
                let consequence =
                    format!("config refused; no rule is in force, {} is removed from every request", headers.request);
                (Config::new(headers, Vec::new()), consequence)
            }
        };
        Evaluation {
            counts: Counts { last_good: config.rules.len(), ..Counts::default() },
            config,
            faults: faults(errors, &consequence),
            in_force: Given::Instead(self.in_force.clone()),
        }
    }

    /// What is different after it, in one line.
    pub fn changes(&self, after: &State) -> String {
        match (&self.in_force, &after.in_force) {
            (Some(before), Some(after)) if before != after => changes(before, after),
            (None, Some(_)) => "first config".to_owned(),
            _ => NOTHING.to_owned(),
        }
    }

    /// The state as it is stored: `GENERATION SINCE HASH…`; if anything is in force, its headers, its seal and its rules follow, each
    /// from a line of its own on.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.generation, self.since);
        for hash in &self.hashes {
            let _ = write!(text, " {hash}");
        }
        if let Some(InForce { headers, seal, rules }) = self.in_force.as_deref() {
            let (response, seal) = (headers.response.as_deref(), seal.as_deref());
            for part in [&headers.request, response.unwrap_or_default(), seal.unwrap_or_default(), rules] {
                text.reserve_exact(part.len() + 1);
                text.push('\n');
                text.push_str(part);
            }
        }
        text.into_bytes()
    }

    /// Reads what [`State::to_bytes`] wrote; of anything else comes the state before any config.
    pub fn from_bytes(bytes: Vec<u8>) -> State {
        String::from_utf8(bytes).ok().and_then(State::from_text).unwrap_or_default()
    }

    fn from_text(mut text: String) -> Option<State> {
        let lines: Vec<&str> = text.splitn(5, '\n').collect();
        let mut numbers = lines.first()?.split(' ').map(|number| number.parse::<u64>().ok());
        let (generation, since) = (numbers.next()??, numbers.next()??);
        let hashes = numbers.collect::<Option<Vec<u64>>>()?;
        let (headers, seal, rules) = match *lines.as_slice() {
            [_] => return Some(State { generation, since, hashes, in_force: None }),
            [_, request, response, seal, rules] => {
                let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                (Headers { request: request.to_owned(), response: given(response) }, given(seal), rules.len())
            }
            _ => return None,
        };
        text.drain(..text.len() - rules);
        Some(State { generation, since, hashes, in_force: Some(Rc::new(InForce { headers, seal, rules: text })) })
    }
}

fn hash(text: &[u8]) -> u64 {
    xxh64(text, 0)
}

fn faults(errors: Vec<ConfigError>, consequence: &str) -> Vec<Fault> {
    errors.into_iter().map(|error| Fault { error, consequence: consequence.to_owned() }).collect()
}

/// What is different, by the names of the rules.
fn changes(before: &InForce, after: &InForce) -> String {
    let (old, new) = (before.named(), after.named());
    let (old_places, new_places) = (places(&mut names(&old)), places(&mut names(&new)));
    let old_of = |name: &str| old_places.get(name).and_then(|&at| old.get(at as usize));
    let is_changed = |name: &str, text: &Text| {
        old_of(name).is_some_and(|(_, old)| old.as_str() != text.as_str() && old.tree() != text.tree())
    };
    let few = |what: &str, rules: &[(String, Text)], pick: &dyn Fn(&str, &Text) -> bool| {
        let mut line = String::new();
        let mut count = 0;
        for (name, _) in rules.iter().filter(|(name, text)| pick(name, text)) {
            count += 1;
            if count <= 8 {
                line.push_str(if count == 1 { what } else { ", " });
                line.push_str(name);
            }
        }
        if count > 8 {
            let _ = write!(line, " and {} more", count - 8);
        }
        line
    };
    let mut parts = vec![
        few("new: ", &new, &|name, _| old_of(name).is_none()),
        few("changed: ", &new, &is_changed),
        few("gone: ", &old, &|name, _| !new_places.contains_key(name)),
    ];
    if before.headers.request != after.headers.request {
        parts.push(format!("header: {}", after.headers.request));
    }
    if before.headers.response != after.headers.response {
        parts.push(format!("responseHeader: {}", after.headers.response.as_deref().unwrap_or("none")));
    }
    if before.seal != after.seal {
        parts.push("seal".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() && !names(&old).eq(names(&new)) {
        parts.push("order of the rules".to_owned());
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join("; ") }
}
