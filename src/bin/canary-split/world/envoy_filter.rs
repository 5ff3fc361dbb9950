//! EnvoyFilters that let Envoy pick a destination by the number in a header, instead of by chance.

use super::gateway::Gateway;
use super::labels::Labels;
use super::namespace::{ROOT_NAMESPACE, is_same_namespace};
use super::routing::VirtualService;
use super::table::Step;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::Node;

/// A patch that sets `weighted_clusters.header_name`.
#[derive(Debug)]
pub struct Pick<'o> {
    /// The EnvoyFilter.
    pub object: &'o Object,
    /// The header's name, as a node of the text.
    pub header: (&'o Node, &'o str),
    /// The match of the patch; without one, the patch.
    pub scope: &'o Node,
    /// `HOST:PORT`, Istio's name of a virtual host.
    vhost: Option<&'o str>,
    /// A host of the virtual host.
    domain: Option<&'o str>,
    /// Istio's name of the route.
    route: Option<&'o str>,
    /// Whether redirects and direct responses are left out.
    is_for_forwarding: bool,
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
        let weighted = field(patch.at(&["patch", "value", "route"])?, "weighted_clusters", "weightedClusters")?;
        let header = field(weighted, "header_name", "headerName")?;
        let scope = patch.get("match");
        let context = scope.and_then(|scope| scope.get("context")).and_then(Node::text).unwrap_or("ANY");
        if !["ANY", "GATEWAY"].contains(&context) {
            return None;
        }
        let vhost = scope.and_then(|scope| scope.at(&["routeConfiguration", "vhost"]));
        let text = |node: Option<&'o Node>, key: &str| node?.get(key)?.text().filter(|text| !text.is_empty());
        let route = vhost.and_then(|vhost| vhost.get("route"));
        Some(Pick {
            object,
            header: (header, header.text()?),
            scope: scope.unwrap_or(patch),
            vhost: text(vhost, "name"),
            domain: text(vhost, "domainName"),
            route: text(route, "name"),
            is_for_forwarding: text(route, "action") == Some("ROUTE"),
            selector,
        })
    }

    /// Whether it may be on the pods of a gateway, which are in one of these namespaces; none: unknown.
    pub fn may_be_on<'n>(&self, gateway: &Gateway, mut namespaces: impl Iterator<Item = &'n str>) -> bool {
        let is_there = match namespaces.next() {
            None => true,
            _ if self.object.namespace == ROOT_NAMESPACE => true,
            Some(first) => {
                [first].into_iter().chain(namespaces).any(|own| is_same_namespace(own, &self.object.namespace))
            }
        };
        is_there && self.selector.as_ref().is_none_or(|own| own.contradiction(&gateway.selector).is_none())
    }

    /// Whether it is for every virtual host.
    pub fn is_for_every_host(&self) -> bool {
        self.vhost.is_none() && self.domain.is_none()
    }

    /// Whether it is for the virtual host of a host.
    pub fn is_for_host(&self, host: &str) -> bool {
        let name = self.vhost.map(|vhost| vhost.rsplit_once(':').map_or(vhost, |(name, _)| name));
        [name, self.domain].into_iter().flatten().all(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether it is for a host of a VirtualService.
    pub fn is_for(&self, service: &VirtualService) -> bool {
        service.hosts.iter().any(|(_, host)| self.is_for_host(host))
    }

    /// Whether it is applied to any of the routes that Istio makes of a route.
    pub fn is_applied_to(&self, step: &Step) -> bool {
        let forwards = step.route.node.get("redirect").or(step.route.node.get("directResponse")).is_none();
        let is_named = self.route.is_none_or(|name| step.names().iter().any(|own| own == name));
        is_named && (forwards || !self.is_for_forwarding)
    }

    /// Whether it matches by names of routes.
    pub fn has_route_name(&self) -> bool {
        self.route.is_some()
    }
}

/// Whether Istio turns a route into weighted clusters: it has several destinations. Those of weight 0 count, except for the last one.
pub fn is_weighted(node: &Node) -> bool {
    node.get("route").map_or(&[][..], Node::items).len() > 1
}
