//! Reads a Gateway of the Gateway API.

use super::api_match::Precedence;
use super::gateway::{Allowed, Gateway, Protocol, Server};
use super::labels::Labels;
use crate::input::manifest::Object;
use crate::input::yaml::Node;

/// The label by which Istio and Envoy Gateway know the pods of a Gateway.
pub const NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// Reads one.
pub fn read(object: &Object) -> Gateway<'_> {
    let selector = [(NAME_LABEL, &*object.name)].into_iter().collect();
    Gateway { object, selector, servers: object.items(&["spec", "listeners"]).iter().map(listener).collect() }
}

fn text<'o>(node: &'o Node, keys: &[&str]) -> Option<&'o str> {
    node.at(keys)?.text().filter(|text| !text.is_empty())
}

fn listener(node: &Node) -> Server<'_> {
    let protocol = match text(node, &["protocol"]).unwrap_or_default() {
        "HTTP" => Protocol::Http,
        "HTTPS" if text(node, &["tls", "mode"]).is_none_or(|mode| mode == "Terminate") => Protocol::Https,
        _ => Protocol::Other,
    };
    let host = node.get("hostname").and_then(|host| Some((host, host.text().filter(|host| !host.is_empty())?)));
    let list = |keys: &[&str]| node.at(keys).map_or(&[][..], Node::items).iter();
    let kinds = list(&["allowedRoutes", "kinds"]).filter_map(|kind| text(kind, &["kind"])).collect();
    Server {
        node,
        section: text(node, &["name"]),
        port: node.get("port").and_then(Node::number),
        protocol,
        hosts: vec![host.unwrap_or((node, "*"))],
        allowed: match text(node, &["protocol"]) {
            // Other protocols may be anything.
            Some(protocol @ ("TLS" | "TCP" | "UDP")) => Allowed::Streams(protocol),
            _ if text(node, &["allowedRoutes", "namespaces", "from"]).unwrap_or("Same") == "Same" => {
                Allowed::Same(kinds)
            }
            // The labels of namespaces are seldom given.
            _ => Allowed::Any(kinds),
        },
        secrets: list(&["tls", "certificateRefs"]).filter_map(|secret| text(secret, &["name"])).collect(),
    }
}

/// The labels that the pods of a Gateway may have besides.
pub fn labels<'o>(gateway: &Gateway<'o>) -> impl Iterator<Item = Labels<'o>> {
    let places = [&["metadata", "labels"][..], &["spec", "infrastructure", "labels"]];
    let object = gateway.object;
    places.into_iter().filter_map(|keys| Labels::of(object.at(keys)?))
}

/// Whether the pods that Istio makes for a Gateway have not all of these labels.
pub fn lacks(gateway: &Gateway, selector: &Labels) -> bool {
    let text = |keys: &[&str]| gateway.object.at(keys).is_some();
    let is_made = gateway.is_of_api() && gateway.object.text(&["spec", "gatewayClassName"]) == Some("istio");
    // Pods of one's own, and what a ConfigMap says of them, may have any.
    let is_known = !text(&["spec", "addresses"]) && !text(&["spec", "infrastructure", "parametersRef"]);
    let has = |(name, value): (&str, &str)| {
        name.contains('/') || labels(gateway).any(|labels| labels.get(name) == Some(value))
    };
    is_made && is_known && !selector.pairs().all(has)
}

/// Who runs a Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    Istio,
    EnvoyGateway,
}

impl Runner {
    /// How it orders the routes of a Gateway.
    pub fn precedence(self) -> Precedence {
        match self {
            Runner::Istio => Precedence::Istio,
            Runner::EnvoyGateway => Precedence::EnvoyGateway,
        }
    }
}

/// Who surely runs the Gateways of a class, by the controller of its GatewayClass if that is given, or by the names that Istio gives to
/// its own. Other controllers may be either of them under a name of their own.
pub fn runner(class: &str, controller: Option<&str>) -> Option<Runner> {
    match controller {
        Some(name) if name.starts_with("istio.io/") => Some(Runner::Istio),
        Some(name) if name.starts_with("gateway.envoyproxy.io/") => Some(Runner::EnvoyGateway),
        Some(_) => None,
        None => ["istio", "istio-remote", "istio-waypoint"].contains(&class).then_some(Runner::Istio),
    }
}

/// Whether it is a waypoint of Istio's ambient mesh, by its class or by its listener.
pub fn is_waypoint(gateway: &Gateway) -> bool {
    let class = gateway.object.text(&["spec", "gatewayClassName"]);
    class == Some("istio-waypoint")
        || gateway.servers.iter().any(|server| text(server.node, &["protocol"]) == Some("HBONE"))
}
