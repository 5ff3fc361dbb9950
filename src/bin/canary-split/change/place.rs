//! Places of a rule: as paths, and as config errors name them.

use crate::edit::Step;
use crate::input::manifest::Carrier;
use canary_split::config::ConfigError;
use serde_json::Value;

/// A rule, from the root of the object that has the module there.
pub fn rule(carrier: Carrier, index: usize) -> Vec<Step> {
    let module: Vec<Step> = match carrier {
        Carrier::WasmPlugin => vec!["spec".into()],
        Carrier::TrafficExtension => vec!["spec".into(), "wasm".into()],
        Carrier::Policy(at) => vec!["spec".into(), "wasm".into(), at.into()],
    };
    module.into_iter().chain([carrier.config_field().into(), "rules".into(), index.into()]).collect()
}

/// The weight of a subset.
pub fn weight(at: usize) -> Vec<Step> {
    vec!["split".into(), at.into(), "weight".into()]
}

/// The path within a rule to the place of a config error, as far as it exists. Names may contain dots: the longest one wins.
pub fn path_of(error: &ConfigError, index: usize, rule: &Value) -> Vec<Step> {
    let start = format!("rules[{index}]");
    let mut rest = error.place.strip_prefix(&start).unwrap_or_default();
    let (mut value, mut path) = (rule, Vec::new());
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let item = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (step, after) = match (item.and_then(|(at, after)| Some((at.parse().ok()?, after))), value) {
            (Some((at, after)), Value::Array(_)) => (Step::Item(at), after),
            (_, Value::Object(fields)) => {
                let begins = |name: &&String| {
                    rest.strip_prefix(name.as_str())
                        .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                let Some(name) = fields.keys().filter(begins).max_by_key(|name| name.len()) else { return path };
                (Step::Field(name.clone()), rest.get(name.len()..).unwrap_or_default())
            }
            _ => return path,
        };
        let Some(inner) = step.of(value) else { return path };
        (value, rest) = (inner, after);
        path.push(step);
    }
}
