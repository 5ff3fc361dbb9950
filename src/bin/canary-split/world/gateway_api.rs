//! Gateways of the Gateway API, for plugins that aim at them.

use super::host::overlap;
use super::labels::Labels;
use crate::input::manifest::{Objects, Unknown};
use crate::input::yaml::Node;

/// The group of the Gateway API.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// The given objects of the Gateway API.
#[derive(Debug, Default)]
pub struct GatewayApi<'o> {
    /// Its Gateways.
    pub gateways: Vec<ApiGateway<'o>>,
    /// The hosts of routes for them.
    hosts: Vec<&'o str>,
}

/// A Gateway of the Gateway API.
#[derive(Debug)]
pub struct ApiGateway<'o> {
    /// All of it.
    node: &'o Node,
    /// `metadata.name`
    pub name: &'o str,
    /// Its namespace; empty: the one that everything is applied to.
    pub namespace: &'o str,
}

impl<'o> GatewayApi<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> GatewayApi<'o> {
        let mut found = GatewayApi::default();
        for Unknown { node, namespace, .. } in &objects.unknown {
            let text = |keys: &[&str]| node.at(keys).and_then(Node::text).unwrap_or_default();
            if text(&["apiVersion"]).split('/').next() != Some(GATEWAY_API) {
                continue;
            }
            match text(&["kind"]) {
                "Gateway" => found.gateways.push(ApiGateway { node, name: text(&["metadata", "name"]), namespace }),
                "HTTPRoute" | "GRPCRoute" => {
                    let hosts = node.at(&["spec", "hostnames"]).map_or(&[][..], Node::items);
                    found.hosts.extend(hosts.iter().filter_map(Node::text));
                    found.hosts.extend(hosts.is_empty().then_some("*"));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether there is a route for a host.
    pub fn has_route(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| overlap(own, host))
    }
}

impl<'o> ApiGateway<'o> {
    /// The labels that its pods may have.
    pub fn labels(&self) -> impl Iterator<Item = Labels<'o>> {
        let places = [&["metadata", "labels"][..], &["spec", "infrastructure", "labels"]];
        places.into_iter().filter_map(|keys| Labels::of(self.node.at(keys)?))
    }
}
