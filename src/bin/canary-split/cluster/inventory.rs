//! The API server's objects of the kinds that the tool knows.

use super::kinds::{self, ATTACHED, EXTENSIONS, NAMESPACES, OTHERS, PLUGINS, PODS, POLICIES, Versions};
use super::manager::Manager;
use super::pods::{OWNING_CLASS, Pod};
use super::refusal;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{Source, Unit};
use kube::{Client, Error};
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;

/// The inventory.
pub struct Inventory {
    /// As if they had been read from files; each has its own text, called `KIND NAMESPACE/NAME`.
    pub objects: Objects,
    /// All pods.
    pub pods: Vec<Pod>,
    /// The kinds that could not be read, and why.
    pub notes: Vec<String>,
    /// Whether all kinds of all namespaces were read.
    pub is_whole: bool,
    /// Whether the pods behind the gateways are among the pods.
    pub knows_workloads: bool,
    /// The versions that the API server prefers.
    pub versions: Versions,
    managers: HashMap<String, Manager>,
}

/// How much is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Plugins and pods, and what tells on which of these they are.
    Plugins,
    /// Also routes, subsets, Services and workloads.
    All,
}

impl Inventory {
    /// Reads it; the plugins of one namespace, or all.
    pub async fn read(client: &Client, namespace: Option<&str>, extent: Extent) -> Result<Inventory, String> {
        let versions = Versions::ask(client).await?;
        if [PLUGINS, POLICIES].iter().all(|kind| versions.of(*kind).is_none()) {
            return Err("the cluster knows neither WasmPlugins (extensions.istio.io) nor EnvoyExtensionPolicies (gateway.envoyproxy.io): is Istio or Envoy Gateway installed?".to_owned());
        }
        let mut kinds = vec![(EXTENSIONS, namespace), (POLICIES, namespace)];
        if extent == Extent::All {
            kinds.extend(OTHERS.map(|kind| (kind, None)));
        }
        let rest = kinds.iter().map(|(kind, namespace)| kinds::list(client, &versions, *kind, *namespace));
        let (plugins, pods, rest) = futures::join!(
            kinds::list(client, &versions, PLUGINS, namespace),
            list_pods(client, &versions, namespace),
            futures::future::join_all(rest)
        );
        let said = |error: Error| refusal::said(&error);
        let (mut all, pods) = (plugins.map_err(said)?, pods.map_err(said)?);
        let mut inventory = Inventory {
            objects: Objects::default(),
            pods: pods.iter().map(Pod::of).collect(),
            notes: Vec::new(),
            is_whole: extent == Extent::All,
            knows_workloads: true,
            managers: HashMap::new(),
            versions,
        };
        for ((kind, _), list) in kinds.iter().zip(rest) {
            match list {
                Ok(list) => all.extend(list),
                Err(error) if refusal::is_forbidden(&error) => {
                    inventory.is_whole = false;
                    inventory.notes.push(format!("{}s were not compared: {}", kind.name, refusal::said(&error)));
                }
                Err(error) => return Err(refusal::said(&error)),
            }
        }
        let mut attached = Vec::new();
        if extent == Extent::Plugins && (all.iter().any(aims_elsewhere) || pods.iter().any(is_shared)) {
            attached.extend(ATTACHED);
        }
        if all.iter().flat_map(targets).any(|target| target["kind"] == "Service") {
            attached.push(NAMESPACES);
        }
        for kind in attached {
            match kinds::list(client, &inventory.versions, kind, None).await {
                Ok(list) => all.extend(list),
                Err(error) if refusal::is_forbidden(&error) => {}
                Err(error) => return Err(refusal::said(&error)),
            }
        }
        if extent == Extent::All {
            all.extend(pods.into_iter().filter(|pod| !is_made(pod)));
        }
        inventory.add(all);
        Ok(inventory)
    }

    /// Objects of files, and gateways that are no pods of a cluster.
    pub fn of_files(objects: Objects, pods: Vec<Pod>) -> Inventory {
        let (notes, versions, managers) = (Vec::new(), Versions::default(), HashMap::new());
        Inventory { objects, pods, notes, is_whole: false, knows_workloads: false, versions, managers }
    }

    /// What an API server with these objects has.
    #[cfg(test)]
    pub fn of(objects: Vec<Value>) -> Inventory {
        let pods = objects.iter().filter(|object| object["kind"] == "Pod").map(Pod::of).collect();
        let mut inventory =
            Inventory { is_whole: true, knows_workloads: true, ..Inventory::of_files(Objects::default(), pods) };
        inventory.add(objects);
        inventory
    }

    /// The controller that also writes an object.
    pub fn manager(&self, object: &Object) -> Option<Manager> {
        self.managers.get(&object.title()).copied()
    }

    fn add(&mut self, all: Vec<Value>) {
        let mut sources = Vec::new();
        for mut object in all {
            let manager = Manager::of(&object);
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let title = format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            if let Some(manager) = manager {
                self.managers.insert(title.clone(), manager);
            }
            sources.push(Rc::new(Source::living(title, format!("{object:#}\n"))));
        }
        self.objects = Objects::readable(&Unit { folder: String::new(), sources });
    }
}

/// All pods; only those of the namespace if no more may be listed: a gateway is in its plugin's namespace.
pub async fn list_pods(client: &Client, versions: &Versions, namespace: Option<&str>) -> Result<Vec<Value>, Error> {
    match kinds::list(client, versions, PODS, None).await {
        Err(error) if refusal::is_forbidden(&error) && namespace.is_some() => {
            kinds::list(client, versions, PODS, namespace).await
        }
        pods => pods,
    }
}

/// Whether a plugin names something else than a Gateway, so that other objects tell on which gateways it is.
fn aims_elsewhere(plugin: &Value) -> bool {
    targets(plugin).any(|target| target["kind"] != "Gateway") || list(plugin, "/spec/targetSelectors").next().is_some()
}

fn targets(plugin: &Value) -> impl Iterator<Item = &Value> {
    list(plugin, "/spec/targetRefs").chain(plugin.pointer("/spec/targetRef"))
}

fn list<'v>(object: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    object.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a pod is one of all Gateways of a class, so that these tell which policies are on it.
fn is_shared(pod: &Value) -> bool {
    pod.pointer("/metadata/labels").is_some_and(|labels| labels.get(OWNING_CLASS).is_some())
}

/// Whether a pod is made by a workload that is read too.
fn is_made(pod: &Value) -> bool {
    let owner = pod.pointer("/metadata/ownerReferences/0/kind").and_then(Value::as_str);
    let is_of_rollout = pod.pointer("/metadata/labels/rollouts-pod-template-hash").is_some();
    !is_of_rollout && owner.is_some_and(|owner| ["ReplicaSet", "StatefulSet", "DaemonSet"].contains(&owner))
}
