//! Which requests go where: VirtualServices, and the routes of the Gateway API.

use super::api_match::{Precedence, Rank, Specificity};
use super::asked::{Asked, Written};
use super::host::{ServiceName, overlap};
use super::parent::{MeshParent, Parent};
use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node};

/// A VirtualService, an HTTPRoute or a GRPCRoute.
#[derive(Debug)]
pub struct Routing<'o> {
    /// All of it.
    pub object: &'o Object,
    /// Its hosts; none if it is a VirtualService that is part of another one.
    pub hosts: Vec<(&'o Node, &'o str)>,
    /// Its HTTP routes; of the Gateway API one for each entry of `matches`, in the order of the text.
    pub routes: Vec<Route<'o>>,
    /// The destinations of its connections without HTTP: `tcp` and `tls` of a VirtualService.
    pub streams: Vec<Destination<'o>>,
    /// The gateways that it names.
    pub parents: Vec<Parent<'o>>,
    /// The Services whose requests inside the mesh it routes; a VirtualService is for its hosts.
    pub mesh_parents: Vec<MeshParent<'o>>,
    /// Whether it names something else that may be a gateway.
    pub has_other_parents: bool,
}

/// A routing that is a VirtualService, where nothing else is meant.
pub type VirtualService<'o> = Routing<'o>;

/// An HTTP route.
#[derive(Debug)]
pub struct Route<'o> {
    /// All of it: an entry of `http`, or a rule of the Gateway API.
    pub node: &'o Node,
    /// The way in which it is written.
    pub form: Form,
    /// Any of these may hold at a gateway; `None`: it takes every request.
    pub matches: Option<Vec<&'o Node>>,
    /// The conditions of each entry.
    pub asked: Vec<(&'o Node, Vec<Asked<'o>>)>,
    /// The destinations of its requests, without those of weight 0.
    pub destinations: Vec<Destination<'o>>,
    /// The destinations of copies of its requests.
    pub mirrors: Vec<Destination<'o>>,
}

/// How a route is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As an entry of `http`, at this place: the order of the text counts.
    Http(usize),
    /// As an entry of `matches`, if there is any, of the rule at this place.
    Rule {
        /// The place of the rule.
        rule: usize,
        /// The place of the entry.
        entry: Option<usize>,
        /// How specific it is.
        rank: Rank,
    },
}

/// As in `http[0]`, or `rules[0].matches[1]`.
impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Form::Http(place) => write!(f, "http[{place}]"),
            Form::Rule { rule, entry: None, .. } => write!(f, "rules[{rule}]"),
            Form::Rule { rule, entry: Some(entry), .. } => write!(f, "rules[{rule}].matches[{entry}]"),
        }
    }
}

/// One destination of a route.
#[derive(Debug)]
pub struct Destination<'o> {
    /// The entry of `route` or `backendRefs`, with the headers that are changed for it alone; of a mirror all of it.
    pub entry: &'o Node,
    /// Host, subset and port.
    pub node: &'o Node,
    /// `destination.host`, or the name of a backend.
    pub host: (&'o Node, &'o str),
    /// `destination.subset`
    pub subset: Option<(&'o Node, &'o str)>,
    /// `destination.port.number`, or the port of a backend.
    pub port: Option<(&'o Node, u32)>,
    /// The namespace by which short hosts are completed.
    namespace: &'o str,
    /// The form that it is written in.
    kind: Backend,
}

/// What a destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A host of a VirtualService, which may be a Service's.
    Host,
    /// The same as a backend.
    Hostname,
    /// A Service by its name.
    Service,
    /// Anything else.
    Other,
}

impl<'o> Routing<'o> {
    /// Whether it is a VirtualService.
    pub fn is_virtual_service(&self) -> bool {
        !self.object.is_of_gateway_api()
    }

    /// Whether it is a VirtualService that is part of another one.
    pub fn is_delegate(&self) -> bool {
        self.is_virtual_service() && self.hosts.is_empty()
    }

    /// Namespaces and names of its gateways.
    pub fn gateways(&self) -> impl Iterator<Item = (&'o str, &'o str)> {
        self.parents.iter().map(|parent| (parent.namespace, parent.name))
    }

