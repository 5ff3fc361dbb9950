//! The plugins: as the WasmPlugin that is shipped, with the gateway and the rules of what was converted; for Envoy Gateway as policies.

use super::gateway::{Aim, Controller, Home};
use super::policy;
use super::rule::{Rule, Target, name, unique};
use super::sticky::Sticky;
use crate::edit::text::edited;
use crate::edit::{Edit, fields, flow};
use crate::input::manifest::GATEWAY_API;
use crate::input::yaml::{self, Node};
use crate::world::host::overlap;
use serde_json::{Value, json};
use std::fmt::Write;

/// The one that is shipped, with the image of this release.
const SHIPPED: &str = include_str!("../../../../wasmplugin/wasmplugin.yaml");
/// What it has for rules.
const NO_RULES: &str = "    rules: []\n";

/// A WasmPlugin.
#[derive(Debug)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub home: Home,
    /// The header that it writes, if that is no default.
    pub header: Option<String>,
    /// In their order.
    pub rules: Vec<Rule>,
}

/// Plugins for what was converted, one for each gateway.
#[derive(Debug, Default)]
pub struct Plugins(pub Vec<Plugin>);

impl Plugins {
    /// Adds rules to those of these gateways, each before the rules for hosts around its own; under names that nobody has.
    ///
    /// # Errors
    ///
    /// A host that another rule has too, or that cannot be in any order with the hosts of another rule.
    pub fn add(&mut self, homes: &[Home], rules: Vec<Rule>, namespace: &str) -> Result<Vec<Rule>, String> {
        let mut rules = rules;
        let known: Vec<&str> = self.0.iter().flat_map(|plugin| &plugin.rules).map(|rule| &*rule.name).collect();
        for rule in &mut rules {
            if known.contains(&&*rule.name) && !namespace.is_empty() {
                rule.name = format!("{}-{}", rule.name, name(namespace));
            }
            rule.name = unique(&rule.name, |name| known.contains(&name));
        }
        let mut places = Vec::new();
        for home in homes {
            let plugin = self.0.iter().position(|plugin| plugin.home.is_of(home) && plugin.header.is_none());
            let known = plugin.and_then(|at| self.0.get(at)).map_or(&[][..], |plugin| &plugin.rules);
            places.push((plugin, home, rules.first().map_or(Ok(0), |rule| place(known, rule))?));
        }
        for (plugin, home, at) in places {
            let plugin = match plugin {
                Some(plugin) => plugin,
                None => {
                    self.push(home, None);
                    self.0.len() - 1
                }
            };
            if let Some(plugin) = self.0.get_mut(plugin) {
                plugin.home.widen(home);
                plugin.rules.splice(at..at, rules.clone());
            }
        }
        Ok(rules)
    }

    /// Adds a plugin that writes a header of its own.
    ///
    /// # Errors
    ///
    /// Another plugin writes that header.
    pub fn add_with(&mut self, homes: &[Home], header: &str, rules: &[Rule]) -> Result<(), String> {
        if self.0.iter().any(|plugin| plugin.header.as_deref() == Some(header)) {
            return Err(format!("another plugin writes {header} already; convert them one by one"));
        }
        for home in homes {
            self.push(home, Some(header.to_owned()));
            if let Some(plugin) = self.0.last_mut() {
                plugin.rules = rules.to_vec();
            }
        }
        Ok(())
    }

    /// A further plugin, under a name that nobody has.
    fn push(&mut self, home: &Home, header: Option<String>) {
        let label = home.labels.first().map(|(_, value)| &**value).or(home.aim.as_ref().map(|aim| &*aim.name));
        let label = label.unwrap_or("gateway");
        let own = if self.0.is_empty() { "canary-split".to_owned() } else { name(&format!("canary-split-{label}")) };
        let name = unique(&own, |name| self.0.iter().any(|plugin| plugin.name == name));
        self.0.push(Plugin { name, home: home.clone(), header, rules: Vec::new() });
    }
}

