//! How a config is: which one it is, how many faults it has, and what has become of the rules that have them.

use super::in_force::places;
use std::fmt::Write;

/// Why a rule is in force, or that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// As the config says.
    Active,
    /// As the last config said in which it was good.
    LastGood,
    /// Not in force.
    Off,
}

impl RuleState {
    /// What it is called in the statistics.
    pub fn name(self) -> &'static str {
        match self {
            RuleState::Active => "active",
            RuleState::LastGood => "last_good",
            RuleState::Off => "off",
        }
    }
}

/// A rule that is not as its config says.
pub type FaultyRule = (String, RuleState);

/// How a config is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// [`of_text`](crate::config::fingerprint::of_text) of its text.
    pub fingerprint: u32,
    /// How many faults it has.
    pub faults: usize,
    /// The rules that are not as it says, as far as they have names.
    pub faulty: Vec<FaultyRule>,
}

impl Health {
    /// The rules that are no longer in the state in which they are here.
    pub fn left(&self, now: &Health) -> impl Iterator<Item = &FaultyRule> {
        let places = places(&mut now.faulty.iter().map(|(name, _)| &**name));
        self.faulty.iter().filter(move |rule| {
            let still = places.get(&rule.0).and_then(|&at| now.faulty.get(at as usize));
            still != Some(*rule)
        })
    }

    /// One line: `FINGERPRINT FAULTS RULE=STATE…`
    pub(super) fn write(&self, text: &mut String) {
        let _ = write!(text, "{} {}", self.fingerprint, self.faults);
        for (rule, state) in &self.faulty {
            let _ = write!(text, " {rule}={}", state.name());
        }
    }

    /// Reads what [`Health::write`] wrote.
    pub(super) fn read(line: &str) -> Option<Health> {
        let mut parts = line.split(' ');
        let (fingerprint, faults) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let faulty = parts.map(|part| {
            let (rule, state) = part.split_once('=')?;
            let state = [RuleState::LastGood, RuleState::Off].into_iter().find(|known| known.name() == state)?;
            Some((rule.to_owned(), state))
        });
        Some(Health { fingerprint, faults, faulty: faulty.collect::<Option<_>>()? })
    }
}
