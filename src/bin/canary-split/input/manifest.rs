//! Documents → Kubernetes objects, and the configs in them.

use super::locator::Locator;
use super::secret::{self, Secret};
use super::sources::{Source, Unit};
use super::unreadable::Unreadable;
use super::yaml::{Node, TEMPLATE};
use super::{ours, template};
use std::ops::Range;
use std::rc::Rc;

/// The kinds that this tool knows, each only in its own API group.
const KINDS: [(&str, &str); 17] = [
    ("WasmPlugin", "extensions.istio.io"),
    ("TrafficExtension", "extensions.istio.io"),
    ("VirtualService", "networking.istio.io"),
    ("DestinationRule", "networking.istio.io"),
    ("Gateway", "networking.istio.io"),
    ("EnvoyFilter", "networking.istio.io"),
    ("Service", ""),
    ("Pod", ""),
    ("ReplicationController", ""),
    ("Job", "batch"),
    ("CronJob", "batch"),
    ("Deployment", "apps"),
    ("StatefulSet", "apps"),
    ("DaemonSet", "apps"),
    ("ReplicaSet", "apps"),
    ("Rollout", "argoproj.io"),
    ("Certificate", "cert-manager.io"),
];

const WORKLOADS: [&str; 9] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "Job",
    "CronJob",
    "Rollout",
];

/// One object.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file that it is in.
    pub source: Rc<Source>,
    /// All of it.
    pub node: Node,
    /// One of the known kinds.
    pub kind: &'static str,
    /// `metadata.namespace`; empty if it is not given.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Object {
    /// `KIND NAMESPACE/NAME`
    pub fn title(&self) -> String {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.kind, self.namespace, self.name)
    }

    /// Its kind, namespace and name: two objects of one identity are versions of one.
    pub fn identity(&self) -> (&str, &str, &str) {
        (self.kind, &self.namespace, &self.name)
    }

    /// The file and the line at which it begins.
    pub fn place(&self) -> String {
        let (line, _) = self.source.position(self.node.span.start);
        format!("{}:{line}", self.source.name)
    }

    /// The value at the end of these keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        self.node.at(keys)
    }

    /// A string at the end of these keys.
    pub fn text(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys)?.text()
    }

    /// The items of a list at the end of these keys.
    pub fn items(&self, keys: &[&str]) -> &[Node] {
        self.at(keys).map_or(&[], Node::items)
    }

    /// The module's part of a plugin: in a TrafficExtension, the successor of the WasmPlugin, it is one level deeper.
    pub fn module(&self) -> Option<&Node> {
        match self.kind {
            "WasmPlugin" => self.at(&["spec"]),
            "TrafficExtension" => self.at(&["spec", "wasm"]),
            _ => None,
        }
    }
}

/// An object of an unknown kind.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// The file that it is in.
    pub source: Rc<Source>,
    /// All of it.
    pub node: Node,
    /// `metadata.namespace`; empty if it is not given.
    pub namespace: String,
}

impl Unknown {
    /// Its API group and kind.
    pub fn kind(&self) -> (&str, &str) {
        let text = |key: &str| self.node.get(key).and_then(Node::text).unwrap_or_default();
        (text("apiVersion").split_once('/').map_or("", |(group, _)| group), text("kind"))
    }

    /// The same as an object, for code that knows this kind.
    pub fn object(&self, kind: &'static str) -> Object {
        let name = self.node.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default().to_owned();
        let (source, node) = (Rc::clone(&self.source), self.node.clone());
        Object { source, node, kind, namespace: self.namespace.clone(), name }
    }
}

/// A `pluginConfig` and its place.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// The plugin; `None`: a file that holds nothing else.
    pub object: Option<Object>,
    /// The file.
    pub source: Rc<Source>,
    /// Its content; `None`: the plugin has none.
    pub node: Option<Node>,
}

impl PluginConfig {
    /// The config of an object from the API server, if it is a plugin with this filter.
    pub fn living(object: &serde_json::Value) -> Option<PluginConfig> {
        let text = |path: &str| object.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default();
        let title = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        let sources = vec![Rc::new(Source::living(title, format!("{object:#}\n")))];
        Objects::of(&Unit { folder: String::new(), sources }).ok()?.configs().next()
    }

    /// The text that the filter receives.
    pub fn json(&self) -> String {
        self.node.as_ref().map(Node::to_json).unwrap_or_default()
    }

    /// `NAMESPACE/NAME` of the WasmPlugin, or the file's name.
    pub fn title(&self) -> String {
        match &self.object {
            Some(object) if object.namespace.is_empty() => object.name.clone(),
            Some(object) => format!("{}/{}", object.namespace, object.name),
            None => self.source.name.clone(),
        }
    }

    /// Finds places of config errors.
    pub fn locator(&self) -> Locator<'_> {
        let whole = self.object.as_ref().map_or(0..0, |object| object.node.span.clone());
        Locator::new(self.node.as_ref(), whole)
    }

    /// The bytes of a place of a config error.
    pub fn locate(&self, place: &str, is_name: bool) -> Range<usize> {
        self.locator().locate(place, is_name)
    }
}