    /// Whether it also speaks for sidecars or waypoints.
    pub fn is_for_mesh(&self) -> bool {
        if !self.is_virtual_service() {
            return !self.mesh_parents.is_empty();
        }
        let gateways = self.object.items(&["spec", "gateways"]);
        gateways.is_empty() || gateways.iter().any(|name| name.text() == Some("mesh"))
    }

    /// Whether one of its hosts is among these.
    pub fn is_for(&self, host: &str) -> bool {
        self.hosts.iter().any(|(_, own)| overlap(own, host))
    }

    /// Whether any of its routes asks for a header, at a gateway or elsewhere.
    pub fn mentions(&self, header: &str) -> bool {
        let entries = self.routes.iter().filter_map(|route| route.node.get("match")).flat_map(Node::items);
        entries.into_iter().any(|entry| condition(entry, header).is_some()) || self.asks_for_value(header)
    }

    /// Whether any of its routes asks for a header at a gateway.
    pub fn asks_for(&self, header: &str) -> bool {
        self.routes.iter().any(|route| route.conditions(header).next().is_some() || route.shuns(header))
    }

    /// Whether any of its routes asks for a value of a header at a gateway.
    pub fn asks_for_value(&self, header: &str) -> bool {
        self.routes.iter().any(|route| route.conditions(header).next().is_some())
    }
}

impl<'o> Route<'o> {
    /// Whether requests at a port of a gateway may meet it.
    pub fn is_met_at(&self, port: u32) -> bool {
        let is_of_another = |entry: &&Node| entry.get("port").is_some_and(|own| own.number() != Some(port));
        self.matches.as_ref().is_none_or(|entries| !entries.iter().all(is_of_another))
    }

    /// Whether its routes are in another VirtualService.
    pub fn is_delegated(&self) -> bool {
        self.setting("delegate").is_some()
    }

