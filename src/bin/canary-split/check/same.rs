//! Whether two routes say the same in a setting, however it is written.

use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};
use crate::world::table::Step;

/// What a setting says where it is left out.
const DEFAULTS: [(&str, &str); 3] = [("allowCredentials", "false"), ("attempts", "2"), ("maxAge", "86400000")];

/// A setting of a route; an empty one is none.
pub fn setting<'o>(step: &Step<'_, 'o>, key: &str) -> Option<&'o Node> {
    step.setting(key).filter(|node| !matches!(node.value, Value::Null))
}

/// The fields in which two settings differ, sorted; an empty name: the setting itself.
pub fn differing(one: Option<&Node>, other: Option<&Node>) -> Vec<String> {
    let fields = |node: Option<&Node>| match node.map(|node| &node.value) {
        None | Some(Value::Map(_)) => node.map_or(&[][..], Node::entries).iter().filter_map(field).collect::<Vec<_>>(),
        Some(_) => node.map(|node| (String::new(), plain("", node))).into_iter().collect(),
    };
    let (one, other) = (fields(one), fields(other));
    let lacks = |all: &[(String, String)], field: &(String, String)| !all.contains(field);
    let differing =
        one.iter().filter(|field| lacks(&other, field)).chain(other.iter().filter(|field| lacks(&one, field)));
    let mut names: Vec<_> = differing.map(|(name, _)| name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Where a route says a setting, or this field of it; of what it does not say itself, the route.
pub fn place<'w, 'o>(step: &Step<'w, 'o>, key: &str, field: &str) -> (&'o Object, &'o Node) {
    let own = step.route.setting(key).map(|setting| setting.get(field).unwrap_or(setting));
    (step.service.object, own.unwrap_or(step.route.node))
}

/// A field and what it says, unless that is what it says anyway.
fn field((key, value): &(crate::input::yaml::Key, Node)) -> Option<(String, String)> {
    let plain = plain(&key.name, value);
    let is_default = DEFAULTS.contains(&(&*key.name, plain.as_str()));
    (!is_default && plain != "null").then(|| (key.name.to_string(), plain))
}

/// A value so that equal ones are written alike: mappings and lists sorted, durations in milliseconds.
fn plain(key: &str, node: &Node) -> String {
    match &node.value {
        Value::Map(entries) => {
            let mut fields: Vec<_> = entries.iter().filter_map(field).collect();
            fields.sort();
            format!("{fields:?}")
        }
        Value::List(items) => {
            let mut items: Vec<_> = items.iter().map(|item| plain("", item)).collect();
            items.sort();
            items.dedup();
            format!("{items:?}")
        }
        Value::String(text) if key == "retryOn" => {
            let mut words: Vec<_> = text.split(',').map(str::trim).collect();
            words.sort_unstable();
            words.join(",")
        }
        Value::String(text) => {
            milliseconds(text).map_or_else(|| format!("{text:?}"), |milliseconds| milliseconds.to_string())
        }
        _ => node.to_json(),
    }
}

/// A duration as Istio reads it: `1h2m`, `1.5s`, `200ms`.
pub fn milliseconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0)];
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|digit: char| !digit.is_ascii_digit() && digit != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        sum += number.parse::<f64>().ok()? * factor;
        rest = after.get(unit.len()..)?;
    }
    (!text.is_empty()).then_some(sum as u64)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn durations_are_read_as_in_istio() {
        let table = [
            ("15s", Some(15_000)),
            ("1.5s", Some(1500)),
            ("200ms", Some(200)),
            ("1h2m3s", Some(3_723_000)),
            ("0s", Some(0)),
            ("15", None),
            ("s", None),
            ("", None),
            ("5 s", None),
        ];
        for (text, expected) in table {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
