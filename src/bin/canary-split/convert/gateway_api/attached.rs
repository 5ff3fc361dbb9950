//! Where routes are attached: at which listeners a route is met, and which plugin is there.

use super::read::Route;
use crate::convert::gateway::{Aim, Controller, Home};
use crate::convert::refusal::Refusal;
use crate::input::manifest::{GATEWAY_API, Object, Objects};
use crate::input::yaml::Node;
use crate::world::host::overlap;
use crate::world::namespace::is_same_namespace;
use crate::world::waypoint::{USES_WAYPOINT, Use};

/// By what Envoy Gateway is known in a GatewayClass.
const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io/gatewayclass-controller";
/// By what Istio is known there.
const ISTIO: &str = "istio.io/";

/// What is given of the gateways.
#[derive(Debug)]
pub struct Gateways {
    gateways: Vec<Object>,
    classes: Vec<Object>,
    /// The Services that say whether they have a waypoint, by namespace and name; the Namespaces that do have no name.
    waypoints: Vec<(String, String, bool)>,
    wanted: Option<Controller>,
}

/// Where a route is met.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The kind of the parent, its namespace, its name.
    parent: (String, String, String),
    /// The listener; `None`: any.
    listener: Option<String>,
    /// The host; `*`: any.
    pub host: String,
}

/// Where a route is met, and the plugins there.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// By which requests come to it.
    pub points: Vec<Point>,
    /// Where the plugins are.
    pub homes: Vec<Home>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// A parent that a route names.
struct Named<'r> {
    /// The route.
    object: &'r Object,
    /// Where it names the parent.
    parent: &'r Node,
    namespace: &'r str,
    name: &'r str,
}

impl Point {
    /// Whether one request may come by both.
    pub fn meets(&self, other: &Point) -> bool {
        let ((kind, namespace, name), (other_kind, other_namespace, other_name)) = (&self.parent, &other.parent);
        let is_one = kind == other_kind && name == other_name && is_same_namespace(namespace, other_namespace);
        let are_apart = matches!((&self.listener, &other.listener), (Some(one), Some(other)) if one != other);
        // A host has a table of its own next to those of wildcards around it.
        is_one && !are_apart && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// The listener of this one, if requests for the narrower host of others come there, and none of these is there.
    pub fn listener_without(&self, host: &str, others: &[Point]) -> Option<&str> {
        let listener = self.listener.as_deref()?;
        let is_around = self.host.len() < host.len() && self.host.starts_with('*') && overlap(&self.host, host);
        let own = || others.iter().filter(|other| other.parent == self.parent && other.host == host);
        let is_there = |other: &Point| other.listener.as_deref().is_none_or(|own| own == listener);
        (is_around && own().next().is_some() && !own().any(is_there)).then_some(listener)
    }
}

impl Gateways {
    /// Reads them.
    pub fn of(objects: &Objects, wanted: Option<Controller>) -> Gateways {
        let core = objects.unknown.iter().filter(|one| one.kind().0.is_empty()).map(|one| one.object("Namespace"));
        let namespaces: Vec<Object> = core.filter(|object| object.text(&["kind"]) == Some("Namespace")).collect();
        let has = |object: &Object| match Use::of(&object.node, &object.namespace) {
            Use::Unsaid => None,
            said => Some(said != Use::Off),
        };
        let classes = objects.unknown.iter().filter(|one| one.kind() == (GATEWAY_API, "GatewayClass"));
        let services = objects.of_kind("Service");
        let services = services.filter_map(|one| Some((one.namespace.clone(), one.name.clone(), has(one)?)));
        let all = namespaces.iter().filter_map(|one| Some((one.name.clone(), String::new(), has(one)?)));
        Gateways {
            gateways: objects.of_gateway_api("Gateway").cloned().collect(),
            classes: classes.map(|one| one.object("GatewayClass")).collect(),
            waypoints: services.chain(all).collect(),
            wanted,
        }
    }

