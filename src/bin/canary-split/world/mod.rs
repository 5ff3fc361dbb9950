//! All objects that are applied together, as far as the checks need them.

pub mod api_match;
pub mod asked;
pub mod beside;
pub mod envoy_filter;
pub mod gateway;
pub mod gateway_api;
pub mod gateway_name;
pub mod host;
pub mod host_index;
mod http_route;
mod index;
pub mod labels;
pub mod listeners;
mod makers;
pub mod namespace;
pub mod parent;
pub mod parts;
pub mod plugin;
pub mod pods;
pub mod reached;
pub mod routing;
pub mod service;
pub mod site;
mod strangers;
pub mod table;
pub mod text;
pub mod together;
pub mod virtual_service;
pub mod waypoint;
pub mod witness;

use crate::input::manifest::{GATEWAY_API, Object, Objects};
use crate::input::yaml::{Key, Node};
use api_match::Precedence;
use beside::{Beside, Found, Names};
use envoy_filter::Pick;
use gateway::Gateway;
use gateway_api::Runner;
use host::{ServiceName, overlap};
use index::{Index, Lists};
use labels::Labels;
use makers::Maker;
use namespace::ROOT_NAMESPACE;
use parent::Parent;
use plugin::Plugin;
use routing::{Destination, Route, Routing};
use service::{DestinationRule, Service, Workload};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// All objects that are applied together.
#[derive(Debug)]
pub struct World<'o> {
    /// The plugins with this filter.
    pub plugins: Vec<Plugin>,
    /// All VirtualServices, HTTPRoutes and GRPCRoutes.
    pub routings: Vec<Routing<'o>>,
    /// All Gateways, Istio's and those of the Gateway API.
    pub gateways: Vec<Gateway<'o>>,
    /// All DestinationRules.
    pub destination_rules: Vec<DestinationRule<'o>>,
    /// All Services.
    pub services: Vec<Service<'o>>,
    /// Makers of pods.
    pub workloads: Vec<Workload<'o>>,
    /// Namespaces with pods whose labels are unknown.
    pub obscure: HashSet<&'o str>,
    /// Objects of unknown kinds that may make or represent pods.
    pub unknown: Vec<Maker<'o>>,
    /// The patches that let Envoy pick by a header.
    pub picks: Vec<Pick<'o>>,
    /// All policies of Envoy Gateway that are about extensions, with or without this filter.
    pub policies: Vec<&'o Object>,
    /// What lets routes of other namespaces lead to Services.
    pub grants: Vec<&'o Object>,
    /// cert-manager's.
    pub certificates: Vec<&'o Object>,
    /// The given Namespaces, by their names.
    pub namespaces: HashMap<&'o str, &'o Node>,
    /// The controllers of the given GatewayClasses, by their names.
    controllers: HashMap<&'o str, &'o str>,
    /// The places of these.
    index: Index<'o>,
    /// What policies of Envoy Gateway have next to them, by their gateways: many of them may be on routes of one.
    beside: RefCell<HashMap<Names, Rc<Found>>>,
    /// The gateways that policies of Envoy Gateway may be on.
    policed: OnceCell<Names>,
}

