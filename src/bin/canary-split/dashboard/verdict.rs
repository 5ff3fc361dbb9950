//! How a rule is, in one sentence: what goes where, who has it, how much fails.

use crate::cluster::expected::Pods;
use crate::cluster::health::is_astray;
use crate::cluster::reading::{Gateway, PluginReading, RuleReading, State, SubsetReading};
use crate::report::share::{DRAWS, Share};
use serde::Serialize;

/// From this share of errors on somebody should look.
const MANY: f64 = 0.01;

/// No good name of a rule has more letters.
const LONGEST: usize = 63;

/// How a rule is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How bad it is.
    pub level: Level,
    /// In words.
    pub text: String,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Good,
    /// Somebody should look.
    Warning,
    /// Requests go wrong, or nobody knows.
    Bad,
}

/// The sentence about a rule.
pub fn of(plugin: &PluginReading, rule: &RuleReading) -> Verdict {
    let parts = [
        state(rule),
        split(rule, &plugin.gateways),
        astray(rule),
        pods(rule),
        gateways(&plugin.gateways),
        errors(rule),
    ];
    let parts: Vec<(Level, String)> = parts.into_iter().flatten().collect();
    let level = parts.iter().map(|(level, _)| *level).max().unwrap_or(Level::Good);
    let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    Verdict { level, text: format!("{}: {}", short(&rule.name), texts.join(", ")) }
}

