//! Pods, and which of them are gateways that a plugin is on.

use crate::input::yaml::Node;
use crate::world::labels::Labels;
use crate::world::namespace::ROOT_NAMESPACE;
use crate::world::plugin::Plugin;
use serde_json::Value;
use std::collections::BTreeMap;

/// The label of the pods that a Gateway of the Gateway API has.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// Whether it gets requests.
    pub is_ready: bool,
    /// Whether its containers run, and it is not about to end.
    is_running: bool,
    /// Whether it is an Envoy of a gateway or a waypoint.
    is_gateway: bool,
}

impl Pod {
    /// Reads one.
    pub fn of(object: &Value) -> Pod {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let list = |path: &str| object.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels =
            labels.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let is_condition = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        let is_proxy = |container: &Value| {
            let arguments =
                container["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
            arguments.starts_with(&["proxy", "router"]) || arguments.starts_with(&["proxy", "waypoint"])
        };
        Pod {
            namespace: text("/metadata/namespace").to_owned(),
            name: text("/metadata/name").to_owned(),
            labels: labels.collect(),
            is_ready: list("/status/conditions").any(is_condition),
            is_running: text("/status/phase") == "Running" && object.pointer("/metadata/deletionTimestamp").is_none(),
            is_gateway: list("/spec/containers").any(is_proxy),
        }
    }

    /// `NAMESPACE/NAME`
    pub fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it has these labels.
    pub fn has(&self, labels: &Labels) -> bool {
        labels.pairs().all(|(name, value)| self.labels.get(name).is_some_and(|own| own == value))
    }

    /// Whether it is behind something, and running.
    pub fn is_one_of(&self, namespace: &str, labels: &Labels) -> bool {
        self.is_running && self.namespace == namespace && self.has(labels)
    }
}

/// The running gateway pods that a plugin is on.
pub fn of_plugin<'p>(plugin: &Plugin, pods: &'p [Pod]) -> Vec<&'p Pod> {
    let Some(object) = plugin.object() else { return Vec::new() };
    let targets = plugin.targets();
    let selector = plugin.selector().unwrap_or_default();
    let is_targeted = |pod: &Pod| targets.iter().any(|target| is_target(target, pod));
    let is_selected = |pod: &Pod| {
        if targets.is_empty() {
            (object.namespace == pod.namespace || object.namespace == ROOT_NAMESPACE) && pod.has(&selector)
        } else {
            object.namespace == pod.namespace && is_targeted(pod)
        }
    };
    pods.iter().filter(|pod| pod.is_gateway && pod.is_running && is_selected(pod)).collect()
}

fn is_target(target: &Node, pod: &Pod) -> bool {
    let text = |key: &str| target.get(key).and_then(Node::text);
    text("kind") == Some("Gateway") && pod.labels.get(GATEWAY_NAME).map(String::as_str) == text("name")
}
