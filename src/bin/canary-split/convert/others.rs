//! A plugin that others may have rules in, since it has the same name in every call.

use super::plugin::Plugin;

/// The most rules that a sentence names.
const MOST_NAMES: usize = 4;

/// How a plugin is removed: others may have added rules to it.
pub fn removal(plugin: &Plugin) -> String {
    let namespace = &plugin.home.namespace;
    let place = if namespace.is_empty() { String::new() } else { format!("-n {namespace} ") };
    let (title, kind, name, rules) = (plugin.title(), plugin.kind().to_ascii_lowercase(), &plugin.name, rules(plugin));
    format!(
        "if {title} has no rules but {rules}: kubectl {place}delete {kind} {name}; otherwise remove {rules} from its rules"
    )
}

/// What to know before a plugin is applied: everybody's has the same name.
pub fn replaced(plugin: &Plugin) -> String {
    format!(
        "if {} is in the cluster already, add these rules to it instead of applying the file: applying replaces all of its rules",
        plugin.title()
    )
}

/// The names of a plugin's rules.
fn rules(plugin: &Plugin) -> String {
    let names: Vec<&str> = plugin.rules.iter().map(|rule| &*rule.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) if names.len() <= MOST_NAMES => format!("{} and {last}", first.join(", ")),
        _ => format!("these {}", names.len()),
    }
}
