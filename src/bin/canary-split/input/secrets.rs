//! What no log may show: seals, and what headers, cookies, query parameters and claims are compared with.

use super::manifest::{Object, Objects};
use super::secret::{Secret, scalars};
use super::yaml::Node;
use std::collections::HashSet;

/// Conditions whose values let somebody in.
pub const CONDITIONS: [&str; 5] = ["headers", "withoutHeaders", "queryParams", "cookies", "claims"];

/// Those of a config.
pub fn of_config(config: &Node, secrets: &mut Vec<Secret>) {
    config.get("seal").into_iter().for_each(|seal| scalars(seal, secrets));
    conditions(config, secrets);
}

/// The values of conditions anywhere below a node.
fn conditions(node: &Node, secrets: &mut Vec<Secret>) {
    for (key, value) in node.entries() {
        if CONDITIONS.contains(&&*key.name) {
            value.entries().iter().for_each(|(_, value)| scalars(value, secrets));
        } else {
            conditions(value, secrets);
        }
    }
    node.items().iter().for_each(|item| conditions(item, secrets));
}

/// Those of an object: of a plugin, which may be this filter, the config; of a VirtualService the conditions that name no subset;
/// of pods their environment.
pub fn of_object(object: &Object, known: &Known, secrets: &mut Vec<Secret>) {
    if let Some(module) = object.module() {
        module.get("pluginConfig").into_iter().for_each(|config| of_config(config, secrets));
        return;
    }
    if object.kind != "VirtualService" {
        environment(&object.node, secrets);
        return;
    }
    let entries =
        object.items(&["spec", "http"]).iter().flat_map(|route| route.get("match").map_or(&[][..], Node::items));
    for (key, value) in entries.flat_map(Node::entries) {
        if !CONDITIONS.contains(&&*key.name) {
            continue;
        }
        for (name, condition) in value.entries() {
            for (_, value) in condition.entries() {
                of_route(object, &name.name, value, known, secrets);
            }
        }
    }
}

/// What tells a value that routes by the filter's header from one that is compared with a secret.
#[derive(Debug, Default)]
pub struct Known {
    /// Headers that plugins write.
    headers: HashSet<String>,
    /// Names of subsets.
    subsets: HashSet<String>,
}

impl Known {
    /// Of all objects.
    pub fn of(objects: &Objects) -> Known {
        let mut known = Known::default();
        known.headers.insert("x-canary-subset".to_owned());
        for config in objects.configs().filter_map(|config| config.node) {
            known.headers.extend(config.get("header").and_then(Node::text).map(str::to_ascii_lowercase));
        }
        objects.objects.iter().for_each(|object| subsets(&object.node, &mut known.subsets));
        objects
            .bare
            .iter()
            .filter_map(|config| config.node.as_ref())
            .for_each(|node| subsets(node, &mut known.subsets));
        for rule in objects.of_kind("DestinationRule") {
            let names = rule.items(&["spec", "subsets"]).iter().filter_map(|subset| subset.get("name")?.text());
            known.subsets.extend(names.map(str::to_ascii_lowercase));
        }
        known
    }

    fn has_subset(&self, text: &str) -> bool {
        self.subsets.contains(&text.to_ascii_lowercase())
    }
}

/// Every `subset: NAME` below a node.
fn subsets(node: &Node, found: &mut HashSet<String>) {
    for (key, value) in node.entries() {
        match value.text() {
            Some(text) if &*key.name == "subset" => found.extend([text.to_ascii_lowercase()]),
            _ => subsets(value, found),
        }
    }
    node.items().iter().for_each(|item| subsets(item, found));
}

/// `SUBSET.SEAL` keeps the subset, whether or not the plugin is given; what names a subset alone is none.
fn of_route(object: &Object, name: &str, value: &Node, known: &Known, secrets: &mut Vec<Secret>) {
    let Some(text) = value.text() else { return scalars(value, secrets) };
    let is_ours = known.headers.contains(&name.to_ascii_lowercase());
    if let Some((subset, seal)) = text.split_once('.').filter(|(subset, _)| is_ours || known.has_subset(subset)) {
        let written = object.source.text.get(value.span.clone()).unwrap_or_default();
        let open = written.trim_start_matches(['"', '\'']);
        let sealed = open.strip_prefix(subset).and_then(|rest| rest.strip_prefix('.')).unwrap_or(written);
        secrets.push(Secret { span: value.span.end - sealed.len()..value.span.end, text: seal.to_owned() });
    } else if !is_ours && !known.has_subset(text) {
        scalars(value, secrets);
    }
}

/// The values of `env`.
fn environment(node: &Node, secrets: &mut Vec<Secret>) {
    for (key, value) in node.entries() {
        if &*key.name == "env" {
            value.items().iter().filter_map(|variable| variable.get("value")).for_each(|value| scalars(value, secrets));
        }
        environment(value, secrets);
    }
    node.items().iter().for_each(|item| environment(item, secrets));
}
