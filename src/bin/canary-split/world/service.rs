//! Services, the subsets that DestinationRules make of them, and the pods behind both.

use super::host::ServiceName;
use super::labels::Labels;
use super::namespace::is_same_namespace;
use super::routing::Destination;
use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};

/// A Service.
#[derive(Debug)]
pub struct Service<'o> {
    /// All of it.
    pub object: &'o Object,
    /// The labels of its pods; `None`: its pods are unknown.
    pub selector: Option<Labels<'o>>,
    /// Its ports.
    pub ports: Vec<Port<'o>>,
}

/// A port of a Service.
#[derive(Debug)]
pub struct Port<'o> {
    /// All of it.
    pub node: &'o Node,
    /// `port`
    pub number: u32,
}

/// The pod's port that a port of a Service leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'o> {
    /// This number, whether or not a container listens there.
    Number(u32),
    /// The port of a container that has this name.
    Name(&'o str),
}

impl<'o> Service<'o> {
    /// Reads one; `None` if any of its ports cannot be read.
    pub fn of(object: &'o Object) -> Option<Service<'o>> {
        let selector = object.at(&["spec", "selector"]).and_then(Labels::of).filter(|labels| !labels.is_empty());
        let port = |node: &'o Node| Some(Port { node, number: node.get("port")?.number()? });
        let ports = object.items(&["spec", "ports"]).iter().map(port).collect::<Option<_>>()?;
        Some(Service { object, selector, ports })
    }

    /// Its name in destinations.
    pub fn name(&self) -> ServiceName<'o> {
        ServiceName { name: &self.object.name, namespace: &self.object.namespace }
    }

    /// Its port of this number.
    pub fn port(&self, number: u32) -> Option<&Port<'o>> {
        self.ports.iter().find(|port| port.number == number)
    }
}

impl<'o> Port<'o> {
    /// The value of `targetPort`.
    pub fn target(&self) -> Option<Target<'o>> {
        match self.node.get("targetPort") {
            None => Some(Target::Number(self.number)),
            Some(node) => node.number().map(Target::Number).or(node.text().map(Target::Name)),
        }
    }

    /// Its declared protocol: `appProtocol`, or the name up to its first hyphen.
    pub fn protocol(&self) -> &'o str {
        let text = |key: &str| self.node.get(key).and_then(Node::text);
        let by_name = || text("name").unwrap_or_default().split('-').next().unwrap_or_default();
        text("appProtocol").unwrap_or_else(by_name)
    }
}

/// A DestinationRule.
#[derive(Debug)]
pub struct DestinationRule<'o> {
    /// All of it.
    pub object: &'o Object,
    /// `spec.host`
    pub host: &'o str,
}

impl<'o> DestinationRule<'o> {
    /// Reads one.
    pub fn of(object: &'o Object) -> Option<DestinationRule<'o>> {
        Some(DestinationRule { object, host: object.text(&["spec", "host"])? })
    }

    /// Whether it is for a destination.
    pub fn is_for(&self, destination: &Destination) -> bool {
        destination.is_at(self.host, &self.object.namespace)
    }

    /// The Service that it means, if its host is one's.
    pub fn service(&self) -> Option<ServiceName<'o>> {
        ServiceName::of(self.host, &self.object.namespace)
    }

    /// Whether it is for many hosts at once: in force for hosts without their own, and mostly not about subsets.
    pub fn is_wildcard(&self) -> bool {
        self.host.starts_with('*')
    }

    /// Its subset of this name.
    pub fn subset(&self, name: &str) -> Option<&'o Node> {
        self.subsets().find(|subset| subset.get("name").and_then(Node::text) == Some(name))
    }

    /// All its subsets.
    pub fn subsets(&self) -> impl Iterator<Item = &'o Node> {
        self.object.items(&["spec", "subsets"]).iter()
    }
}

/// A maker of pods, or a pod.
#[derive(Debug)]
pub struct Workload<'o> {
    /// All of it.
    pub object: &'o Object,
    /// The labels of its pods.
    pub labels: Labels<'o>,
    /// The `spec` of its pods.
    spec: Option<&'o Node>,
}

impl<'o> Workload<'o> {
    /// Reads one; `None` if its pods are described elsewhere.
    pub fn of(object: &'o Object) -> Option<Workload<'o>> {
        let pod = match object.kind {
            "Pod" => &object.node,
            "CronJob" => object.at(&["spec", "jobTemplate", "spec", "template"])?,
            _ => object.at(&["spec", "template"])?,
        };
        let labels = pod.at(&["metadata", "labels"]).map_or(Some(Labels::default()), Labels::of)?;
        Some(Workload { object, labels, spec: pod.get("spec") })
    }

    /// Whether its pods are behind a Service.
    pub fn is_behind(&self, service: &Service) -> bool {
        is_same_namespace(&self.object.namespace, &service.object.namespace)
            && service.selector.as_ref().is_some_and(|selector| selector.selects(&self.labels))
    }

    /// Whether it has pods that stay.
    pub fn is_serving(&self) -> bool {
        let replicas = self.object.at(&["spec", "replicas"]).and_then(Node::number);
        !["Job", "CronJob"].contains(&self.object.kind) && replicas != Some(0)
    }

    fn containers(&self) -> impl Iterator<Item = &'o Node> {
        let lists = ["containers", "initContainers"].map(|key| self.spec.and_then(|spec| spec.get(key)));
        lists.into_iter().flatten().flat_map(Node::items)
    }

    /// The ports that its containers declare: numbers and names.
    pub fn ports(&self) -> impl Iterator<Item = (u32, Option<&'o str>)> {
        let ports = self.containers().filter_map(|container| container.get("ports")).flat_map(Node::items);
        ports.filter_map(|port| Some((port.get("containerPort")?.number()?, port.get("name").and_then(Node::text))))
    }

    /// The port that a Service leads to, if it declares it.
    pub fn port_at(&self, target: Target) -> Option<u32> {
        let is_it = |(number, name): &(u32, Option<&str>)| match target {
            Target::Number(wanted) => *number == wanted,
            Target::Name(wanted) => *name == Some(wanted),
        };
        self.ports().find(is_it).map(|(number, _)| number)
    }

    /// Whether it declares the port that a Service leads to.
    pub fn declares(&self, target: Target) -> bool {
        self.port_at(target).is_some()
    }

    /// Whether it may listen on a port that it does not declare: a container declares none, or mentions the number elsewhere.
    pub fn may_listen(&self, port: u32) -> bool {
        let port = port.to_string();
        let mentions = |container: &Node, key: &str| container.get(key).is_some_and(|node| says(node, &port));
        self.spec.is_some_and(|spec| spec.get("hostNetwork").is_some())
            || self.spec.and_then(|spec| spec.get("containers")).map_or(&[][..], Node::items).iter().any(|container| {
                container.get("ports").is_none_or(|ports| ports.items().is_empty())
                    || ["command", "args", "env", "livenessProbe", "readinessProbe"]
                        .iter()
                        .any(|key| mentions(container, key))
            })
    }
}

/// Whether a text is in a scalar below a node.
fn says(node: &Node, text: &str) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| says(item, text)),
        Value::Map(entries) => entries.iter().any(|(_, value)| says(value, text)),
        Value::String(said) | Value::Number(said) => said.contains(text),
        Value::Null | Value::Bool(_) => false,
    }
}