    /// Its conditions on a header that ask for a value, in each entry that has one.
    pub fn conditions<'r>(&'r self, header: &'r str) -> impl Iterator<Item = (&'r Asked<'o>, Written<'o>)> {
        let all = self.asked.iter().flat_map(|(_, asked)| asked).filter(move |asked| asked.is_about(header));
        all.filter_map(|asked| Some((asked, asked.value_asked()?)))
    }

    /// The values of a header that it takes, as nodes of the text.
    pub fn exact_values<'r>(&'r self, header: &'r str) -> impl Iterator<Item = (&'o Node, &'o str)> {
        self.conditions(header).filter_map(|(_, written)| written.exact)
    }

    /// Whether it asks for a header's absence, or for another value.
    pub fn shuns(&self, header: &str) -> bool {
        let mut all = self.asked.iter().flat_map(|(_, asked)| asked);
        all.any(|asked| asked.is_about(header) && asked.is_negative())
    }

    /// The headers of which something like this is asked.
    pub fn headers_with<'r>(
        &'r self,
        is_it: &'r impl Fn(&Asked<'o>, Written<'o>) -> bool,
    ) -> impl Iterator<Item = Written<'o>> {
        let all = self.asked.iter().flat_map(|(_, asked)| asked);
        all.filter_map(move |asked| asked.value_asked().filter(|written| is_it(asked, *written)))
    }

    /// A setting, by its name in a VirtualService.
    pub fn setting(&self, key: &str) -> Option<&'o Node> {
        let Form::Rule { .. } = self.form else { return self.node.get(key) };
        match key {
            "timeout" => self.node.at(&["timeouts", "request"]).or(self.node.at(&["timeouts", "backendRequest"])),
            "retries" => self.node.get("retry"),
            "rewrite" => self.filters("URLRewrite").find_map(|filter| filter.get("urlRewrite")),
            "redirect" => self.filters("RequestRedirect").find_map(|filter| filter.get("requestRedirect")),
            "corsPolicy" => self.filters("CORS").find_map(|filter| filter.get("cors")),
            _ => None,
        }
    }

    /// The name of a setting where this route has it.
    pub fn word<'k>(&self, key: &'k str) -> &'k str {
        match (self.form, key) {
            (Form::Http(_), _) => key,
            (_, "timeout") => "timeouts",
            (_, "retries") => "retry",
            (_, "rewrite") => "URLRewrite",
            (_, "redirect") => "RequestRedirect",
            (_, "corsPolicy") => "CORS filter",
            _ => key,
        }
    }

    /// The filters of a rule of the Gateway API that have this type.
    fn filters(&self, kind: &str) -> impl Iterator<Item = &'o Node> {
        filters(self.node, kind)
    }

    /// Whether no destination gets a header as the filter has written it: it is removed or set, by the route or by each destination.
    pub fn replaces(&self, header: &str) -> bool {
        let is_replaced = |node: &'o Node| match self.form {
            Form::Http(_) => {
                let removed = node.at(&["headers", "request", "remove"]).map_or(&[][..], Node::items);
                let set = node.at(&["headers", "request", "set"]).map_or(&[][..], Node::entries);
                removed.iter().filter_map(Node::text).any(|name| name.eq_ignore_ascii_case(header))
                    || set.iter().any(|(key, _)| key.name.eq_ignore_ascii_case(header))
            }
            Form::Rule { .. } => filters(node, "RequestHeaderModifier").any(|filter| {
                let list = |key: &str| filter.at(&["requestHeaderModifier", key]).map_or(&[][..], Node::items);
                let set = list("set").iter().filter_map(|header| header.get("name")?.text());
                let removed = list("remove").iter().filter_map(Node::text);
                removed.chain(set).any(|name| name.eq_ignore_ascii_case(header))
            }),
        };
        is_replaced(self.node) || self.destinations.iter().all(|destination| is_replaced(destination.entry))
    }

    /// Whether Istio turns it into weighted clusters: it has several destinations. Those of weight 0 count in a VirtualService, except
    /// for the last one, and not in a route of the Gateway API.
    pub fn is_weighted(&self) -> bool {
        match self.form {
            Form::Http(_) => self.entries().len() > 1,
            Form::Rule { .. } => self.destinations.len() > 1,
        }
    }

    /// All of `route` or `backendRefs`.
    pub fn entries(&self) -> &'o [Node] {
        let key = if let Form::Http(_) = self.form { "route" } else { "backendRefs" };
        self.node.get(key).map_or(&[][..], Node::items)
    }

    /// Where its destinations are; of a route without any, the route.
    pub fn node_of_destinations(&self) -> &'o Node {
        let key = if let Form::Http(_) = self.form { "route" } else { "backendRefs" };
        self.node.get(key).unwrap_or(self.node)
    }

    /// What a gateway does instead of routing: `redirect` or `directResponse`.
    pub fn answer(&self) -> Option<&'static str> {
        let is_refused = || matches!(self.form, Form::Rule { .. }) && self.destinations.is_empty();
        match self.setting("redirect") {
            Some(_) => Some("redirect"),
            None if self.setting("directResponse").is_some() || is_refused() => Some("directResponse"),
            None => None,
        }
    }

    /// How specific it is, if that decides about its order.
    pub fn specificity(&self, precedence: Precedence) -> Option<Specificity> {
        if let Form::Rule { rank, .. } = self.form { Some(rank.by(precedence)) } else { None }
    }
}

/// The entries of `filters` that have a type.
fn filters<'o>(node: &'o Node, kind: &str) -> impl Iterator<Item = &'o Node> {
    let all = node.get("filters").map_or(&[][..], Node::items).iter();
    all.filter(move |filter| filter.get("type").and_then(Node::text) == Some(kind))
}

/// The condition of an entry of a VirtualService on a header.
pub fn condition<'o>(entry: &'o Node, header: &str) -> Option<(&'o Key, &'o Node)> {
    let headers = entry.get("headers").map_or(&[][..], Node::entries);
    headers.iter().find(|(key, _)| key.name.eq_ignore_ascii_case(header)).map(|(key, condition)| (key, condition))
}

/// Whether two routes lead to one host.
pub fn leads_alike(one: &Route, other: &Route) -> bool {
    one.destinations.iter().any(|one| other.destinations.iter().any(|other| one.is_with(other)))
}

impl<'o> Destination<'o> {
    /// Its share of the requests of the route; `None`: it has none of its own.
    pub fn weight(&self) -> Option<u32> {
        self.entry.get("weight").and_then(Node::number)
    }

