//! Whether two plugins undo what each other does.

use crate::input::manifest::{GATEWAY_API, Object};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway_api::NAME_LABEL;
use crate::world::labels::Labels;
use crate::world::namespace::ROOT_NAMESPACE;
use crate::world::plugin::{Aim, Plugin};
use std::collections::{HashMap, HashSet};

const TWO_PLUGINS: Code = Code {
    name: "two-plugins-one-header",
    severity: Severity::Error,
    why: "each filter removes what it has not written, so the later one undoes the decisions of the earlier one",
    fix: "give one of them another header, or put the rules of both into one plugin",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&TWO_PLUGINS];

/// Where a plugin says that it is. Two plugins can only be together if they say the same, or one aims at the Gateway whose pods the
/// other selects.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Where<'p> {
    /// At a target, as JSON, in its namespace.
    Target(&'p str, String),
    /// At a Gateway of this name.
    Aimed(&'p str),
    /// On the pods of a Gateway of this name.
    Selected(&'p str),
    /// On pods with some labels.
    Labels,
}

impl<'p> Where<'p> {
    fn all(plugin: &'p Plugin, object: &'p Object) -> Vec<Where<'p>> {
        let targets = plugin.targets();
        let mut all: Vec<_> =
            plugin.selector().and_then(|own| own.get(NAME_LABEL)).map(Where::Selected).into_iter().collect();
        if targets.is_empty() {
            all.push(Where::Labels);
        }
        let aims = targets.iter().map(|target| Aim::of(target)).filter(|aim| aim.is("Gateway", GATEWAY_API));
        all.extend(aims.map(|aim| Where::Aimed(aim.name)));
        all.extend(targets.iter().map(|target| Where::Target(&object.namespace, target.to_json())));
        all
    }

    /// What a plugin on the same gateway says.
    fn met(&self) -> Where<'p> {
        match self {
            Where::Aimed(name) => Where::Selected(name),
            Where::Selected(name) => Where::Aimed(name),
            same => same.clone(),
        }
    }
}

/// Compares every plugin with those before it that may be on the same gateway, up to the first that writes the same header.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let mut known: HashMap<Where, Vec<&Plugin>> = HashMap::new();
    for plugin in &world.plugins {
        let Some(object) = plugin.object() else { continue };
        let all = Where::all(plugin, object);
        let earlier = all.iter().filter_map(|own| known.get(&own.met())).flatten().copied();
        let shared = earlier.filter_map(|earlier| Some((earlier, shared(earlier, plugin)?)));
        // Many of them may write a header; one tells.
        let (mut seen, most) = (HashSet::new(), plugin.headers().count());
        for (earlier, header) in shared {
            if seen.contains(header) || !are_together(earlier, plugin) {
                continue;
            }
            seen.insert(header);
            let there = earlier.object().map(Object::title).unwrap_or_default();
            let own = plugin.config.node.as_ref().and_then(|config| config.get("header"));
            let node = own.or(object.at(&["metadata", "name"])).unwrap_or(&object.node);
            let message = format!("{} writes {header}, as {there} does", object.title());
            findings.push(Finding::new(&TWO_PLUGINS, &object.source, &node.span, message));
            if seen.len() == most {
                break;
            }
        }
        all.into_iter().for_each(|own| known.entry(own).or_default().push(plugin));
    }
}

/// A header that both write.
fn shared<'p>(one: &'p Plugin, other: &'p Plugin) -> Option<&'p str> {
    one.headers().find(|header| other.headers().any(|there| there == *header))
}

/// Whether two plugins are surely on one gateway.
fn are_together(one: &Plugin, other: &Plugin) -> bool {
    let (Some(first), Some(second)) = (one.object(), other.object()) else { return false };
    if one.header.is_none() || ![first, second].into_iter().all(is_for_all_requests) {
        return false;
    }
    let is_root = |object: &Object| object.namespace == ROOT_NAMESPACE;
    let is_there = first.namespace == second.namespace || is_root(first) || is_root(second);
    if one.is_policy() != other.is_policy() {
        return false;
    }
    let (targets, others) = (one.targets(), other.targets());
    let names = |plugin: &Plugin| plugin.selector().and_then(|selector| selector.get(NAME_LABEL).map(str::to_owned));
    let is_named = |targets: &[&Node], name: Option<String>| {
        let is_it = |name: &str| {
            targets.iter().map(|target| Aim::of(target)).any(|aim| aim.is("Gateway", GATEWAY_API) && aim.name == name)
        };
        name.is_some_and(|name| is_it(&name))
    };
    if is_there && (is_named(&targets, names(other)) || is_named(&others, names(one))) {
        return true;
    }
    if targets.is_empty() && others.is_empty() && one.is_policy() {
        // Selectors that differ may find different targets.
        let selectors = |plugin: &Plugin| plugin.target_selectors().iter().map(Node::to_json).collect::<Vec<_>>();
        return first.namespace == second.namespace && selectors(one) == selectors(other);
    }
    if targets.is_empty() && others.is_empty() {
        let (Some(labels), Some(others)) = (labels(first), labels(second)) else { return false };
        return is_there && (labels.selects(&others) || others.selects(&labels));
    }
    // By its name a Gateway is aimed at in the plugin's own namespace alone.
    let is_shared = |target: &&Node| others.iter().any(|other| other.to_json() == target.to_json());
    first.namespace == second.namespace && targets.iter().any(is_shared)
}

/// Whether a plugin is for the requests of gateways at any port.
fn is_for_all_requests(object: &Object) -> bool {
    let entries = object.items(&["spec", "match"]);
    let is_open = |entry: &Node| {
        let ports = entry.get("ports").map_or(&[][..], Node::items);
        entry.get("mode").and_then(Node::text) != Some("SERVER") && ports.is_empty()
    };
    entries.is_empty() || entries.iter().any(is_open)
}

/// The labels that it selects; none: all pods.
fn labels(object: &Object) -> Option<Labels<'_>> {
    object.at(&["spec", "selector", "matchLabels"]).map_or(Some(Labels::default()), Labels::of)
}