/// The known objects of these texts, including those in a `List`, and bare configs.
#[derive(Debug, Default)]
pub struct Objects {
    /// The texts, in the order in which they were given.
    pub sources: Vec<Rc<Source>>,
    /// In their order.
    pub objects: Vec<Object>,
    /// Configs without a WasmPlugin.
    pub bare: Vec<PluginConfig>,
    /// Objects of other kinds: they may make pods.
    pub unknown: Vec<Unknown>,
    /// The parts of the texts that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Values from Secrets, and values that are written but have no effect.
    pub secrets: Vec<(Rc<Source>, Secret)>,
}

impl Objects {
    /// All of a unit.
    ///
    /// # Errors
    ///
    /// If any of it cannot be read.
    pub fn of(unit: &Unit) -> Result<Objects, String> {
        let objects = Objects::readable(unit);
        objects.unreadable.first().map(Unreadable::to_string).map_or(Ok(objects), Err)
    }

    /// The readable part of a unit.
    pub fn readable(unit: &Unit) -> Objects {
        let mut objects = Objects { sources: unit.sources.clone(), ..Objects::default() };
        for source in &unit.sources {
            let (documents, unreadable, replaced) = source.read_all();
            objects.unreadable.extend(unreadable);
            // It is unknown what it would have been.
            let mut secrets = Vec::new();
            replaced.iter().for_each(|node| secret::everything(node, &mut secrets));
            objects.secrets.extend(secrets.into_iter().map(|secret| (Rc::clone(source), secret)));
            for node in documents {
                objects.add(source, node);
            }
        }
        objects
    }

    /// All of these together.
    pub fn together<'o>(all: impl IntoIterator<Item = &'o Objects>) -> Objects {
        let mut together = Objects::default();
        for objects in all {
            together.sources.extend(objects.sources.iter().cloned());
            together.objects.extend(objects.objects.iter().cloned());
            together.bare.extend(objects.bare.iter().cloned());
            together.unknown.extend(objects.unknown.iter().cloned());
            together.secrets.extend(objects.secrets.iter().cloned());
            together.unreadable.extend(objects.unreadable.iter().cloned());
        }
        together
    }

    fn add(&mut self, source: &Rc<Source>, node: Node) {
        let text = |keys: &[&str]| node.at(keys).and_then(Node::text).unwrap_or_default();
        let (group, _) = text(&["apiVersion"]).split_once('/').unwrap_or_default();
        let kind = text(&["kind"]);
        if kind == "List" || kind.ends_with("List") && group == "networking.istio.io" {
            for item in node.get("items").map_or(&[][..], Node::items) {
                self.add(source, item.clone());
            }
        } else if let Some((kind, _)) = KINDS.iter().find(|known| **known == (kind, group)) {
            if let Some(span) = template::placeholder(kind, &node) {
                let place = source.position(span.start);
                self.unreadable.push(Unreadable::new(&source.name, Some(place), TEMPLATE.to_owned()));
                return;
            }
            let (namespace, name) =
                (text(&["metadata", "namespace"]).to_owned(), text(&["metadata", "name"]).to_owned());
            self.objects.push(Object { source: Rc::clone(source), kind, namespace, name, node });
        } else if node.get("kind").is_none() && ours::is_config(&node) {
            self.bare.push(PluginConfig { object: None, source: Rc::clone(source), node: Some(node) });
        } else if !kind.is_empty() {
            if kind == "Secret" {
                self.secrets.extend(secret::of_secret(&node).into_iter().map(|secret| (Rc::clone(source), secret)));
            }
            let namespace = text(&["metadata", "namespace"]).to_owned();
            self.unknown.push(Unknown { source: Rc::clone(source), namespace, node });
        }
    }

    /// Objects that make pods, or may do so.
    pub fn makers(&self) -> impl Iterator<Item = Unknown> {
        let known = self.workloads().map(|pods| Unknown {
            source: Rc::clone(&pods.source),
            namespace: pods.namespace.clone(),
            node: pods.node.clone(),
        });
        known.chain(self.unknown.iter().cloned())
    }

    /// Objects that are known to make pods.
    pub fn workloads(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| WORKLOADS.contains(&object.kind))
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }

    /// The plugins with this filter.
    pub fn plugins(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| is_ours(object))
    }

    /// Plugins that do not count as this filter but look as if they were meant to.
    pub fn almost_ours(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| {
            object.module().is_some_and(|module| !ours::is_ours(&object.name, module) && ours::is_almost_ours(module))
        })
    }

    /// The configs of all plugins with this filter, then bare ones.
    pub fn configs(&self) -> impl Iterator<Item = PluginConfig> {
        let plugins = self.plugins().map(|plugin| PluginConfig {
            object: Some(plugin.clone()),
            source: Rc::clone(&plugin.source),
            node: plugin.module().and_then(|module| module.get("pluginConfig")).cloned(),
        });
        plugins.chain(self.bare.iter().cloned())
    }
}

/// Whether an object is a plugin with this filter.
fn is_ours(object: &Object) -> bool {
    object.module().is_some_and(|module| ours::is_ours(&object.name, module))
}
