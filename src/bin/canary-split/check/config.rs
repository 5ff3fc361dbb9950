//! Every `pluginConfig` by the filter's own parser.

use crate::input::locator::Locator;
use crate::input::manifest::{Objects, PluginConfig};
use crate::report::finding::{Code, Finding, Severity};
use canary_split::config::{Config, ConfigError};

/// A `pluginConfig` that the filter does not take as it is.
pub const CONFIG: Code = Code {
    name: "config",
    severity: Severity::Error,
    why: "the cluster accepts it; in the gateway a bad rule keeps its last good version or is off, and a bad config changes nothing",
    fix: "fix the field; canary-split schema prints all of them",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&CONFIG];

/// Nobody reads more of one config, and to print them takes longer than to find them.
const MOST: usize = 1000;

/// Looks at the configs one by one.
pub fn check(objects: &Objects, findings: &mut Vec<Finding>) {
    for config in objects.configs() {
        if let Err(errors) = Config::from_json(config.json().as_bytes()) {
            let locator = config.locator();
            let shown = findings.len() + MOST;
            findings.extend(errors.iter().take(MOST).map(|error| finding(&config, &locator, error)));
            if let Some(last) = shown.checked_sub(1).and_then(|at| findings.get_mut(at))
                && let Some(more @ 1..) = errors.len().checked_sub(MOST)
            {
                last.message.push_str(&format!("; {more} more errors of this config are not shown"));
            }
        }
    }
}

fn finding(config: &PluginConfig, locator: &Locator, error: &ConfigError) -> Finding {
    let is_name = ["unknown field", "given twice"].iter().any(|problem| error.problem.starts_with(problem));
    let message = format!("{error}{}", hint(error));
    Finding::new(&CONFIG, &config.source, &locator.locate(&error.place, is_name), message)
}

/// Fields that have durations.
const DURATIONS: [&str; 3] = ["ttl", "after", "holdFor"];
/// Fields of `match` that have a condition for each name.
const CONDITIONS: [&str; 5] = ["headers", "withoutHeaders", "cookies", "queryParams", "claims"];

/// What to write instead, where that is plain.
fn hint(error: &ConfigError) -> &'static str {
    let field = error.place.rsplit('.').next().unwrap_or_default();
    let knows_on = || error.problem.split([' ', ',']).any(|known| known == "on");
    if field == "true" && error.problem.starts_with("unknown field") && knows_on() {
        return "; write \"on\" in quotes, since YAML reads it as true";
    }
    let is_in_match = error.place.contains(".match[") || error.place.contains(".forget[");
    if error.problem.ends_with("is a number, not a string") {
        return match field {
            "margin" => "; write it in quotes and with a percent sign, as in \"5%\"",
            field if DURATIONS.contains(&field) => "; write it with a unit, as in 24h",
            _ => "",
        };
    }
    let is_text = error.problem.ends_with("a string, not an object");
    if is_text && is_in_match && !field.ends_with(']') && !CONDITIONS.contains(&field) {
        return "; write {exact: …}, or prefix or regex";
    }
    ""
}
