//! What the VMs of a plugin share: the rules in force, and the configs that they came from.

use super::difference::{Difference, NOTHING, difference};
use super::evaluation::{Evaluation, evaluate};
use super::health::Health;
use super::in_force::InForce;
use crate::config::Headers;
use crate::config::fingerprint::of_text;
use crate::rule::Rule;
use std::fmt::Write;
use std::rc::Rc;
use xxhash_rust::xxh64::xxh64;

/// The state keeps the hashes of this many generations, to recognise a late config.
const HASHES: usize = 32;

/// A VM with its first config lags behind a newer one by at most this many milliseconds. After that an old text is a
/// decision to go back, together with a new build of the module.
const LATE: u64 = 500;

/// What the VMs of a plugin share: the rules in force, and the configs that they came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The number of configs that have taken effect.
    pub generation: u64,
    /// When the last one took effect, in milliseconds since 1970.
    since: u64,
    /// xxHash64 of the last configs' texts, one for each generation, the newest first.
    hashes: Vec<u64>,
    /// The health of the newest config.
    pub health: Rc<Health>,
    /// What is in force; `None`: nothing has ever been.
    in_force: Option<Rc<InForce>>,
}

/// What one config has put in force: all that is needed to go back to it, however many have come since.
#[derive(Clone, Debug)]
pub struct Served {
    /// xxHash64 of its text.
    pub hash: u64,
    /// Its health.
    pub health: Rc<Health>,
    in_force: Option<Rc<InForce>>,
}

impl Served {
    /// The result of this evaluation of this text.
    pub fn new(text: &[u8], evaluation: &Evaluation) -> Served {
        State::default().served(text, evaluation)
    }
}

/// What a VM that receives a config has to do with the shared state.
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
    /// `seen` is the generation of the config that this VM received last; 0 if none. A VM never receives an older one again, so
    /// an old text that cannot be late is a decision to go back. `now` is in milliseconds since 1970.
    pub fn claim(&self, served: &Served, seen: u64, now: u64) -> Claim {
        // A new VM receives the newest config, unless it has just changed.
        let seen = if seen == 0 && now.saturating_sub(self.since) > LATE { self.generation } else { seen };
        let oldest = self.generation.saturating_sub(self.hashes.len() as u64);
        let from_oldest = (oldest + 1..).zip(self.hashes.iter().rev());
        let mut since = from_oldest.filter(|(generation, _)| *generation >= seen);
        since.find(|(_, known)| **known == served.hash).map_or(Claim::New, |(generation, _)| Claim::Known(generation))
    }

    /// The state after a config is served: a new one, or one that Envoy goes back to. While some worker still has that one, Envoy
    /// does not hand it out again.
    pub fn after(&self, Served { hash, health, in_force }: &Served, now: u64) -> State {
        let hashes = std::iter::once(*hash).chain(self.hashes.iter().copied()).take(HASHES).collect();
        let (health, in_force) = (Rc::clone(health), in_force.clone());
        State { generation: self.generation + 1, since: now, hashes, health, in_force }
    }

    /// Whether this is the newest config.
    pub fn serves(&self, served: &Served) -> bool {
        self.hashes.first() == Some(&served.hash)
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.in_force.iter().flat_map(|in_force| in_force.restored())
    }

    /// Evaluates a config's text.
    pub fn evaluate(&self, text: &[u8]) -> Evaluation {
        evaluate(self.in_force.as_ref(), text)
    }

    /// Its result.
    pub fn served(&self, text: &[u8], evaluation: &Evaluation) -> Served {
        let hash = xxh64(text, 0);
        // The usual case: another VM has received this config before, and has read all of it for this.
        let fingerprint = if self.hashes.first() == Some(&hash) { self.health.fingerprint } else { of_text(text) };
        let health = Health { fingerprint, faults: evaluation.faults.len(), faulty: evaluation.faulty.clone() };
        Served { hash, health: Rc::new(health), in_force: evaluation.in_force.clone() }
    }

    /// The difference that it makes.
    pub fn difference(&self, after: &State) -> Difference {
        let all = |line: &str| Difference { line: line.to_owned(), gone: Vec::new() };
        match (&self.in_force, &after.in_force) {
            (Some(before), Some(after)) if before != after => difference(before, after),
            (None, Some(_)) => all("first config"),
            _ => all(NOTHING),
        }
    }

    /// The state as it is stored: `GENERATION SINCE HASH…`, then the health; if anything is in force, its headers, its seal and its
    /// rules follow, each from a line of its own on.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.generation, self.since);
        for hash in &self.hashes {
            let _ = write!(text, " {hash}");
        }
        text.push('\n');
        self.health.write(&mut text);
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

    /// Reads what [`State::to_bytes`] wrote; anything else is the state before any config.
    pub fn from_bytes(bytes: Vec<u8>) -> State {
        String::from_utf8(bytes).ok().and_then(State::from_text).unwrap_or_default()
    }

    fn from_text(mut text: String) -> Option<State> {
        let lines: Vec<&str> = text.splitn(6, '\n').collect();
        let mut numbers = lines.first()?.split(' ').map(|number| number.parse::<u64>().ok());
        let (generation, since) = (numbers.next()??, numbers.next()??);
        let hashes = numbers.collect::<Option<Vec<u64>>>()?;
        let health = Rc::new(Health::read(lines.get(1)?)?);
        let (headers, seal, rules) = match *lines.as_slice() {
            [_, _] => return Some(State { generation, since, hashes, health, in_force: None }),
            [_, _, request, response, seal, rules] => {
                let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                (Headers { request: request.to_owned(), response: given(response) }, given(seal), rules.len())
            }
            _ => return None,
        };
        text.drain(..text.len() - rules);
        let in_force = Some(Rc::new(InForce { headers, seal, rules: text }));
        Some(State { generation, since, hashes, health, in_force })
    }
}
