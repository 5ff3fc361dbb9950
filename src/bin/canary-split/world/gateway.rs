//! Gateways and what they serve.

use super::host::overlap;
use super::labels::Labels;
use super::namespace::is_same_namespace;
use super::routing::VirtualService;
use crate::input::manifest::Object;
use crate::input::yaml::Node;

/// A Gateway of Istio's.
#[derive(Debug)]
pub struct Gateway<'o> {
    /// All of it.
    pub object: &'o Object,
    /// The labels of its pods.
    pub selector: Labels<'o>,
    /// Its servers.
    pub servers: Vec<Server<'o>>,
}

/// One of its servers.
#[derive(Debug)]
pub struct Server<'o> {
    /// All of it.
    pub node: &'o Node,
    /// `port.number`
    pub port: Option<u32>,
    /// Whether it speaks HTTP with clients.
    pub protocol: Protocol,
}

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP without TLS.
    Http,
    /// The same, but every request is sent to https.
    Redirect,
    /// HTTP within TLS, which ends here.
    Https,
    /// Anything else: no HTTP filter sees it.
    Other,
}

impl<'o> Gateway<'o> {
    /// Reads one; `None` if its selector cannot be read.
    pub fn of(object: &'o Object) -> Option<Gateway<'o>> {
        let selector = object.at(&["spec", "selector"]).map_or(Some(Labels::default()), Labels::of)?;
        let servers = object.items(&["spec", "servers"]).iter().map(Server::of).collect();
        Some(Gateway { object, selector, servers })
    }

    /// Whether one of its servers serves a host to VirtualServices of this namespace.
    pub fn serves(&self, host: &str, namespace: &str) -> bool {
        self.servers.iter().any(|server| self.serves_at(server, host, namespace))
    }

    /// Whether this server does.
    fn serves_at(&self, server: &Server, host: &str, namespace: &str) -> bool {
        server.hosts().any(|served| match served.split_once('/') {
            None => overlap(served, host),
            Some(("*", served)) => overlap(served, host),
            Some((".", served)) => overlap(served, host) && is_same_namespace(&self.object.namespace, namespace),
            Some((from, served)) => overlap(served, host) && is_same_namespace(from, namespace),
        })
    }

    /// The ports on which HTTP is spoken.
    pub fn http_ports(&self) -> impl Iterator<Item = (u32, Protocol)> {
        let is_http = |server: &&Server| server.protocol != Protocol::Other;
        self.servers.iter().filter(is_http).filter_map(|server| Some((server.port?, server.protocol)))
    }

    /// The ports at which requests for a host of a VirtualService come in and are not just redirected.
    pub fn ports_for(&self, routing: &VirtualService) -> impl Iterator<Item = u32> {
        let is_routed = |server: &&Server| [Protocol::Http, Protocol::Https].contains(&server.protocol);
        let namespace = &*routing.object.namespace;
        let serves =
            move |server: &&Server| routing.hosts.iter().any(|(_, host)| self.serves_at(server, host, namespace));
        self.servers.iter().filter(is_routed).filter(serves).filter_map(|server| server.port)
    }
}

impl<'o> Server<'o> {
    fn of(node: &'o Node) -> Server<'o> {
        let redirects = node.at(&["tls", "httpsRedirect"]).is_some_and(|value| value.is_true());
        let is_passed_through = node
            .at(&["tls", "mode"])
            .and_then(Node::text)
            .is_some_and(|mode| ["PASSTHROUGH", "AUTO_PASSTHROUGH"].contains(&mode));
        // Istio accepts any letter case.
        let protocol = node.at(&["port", "protocol"]).and_then(Node::text).unwrap_or_default().to_ascii_uppercase();
        let protocol = match &*protocol {
            "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" if redirects => Protocol::Redirect,
            "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => Protocol::Http,
            "HTTPS" if !is_passed_through => Protocol::Https,
            _ => Protocol::Other,
        };
        Server { node, port: node.at(&["port", "number"]).and_then(Node::number), protocol }
    }

    /// Its hosts as they are written, `NAMESPACE/` included.
    pub fn hosts(&self) -> impl Iterator<Item = &'o str> {
        self.node.get("hosts").map_or(&[][..], Node::items).iter().filter_map(Node::text)
    }
}
