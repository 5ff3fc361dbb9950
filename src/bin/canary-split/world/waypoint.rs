//! The waypoint that requests to a Service pass, as Istio finds it (pilot/pkg/serviceregistry/ambient/waypoints.go).

use super::World;
use super::gateway::Gateway;
use super::gateway_api::is_waypoint;
use super::host::ServiceName;
use super::labels::Labels;
use super::namespace::{ROOT_NAMESPACE, is_same_namespace};
use super::parent::MeshParent;
use super::plugin::{Aim, Plugin};
use super::routing::Routing;
use super::service::Service;
use crate::input::manifest::GATEWAY_API;
use crate::input::yaml::Node;

/// By which a Service or its Namespace names its waypoint.
pub const USES_WAYPOINT: &str = "istio.io/use-waypoint";
/// By which either of them names the namespace of that.
const WAYPOINT_NAMESPACE: &str = "istio.io/use-waypoint-namespace";

/// What the labels of a Service or a Namespace say about a waypoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use<'o> {
    /// Nothing.
    Unsaid,
    /// Requests pass none.
    Off,
    /// Requests pass this one, by namespace and name.
    Of(&'o str, &'o str),
}

impl<'o> Use<'o> {
    /// Reads an object, which names waypoints of this namespace unless it says another one.
    pub fn of(object: &'o Node, namespace: &'o str) -> Use<'o> {
        let labels = object.at(&["metadata", "labels"]).and_then(Labels::of).unwrap_or_default();
        match labels.get(USES_WAYPOINT) {
            None => Use::Unsaid,
            Some("none") => Use::Off,
            Some(name) => Use::Of(labels.get(WAYPOINT_NAMESPACE).unwrap_or(namespace), name),
        }
    }
}

impl<'o> World<'o> {
    /// Whether a plugin is on a waypoint that has the routes of a routing: it aims at the Service, at the waypoint, or at all waypoints.
    pub fn is_at_waypoint(&self, plugin: &Plugin, routing: &Routing<'o>) -> bool {
        let own = plugin.object().map_or("", |object| &object.namespace);
        let aims: Vec<Aim> = plugin.targets().into_iter().map(Aim::of).collect();
        routing.mesh_parents.iter().any(|parent| aims.iter().any(|aim| self.is_aimed_at(aim, own, parent)))
    }

    /// Whether a plugin of this namespace is where requests to a Service pass.
    fn is_aimed_at(&self, aim: &Aim, own: &str, parent: &MeshParent<'o>) -> bool {
        let is_there = |namespace: &str| is_same_namespace(namespace, own);
        if aim.is_service() {
            return is_there(parent.namespace) && aim.name == parent.name.1;
        }
        let said = || self.said_of_waypoint(parent.name.1, parent.namespace);
        if aim.is_class_of_waypoints() {
            return is_there(ROOT_NAMESPACE) && said() != Some(Use::Off);
        }
        let named = |gateway: &&Gateway| gateway.is_of_api() && gateway.object.name == aim.name;
        let mut gateways = self.gateways.iter().filter(named).filter(|gateway| is_there(&gateway.object.namespace));
        let serves = |gateway: &Gateway| {
            let named = |namespace, name| is_there(namespace) && name == gateway.object.name;
            is_there(parent.namespace) || matches!(said(), Some(Use::Of(namespace, name)) if named(namespace, name))
        };
        aim.is("Gateway", GATEWAY_API) && gateways.any(|gateway| is_waypoint(gateway) && serves(gateway))
    }

    /// What the labels of a Service, or of its Namespace where it has none, say about its waypoint; `None`: that is not known, as they
    /// are not given.
    pub fn said_of_waypoint(&self, name: &'o str, namespace: &'o str) -> Option<Use<'o>> {
        let of_namespace = || self.namespaces.get(namespace).map(|node| Use::of(node, namespace));
        match self.services_called(&ServiceName { name, namespace }).as_slice() {
            [] => of_namespace().filter(|said| matches!(said, Use::Of(..))),
            [service] => match Use::of(&service.object.node, namespace) {
                Use::Unsaid => of_namespace(),
                said => Some(said),
            },
            _ => None,
        }
    }

    /// The waypoint of a Service, by namespace and name: its own label counts, and without one that of its Namespace.
    pub fn waypoint_of(&self, service: &Service<'o>) -> Option<(&str, &str)> {
        let object = service.object;
        let of_namespace = || self.namespaces.get(&*object.namespace).map(|node| Use::of(node, &object.namespace));
        match (Use::of(&object.node, &object.namespace), of_namespace) {
            (Use::Of(namespace, name), _) => Some((namespace, name)),
            (Use::Off, _) => None,
            (Use::Unsaid, of_namespace) => match of_namespace() {
                Some(Use::Of(namespace, name)) => Some((namespace, name)),
                Some(Use::Off | Use::Unsaid) => None,
                // Whatever it says, it may well be the waypoint that is there.
                None => {
                    let mut near = self.gateways.iter().filter(|gateway| gateway.object.namespace == object.namespace);
                    let gateway = near.find(|gateway| is_waypoint(gateway))?.object;
                    Some((&gateway.namespace, &gateway.name))
                }
            },
        }
    }
}
