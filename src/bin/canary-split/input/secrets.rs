//! Values that no log may show: seals, and the values that headers, cookies, query parameters and claims are compared with.

pub use super::confidential::{CONDITIONS, of_config};
use super::confidential::{condition, is_kind, within};
use super::manifest::{Object, Objects};
use super::secret::{Secret, applied, everything, normal, value, values};
use super::yaml::{Key, Node, Value};
use std::collections::HashSet;

/// Public conditions of a route.
const OPEN: [&str; 14] = [
    "uri",
    "authority",
    "method",
    "scheme",
    "port",
    "gateways",
    "sourcelabels",
    "sourcenamespace",
    "sourcesubnet",
    "name",
    "ignoreuricase",
    "statprefix",
    "snihosts",
    "destinationsubnets",
];
/// Conditions outside `match`, and headers that are written.
const VALUES: [&str; 7] = ["queryparams", "queryparam", "cookies", "cookie", "set", "add", "claims"];
/// Lists of headers' names.
const NAMES: [&str; 4] = ["allow", "expose", "remove", "http"];

/// Whether a field outside `match` has values of headers or the like.
fn has_values(name: &str) -> bool {
    VALUES.contains(&name) || name.contains("header") && !NAMES.iter().any(|begin| name.starts_with(begin))
}

/// Those of an object: of a plugin, which may be this filter, the config; of a VirtualService the conditions that name no subset and
/// the headers that it writes; of pods their environment.
pub fn of_object(object: &Object, known: &Known, secrets: &mut Vec<Secret>) {
    applied(&object.node, secrets);
    match object.kind {
        "WasmPlugin" | "TrafficExtension" => plugin(&object.node, "pluginconfig", secrets),
        "EnvoyExtensionPolicy" => plugin(&object.node, "config", secrets),
        "HTTPRoute" | "GRPCRoute" => Rules { object, known }.within(&object.node, secrets),
        "VirtualService" => Routes { object, known }.within(&object.node, secrets),
        _ => {}
    }
    environment(&object.node, secrets);
}

/// The config, wherever it is.
fn plugin(node: &Node, field: &str, secrets: &mut Vec<Secret>) {
    for (key, node) in node.entries() {
        match &*normal(&key.name) {
            name if name == "pluginconfig" || name == field => {
                secrets.push(Secret::behind(key));
                of_config(node, secrets);
            }
            name if name.starts_with("seal") => value(key, node, secrets),
            "rules" | "forget" => within(node, secrets),
            _ => plugin(node, field, secrets),
        }
    }
    node.items().iter().for_each(|item| plugin(item, field, secrets));
}

/// The rules of a route of the Gateway API, which list headers and query parameters with their names.
struct Rules<'o> {
    object: &'o Object,
    known: &'o Known,
}

impl Rules<'_> {
    fn within(&self, node: &Node, secrets: &mut Vec<Secret>) {
        for (key, value) in node.entries() {
            let name = normal(&key.name);
            let is_list =
                VALUES.contains(&&*name) || ["header", "query", "cookie"].iter().any(|word| name.contains(word));
            // Filters are called after headers, and have lists of them.
            match (is_list, &value.value) {
                (true, Value::List(items)) => items.iter().for_each(|item| self.of_item(item, secrets)),
                (true, Value::String(_) | Value::Number(_)) => self.behind(key, "", value, secrets),
                // As a VirtualService would have them.
                (true, Value::Map(_)) if !name.contains("modifier") => values(value, secrets),
                _ => self.within(value, secrets),
            }
        }
        node.items().iter().for_each(|item| self.within(item, secrets));
    }

    /// `{type: …, name: …, value: …}`
    fn of_item(&self, item: &Node, secrets: &mut Vec<Secret>) {
        let name = item.get("name").and_then(Node::text).unwrap_or_default();
        let values = item.entries().iter().filter(|(key, _)| !["name", "type"].contains(&&*key.name));
        values.for_each(|(key, value)| self.behind(key, name, value, secrets));
        if item.entries().is_empty() {
            everything(item, secrets);
        }
    }

    fn behind(&self, key: &Key, name: &str, value: &Node, secrets: &mut Vec<Secret>) {
        secrets.push(Secret::behind(key));
        of_route(self.object, name, value, self.known, secrets);
    }
}

/// The routes of a VirtualService.
struct Routes<'o> {
    object: &'o Object,
    known: &'o Known,
}

impl Routes<'_> {
    fn within(&self, node: &Node, secrets: &mut Vec<Secret>) {
        for (key, value) in node.entries() {
            match &*normal(&key.name) {
                "match" | "matches" => self.of_match(value, secrets),
                name if has_values(name) => self.behind(key, value, "", secrets),
                _ => self.within(value, secrets),
            }
        }
        node.items().iter().for_each(|item| self.within(item, secrets));
    }

    /// Entries of `match`, or anything in their place.
    fn of_match(&self, node: &Node, secrets: &mut Vec<Secret>) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.of_match(item, secrets)),
            Value::Map(entries) => entries
                .iter()
                .filter(|(key, _)| !OPEN.contains(&&*normal(&key.name)))
                .for_each(|(key, value)| self.behind(key, value, "", secrets)),
            _ => everything(node, secrets),
        }
    }

    fn behind(&self, key: &Key, node: &Node, name: &str, secrets: &mut Vec<Secret>) {
        secrets.push(Secret::behind(key));
        self.values(node, name, secrets);
    }

    /// All values of a header, or of all headers below.
    fn values(&self, node: &Node, name: &str, secrets: &mut Vec<Secret>) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.values(item, name, secrets)),
            Value::Map(entries) => {
                for (key, value) in entries.iter().filter(|(key, _)| &*key.name != "remove") {
                    match &value.value {
                        Value::Map(_) | Value::List(_) if is_kind(&key.name) => condition(value, secrets),
                        Value::Null => secrets.push(Secret::key(key)),
                        _ if is_kind(&key.name) => self.behind(key, value, name, secrets),
                        _ => self.behind(key, value, &key.name, secrets),
                    }
                }
            }
            _ => of_route(self.object, name, node, self.known, secrets),
        }
    }
}

