//! The waypoint that requests to a Service pass, as Istio finds it (pilot/pkg/serviceregistry/ambient/waypoints.go).

use super::World;
use super::gateway_api::is_waypoint;
use super::labels::Labels;
use super::service::Service;
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