/// Where a rule belongs: before the first one whose hosts are around its own, and behind those whose hosts are within.
fn place(known: &[Rule], rule: &Rule) -> Result<usize, String> {
    let any = ["*".to_owned()];
    let of = |rule: &Rule| if rule.hosts.is_empty() { any.to_vec() } else { rule.hosts.clone() };
    let own = of(rule);
    let pairs = |other: &Rule| {
        let theirs = of(other);
        own.iter()
            .flat_map(|own| theirs.iter().map(move |other| (own.clone(), other.clone())))
            .filter(|(own, other)| overlap(own, other))
            .collect::<Vec<_>>()
    };
    let (mut before, mut behind) = (known.len(), 0);
    for (at, other) in known.iter().enumerate() {
        for (own, theirs) in pairs(other) {
            if own.eq_ignore_ascii_case(&theirs) {
                return Err(format!(
                    "rule {} is for {own} too, by another object; put the routes of a host into one",
                    other.name
                ));
            }
            // What is longer is for fewer hosts.
            if own.len() > theirs.len() || !own.starts_with('*') {
                before = before.min(at);
            } else {
                behind = behind.max(at + 1);
            }
        }
    }
    if behind > before {
        return Err(format!(
            "its hosts are both around and within those of other rules ({}); convert the VirtualServices one by one",
            known.iter().map(|rule| &*rule.name).collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(before)
}

impl Plugin {
    /// What it is called in a sentence.
    pub fn title(&self) -> String {
        let slash = if self.home.namespace.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.kind(), self.home.namespace, self.name)
    }

    /// The kind of the object that has it.
    pub fn kind(&self) -> &'static str {
        match &self.home.aim {
            Some(Aim { controller: Controller::EnvoyGateway, .. }) => "EnvoyExtensionPolicy",
            _ => "WasmPlugin",
        }
    }

    /// All of it as YAML.
    pub fn text(&self, sticky: &[Sticky]) -> Result<String, String> {
        let wrong = |what: &str| format!("the WasmPlugin that is shipped has no {what}");
        // The schema that it names is not where this will be.
        let shipped: String = SHIPPED.split_inclusive('\n').skip_while(|line| line.starts_with('#')).collect();
        let (head, _) = shipped.split_once(NO_RULES).ok_or_else(|| wrong("empty list of rules"))?;
        let head = format!("{head}{NO_RULES}");
        let documents = yaml::documents(&head).map_err(|_| wrong("YAML"))?;
        let root = documents.first().ok_or_else(|| wrong("document"))?;
        let rules: String = self.rules.iter().map(|rule| written(rule, sticky)).collect();
        let header = self.header.as_ref().map(|header| format!("    header: {}\n", flow(&json!(header), false)));
        if let Some(aim @ Aim { controller: Controller::EnvoyGateway, .. }) = &self.home.aim {
            let image = root.at(&["spec", "url"]).and_then(Node::text).ok_or_else(|| wrong("url"))?;
            return Ok(policy::text(&self.name, &self.home.namespace, aim, image, &rules));
        }
        let mut edits = vec![Edit::set(fields(["metadata", "name"]), &*self.name)];
        edits.push(match &*self.home.namespace {
            "" => Edit::remove(fields(["metadata", "namespace"])),
            namespace => Edit::set(fields(["metadata", "namespace"]), namespace),
        });
        match &self.home.aim {
            Some(aim) => {
                let group = if aim.kind == "Gateway" { GATEWAY_API } else { "" };
                let targets = json!([{"group": group, "kind": aim.kind, "name": aim.name}]);
                edits.push(Edit::set(fields(["spec", "targetRefs"]), targets));
                edits.push(Edit::remove(fields(["spec", "selector"])));
            }
            None => {
                let labels: Value =
                    self.home.labels.iter().map(|(name, value)| (name.clone(), Value::from(&**value))).collect();
                edits.push(Edit::set(fields(["spec", "selector", "matchLabels"]), labels));
            }
        }
        let differs = |edit: &&Edit| edit.new_value().map(Value::to_string) != said(root, edit);
        let edits: Vec<Edit> = edits.iter().filter(differs).cloned().collect();
        let head = edited(&head, &root.span, &edits).map_err(|_| wrong("metadata and selector as expected"))?.text;
        Ok(head.replace(NO_RULES, &format!("{}    rules:\n{rules}", header.unwrap_or_default())))
    }
}

/// What is there before an edit.
fn said(root: &Node, edit: &Edit) -> Option<String> {
    let node = edit.path.iter().try_fold(root, |node, step| step.of_node(node))?;
    serde_json::from_str::<Value>(&node.to_json()).ok().map(|value| value.to_string())
}

/// A rule as an item of the list.
fn written(rule: &Rule, sticky: &[Sticky]) -> String {
    let mut text = format!("    - name: {}\n", flow(&json!(rule.name), false));
    if !rule.hosts.is_empty() {
        let _ = writeln!(text, "      hosts: {}", flow(&json!(rule.hosts), false));
    }
    if !rule.matches.is_empty() {
        text.push_str("      match:\n");
    }
    for entry in &rule.matches {
        let _ = writeln!(text, "      - {}", flow(entry, false));
    }
    let split = match &rule.target {
        Target::Subset(name) | Target::Asked(name) => {
            let _ = writeln!(text, "      subset: {}", flow(&json!(name), false));
            return text;
        }
        Target::Adopted(header) => {
            let _ = writeln!(text, "      adopt: {}", flow(&json!({"header": header}), false));
            None
        }
        Target::Split(split) => {
            text.push_str("      split:\n");
            for (name, weight) in &split.weights {
                // In the order in which people read it.
                let _ = writeln!(text, "      - {{subset: {}, weight: {weight}}}", flow(&json!(name), false));
            }
            Some(split)
        }
    };
    let extra = split.map(|split| split.extra.clone()).unwrap_or_default();
    text.push_str("      sticky:\n");
    let keys: Vec<Value> = sticky.iter().filter_map(Sticky::key).map(|(kind, name)| json!({ kind: name })).collect();
    let has_own = !extra.keys.is_empty();
    let keys = if has_own { extra.keys } else { keys };
    if !keys.is_empty() {
        let _ = writeln!(text, "        keys: {}", flow(&json!(keys), false));
    }
    if !has_own && sticky.contains(&Sticky::Cookie) {
        let _ = writeln!(text, "        cookie: {}", flow(&json!(extra.cookie), false));
        if extra.keeps {
            text.push_str("        onWeightChange: keep\n");
        }
    }
    if let (Some(split), Some(ramp)) = (split, extra.ramp) {
        text.push_str("      ramp:\n");
        for line in ramp.lines(&split.names, &split.weights) {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}