impl<'o> World<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> World<'o> {
        let classic = objects.of_kind("Gateway").filter_map(Gateway::of);
        let gateways: Vec<_> = classic.chain(objects.of_gateway_api("Gateway").map(gateway_api::read)).collect();
        let mut routings: Vec<_> = objects.of_kind("VirtualService").map(virtual_service::read).collect();
        let routes = ["HTTPRoute", "GRPCRoute"].into_iter().flat_map(|kind| objects.of_gateway_api(kind));
        routings.extend(routes.map(http_route::read));
        add_hosts(&mut routings, &gateways);
        let destination_rules: Vec<_> = objects.of_kind("DestinationRule").filter_map(DestinationRule::of).collect();
        let services: Vec<_> = objects.of_kind("Service").filter_map(Service::of).collect();
        let workloads: Vec<_> =
            objects.workloads().filter(|object| !makers::is_past(object)).filter_map(Workload::of).collect();
        let unknown: Vec<_> = makers::unknown(objects).collect();
        let index = Index::of(&Lists {
            routings: &routings,
            services: &services,
            rules: &destination_rules,
            gateways: &gateways,
            workloads: &workloads,
            unknown: &unknown,
        });
        World {
            plugins: objects.configs().map(Plugin::new).collect(),
            routings,
            gateways,
            destination_rules,
            services,
            workloads,
            obscure: makers::obscure(objects),
            unknown,
            index,
            beside: RefCell::default(),
            policed: OnceCell::new(),
            picks: envoy_filter::picks(objects),
            policies: objects.of_kind("EnvoyExtensionPolicy").collect(),
            grants: objects.of_gateway_api("ReferenceGrant").collect(),
            certificates: objects.of_kind("Certificate").collect(),
            namespaces: of_kind(objects, "", "Namespace").collect(),
            controllers: controllers(objects),
        }
    }

    /// All VirtualServices.
    pub fn virtual_services(&self) -> impl Iterator<Item = &Routing<'o>> {
        self.routings.iter().filter(|routing| routing.is_virtual_service())
    }

    /// The given Gateways that a routing names, and whether these are all.
    pub fn gateways_of(&self, routing: &Routing) -> (Vec<&Gateway<'o>>, bool) {
        let mut are_all = !routing.has_other_parents;
        let mut found = Vec::new();
        for parent in &routing.parents {
            let named = self.gateways_named(parent);
            // Its listeners may be somewhere else.
            are_all &= named.iter().any(|(_, gateway)| !gateway.is_of_api() || !gateway.servers.is_empty());
            found.extend(named.into_iter().map(|(_, gateway)| gateway));
        }
        (found, are_all)
    }

    /// Who surely runs a Gateway of the Gateway API.
    pub fn runner(&self, gateway: &Gateway) -> Option<Runner> {
        let class = gateway.object.text(&["spec", "gatewayClassName"]).filter(|_| gateway.is_of_api())?;
        gateway_api::runner(class, self.controllers.get(class).copied())
    }

    /// Who orders the routes of a routing at a Gateway of the Gateway API: whoever runs it. Only Envoy Gateway heeds its policies, so
    /// one of these tells where nothing else does.
    pub fn precedence_at(&self, gateway: &Gateway, routing: &Routing) -> Precedence {
        let policed = || {
            self.policed.get_or_init(|| {
                let all =
                    self.plugins.iter().filter(|plugin| plugin.is_policy()).map(|policy| self.gateways_with(policy));
                let all: Vec<Names> = all.collect();
                all.iter().flat_map(Names::iter).collect()
            })
        };
        let mut parents = routing.parents.iter().filter(|parent| gateway.is(parent));
        match self.runner(gateway) {
            Some(runner) => runner.precedence(),
            None if parents.any(|parent| policed().has((parent.namespace, parent.name))) => Precedence::EnvoyGateway,
            None => Precedence::Istio,
        }
    }

    /// The given Gateways that may be meant, with their places.
    pub fn gateways_named(&self, parent: &Parent) -> Vec<(usize, &Gateway<'o>)> {
        let places = self.index.gateways(parent).into_iter();
        places.filter_map(|place| Some((place, self.gateways.get(place)?))).collect()
    }

    /// The namespaces of a gateway's pods, as far as pods or Services show them.
    pub fn shown_namespaces_of(&self, gateway: &Gateway<'o>) -> BTreeSet<&'o str> {
        if gateway.is_of_api() {
            return [&*gateway.object.namespace].into_iter().filter(|namespace| !namespace.is_empty()).collect();
        }
        let pods = self.workloads.iter().filter(|pods| gateway.selector.selects(&pods.labels));
        let is_its = |service: &&Service| service.selector.as_ref().is_some_and(|own| gateway.selector.selects(own));
        let services = self.services.iter().filter(is_its).map(|service| &*service.object.namespace);
        let known = pods.map(|pods| &*pods.object.namespace).chain(services);
        known.filter(|namespace| !namespace.is_empty()).collect()
    }

    /// The same, or else where the usual gateway's are.
    pub fn namespaces_of(&self, gateway: &Gateway<'o>) -> BTreeSet<&'o str> {
        let mut known = self.shown_namespaces_of(gateway);
        // The gateway that istioctl install makes.
        if known.is_empty() && !gateway.is_of_api() && gateway.selector.get("istio") == Some("ingressgateway") {
            known.insert(ROOT_NAMESPACE);
        }
        known
    }

    /// Whether a patch is on the pods of a gateway, as far as that is known.
    pub fn is_on(&self, pick: &Pick, gateway: &Gateway<'o>) -> bool {
        let pods = self.workloads.iter().map(|pods| &pods.labels).filter(|labels| gateway.selector.selects(labels));
        pick.is_on(gateway, &self.namespaces_of(gateway), pods)
    }

    /// Whether a patch is on a gateway of a routing; where none is given, it may be.
    pub fn is_at(&self, pick: &Pick, service: &Routing) -> bool {
        let (gateways, are_all) = self.gateways_of(service);
        !are_all || gateways.iter().any(|gateway| self.is_on(pick, gateway))
    }

    /// The domains of the virtual hosts that Istio makes of a routing's hosts: of a host and that of a Gateway the narrower one.
    pub fn domains_of(&self, service: &Routing) -> Vec<String> {
        let (gateways, are_all) = self.gateways_of(service);
        let served = gateways.iter().flat_map(|gateway| gateway.servers_of(service)).flat_map(|server| server.hosts());
        let served: Vec<&str> = served.filter_map(|host| host.rsplit('/').next()).collect();
        let mut domains: Vec<String> = Vec::new();
        let mut add = |domain: &str| {
            let domain = domain.to_ascii_lowercase();
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        };
        for (_, host) in &service.hosts {
            if !are_all {
                add(host);
            }
            for served in served.iter().filter(|served| overlap(served, host)) {
                // What is longer is for fewer hosts, and a name without a wildcard for one.
                let is_narrower = host.starts_with('*') && (!served.starts_with('*') || served.len() > host.len());
                add(if is_narrower { served } else { host });
            }
        }
        domains
    }

    /// The routings at a gateway that a plugin may be on.
    pub fn beside(&self, plugin: &Plugin) -> Beside<'_, 'o> {
        let gateways = self.gateways_with(plugin);
        let found = if plugin.is_policy() {
            let mut known = self.beside.borrow_mut();
            let found = known.entry(gateways).or_insert_with_key(|gateways| {
                let attached = gateways.iter().flat_map(|gateway| self.index.attached_to(gateway));
                Rc::new(self.found(attached.collect::<BTreeSet<_>>(), gateways.clone()))
            });
            Rc::clone(found)
        } else {
            let all = self.routings.iter().enumerate();
            let all = all.filter(|(_, routing)| self.may_decide(plugin, routing, &gateways)).map(|(place, _)| place);
            Rc::new(self.found(all.collect::<Vec<_>>(), gateways))
        };
        Beside::new(&self.routings, found)
    }

    /// Those of these routings, in their order, that have hosts and routes.
    fn found(&self, places: impl IntoIterator<Item = usize>, gateways: Names) -> Found {
        let has_routes = |routing: &Routing| !routing.hosts.is_empty() && !routing.routes.is_empty();
        let places = places.into_iter().filter(|place| self.routings.get(*place).is_some_and(has_routes));
        Found::new(&self.routings, places.collect(), gateways)
    }

    /// The gateways of the Gateway API that a plugin may be on. What a policy of Envoy Gateway writes on some routes of a gateway, the
    /// others are chosen by too.
    fn gateways_with(&self, plugin: &Plugin) -> Names {
        let named: BTreeSet<_> = if plugin.is_policy() {
            self.covered(plugin).into_iter().flat_map(Routing::gateways).collect()
        } else {
            let api = self.routings.iter().filter(|routing| !routing.is_virtual_service());
            api.flat_map(Routing::gateways).collect()
        };
        named.into_iter().filter(|(namespace, name)| plugin.may_be_at(namespace, name)).collect()
    }

    /// The routes that a policy of Envoy Gateway is on.
    pub fn covered(&self, policy: &Plugin) -> Vec<&Routing<'o>> {
        let places: BTreeSet<usize> = match policy.names_covered() {
            Some((namespace, names)) => names.flat_map(|name| self.index.routes(namespace, name)).collect(),
            None => (0..self.routings.len()).collect(),
        };
        let routings = places.into_iter().filter_map(|place| self.routings.get(place));
        routings.filter(|routing| !routing.is_virtual_service() && policy.covers(routing)).collect()
    }

    /// Whether requests for a routing may have been decided by a plugin, which is no policy.
    fn may_decide(&self, plugin: &Plugin, routing: &Routing<'o>, at: &Names) -> bool {
        if routing.is_virtual_service() {
            let (gateways, are_all) = self.gateways_of(routing);
            return !are_all || gateways.iter().any(|gateway| plugin.may_be_on(gateway));
        }
        let is_there = routing.gateways().any(|gateway| at.has(gateway));
        routing.has_other_parents || is_there || self.is_at_waypoint(plugin, routing)
    }

    /// The VirtualService that a route delegates to, if it is given.
    pub fn delegate(&self, service: &Routing, route: &Route) -> Option<&Routing<'o>> {
        let delegate = route.setting("delegate")?;
        let text = |key: &str| delegate.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let (name, namespace) = (text("name")?, text("namespace").unwrap_or(&service.object.namespace));
        let delegates = self.index.delegates(namespace, name).into_iter();
        delegates.filter_map(|place| self.routings.get(place)).next()
    }

    /// All routes of a VirtualService, including those of its delegates.
    pub fn routes_of<'w>(&'w self, service: &'w Routing<'o>) -> Vec<&'w Route<'o>> {
        let delegates = service.routes.iter().filter_map(|route| self.delegate(service, route));
        service.routes.iter().chain(delegates.flat_map(|delegate| &delegate.routes)).collect()
    }

    /// The plugins that write a header.
    pub fn writers_of(&self, header: &str) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter().filter(move |plugin| plugin.header.as_deref() == Some(header))
    }

    /// The given Services that a destination may mean.
    pub fn services_of(&self, destination: &Destination) -> Vec<&Service<'o>> {
        let Some(name) = destination.service() else { return Vec::new() };
        self.services_called(&name)
    }

    /// The given Services that a name may mean.
    pub fn services_called(&self, name: &ServiceName) -> Vec<&Service<'o>> {
        self.index.services(name).into_iter().filter_map(|place| self.services.get(place)).collect()
    }

    /// The routings that are for a host.
    pub fn routing(&self, host: &str) -> impl Iterator<Item = &Routing<'o>> {
        self.index.routing(host).into_iter().filter_map(|place| self.routings.get(place))
    }

    /// The Gateways that may serve a host.
    pub fn serving(&self, host: &str) -> impl Iterator<Item = &Gateway<'o>> {
        self.index.serving(host).into_iter().filter_map(|place| self.gateways.get(place))
    }

    /// Whether what is named there is given.
    pub fn has_gateway(&self, parent: &Parent) -> bool {
        !self.index.gateways(parent).is_empty()
    }

    /// The Service of a destination, if it can be only one.
    pub fn service_of(&self, destination: &Destination) -> Option<&Service<'o>> {
        match self.services_of(destination).as_slice() {
            [service] => Some(*service),
            _ => None,
        }
    }

    /// The given DestinationRules for a destination: those for its host, or else those for many hosts.
    pub fn rules_of(&self, destination: &Destination) -> Vec<&DestinationRule<'o>> {
        let (wide, own): (Vec<_>, Vec<_>) =
            self.all_rules_of(destination).into_iter().partition(|rule| rule.is_wildcard());
        if own.is_empty() { wide } else { own }
    }

    /// The given DestinationRules for a destination: those for its host, and those for many hosts.
    pub fn all_rules_of(&self, destination: &Destination) -> Vec<&DestinationRule<'o>> {
        let all = self.index.rules(destination).into_iter().filter_map(|place| self.destination_rules.get(place));
        all.filter(|rule| rule.is_for(destination)).collect()
    }

    /// The makers of a Service's pods; `None` if unknown objects may make more with these labels, or if none is given.
    pub fn pods_of(&self, service: &Service, labels: &Labels) -> Option<Vec<&Workload<'o>>> {
        let namespace = &*service.object.namespace;
        let mut unknown = self.index.unknown(namespace, labels).into_iter().filter_map(|place| self.unknown.get(place));
        let is_obscure = self.has_obscure_pods(service) || unknown.any(|unknown| may_have(unknown.node, labels));
        let pods = self.pods_behind(service);
        (!is_obscure && !pods.is_empty()).then_some(pods)
    }

    /// Whether the namespace of a Service has pods with unknown labels.
    pub fn has_obscure_pods(&self, service: &Service) -> bool {
        let namespace = &*service.object.namespace;
        [namespace, ""].iter().any(|namespace| self.obscure.contains(namespace))
            || namespace.is_empty() && !self.obscure.is_empty()
    }

    /// The known makers of a Service's pods.
    pub fn pods_behind(&self, service: &Service) -> Vec<&Workload<'o>> {
        let Some(selector) = &service.selector else { return Vec::new() };
        let places = self.index.workloads(&service.object.namespace, selector).into_iter();
        let workloads = places.filter_map(|place| self.workloads.get(place));
        workloads.filter(|workload| workload.is_behind(service)).collect()
    }

    /// Whether an object of an unknown kind mentions these labels.
    pub fn may_be_unknown(&self, labels: &Labels) -> bool {
        self.unknown.iter().any(|unknown| may_have(unknown.node, labels))
    }

    /// Whether an application lives in a namespace: a Service that routes lead to.
    pub fn is_of_application(&self, namespace: &str) -> bool {
        let destinations =
            self.routings.iter().flat_map(|service| &service.routes).flat_map(|route| &route.destinations);
        destinations.filter_map(Destination::service).any(|ServiceName { namespace: other, .. }| other == namespace)
    }
}

