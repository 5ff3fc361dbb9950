//! How an explanation shows what is in a request and in a config.

use super::explanation::Explanation;
use crate::input::manifest::PluginConfig;
use crate::input::secrets::CONDITIONS;
use crate::input::yaml::Node;
use canary_split::subset::Subset;
use serde_json::Value;

/// What the subset header says, without the seal.
pub fn masked(subset: &Subset) -> String {
    let end = if subset.header_value == subset.name { "" } else { ".***" };
    format!("{}{end}", subset.name)
}

/// A value of a request, in quotes and not longer than a line. Bytes that are not UTF-8 are escaped.
pub fn quoted(bytes: &[u8]) -> String {
    const MOST: usize = 100;
    let (text, more) = match bytes.split_at_checked(MOST) {
        Some((text, more)) if !more.is_empty() => (text, "…"),
        _ => (bytes, ""),
    };
    match std::str::from_utf8(text) {
        Ok(text) => format!("{text:?}{more}"),
        Err(_) => format!("\"{}\"{more}", text.escape_ascii()),
    }
}

/// What the conditions that may be secret are compared with.
pub fn mask(explanation: &mut Explanation) {
    let reasons = explanation.passed.iter_mut().flat_map(|passed| &mut passed.reasons);
    for reason in reasons.filter(|reason| is_secret(&reason.at.place)) {
        let mut wanted = serde_json::from_str(&reason.wanted).unwrap_or_default();
        hide(&mut wanted);
        reason.wanted = wanted.to_string();
    }
}

/// The seal instead of what stands for it.
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