    /// Reads an entry of `route`, in a VirtualService of this namespace.
    pub fn of(entry: &'o Node, namespace: &'o str) -> Option<Destination<'o>> {
        Destination::new(entry, entry.get("destination")?, namespace)
    }

    /// Reads a destination of a VirtualService.
    pub fn new(entry: &'o Node, node: &'o Node, namespace: &'o str) -> Option<Destination<'o>> {
        let text = |key: &str| node.get(key).and_then(|node| Some((node, node.text()?)));
        let port = node.at(&["port", "number"]).and_then(|node| Some((node, node.number()?)));
        let subset = text("subset").filter(|(_, name)| !name.is_empty());
        Some(Destination { entry, node, host: text("host")?, subset, port, namespace, kind: Backend::Host })
    }

    /// Reads an entry of `backendRefs`, in a route of this namespace.
    pub fn of_backend(node: &'o Node, namespace: &'o str) -> Option<Destination<'o>> {
        let text = |key: &str| node.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let name = node.get("name")?;
        let kind = match (text("group"), text("kind").unwrap_or("Service")) {
            (None, "Service") => Backend::Service,
            // Istio's name for any host, in full.
            (Some("networking.istio.io"), "Hostname") => Backend::Hostname,
            _ => Backend::Other,
        };
        Some(Destination {
            entry: node,
            node,
            host: (name, name.text()?),
            subset: None,
            port: node.get("port").and_then(|node| Some((node, node.number()?))),
            namespace: text("namespace").unwrap_or(namespace),
            kind,
        })
    }

    /// Whether it is written as a backend of the Gateway API.
    pub fn is_backend(&self) -> bool {
        self.kind != Backend::Host
    }

    /// The Service that it means, if its host is one's.
    pub fn service(&self) -> Option<ServiceName<'o>> {
        match self.kind {
            Backend::Host | Backend::Hostname => ServiceName::of(self.host.1, self.namespace),
            Backend::Service => Some(ServiceName { name: self.host.1, namespace: self.namespace }),
            Backend::Other => None,
        }
    }

    /// Its written form, and its namespace.
    pub fn place(&self) -> (&'o str, &'o str, Option<&'o str>, Option<u32>) {
        let (subset, port) = (self.subset.map(|(_, subset)| subset), self.port.map(|(_, port)| port));
        (self.namespace, self.host.1, subset, port)
    }

    /// Whether an object of this namespace means it by a host.
    pub fn is_at(&self, host: &str, namespace: &str) -> bool {
        match (ServiceName::of(host, namespace), self.service()) {
            (Some(own), Some(other)) => own.is(&other),
            (None, Some(ServiceName { name, namespace })) => {
                overlap(host, &format!("{name}.{namespace}.svc.cluster.local")) || host == "*"
            }
            _ => overlap(host, self.host.1),
        }
    }

    /// Whether another one has its host.
    pub fn is_with(&self, other: &Destination) -> bool {
        self.is_at(other.host.1, other.namespace)
    }

    /// Whether another one is the same subset of the same host.
    pub fn is_same(&self, other: &Destination) -> bool {
        let subset = |destination: &Destination| destination.subset.map(|(_, subset)| subset.to_owned());
        self.is_with(other) && subset(self) == subset(other)
    }

    /// Whether it names any subset, even one that cannot be read.
    pub fn has_subset(&self) -> bool {
        self.node.get("subset").is_some_and(|subset| subset.text() != Some(""))
    }

    /// Whether it belongs to a rule's subset of this name: a subset, or a Service called `NAME` or `…-NAME`.
    pub fn is_called(&self, name: &str) -> bool {
        match (self.subset, self.service()) {
            (Some((_, subset)), _) => subset == name,
            (None, Some(service)) => {
                service.name.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
            }
            (None, None) => false,
        }
    }

    /// Whether it is this subset of a rule and nothing else: by its name, or, where no subsets exist, by that of its Service.
    pub fn is_version(&self, name: &str) -> bool {
        self.is_subset(name) || self.is_backend() && self.is_called(name)
    }

    /// Whether it has this subset.
    pub fn is_subset(&self, name: &str) -> bool {
        self.subset.is_some_and(|(_, subset)| subset == name)
    }
}
