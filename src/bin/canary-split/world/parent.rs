//! What routes are attached to: a gateway, or a Service inside the mesh.

use crate::input::yaml::Node;

/// A gateway as a VirtualService or a route of the Gateway API names it.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'o> {
    /// Where it is named.
    pub node: &'o Node,
    /// Whether it is a Gateway of the Gateway API, and not one of Istio's.
    pub is_of_api: bool,
    /// Its namespace.
    pub namespace: &'o str,
    /// Its name.
    pub name: &'o str,
    /// The only listener that is meant.
    pub section: Option<&'o str>,
    /// The only port that is meant.
    pub port: Option<u32>,
}

impl Parent<'_> {
    /// Whether a part of the gateway is meant.
    pub fn means(&self, section: Option<&str>, port: Option<u32>) -> bool {
        self.section.is_none_or(|own| Some(own) == section) && self.port.is_none_or(|own| Some(own) == port)
    }
}

/// A Service whose requests inside the mesh meet the routes.
#[derive(Clone, Copy, Debug)]
pub struct MeshParent<'o> {
    /// Its name, where it is written.
    pub name: (&'o Node, &'o str),
    /// Its namespace.
    pub namespace: &'o str,
}
