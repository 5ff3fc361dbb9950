//! The health of a config: its fingerprint, the number of its faults, and the state of the rules that have them.

use super::in_force::places;
use std::fmt::Write;

/// Whether a rule is in force, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// As the config says.
    Active,
    /// As in the last config in which it was good.
    LastGood,
    /// Not in force.
    Off,
}

impl RuleState {
    /// Its name in the statistics.
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

/// The health of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// [`of_text`](crate::config::fingerprint::of_text) of its text.
    pub fingerprint: u32,
    /// The number of its faults.
    pub faults: usize,
    /// The rules that are not as it says, if they have names.
    pub faulty: Vec<FaultyRule>,
}

impl Health {
    /// The rules whose state differs from the one here.
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
