//! All objects that are applied together, as far as the checks need them.

pub mod asked;
pub mod beside;
pub mod envoy_filter;
pub mod gateway;
pub mod gateway_api;
pub mod gateway_name;
pub mod host;
pub mod host_index;
mod index;
pub mod labels;
mod makers;
pub mod namespace;
pub mod plugin;
pub mod pods;
pub mod routing;
pub mod service;
pub mod site;
pub mod table;
pub mod text;

use crate::input::manifest::{Object, Objects, Unknown};
use crate::input::yaml::{Key, Node};
use beside::Beside;
use envoy_filter::Pick;
use gateway::Gateway;
use gateway_api::GatewayApi;
use host::{ServiceName, overlap};
use index::{Index, Lists};
use labels::Labels;
use namespace::ROOT_NAMESPACE;
use plugin::Plugin;
use routing::{Destination, Route, VirtualService};
use service::{DestinationRule, Service, Workload};
use std::collections::{BTreeSet, HashSet};

/// All objects that are applied together.
#[derive(Debug)]
pub struct World<'o> {
    /// The plugins with this filter.
    pub plugins: Vec<Plugin>,
    /// All VirtualServices.
    pub virtual_services: Vec<VirtualService<'o>>,
    /// All Gateways.
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
    pub unknown: Vec<&'o Unknown>,
    /// The patches that let Envoy pick by a header.
    pub picks: Vec<Pick<'o>>,
    /// cert-manager's.
    pub certificates: Vec<&'o Object>,
    /// The places of these.
    index: Index<'o>,
    /// The given objects of the Gateway API.
    pub gateway_api: GatewayApi<'o>,
}