/// Whether an object has these labels anywhere, or more.
fn may_have(node: &Node, labels: &Labels) -> bool {
    let is_it = |(key, value): &(Key, Node)| {
        ["labels", "label"].contains(&&*key.name) && Labels::of(value).is_some_and(|own| labels.selects(&own))
            || may_have(value, labels)
    };
    node.entries().iter().any(is_it) || node.items().iter().any(|item| may_have(item, labels))
}

/// Objects of a kind that is not among those that are read, by their names.
fn of_kind<'o>(objects: &'o Objects, group: &str, kind: &str) -> impl Iterator<Item = (&'o str, &'o Node)> {
    let all = objects.unknown.iter().filter(move |one| one.kind() == (group, kind));
    all.filter_map(|one| Some((one.node.at(&["metadata", "name"])?.text()?, &one.node)))
}

fn controllers(objects: &Objects) -> HashMap<&str, &str> {
    let classes = of_kind(objects, GATEWAY_API, "GatewayClass");
    classes.filter_map(|(name, class)| Some((name, class.at(&["spec", "controllerName"])?.text()?))).collect()
}

/// Gives routes of the Gateway API that name no host those of their listeners.
fn add_hosts<'o>(routings: &mut [Routing<'o>], gateways: &[Gateway<'o>]) {
    let of_api = gateways.iter().filter(|gateway| gateway.is_of_api());
    let mut by_name: HashMap<&str, Vec<&Gateway>> = HashMap::new();
    of_api.for_each(|gateway| by_name.entry(&gateway.object.name).or_default().push(gateway));
    let is_open = |routing: &&mut Routing| {
        !routing.is_virtual_service() && routing.object.items(&["spec", "hostnames"]).is_empty()
    };
    for routing in routings.iter_mut().filter(is_open) {
        let mut hosts = Vec::new();
        for parent in &routing.parents {
            let named = by_name.get(parent.name).into_iter().flatten().filter(|gateway| gateway.is(parent));
            let listeners = named.flat_map(|gateway| &gateway.servers).filter(|server| server.is(parent));
            let mut known: Vec<_> = listeners.flat_map(|server| server.hosts()).collect();
            if known.is_empty() {
                known.push("*");
            }
            hosts.extend(known.into_iter().map(|host| (parent.node, host)));
        }
        let mut seen = HashSet::new();
        hosts.retain(|(_, host)| seen.insert(*host));
        routing.hosts.extend(hosts);
    }
}
