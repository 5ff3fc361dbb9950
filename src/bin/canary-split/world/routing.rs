//! VirtualServices: which requests go where.

use super::asked::Asked;
use super::gateway_name::{Gateways, MESH, resolved};
use super::host::{ServiceName, overlap};
use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node, Value};
use canary_split::rule::re2::Re2;

/// A VirtualService.
#[derive(Debug)]
pub struct VirtualService<'o> {
    /// All of it.
    pub object: &'o Object,
    /// Its hosts; none if it is part of another one.
    pub hosts: Vec<(&'o Node, &'o str)>,
    /// Its HTTP routes.
    pub routes: Vec<Route<'o>>,
    /// The destinations of its connections without HTTP: `tcp` and `tls`.
    pub streams: Vec<Destination<'o>>,
}

/// An HTTP route.
#[derive(Debug)]
pub struct Route<'o> {
    /// All of it.
    pub node: &'o Node,
    /// Any of these may hold at a gateway; `None`: it takes every request.
    pub matches: Option<Vec<&'o Node>>,
    /// The conditions of each entry.
    pub asked: Vec<(&'o Node, Vec<Asked<'o>>)>,
    /// The destinations of its requests, without those of weight 0.
    pub destinations: Vec<Destination<'o>>,
    /// The destinations of copies of its requests.
    pub mirrors: Vec<Destination<'o>>,
}

/// One destination of a route.
#[derive(Debug)]
pub struct Destination<'o> {
    /// The entry of `route`, with the headers that are changed for it alone; of a mirror all of it.
    pub entry: &'o Node,
    /// Host, subset and port.
    pub node: &'o Node,
    /// `destination.host`
    pub host: (&'o Node, &'o str),
    /// `destination.subset`
    pub subset: Option<(&'o Node, &'o str)>,
    /// `destination.port.number`
    pub port: Option<(&'o Node, u32)>,
    /// The namespace of the VirtualService, by which short hosts are completed.
    namespace: &'o str,
}

impl<'o> VirtualService<'o> {
    /// Reads one.
    pub fn of(object: &'o Object) -> VirtualService<'o> {
        let hosts = object.items(&["spec", "hosts"]).iter().filter_map(|host| Some((host, host.text()?))).collect();
        let gateways = Gateways::of(object);
        let routes = object.items(&["spec", "http"]).iter().map(|node| Route::of(node, object, &gateways)).collect();
        let streams = ["tcp", "tls"].into_iter().flat_map(|kind| object.items(&["spec", kind]));
        let streams = streams.flat_map(|node| destinations(node, &object.namespace)).collect();
        VirtualService { object, hosts, routes, streams }
    }

    /// Namespaces and names of its gateways.
    pub fn gateways(&self) -> impl Iterator<Item = (&'o str, &'o str)> {
        let names = self.object.items(&["spec", "gateways"]).iter().filter_map(Node::text);
        names.filter(|name| *name != MESH).map(|name| resolved(name, &self.object.namespace))
    }

    /// Whether it also speaks for sidecars.
    pub fn is_for_mesh(&self) -> bool {
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
        entries.into_iter().any(|entry| condition(entry, header).is_some())
    }

    /// Whether any of its routes asks for a header at a gateway.
    pub fn asks_for(&self, header: &str) -> bool {
        self.routes.iter().any(|route| route.conditions(header).next().is_some() || route.shuns(header))
    }
}

impl<'o> Route<'o> {
    fn of(node: &'o Node, object: &'o Object, gateways: &Gateways) -> Route<'o> {
        let entries = node.get("match").map(Node::items).filter(|entries| !entries.is_empty());
        let matches: Option<Vec<_>> =
            entries.map(|entries| entries.iter().filter(|entry| gateways.may_meet(entry)).collect());
        let destinations = destinations(node, &object.namespace);
        let asked = match &matches {
            None => vec![(node, Vec::new())],
            Some(entries) => entries.iter().map(|entry| (*entry, Asked::of_entry(entry, gateways.count))).collect(),
        };
        Route { node, matches, asked, destinations, mirrors: mirrors(node, &object.namespace) }
    }

    /// Whether requests at a port of a gateway may meet it.
    pub fn is_met_at(&self, port: u32) -> bool {
        let is_of_another = |entry: &&Node| entry.get("port").is_some_and(|own| own.number() != Some(port));
        self.matches.as_ref().is_none_or(|entries| !entries.iter().all(is_of_another))
    }

    /// Whether its routes are in another VirtualService.
    pub fn is_delegated(&self) -> bool {
        self.node.get("delegate").is_some()
    }

    /// Its conditions on a header, in each entry that has one.
    pub fn conditions(&self, header: &str) -> impl Iterator<Item = (&'o Key, &'o Node)> {
        self.matches.iter().flatten().filter_map(move |entry| condition(entry, header))
    }

