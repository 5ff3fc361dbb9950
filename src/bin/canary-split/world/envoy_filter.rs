//! EnvoyFilters that let Envoy pick a destination by the number in a header, instead of by chance.

use super::gateway::Gateway;
use super::labels::Labels;
use super::namespace::{ROOT_NAMESPACE, is_same_namespace};
use super::table::Step;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::Node;
use std::collections::BTreeSet;

/// A patch that sets `weighted_clusters.header_name`.
#[derive(Debug)]
pub struct Pick<'o> {
    /// The EnvoyFilter.
    pub object: &'o Object,
    /// The header's name, as a node of the text.
    pub header: (&'o Node, &'o str),
    /// The match of the patch; without one, the patch.
    pub scope: &'o Node,
    /// Whether it makes routes of its own instead of changing those that exist.
    pub adds: bool,
    /// `HOST:PORT`, Istio's name of a virtual host.
    vhost: Option<&'o str>,
    /// A domain of the virtual host.
    domain: Option<&'o str>,
    /// Istio's name of the route.
    route: Option<&'o str>,
    /// `ROUTE`, `REDIRECT` or `DIRECT_RESPONSE`; absent: all of them.
    action: Option<&'o str>,
    /// A port of the Gateway.
    port: Option<u32>,
    /// The labels of the pods.
    selector: Option<Labels<'o>>,
}

/// A field, under either of its names in protobuf's JSON.
fn field<'o>(node: &'o Node, snake: &str, camel: &str) -> Option<&'o Node> {
    node.get(snake).or_else(|| node.get(camel))
}

/// All such patches that are for gateways.
pub fn picks(objects: &Objects) -> Vec<Pick<'_>> {
    objects.of_kind("EnvoyFilter").flat_map(picks_of).collect()
}

fn picks_of(object: &Object) -> impl Iterator<Item = Pick<'_>> {
    let selector = object.at(&["spec", "workloadSelector", "labels"]).and_then(Labels::of);
    object.items(&["spec", "configPatches"]).iter().filter_map(move |patch| Pick::of(object, patch, selector.clone()))
}

impl<'o> Pick<'o> {
    fn of(object: &'o Object, patch: &'o Node, selector: Option<Labels<'o>>) -> Option<Pick<'o>> {
        if patch.get("applyTo").and_then(Node::text) != Some("HTTP_ROUTE") {
            return None;
        }
        let adds = match patch.at(&["patch", "operation"]).and_then(Node::text) {
            Some("MERGE") => false,
            Some(operation) if operation == "ADD" || operation.starts_with("INSERT_") => true,
            // Of a route nothing is left, or Istio does not do it.
            _ => return None,
        };
        let weighted = field(patch.at(&["patch", "value", "route"])?, "weighted_clusters", "weightedClusters")?;
        if adds && !weighted.get("clusters").map_or(&[][..], Node::items).is_empty() {
            return None;
        }
        let header = field(weighted, "header_name", "headerName")?;
        let scope = patch.get("match");
        let context = scope.and_then(|scope| scope.get("context")).and_then(Node::text).unwrap_or("ANY");
        if !["ANY", "GATEWAY"].contains(&context) {
            return None;
        }
        let table = scope.and_then(|scope| scope.get("routeConfiguration"));
        let vhost = table.and_then(|table| table.get("vhost"));
        let text = |node: Option<&'o Node>, key: &str| node?.get(key)?.text().filter(|text| !text.is_empty());
        let route = vhost.and_then(|vhost| vhost.get("route"));
        Some(Pick {
            object,
            header: (header, header.text().filter(|name| !name.is_empty())?),
            scope: scope.unwrap_or(patch),
            adds,
            vhost: text(vhost, "name"),
            domain: text(vhost, "domainName"),
            route: text(route, "name"),
            action: text(route, "action").filter(|action| *action != "ANY"),
            port: table.and_then(|table| table.get("portNumber")).and_then(Node::number),
            selector,
        })
    }

    /// Whether it writes or reads this header.
    pub fn is_by(&self, header: &str) -> bool {
        self.header.1.eq_ignore_ascii_case(header)
    }

    /// Whether it is on the pods of a gateway, as far as their namespaces and labels are known.
    pub fn is_on<'l>(
        &self,
        gateway: &Gateway,
        namespaces: &BTreeSet<&str>,
        mut pods: impl Iterator<Item = &'l Labels<'l>>,
    ) -> bool {
        let own = &*self.object.namespace;
        let is_there = own == ROOT_NAMESPACE
            || namespaces.is_empty()
            || namespaces.iter().any(|there| is_same_namespace(there, own));
        let mut has_labels =
            |selector: &Labels| selector.selects(&gateway.selector) || pods.any(|labels| selector.selects(labels));
        let has_port = self.port.is_none_or(|port| gateway.servers.iter().any(|server| server.port == Some(port)));
        is_there && has_port && self.selector.as_ref().is_none_or(&mut has_labels)
    }

    /// Whether it is for every virtual host.
    pub fn is_for_every_host(&self) -> bool {
        self.vhost.is_none() && self.domain.is_none()
    }

    /// Whether it is for the virtual host of a domain, which Istio writes in lower case.
    pub fn is_for_domain(&self, domain: &str) -> bool {
        let name = self.vhost.map(|vhost| vhost.rsplit_once(':').map_or(vhost, |(name, _)| name));
        [name, self.domain].into_iter().flatten().all(|own| own == domain)
    }

    /// Whether it is applied to any of the routes that Istio makes of a route.
    pub fn is_applied_to(&self, step: &Step) -> bool {
        let action = match step.route.answer() {
            Some("redirect") => "REDIRECT",
            Some(_) => "DIRECT_RESPONSE",
            None => "ROUTE",
        };
        let is_named = self.route.is_none_or(|name| step.names().iter().any(|own| own == name));
        !self.adds && is_named && self.action.is_none_or(|own| own == action)
    }

    /// Whether it is for routes of this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.route.is_none_or(|own| own == name)
    }

    /// Whether it matches by names of routes.
    pub fn has_route_name(&self) -> bool {
        self.route.is_some()
    }
}