/// A name as it is in sentences: one that is longer than any good one is cut.
pub fn short(name: &str) -> String {
    match name.chars().count() <= LONGEST {
        true => name.to_owned(),
        false => name.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

fn state(rule: &RuleReading) -> Option<(Level, String)> {
    match rule.state {
        State::Active => None,
        State::LastGood => {
            Some((Level::Bad, "its last good version is in force, because the config has a fault".to_owned()))
        }
        State::Off => Some((Level::Bad, "off, because the config has a fault".to_owned())),
    }
}

/// Where the requests go.
fn split(rule: &RuleReading, gateways: &[Gateway]) -> Option<(Level, String)> {
    if rule.state == State::Off {
        return None;
    }
    let tripped: Vec<&str> = rule.subsets.iter().filter(|subset| subset.tripped).map(|subset| &*subset.name).collect();
    let stable = rule.subsets.iter().find(|subset| subset.stable).map_or("stable", |subset| &subset.name);
    if !tripped.is_empty() {
        let who = tripped.join(", ");
        return Some((Level::Bad, format!("the guard has removed {who}, and {stable} gets its share")));
    }
    if let Some(header) = &rule.adopts {
        return Some((Level::Good, format!("the weights of its route decide, by {header}")));
    }
    if let [only] = rule.subsets.as_slice()
        && !only.stable
    {
        return Some((Level::Good, format!("all its requests on {}", only.name)));
    }
    let differs = rule.subsets.iter().find(|subset| subset.in_force.is_none() && subset.in_force_by_gateway.len() > 1);
    if let Some(subset) = differs {
        let by: Vec<String> =
            subset.in_force_by_gateway.iter().map(|(pod, weight)| format!("{weight} at {pod}")).collect();
        return Some((Level::Bad, format!("the gateways differ: {} has {}", subset.name, by.join(" and "))));
    }
    if let Some(unknown) = unknown(rule, gateways) {
        return Some((Level::Bad, unknown));
    }
    let canaries = rule.subsets.iter().filter(|subset| !subset.stable);
    let with_share: Vec<String> = canaries
        .filter_map(|subset| {
            Some((weight_share(rule, &subset.name).filter(|share| *share > Share::default())?, subset))
        })
        .map(|(share, subset)| format!("{share} on {}", subset.name))
        .collect();
    let text = if with_share.is_empty() { format!("everybody on {stable}") } else { with_share.join(" and ") };
    Some((Level::Good, text))
}

/// A gateway has the config, but does not say what it does with it: no weight or trip, or one that cannot be.
fn unknown(rule: &RuleReading, gateways: &[Gateway]) -> Option<String> {
    // The last good version may have other subsets.
    if rule.state != State::Active {
        return None;
    }
    rule.subsets.iter().filter(|subset| subset.weight.is_some()).find_map(|subset| {
        let mut current = gateways.iter().filter(|gateway| gateway.current);
        current.find_map(|Gateway { pod, .. }| {
            if !subset.in_force_by_gateway.contains_key(pod) {
                return Some(format!("the weight of {} in force is not known at {pod}", subset.name));
            }
            let is_watched = rule.is_guarded && !subset.stable;
            (is_watched && !subset.tripped_by_gateway.contains_key(pod))
                .then(|| format!("whether the guard has removed {} is not known at {pod}", subset.name))
        })
    })
}

fn astray(rule: &RuleReading) -> Option<(Level, String)> {
    let subset = rule.subsets.iter().find(|subset| !subset.stable && is_astray(rule, subset))?;
    Some((Level::Bad, format!("but {:.1} % arrived at {}", subset.arrived? * 100.0, subset.name)))
}

fn pods(rule: &RuleReading) -> Option<(Level, String)> {
    let has_weight = |name: &str| weight_share(rule, name).is_some_and(|share| share > Share::default());
    let is_empty = |pods: Pods| pods.ready == 0;
    let subset = rule.subsets.iter().find(|subset| subset.pods.is_some_and(is_empty) && has_weight(&subset.name))?;
    Some((Level::Bad, format!("no pod of {} is ready", subset.name)))
}

/// Which gateways have the config.
fn gateways(gateways: &[Gateway]) -> Option<(Level, String)> {
    let total = gateways.len();
    let not: Vec<String> = gateways.iter().filter_map(lacks).collect();
    Some(match (total, not.as_slice()) {
        (0, _) => (Level::Bad, "on no gateway".to_owned()),
        (1, []) => (Level::Good, "the gateway has it".to_owned()),
        (_, []) => (Level::Good, format!("all {total} gateways have it")),
        (_, not) => (Level::Bad, format!("{} of {total} gateways have it: {}", total - not.len(), not.join("; "))),
    })
}

/// What a gateway lacks.
fn lacks(gateway: &Gateway) -> Option<String> {
    let what = match gateway {
        Gateway { silent: Some(_), .. } => "does not answer",
        Gateway { has_filter: false, .. } => "does not run the filter",
        Gateway { current: false, .. } => "has another config",
        _ => return None,
    };
    Some(format!("{} {what}", gateway.pod))
}

fn errors(rule: &RuleReading) -> Option<(Level, String)> {
    let sum = |count: fn(&SubsetReading) -> f64| rule.subsets.iter().map(count).sum::<f64>();
    let (responses, failed) = (sum(|subset| subset.ended.responses), sum(|subset| subset.ended.failed));
    if responses == 0.0 {
        let is_measured = rule.requests > 0.0;
        return (!is_measured).then(|| (Level::Good, "no requests lately".to_owned()));
    }
    let share = failed / responses;
    Some((if share >= MANY { Level::Warning } else { Level::Good }, format!("{:.1} % errors", share * 100.0)))
}

/// The share of a subset of the weights: of those in force, else of those in the config.
fn weight_share(rule: &RuleReading, name: &str) -> Option<Share> {
    let in_force: Option<Vec<u64>> = rule.subsets.iter().map(|subset| subset.in_force).collect();
    let is_known = in_force.as_ref().is_some_and(|weights| weights.iter().any(|weight| *weight > 0))
        && !rule.subsets.iter().any(|subset| subset.tripped);
    let configured = || rule.subsets.iter().map(|subset| subset.weight.map(u64::from)).collect();
    let weights = in_force.filter(|_| is_known).or_else(configured)?;
    let sum: u64 = weights.iter().sum();
    let place = rule.subsets.iter().position(|subset| subset.name == name)?;
    weights.get(place)?.saturating_mul(DRAWS).checked_div(sum).map(Share::of_draws)
}