    /// The values of a header that it takes, as nodes of the text.
    pub fn exact_values(&self, header: &str) -> impl Iterator<Item = (&'o Node, &'o str)> {
        self.conditions(header).filter_map(|(_, condition)| exact(condition))
    }

    /// Whether it asks for a header's absence, or for another value.
    pub fn shuns(&self, header: &str) -> bool {
        let headers = self.matches.iter().flatten().filter_map(|entry| entry.get("withoutHeaders"));
        headers.flat_map(Node::entries).any(|(key, _)| key.name.eq_ignore_ascii_case(header))
    }

    /// The headers of which something like this is asked.
    pub fn headers_with(&self, is_it: impl Fn(&Node) -> bool) -> impl Iterator<Item = &'o Key> {
        let headers = self.matches.iter().flatten().filter_map(|entry| entry.get("headers")).flat_map(Node::entries);
        headers.filter(move |(_, condition)| is_it(condition)).map(|(key, _)| key)
    }
}

/// The destinations of requests or connections.
fn destinations<'o>(route: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let entries = route.get("route").map_or(&[][..], Node::items);
    // Among several, those without a weight get nothing; Istio refuses a route without any weight.
    let has_weights = entries.iter().any(|entry| entry.get("weight").is_some());
    let is_used = |entry: &&Node| entries.len() == 1 || !has_weights || is_weighted(entry);
    entries.iter().filter(is_used).filter_map(|entry| Destination::of(entry, namespace)).collect()
}

/// The destinations of copies, if any are made.
fn mirrors<'o>(route: &'o Node, namespace: &'o str) -> Vec<Destination<'o>> {
    let is_zero = |node: &Node| matches!(&node.value, Value::Number(number) if number.parse() == Ok(0.0));
    let is_off = |share: Option<&Node>| {
        share.is_some_and(|share| !matches!(share.value, Value::Null) && share.get("value").is_none_or(is_zero))
    };
    let share = route.get("mirrorPercentage");
    let is_all_off = is_off(share) || share.is_none() && route.get("mirrorPercent").is_some_and(is_zero);
    let one = route.get("mirror").filter(|_| !is_all_off);
    let one = one.and_then(|node| Destination::new(node, node, namespace));
    let several = route.get("mirrors").map_or(&[][..], Node::items).iter();
    let several = several.filter(|entry| !is_off(entry.get("percentage")));
    one.into_iter().chain(several.filter_map(|entry| Destination::of(entry, namespace))).collect()
}

/// Whether a destination has a weight that is not 0.
fn is_weighted(entry: &Node) -> bool {
    entry
        .get("weight")
        .is_some_and(|weight| !matches!(&weight.value, Value::Null) && weight.to_json().parse() != Ok(0.0))
}

/// The condition of an entry on a header.
pub fn condition<'o>(entry: &'o Node, header: &str) -> Option<(&'o Key, &'o Node)> {
    let headers = entry.get("headers").map_or(&[][..], Node::entries);
    headers.iter().find(|(key, _)| key.name.eq_ignore_ascii_case(header)).map(|(key, condition)| (key, condition))
}

/// The exact value that a header must have.
pub fn exact(condition: &Node) -> Option<(&Node, &str)> {
    let node = condition.get("exact")?;
    Some((node, node.text()?))
}

/// Whether two routes lead to one host.
pub fn leads_alike(one: &Route, other: &Route) -> bool {
    one.destinations.iter().any(|one| other.destinations.iter().any(|other| one.is_with(other)))
}

/// Whether a route with this condition on a header surely takes a value: by presence, prefix or regex.
pub fn is_taken(condition: &Node, value: &str) -> bool {
    match condition.entries() {
        [] => matches!(condition.value, Value::Map(_)),
        [(key, asked)] => match (&*key.name, asked.text()) {
            ("prefix", Some(prefix)) => !prefix.is_empty() && value.starts_with(prefix),
            ("regex", Some(regex)) => Re2::new(regex).is_ok_and(|regex| regex.is_match(value.as_bytes())),
            _ => false,
        },
        _ => false,
    }
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

    fn new(entry: &'o Node, node: &'o Node, namespace: &'o str) -> Option<Destination<'o>> {
        let text = |key: &str| node.get(key).and_then(|node| Some((node, node.text()?)));
        let port = node.at(&["port", "number"]).and_then(|node| Some((node, node.number()?)));
        let subset = text("subset").filter(|(_, name)| !name.is_empty());
        Some(Destination { entry, node, host: text("host")?, subset, port, namespace })
    }

    /// The Service that it means, if its host is one's.
    pub fn service(&self) -> Option<ServiceName<'o>> {
        ServiceName::of(self.host.1, self.namespace)
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

    /// Whether it has this subset.
    pub fn is_subset(&self, name: &str) -> bool {
        self.subset.is_some_and(|(_, subset)| subset == name)
    }
}
