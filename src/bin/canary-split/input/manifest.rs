//! Documents → Kubernetes objects, and the configs in them.

use super::locator::Locator;
use super::secret::{self, Secret};
use super::sources::{Source, Unit};
use super::unreadable::Unreadable;
use super::yaml::{Node, TEMPLATE};
use super::{ours, template};
use std::ops::Range;
use std::rc::Rc;

/// The group of the Gateway API.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// The kinds that this tool knows, each only in its own API group.
pub const KINDS: [(&str, &str); 22] = [
    ("WasmPlugin", "extensions.istio.io"),
    ("TrafficExtension", "extensions.istio.io"),
    ("EnvoyExtensionPolicy", "gateway.envoyproxy.io"),
    ("HTTPRoute", GATEWAY_API),
    ("GRPCRoute", GATEWAY_API),
    ("Gateway", GATEWAY_API),
    ("ReferenceGrant", GATEWAY_API),
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

/// Group, kind, namespace and name of an object.
pub type Identity<'o> = (&'o str, &'o str, &'o str, &'o str);

/// One object.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file that it is in.
    pub source: Rc<Source>,
    /// All of it.
    pub node: Node,
    /// One of the known kinds.
    pub kind: &'static str,
    /// Its API group: a Gateway is one of Istio's, or one of the Gateway API.
    pub group: &'static str,
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

    /// Its group, kind, namespace and name: two objects of one identity are versions of one.
    pub fn identity(&self) -> Identity<'_> {
        (self.group, self.kind, &self.namespace, &self.name)
    }

    /// Whether it is an object of the Gateway API.
    pub fn is_of_gateway_api(&self) -> bool {
        self.group == GATEWAY_API
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

    /// Where it has modules: a WasmPlugin has one, as has a TrafficExtension, its successor; an EnvoyExtensionPolicy has a list.
    pub fn carriers(&self) -> Vec<Carrier> {
        match self.kind {
            "WasmPlugin" => vec![Carrier::WasmPlugin],
            "TrafficExtension" => vec![Carrier::TrafficExtension],
            "EnvoyExtensionPolicy" => (0..self.items(&["spec", "wasm"]).len()).map(Carrier::Policy).collect(),
            _ => Vec::new(),
        }
    }

    /// The module's part there.
    pub fn module(&self, carrier: Carrier) -> Option<&Node> {
        match carrier {
            Carrier::WasmPlugin => self.at(&["spec"]),
            Carrier::TrafficExtension => self.at(&["spec", "wasm"]),
            Carrier::Policy(at) => self.items(&["spec", "wasm"]).get(at),
        }
    }
}

/// Where an object has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `spec` of a WasmPlugin.
    WasmPlugin,
    /// `spec.wasm` of a TrafficExtension.
    TrafficExtension,
    /// `spec.wasm[AT]` of an EnvoyExtensionPolicy.
    Policy(usize),
}

impl Carrier {
    /// The field of the module that has the config.
    pub fn config_field(self) -> &'static str {
        if let Carrier::Policy(_) = self { "config" } else { "pluginConfig" }
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

    /// The same as an object, for code that knows this kind of another group.
    pub fn object(&self, kind: &'static str) -> Object {
        let name = self.node.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default().to_owned();
        let (source, node) = (Rc::clone(&self.source), self.node.clone());
        Object { source, node, kind, group: "", namespace: self.namespace.clone(), name }
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
    /// Where the object has the module.
    pub carrier: Carrier,
}

impl PluginConfig {
    /// The module's part of the object.
    pub fn module(&self) -> Option<&Node> {
        self.object.as_ref()?.module(self.carrier)
    }

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
        } else if let Some((kind, group)) = KINDS.iter().find(|known| **known == (kind, group)) {
            if let Some(span) = template::placeholder(kind, &node) {
                let place = source.position(span.start);
                self.unreadable.push(Unreadable::new(&source.name, Some(place), TEMPLATE.to_owned()));
                return;
            }
            let (namespace, name) =
                (text(&["metadata", "namespace"]).to_owned(), text(&["metadata", "name"]).to_owned());
            self.objects.push(Object { source: Rc::clone(source), kind, group, namespace, name, node });
        } else if node.get("kind").is_none() && ours::is_config(&node) {
            let (source, carrier) = (Rc::clone(source), Carrier::WasmPlugin);
            self.bare.push(PluginConfig { object: None, source, node: Some(node), carrier });
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
        let known = self.workloads().chain(self.of_gateway_api("Gateway")).map(|pods| Unknown {
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

    /// The objects of a kind of Kubernetes's or Istio's.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind && !object.is_of_gateway_api())
    }

    /// The objects of a kind of the Gateway API.
    pub fn of_gateway_api(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind == kind && object.is_of_gateway_api())
    }

    /// The objects with this filter.
    pub fn plugins(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| object.carriers().into_iter().any(|carrier| is_ours(object, carrier)))
    }

    /// Plugins that do not count as this filter but look as if they were meant to.
    pub fn almost_ours(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| {
            let is_it = |carrier: &Carrier| {
                let module = object.module(*carrier);
                !is_ours(object, *carrier)
                    && module.is_some_and(|module| ours::is_almost_ours(module, carrier.config_field()))
            };
            object.carriers().iter().any(is_it)
        })
    }

    /// The configs of all plugins with this filter, then bare ones.
    pub fn configs(&self) -> impl Iterator<Item = PluginConfig> {
        let modules = |object: &'_ Object| {
            let own = object.carriers().into_iter().filter(|carrier| is_ours(object, *carrier));
            own.map(|carrier| PluginConfig {
                object: Some(object.clone()),
                source: Rc::clone(&object.source),
                node: object.module(carrier).and_then(|module| module.get(carrier.config_field())).cloned(),
                carrier,
            })
            .collect::<Vec<_>>()
        };
        self.objects.iter().flat_map(modules).chain(self.bare.iter().cloned())
    }
}

/// Whether a module of an object is this filter.
fn is_ours(object: &Object, carrier: Carrier) -> bool {
    // A policy may have several modules.
    let name = if let Carrier::Policy(_) = carrier { "" } else { &*object.name };
    object.module(carrier).is_some_and(|module| ours::is_ours(name, module, carrier.config_field()))
}
