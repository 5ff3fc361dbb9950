//! Gateways and what they serve.

use super::host::overlap;
use super::labels::Labels;
use super::namespace::is_same_namespace;
use super::parent::Parent;
use super::routing::Routing;
use crate::input::manifest::Object;
use crate::input::yaml::Node;

/// A Gateway of Istio's or of the Gateway API.
#[derive(Debug)]
pub struct Gateway<'o> {
    /// All of it.
    pub object: &'o Object,
    /// The labels of its pods; of one of the Gateway API the label by which Istio and others know them.
    pub selector: Labels<'o>,
    /// Its servers, or its listeners.
    pub servers: Vec<Server<'o>>,
}

/// One of its servers.
#[derive(Debug)]
pub struct Server<'o> {
    /// All of it.
    pub node: &'o Node,
    /// `name` of a listener.
    pub section: Option<&'o str>,
    /// `port.number`, or `port` of a listener.
    pub port: Option<u32>,
    /// Whether it speaks HTTP with clients.
    pub protocol: Protocol,
    /// Its hosts as they are written, `NAMESPACE/` included; of a listener without a hostname its node and `*`.
    pub hosts: Vec<(&'o Node, &'o str)>,
    /// The namespaces and kinds of the routes that a listener allows.
    pub allowed: Allowed<'o>,
    /// The Secrets of its certificates.
    pub secrets: Vec<&'o str>,
}

/// The routes that a server takes.
#[derive(Clone, Debug)]
pub enum Allowed<'o> {
    /// Those of the namespaces that its hosts name.
    ByHosts,
    /// Those of its own namespace, of these kinds; none: of every kind.
    Same(Vec<&'o str>),
    /// Those of any namespace, or it is unknown of which, of these kinds.
    Any(Vec<&'o str>),
    /// None that is about HTTP: its protocol is this.
    Streams(&'o str),
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
    /// Reads one of Istio's; `None` if its selector cannot be read.
    pub fn of(object: &'o Object) -> Option<Gateway<'o>> {
        let selector = object.at(&["spec", "selector"]).map_or(Some(Labels::default()), Labels::of)?;
        let servers = object.items(&["spec", "servers"]).iter().map(Server::of).collect();
        Some(Gateway { object, selector, servers })
    }

    /// Whether it is one of the Gateway API.
    pub fn is_of_api(&self) -> bool {
        self.object.is_of_gateway_api()
    }

    /// Whether it is what is named there.
    pub fn is(&self, parent: &Parent) -> bool {
        parent.is_of_api == self.is_of_api()
            && parent.name == self.object.name
            && is_same_namespace(parent.namespace, &self.object.namespace)
    }

    /// The servers that a routing names: of one of Istio's all of them.
    pub fn servers_of(&self, routing: &Routing) -> impl Iterator<Item = &Server<'o>> {
        let parents: Vec<_> = routing.parents.iter().filter(|parent| self.is(parent)).copied().collect();
        self.servers.iter().filter(move |server| parents.iter().any(|parent| server.is(parent)))
    }

    /// Whether one of its servers serves a host to a routing.
    pub fn serves(&self, host: &str, routing: &Routing) -> bool {
        self.servers_of(routing).any(|server| self.serves_at(server, host, routing))
    }

    /// Whether it serves a host to a VirtualService that has HTTP routes, and no server that does speaks HTTP.
    pub fn passes_through(&self, host: &str, routing: &Routing) -> bool {
        let mut servers = self.servers_of(routing).filter(|server| self.serves_at(server, host, routing));
        !self.is_of_api() && !routing.routes.is_empty() && servers.all(|server| server.protocol == Protocol::Other)
    }

    /// Whether one of its servers would serve a host to a routing that named it.
    pub fn would_serve(&self, host: &str, routing: &Routing) -> bool {
        self.servers.iter().any(|server| self.serves_at(server, host, routing))
    }

    /// Whether this server does.
    pub fn serves_at(&self, server: &Server, host: &str, routing: &Routing) -> bool {
        self.allows(server, routing) && self.hosts_at(server, routing).any(|served| overlap(served, host))
    }

    /// The hosts that a server has for the namespace of a routing.
    pub fn hosts_at(&self, server: &Server<'o>, routing: &Routing) -> impl Iterator<Item = &'o str> {
        let namespace = &*routing.object.namespace;
        server.hosts().filter_map(move |served| match served.split_once('/') {
            None => Some(served),
            Some(("*", served)) => Some(served),
            Some((".", served)) => is_same_namespace(&self.object.namespace, namespace).then_some(served),
            Some((from, served)) => is_same_namespace(from, namespace).then_some(served),
        })
    }

    /// Whether a server allows the namespace and the kind of a routing.
    pub fn allows(&self, server: &Server, routing: &Routing) -> bool {
        let (is_there, kinds) = match &server.allowed {
            Allowed::ByHosts => return true,
            Allowed::Same(kinds) => (is_same_namespace(&self.object.namespace, &routing.object.namespace), kinds),
            Allowed::Any(kinds) => (true, kinds),
            Allowed::Streams(_) => return false,
        };
        is_there && (kinds.is_empty() || kinds.contains(&routing.object.kind))
    }

    /// The ports on which HTTP is spoken.
    pub fn http_ports(&self) -> impl Iterator<Item = (u32, Protocol)> {
        let is_http = |server: &&Server| server.protocol != Protocol::Other;
        self.servers.iter().filter(is_http).filter_map(|server| Some((server.port?, server.protocol)))
    }

    /// The ports at which requests for a host of a routing come in and are not just redirected.
    pub fn ports_for(&self, routing: &Routing) -> impl Iterator<Item = u32> {
        let is_routed = |server: &&Server| [Protocol::Http, Protocol::Https].contains(&server.protocol);
        let serves =
            move |server: &&Server| routing.hosts.iter().any(|(_, host)| self.serves_at(server, host, routing));
        self.servers_of(routing).filter(is_routed).filter(serves).filter_map(|server| server.port)
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
        let hosts = node.get("hosts").map_or(&[][..], Node::items).iter();
        Server {
            node,
            section: None,
            port: node.at(&["port", "number"]).and_then(Node::number),
            protocol,
            hosts: hosts.filter_map(|host| Some((host, host.text()?))).collect(),
            allowed: Allowed::ByHosts,
            secrets: node.at(&["tls", "credentialName"]).and_then(Node::text).into_iter().collect(),
        }
    }

    /// Its hosts as they are written, `NAMESPACE/` included.
    pub fn hosts(&self) -> impl Iterator<Item = &'o str> {
        self.hosts.iter().map(|(_, host)| *host)
    }

    /// Whether clients speak TLS with it, which may end there.
    pub fn is_for_tls(&self) -> bool {
        let protocol = self.node.at(&["port", "protocol"]).and_then(Node::text).unwrap_or_default();
        ["HTTPS", "TLS"].iter().any(|own| protocol.eq_ignore_ascii_case(own))
    }

    /// Whether it is meant by a parent that means its gateway.
    pub fn is(&self, parent: &Parent) -> bool {
        !parent.is_of_api || parent.means(self.section, self.port)
    }
}
