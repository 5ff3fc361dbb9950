//! Recognises the plugins with this filter.

use super::yaml::{Node, Value};

/// Where a module says what it is.
const NAMES: [&[&str]; 6] =
    [&["pluginName"], &["url"], &["name"], &["rootID"], &["code", "image", "url"], &["code", "http", "url"]];

/// Whether a plugin has this filter: by its name, `pluginName` or `url`, or by the fields of its rules.
pub fn is_ours(name: &str, module: &Node, config: &str) -> bool {
    let is_named = |text: &str| text.contains("canary-split") || text.contains("canary_split");
    let names = NAMES.iter().filter_map(|keys| module.at(keys)).filter_map(Node::text);
    names.chain([name]).any(is_named)
        || [config, "pluginConfig"]
            .iter()
            .any(|field| module.at(&[field, "rules"]).map_or(&[][..], Node::items).iter().any(decides))
}

/// Whether the config of another plugin looks as if it were meant for this filter, with rules in another place.
pub fn is_almost_ours(module: &Node, config: &str) -> bool {
    let is_list_of_rules = |node: &Node| node.items().iter().any(decides) || decides(node);
    let looks_alike = |config: &Node| {
        let is_meant = |name: &str| name.eq_ignore_ascii_case("rules") || name.eq_ignore_ascii_case("rule");
        config.entries().iter().any(|(key, value)| {
            is_list_of_rules(value)
                || is_meant(&key.name) && value.entries().iter().any(|(_, value)| is_list_of_rules(value))
                || is_meant(&key.name) && value.items().iter().any(has_weights)
        })
    };
    module.entries().iter().any(|(key, value)| {
        key.name.eq_ignore_ascii_case(config) && (looks_alike(value) || value.items().iter().any(decides))
    })
}

/// Whether a mapping has fields that only rules of this filter have.
fn decides(rule: &Node) -> bool {
    rule.get("subset").is_some_and(|subset| subset.text().is_some())
        || rule.get("split").is_some_and(|split| split.items().iter().any(|part| part.get("subset").is_some()))
        || rule.get("split").is_some_and(|split| matches!(split.value, Value::Map(_)))
        || rule.at(&["adopt", "header"]).is_some()
}

/// Whether any list in a mapping contains subsets and weights.
fn has_weights(rule: &Node) -> bool {
    let lists = rule.entries().iter().flat_map(|(_, value)| value.items());
    lists.into_iter().any(|part| part.get("subset").is_some() && part.get("weight").is_some())
}

/// Whether a mapping without a kind is a config, by its fields.
pub fn is_config(node: &Node) -> bool {
    let fields = ["header", "responseHeader", "seal", "rules"];
    node.get("rules").is_some_and(|rules| matches!(rules.value, Value::List(_)))
        && node.entries().iter().all(|(key, _)| fields.contains(&&*key.name))
}
