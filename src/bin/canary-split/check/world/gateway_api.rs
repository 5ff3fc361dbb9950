//! Gateways of the Gateway API, as far as plugins aim at them.

use super::labels::Labels;
use crate::input::manifest::{Objects, Unknown};
use crate::input::yaml::Node;

/// The group of the Gateway API.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// What is given of the Gateway API.
#[derive(Debug, Default)]
pub struct GatewayApi<'o> {
    /// Its Gateways.
    pub gateways: Vec<ApiGateway<'o>>,
    /// Whether there are routes for them.
    pub has_routes: bool,
}

/// A Gateway of the Gateway API.
#[derive(Debug)]
pub struct ApiGateway<'o> {
    /// All of it.
    node: &'o Node,
    /// `metadata.name`
    pub name: &'o str,
    /// Its namespace; empty: whichever everything is applied to.
    pub namespace: &'o str,
}

impl<'o> GatewayApi<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> GatewayApi<'o> {
        let mut found = GatewayApi::default();
        for Unknown { node, namespace } in &objects.unknown {
            let text = |keys: &[&str]| node.at(keys).and_then(Node::text).unwrap_or_default();
            if text(&["apiVersion"]).split('/').next() != Some(GATEWAY_API) {
                continue;
            }
            match text(&["kind"]) {
                "Gateway" => found.gateways.push(ApiGateway { node, name: text(&["metadata", "name"]), namespace }),
                "HTTPRoute" | "GRPCRoute" => found.has_routes = true,
                _ => {}
            }
        }
        found
    }
}

impl<'o> ApiGateway<'o> {
    /// The labels that its pods may have.
    pub fn labels(&self) -> impl Iterator<Item = Labels<'o>> {
        let places = [&["metadata", "labels"][..], &["spec", "infrastructure", "labels"]];
        places.into_iter().filter_map(|keys| Labels::of(self.node.at(keys)?))
    }
}
