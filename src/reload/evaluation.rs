//! A config and what was in force before it → the rules that are in force, and all errors.

use super::health::{FaultyRule, RuleState};
use super::in_force::{InForce, NO_RULES, names, places};
use crate::config::{Config, ConfigError, DEFAULT_POSITION_HEADER, General, Headers, Refused, position_header};
use std::rc::Rc;

/// The result of a config.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The rules that are in force.
    pub config: Config,
    /// All faults.
    pub faults: Vec<Fault>,
    /// The numbers of rules that are as the config says, on their last good version, and off.
    pub counts: Counts,
    /// The rules that are not as the config says, if they have names.
    pub faulty: Vec<FaultyRule>,
    pub(super) in_force: Option<Rc<InForce>>,
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

/// An error in a config, and its consequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error and its place.
    pub error: ConfigError,
    /// What the filter does.
    pub consequence: String,
}

/// `error (consequence)`
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.error, self.consequence)
    }
}

/// Evaluates a config's text, given what was in force before it.
pub(super) fn evaluate(before: Option<&Rc<InForce>>, text: &[u8]) -> Evaluation {
    let (general, ignored) = match General::parse(text) {
        Ok(parsed) => parsed,
        Err(whole) => return refused(before, whole),
    };
    let mut faults = faults(ignored, "ignored; the rules take effect");
    let mut counts = Counts::default();
    let mut faulty = Vec::new();
    let mut position_headers = Vec::new();
    let mut rules = Vec::with_capacity(general.count);
    let mut texts = Vec::with_capacity(general.count);
    // Looked up only where a rule is bad.
    let mut last_good = None;
    for (index, entry) in general.rules().enumerate() {
        let errors = match entry.rule {
            Ok(rule) => {
                counts.active += 1;
                texts.push(entry.text.as_str());
                rules.push(rule);
                continue;
            }
            Err(errors) => {
                // A route may use it, and no client may set it.
                position_headers.extend(position_header(entry.text));
                errors
            }
        };
        let (named, places) = last_good.get_or_insert_with(|| {
            let named = before.map(|before| before.named()).unwrap_or_default();
            let places = places(&mut names(&named));
            (named, places)
        });
        let restored = entry.name.as_ref().filter(|_| entry.may_be_restored).and_then(|name| {
            let (_, text) = named.get(*places.get(&**name)? as usize)?;
            Some((general.restore_rule(*text, index)?, *text))
        });
        match restored {
            Some((rule, text)) => {
                counts.last_good += 1;
                faults.extend(self::faults(errors, &format!("rule {} keeps its last good version", rule.name)));
                faulty.push((rule.name.clone(), RuleState::LastGood));
                texts.push(text.as_str());
                rules.push(rule);
            }
            None => {
                counts.off += 1;
                let consequence =
                    entry.name.as_ref().map_or("this rule is off".to_owned(), |name| format!("rule {name} is off"));
                faults.extend(self::faults(errors, &consequence));
                faulty.extend(entry.name.map(|name| (name, RuleState::Off)));
            }
        }
    }
    let in_force = match (last_good, before) {
        // The usual case: another VM has received this config before.
        (None, Some(before)) if before.is(&general) => Rc::clone(before),
        (None, _) => InForce::new(&general, general.list().unwrap_or(NO_RULES).to_owned()),
        (Some(_), _) => InForce::new(&general, format!("[{}]", texts.join(","))),
    };
    let mut config = Config::new(general.headers, rules);
    config.add_position_headers(position_headers);
    Evaluation { config, faults, counts, faulty, in_force: Some(in_force) }
}

/// A config that cannot be used: the last good one stays in force, or nothing is.
fn refused(before: Option<&Rc<InForce>>, refused: Refused) -> Evaluation {
    let Refused { errors, header, position_headers } = refused;
    let (mut config, consequence) = match before {
        Some(before) => (
            Config::new(before.headers.clone(), before.restored().collect()),
            "config refused; the last good one stays in force".to_owned(),
        ),
        None => {
            let mut headers = Headers::default();
            headers.request = header.unwrap_or(headers.request);
            let consequence =
                format!("config refused; no rule is in force, {} is removed from every request", headers.request);
            let mut config = Config::new(headers, Vec::new());
            // What its rules say may be unreadable.
            config.add_position_headers([DEFAULT_POSITION_HEADER.to_owned()]);
            (config, consequence)
        }
    };
    config.add_position_headers(position_headers);
    Evaluation {
        counts: Counts { last_good: config.rules.len(), ..Counts::default() },
        faulty: config.rules.iter().map(|rule| (rule.name.clone(), RuleState::LastGood)).collect(),
        config,
        faults: faults(errors, &consequence),
        in_force: before.cloned(),
    }
}

fn faults(errors: Vec<ConfigError>, consequence: &str) -> Vec<Fault> {
    errors.into_iter().map(|error| Fault { error, consequence: consequence.to_owned() }).collect()
}