impl<'o> World<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> World<'o> {
        let virtual_services: Vec<_> = objects.of_kind("VirtualService").map(VirtualService::of).collect();
        let gateways: Vec<_> = objects.of_kind("Gateway").filter_map(Gateway::of).collect();
        let destination_rules: Vec<_> = objects.of_kind("DestinationRule").filter_map(DestinationRule::of).collect();
        let services: Vec<_> = objects.of_kind("Service").filter_map(Service::of).collect();
        let workloads: Vec<_> =
            objects.workloads().filter(|object| !makers::is_past(object)).filter_map(Workload::of).collect();
        let unknown: Vec<_> = makers::unknown(objects).collect();
        let index = Index::of(&Lists {
            virtual_services: &virtual_services,
            services: &services,
            rules: &destination_rules,
            gateways: &gateways,
            workloads: &workloads,
            unknown: &unknown,
        });
        World {
            plugins: objects.configs().map(Plugin::new).collect(),
            virtual_services,
            gateways,
            destination_rules,
            services,
            workloads,
            obscure: makers::obscure(objects),
            unknown,
            index,
            picks: envoy_filter::picks(objects),
            certificates: objects.of_kind("Certificate").collect(),
            gateway_api: GatewayApi::of(objects),
        }
    }

    /// The kinds of which none is given, so that nothing could be compared with them.
    pub fn missing(&self) -> Vec<&'static str> {
        let kinds = [
            ("WasmPlugin", self.plugins.is_empty()),
            ("VirtualService", self.virtual_services.is_empty()),
            ("Gateway", self.gateways.is_empty()),
            ("DestinationRule", self.destination_rules.is_empty()),
            ("Service", self.services.is_empty()),
            ("workload", self.workloads.is_empty()),
        ];
        if self.plugins.iter().all(|plugin| plugin.rules.is_empty()) && self.virtual_services.is_empty() {
            return Vec::new();
        }
        kinds.into_iter().filter(|(_, is_missing)| *is_missing).map(|(kind, _)| kind).collect()
    }

    /// The given Gateways that a VirtualService names, and whether these are all.
    pub fn gateways_of(&self, service: &VirtualService) -> (Vec<&Gateway<'o>>, bool) {
        let mut are_all = true;
        let mut found = Vec::new();
        for (namespace, name) in service.gateways() {
            let named = self.index.gateways(namespace, name).into_iter();
            let before = found.len();
            found.extend(named.filter_map(|place| self.gateways.get(place)));
            are_all &= found.len() > before;
        }
        (found, are_all)
    }

    /// The namespaces of a gateway's pods, as far as pods or Services show them.
    pub fn namespaces_of(&self, gateway: &Gateway) -> BTreeSet<&'o str> {
        let pods = self.workloads.iter().filter(|pods| gateway.selector.selects(&pods.labels));
        let is_its = |service: &&Service| service.selector.as_ref().is_some_and(|own| gateway.selector.selects(own));
        let services = self.services.iter().filter(is_its).map(|service| &*service.object.namespace);
        let known = pods.map(|pods| &*pods.object.namespace).chain(services);
        let mut known: BTreeSet<&str> = known.filter(|namespace| !namespace.is_empty()).collect();
        // The gateway that istioctl install makes.
        if known.is_empty() && gateway.selector.get("istio") == Some("ingressgateway") {
            known.insert(ROOT_NAMESPACE);
        }
        known
    }

    /// The domains of the virtual hosts that Istio makes of a VirtualService's hosts: of a host and that of a Gateway the narrower one.
    pub fn domains_of(&self, service: &VirtualService) -> Vec<String> {
        let (gateways, are_all) = self.gateways_of(service);
        let served = gateways.iter().flat_map(|gateway| &gateway.servers).flat_map(|server| server.hosts());
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

    /// The VirtualServices at a gateway that a plugin may be on.
    pub fn beside<'w>(&'w self, plugin: &Plugin) -> Beside<'w, 'o> {
        let is_beside = |service: &&VirtualService| {
            let (gateways, are_all) = self.gateways_of(service);
            !are_all || gateways.iter().any(|gateway| plugin.may_be_on(gateway))
        };
        let has_routes = |service: &&VirtualService| !service.hosts.is_empty() && !service.routes.is_empty();
        Beside::new(self.virtual_services.iter().filter(has_routes).filter(is_beside).collect())
    }

    /// The VirtualService that a route delegates to, if it is given.
    pub fn delegate(&self, service: &VirtualService, route: &Route) -> Option<&VirtualService<'o>> {
        let delegate = route.node.get("delegate")?;
        let text = |key: &str| delegate.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let (name, namespace) = (text("name")?, text("namespace").unwrap_or(&service.object.namespace));
        let delegates = self.index.delegates(namespace, name).into_iter();
        delegates.filter_map(|place| self.virtual_services.get(place)).next()
    }

    /// All routes of a VirtualService, including those of its delegates.
    pub fn routes_of<'w>(&'w self, service: &'w VirtualService<'o>) -> Vec<&'w Route<'o>> {
        let delegates = service.routes.iter().filter_map(|route| self.delegate(service, route));
        service.routes.iter().chain(delegates.flat_map(|delegate| &delegate.routes)).collect()
    }

    /// The plugins that write a header.
    pub fn writers_of(&self, header: &str) -> Vec<&Plugin> {
        self.plugins.iter().filter(|plugin| plugin.header.as_deref() == Some(header)).collect()
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

    /// The VirtualServices that are for a host.
    pub fn routing(&self, host: &str) -> impl Iterator<Item = &VirtualService<'o>> {
        self.index.routing(host).into_iter().filter_map(|place| self.virtual_services.get(place))
    }

    /// The Gateways that may serve a host.
    pub fn serving(&self, host: &str) -> impl Iterator<Item = &Gateway<'o>> {
        self.index.serving(host).into_iter().filter_map(|place| self.gateways.get(place))
    }

    /// Whether a Gateway of this name is given.
    pub fn has_gateway(&self, (namespace, name): (&str, &str)) -> bool {
        !self.index.gateways(namespace, name).is_empty()
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
        let all = self.index.rules(destination).into_iter().filter_map(|place| self.destination_rules.get(place));
        let all = all.filter(|rule| rule.is_for(destination));
        let (wide, own): (Vec<_>, Vec<_>) = all.partition(|rule| rule.is_wildcard());
        if own.is_empty() { wide } else { own }
    }

    /// The makers of a Service's pods; `None` if unknown objects may make more with these labels, or if none is given.
    pub fn pods_of(&self, service: &Service, labels: &Labels) -> Option<Vec<&Workload<'o>>> {
        let namespace = &*service.object.namespace;
        let mut unknown = self.index.unknown(namespace, labels).into_iter().filter_map(|place| self.unknown.get(place));
        let is_obscure = self.has_obscure_pods(service) || unknown.any(|unknown| may_have(&unknown.node, labels));
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
        self.unknown.iter().any(|unknown| may_have(&unknown.node, labels))
    }

    /// Whether an application lives in a namespace: a Service that routes lead to.
    pub fn is_of_application(&self, namespace: &str) -> bool {
        let destinations =
            self.virtual_services.iter().flat_map(|service| &service.routes).flat_map(|route| &route.destinations);
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
