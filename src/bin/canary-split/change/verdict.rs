//! The filter's verdict on a config with an edited rule.

use super::Refusal;
use super::rule::Chosen;
use crate::edit::{Edit, patch};
use crate::input::manifest::PluginConfig;
use canary_split::config::{ConfigError, General};
use canary_split::rule::{Rule, Target, WeightedSubsets};
use serde_json::Value;

/// The filter's verdict on a rule.
pub enum Verdict {
    /// It is in force.
    Good(Box<Rule>),
    /// It has faults.
    Faulty(Vec<ConfigError>),
    /// The whole config is refused.
    Refused(Vec<ConfigError>),
}

/// The verdict of the filter's own parser on the rule at this place of a config, after these edits.
pub fn after(config: &PluginConfig, index: usize, edits: &[Edit]) -> Verdict {
    let mut json = value(config);
    if let Some(rule) = json.get_mut("rules").and_then(|rules| rules.get_mut(index)) {
        // An edit that cannot be made is a fault of the text, which is reported where it is edited.
        let _ = patch::apply(rule, edits);
    }
    // The rest stays as it is written: a repeated field is a fault that no JSON value can hold.
    let text = if edits.is_empty() { config.json() } else { json.to_string() };
    of(&text, index)
}

/// The same for an unedited config.
pub fn of(text: &str, index: usize) -> Verdict {
    let general = match General::parse(text.as_bytes()) {
        Ok((general, _)) => general,
        Err(refused) => return Verdict::Refused(refused.errors),
    };
    let rule = general.rules().nth(index).map(|entry| entry.rule);
    match rule {
        Some(Ok(rule)) => Verdict::Good(Box::new(rule)),
        Some(Err(errors)) => Verdict::Faulty(errors),
        None => Verdict::Faulty(Vec::new()),
    }
}

/// The rule at this place of a config, if it is in force with a split.
pub fn split(config: &PluginConfig, index: usize) -> Option<WeightedSubsets> {
    match of(&config.json(), index) {
        Verdict::Good(rule) => match rule.target {
            Target::Split(split) => Some(split),
            Target::Fixed(_) | Target::Adopted(_) => None,
        },
        _ => None,
    }
}

/// All of a config.
pub fn value(config: &PluginConfig) -> Value {
    serde_json::from_str(&config.json()).unwrap_or_default()
}

/// The first of these, in words.
pub fn first(errors: &[ConfigError]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}

/// Whether the filter takes the rule after these edits.
pub fn check(config: &PluginConfig, rule: Chosen, edits: &[Edit]) -> Result<(), Refusal> {
    match after(config, rule.index, edits) {
        Verdict::Good(_) => Ok(()),
        Verdict::Faulty(errors) => Err(format!("rule {} would have a fault: {}", rule.name, first(&errors)).into()),
        Verdict::Refused(errors) => Err(format!("the filter would refuse the config: {}", first(&errors)).into()),
    }
}