    /// Where a route is met.
    pub fn attached(&self, route: &Route) -> Result<Attached, Refusal> {
        let object = route.object;
        let parents = object.items(&["spec", "parentRefs"]);
        if parents.is_empty() {
            return Err(Refusal::at(object, &object.node, "no parentRefs: no gateway has these routes"));
        }
        let mut attached = Attached::default();
        for parent in parents {
            let text = |key: &str| parent.get(key).and_then(Node::text);
            let (kind, group) = (text("kind").unwrap_or("Gateway"), text("group").unwrap_or(GATEWAY_API));
            let name = text("name").unwrap_or_default();
            let namespace = text("namespace").unwrap_or(&object.namespace);
            let named = Named { object, parent, namespace, name };
            let home = match (kind, group) {
                ("Gateway", GATEWAY_API) => self.at_gateway(named, &mut attached)?,
                ("Service", "" | "core") => self.at_service(named, &mut attached)?,
                _ => {
                    let reason = format!(
                        "its parent {kind} {name} is no Gateway, so no plugin can be put there; name the Gateway in parentRefs"
                    );
                    return Err(Refusal::at(object, parent, reason));
                }
            };
            home.join(&mut attached.homes);
        }
        if attached.points.is_empty() {
            let node = object.at(&["spec", "parentRefs"]).unwrap_or(&object.node);
            return Err(Refusal::at(object, node, "no listener of its Gateways is for it, so it has no requests"));
        }
        Ok(attached)
    }

    fn at_gateway(&self, named: Named, attached: &mut Attached) -> Result<Home, Refusal> {
        let Named { object, parent, namespace, name } = named;
        let is_it = |gateway: &&Object| gateway.name == name && is_same_namespace(&gateway.namespace, namespace);
        let given = self.gateways.iter().find(is_it);
        let section = parent.get("sectionName").and_then(Node::text);
        let own: Vec<&str> = object.items(&["spec", "hostnames"]).iter().filter_map(Node::text).collect();
        let key = ("Gateway".to_owned(), namespace.to_owned(), name.to_owned());
        let mut add = |listener: Option<&str>, host: &str| {
            let (parent, listener) = (key.clone(), listener.map(str::to_owned));
            attached.points.push(Point { parent, listener, host: host.to_ascii_lowercase() });
        };
        match given {
            None if own.is_empty() => add(section, "*"),
            None => own.iter().for_each(|host| add(section, host)),
            Some(gateway) => {
                let port = parent.get("port").and_then(Node::number);
                for listener in gateway.items(&["spec", "listeners"]) {
                    let text = |key: &str| listener.get(key).and_then(Node::text);
                    let is_meant = section.is_none_or(|section| text("name") == Some(section))
                        && port.is_none_or(|port| listener.get("port").and_then(Node::number) == Some(port));
                    if !is_meant || !text("protocol").is_some_and(|protocol| ["HTTP", "HTTPS"].contains(&protocol)) {
                        continue;
                    }
                    let served = text("hostname").filter(|host| !host.is_empty()).unwrap_or("*");
                    if own.is_empty() {
                        add(text("name"), served);
                    }
                    for host in own.iter().filter(|host| overlap(host, served)) {
                        // Of two the longer one is for fewer hosts, and a name without a wildcard for one.
                        let is_narrower =
                            host.starts_with('*') && (!served.starts_with('*') || served.len() > host.len());
                        add(text("name"), if is_narrower { served } else { host });
                    }
                }
            }
        }
        let controller = match self.wanted {
            Some(wanted) => wanted,
            None => self.controller(object, parent, given, &format!("{namespace}/{name}"), &mut attached.notes)?,
        };
        let namespace = given.map_or(namespace, |gateway| &gateway.namespace);
        let listeners = section.map(str::to_owned).into_iter().collect();
        Ok(Home::aimed(namespace, Aim { controller, kind: "Gateway", name: name.to_owned(), listeners }))
    }

    /// Who runs a Gateway.
    fn controller(
        &self,
        object: &Object,
        parent: &Node,
        gateway: Option<&Object>,
        title: &str,
        notes: &mut Vec<String>,
    ) -> Result<Controller, Refusal> {
        let class = gateway.and_then(|gateway| gateway.text(&["spec", "gatewayClassName"]));
        let title = title.trim_start_matches('/');
        let known = class.and_then(|class| self.classes.iter().find(|known| known.name == class));
        let by = known.and_then(|known| known.text(&["spec", "controllerName"]));
        match (by, class) {
            (Some(ENVOY_GATEWAY), _) => Ok(Controller::EnvoyGateway),
            (Some(by), _) if by.starts_with(ISTIO) => Ok(Controller::Istio),
            (Some(by), Some(class)) => {
                let reason = format!(
                    "Gateway {title} is of class {class}, which {by} runs: the filter is for Istio and Envoy Gateway; if that is one of them, say so by --for"
                );
                Err(Refusal::at(object, parent, reason))
            }
            (_, Some(class)) if class == "eg" || class.contains("envoy") => Ok(Controller::EnvoyGateway),
            (_, Some(class)) if class.contains("istio") => Ok(Controller::Istio),
            (_, class) => {
                let why = match class {
                    Some(class) => format!("GatewayClass {class} of Gateway {title} is not given"),
                    None => format!("Gateway {title} of {} is not given", object.title()),
                };
                notes.push(format!("{why}: the plugin is for Istio; with --for envoy-gateway it is for Envoy Gateway"));
                Ok(Controller::Istio)
            }
        }
    }

