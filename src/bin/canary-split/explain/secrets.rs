//! The parts of an explanation that are hidden unless they are asked for.

use super::explanation::Explanation;
use crate::input::manifest::PluginConfig;
use crate::input::secrets::CONDITIONS;
use crate::input::yaml::Node;
use serde_json::Value;

/// The values of conditions that may be secret.
pub fn mask(explanation: &mut Explanation) {
    let reasons = explanation.passed.iter_mut().flat_map(|passed| &mut passed.reasons);
    for reason in reasons.filter(|reason| is_secret(&reason.at.place)) {
        let mut wanted = serde_json::from_str(&reason.wanted).unwrap_or_default();
        hide(&mut wanted);
        reason.wanted = wanted.to_string();
    }
}

/// The seal instead of its placeholder.
pub fn unmask(explanation: &mut Explanation, written: &PluginConfig) {
    let seal = written.node.as_ref().and_then(|config| config.get("seal")).and_then(Node::text);
    if let Some((value, seal)) = explanation.header.value.as_mut().zip(seal)
        && let Some(subset) = value.strip_suffix("***")
    {
        *value = format!("{subset}{seal}");
    }
}

/// Whether a place is in a condition whose values may be secret: `….match[0].headers.x-key`.
fn is_secret(place: &str) -> bool {
    place.split("].").any(|part| CONDITIONS.iter().any(|name| part.split(['.', '[']).next() == Some(name)))
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(entries) => entries.values_mut().for_each(hide),
        Value::Null => {}
        _ => *value = "***".into(),
    }
}