/// What distinguishes a value for routing by the filter's header from a secret.
#[derive(Debug, Default)]
pub struct Known {
    /// Headers that plugins write.
    headers: HashSet<String>,
    /// Names of subsets.
    subsets: HashSet<String>,
    /// Whether no plugin is given, so that the seal is unknown.
    are_seals_unknown: bool,
}

impl Known {
    /// Of all objects.
    pub fn of(objects: &Objects) -> Known {
        let mut known = Known::default();
        known.headers.insert("x-canary-subset".to_owned());
        known.are_seals_unknown = objects.configs().next().is_none();
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

/// Every `subset: NAME` below a node, and the names of Services.
fn subsets(node: &Node, found: &mut HashSet<String>) {
    for (key, value) in node.entries() {
        match value.text() {
            Some(text) if &*key.name == "subset" => found.extend([text.to_ascii_lowercase()]),
            // A subset's own Service has its name, or a name that ends with it.
            Some(text) if &*key.name == "host" => of_service(text.split('.').next().unwrap_or_default(), found),
            _ if &*key.name == "backendRefs" => {
                let names = value.items().iter().filter_map(|backend| backend.get("name")?.text());
                names.for_each(|name| of_service(name, found));
            }
            _ => subsets(value, found),
        }
    }
    node.items().iter().for_each(|item| subsets(item, found));
}

/// The names of subsets that the name of a Service may have.
fn of_service(name: &str, found: &mut HashSet<String>) {
    let name = name.to_ascii_lowercase();
    found.extend(name.rsplit('-').next().map(str::to_owned));
    found.insert(name);
}

/// The least length of a seal; a header value of this length may be a seal.
const SEAL: usize = 16;

/// Whether a value of the header may be a misspelt name of a subset, not a seal.
fn may_be_subset(text: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() < SEAL && text.bytes().all(is_of_label)
}

/// `SUBSET.SEAL` keeps the subset, whether or not the plugin is given; a bare name of a subset is not secret.
fn of_route(object: &Object, name: &str, value: &Node, known: &Known, secrets: &mut Vec<Secret>) {
    let Some(text) = value.text() else { return everything(value, secrets) };
    let is_ours = known.headers.contains(&name.to_ascii_lowercase());
    if let Some((subset, seal)) = text.split_once('.').filter(|(subset, _)| is_ours || known.has_subset(subset)) {
        let written = object.source.text.get(value.span.clone()).unwrap_or_default();
        let open = written.trim_start_matches(['"', '\'']);
        let sealed = open.strip_prefix(subset).and_then(|rest| rest.strip_prefix('.')).unwrap_or(written);
        secrets.push(Secret { span: value.span.end - sealed.len()..value.span.end, text: seal.to_owned() });
    } else if !known.has_subset(text) && (!is_ours || known.are_seals_unknown || !may_be_subset(text)) {
        everything(value, secrets);
    }
}

/// The values of `env`, and the arguments of programs.
fn environment(node: &Node, secrets: &mut Vec<Secret>) {
    for (key, value) in node.entries() {
        match &*key.name {
            "env" if value.items().is_empty() => values(value, secrets),
            "env" => {
                let entries = value.items().iter().flat_map(Node::entries);
                entries
                    .filter(|(key, _)| !["name", "valueFrom"].contains(&&*key.name))
                    .for_each(|(key, node)| self::value(key, node, secrets));
            }
            "args" | "command" => everything(value, secrets),
            _ => environment(value, secrets),
        }
    }
    node.items().iter().for_each(|item| environment(item, secrets));
}

/// Names of objects, hosts and subsets, and the words in them: these are not secret elsewhere.
pub fn names(objects: &Objects) -> HashSet<String> {
    let mut names = HashSet::new();
    for object in &objects.objects {
        names.extend([object.name.clone(), object.namespace.clone()]);
        named(&object.node, &mut names);
    }
    objects.bare.iter().filter_map(|config| config.node.as_ref()).for_each(|node| named(node, &mut names));
    let words: Vec<String> = names
        .iter()
        .flat_map(|name| name.split(|letter: char| !letter.is_alphanumeric()).chain(name.split(['.', '/'])))
        .map(str::to_owned)
        .collect();
    names.extend(words);
    names
}

fn named(node: &Node, names: &mut HashSet<String>) {
    for (key, value) in node.entries() {
        match &*key.name {
            "host" | "subset" | "hosts" | "gateways" | "hostnames" | "hostname" => {
                let items = value.items().iter().chain([value]);
                names.extend(items.filter_map(Node::text).map(str::to_owned));
                named(value, names);
            }
            "match" | "forget" | "headers" => {}
            _ => named(value, names),
        }
    }
    node.items().iter().for_each(|item| named(item, names));
}