    /// Requests inside the mesh: only a waypoint has the filter.
    fn at_service(&self, named: Named, attached: &mut Attached) -> Result<Home, Refusal> {
        let Named { object, parent, namespace, name } = named;
        let refuse = |reason: String| Err(Refusal::at(object, parent, reason));
        if namespace != object.namespace {
            return refuse(format!(
                "its parent is Service {namespace}/{name}, of another namespace: these are the routes of callers in {} alone, and their sidecars do not have the filter",
                object.namespace
            ));
        }
        let said = |service: &str| {
            let is_it =
                |(there, own, _): &&(String, String, bool)| is_same_namespace(there, namespace) && own == service;
            self.waypoints.iter().find(is_it).map(|(.., has)| *has)
        };
        if !said(name).or_else(|| said("")).unwrap_or_default() {
            return refuse(format!(
                "its parent is Service {name}, so these are requests inside the mesh, where only a waypoint has the filter; if Service {name} or its Namespace has the label {USES_WAYPOINT}, give it too"
            ));
        }
        let parent = ("Service".to_owned(), namespace.to_owned(), name.to_owned());
        attached.points.push(Point { parent, listener: None, host: "*".to_owned() });
        let (controller, listeners) = (Controller::Istio, Vec::new());
        Ok(Home::aimed(namespace, Aim { controller, kind: "Service", name: name.to_owned(), listeners }))
    }
}

#[cfg(test)]
mod tests {
    use super::Gateways;
    use crate::convert::gateway_api::read::{Route, objects};
    use crate::input::manifest::Objects;
    use crate::input::sources::{Source, Unit};
    use std::rc::Rc;

    #[test]
    fn requests_inside_the_mesh_are_those_of_a_waypoint() {
        let service =
            "kind: Service, metadata: {namespace: shop, name: shop, labels: {istio.io/use-waypoint: waypoint}}";
        let namespace = "kind: Namespace, metadata: {name: shop, labels: {istio.io/use-waypoint: waypoint}}";
        let without = "kind: Namespace, metadata: {name: shop, labels: {istio.io/use-waypoint: none}}";
        let elsewhere = "kind: Namespace, metadata: {name: other, labels: {istio.io/use-waypoint: waypoint}}";
        let own = "kind: Service, metadata: {namespace: shop, name: shop, labels: {istio.io/use-waypoint: none}}";
        let [off, on] =
            [(namespace, own), (without, service)].map(|(all, own)| format!("{all}}}\n---\n{{apiVersion: v1, {own}"));
        for (given, expected) in
            [(service, true), (namespace, true), (without, false), (elsewhere, false), (&off, false), (&on, true)]
        {
            let text = format!(
                "{{apiVersion: v1, {given}}}\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{namespace: shop, name: shop}}, \
                 spec: {{parentRefs: [{{group: '', kind: Service, name: shop}}]}}}}\n"
            );
            let sources = vec![Rc::new(Source::new("routes.yaml", text))];
            let all = Objects::of(&Unit { folder: String::new(), sources }).unwrap();
            let given_routes = objects(&all);
            let attached = Gateways::of(&all, None).attached(&Route::of(&given_routes[0]));
            let home = attached.ok().map(|attached| attached.homes[0].clone());
            let aim = home.and_then(|home| Some((home.namespace.clone(), home.aim?)));
            let aim = aim.map(|(namespace, aim)| format!("{} {namespace}/{}", aim.kind, aim.name));
            assert_eq!(aim, expected.then(|| "Service shop/shop".to_owned()), "{given}");
        }
    }
}
