//! What is applied together, as far as the checks between objects look at it.

pub mod asked;
pub mod gateway;
pub mod host;
pub mod labels;
pub mod namespace;
pub mod plugin;
pub mod routing;
pub mod service;
pub mod site;
pub mod table;
pub mod text;

use crate::input::manifest::{Object, Objects, Unknown};
use crate::input::yaml::{Key, Node};
use gateway::Gateway;
use host::ServiceName;
use labels::Labels;
use namespace::is_same_namespace;
use plugin::Plugin;
use routing::{Destination, Route, VirtualService};
use service::{DestinationRule, Service, Workload};
use std::collections::HashMap;

/// All that is applied together.
#[derive(Debug)]
pub struct World<'o> {
    /// The plugins that are this filter.
    pub plugins: Vec<Plugin>,
    /// All VirtualServices.
    pub virtual_services: Vec<VirtualService<'o>>,
    /// Their places by their names.
    by_name: HashMap<&'o str, Vec<usize>>,
    /// All Gateways.
    pub gateways: Vec<Gateway<'o>>,
    /// All DestinationRules.
    pub destination_rules: Vec<DestinationRule<'o>>,
    /// All Services.
    pub services: Vec<Service<'o>>,
    /// What makes pods.
    pub workloads: Vec<Workload<'o>>,
    /// Namespaces with pods whose labels nobody knows.
    pub obscure: Vec<&'o str>,
    /// What may make pods, or stand for them, in a way that is not known here.
    pub unknown: Vec<&'o Unknown>,
    /// cert-manager's.
    pub certificates: Vec<&'o Object>,
}

impl<'o> World<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> World<'o> {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for (place, service) in objects.of_kind("VirtualService").enumerate() {
            by_name.entry(&*service.name).or_default().push(place);
        }
        World {
            plugins: objects.configs().map(Plugin::new).collect(),
            virtual_services: objects.of_kind("VirtualService").map(VirtualService::of).collect(),
            by_name,
            gateways: objects.of_kind("Gateway").filter_map(Gateway::of).collect(),
            destination_rules: objects.of_kind("DestinationRule").filter_map(DestinationRule::of).collect(),
            services: objects.of_kind("Service").filter_map(Service::of).collect(),
            workloads: objects.workloads().filter_map(Workload::of).collect(),
            obscure: obscure(objects),
            unknown: objects.unknown.iter().collect(),
            certificates: objects.of_kind("Certificate").collect(),
        }
    }

    /// The kinds of which there is none, so that nothing could be compared with them.
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

    /// The Gateways that a VirtualService names and that are given, and whether these are all.
    pub fn gateways_of(&self, service: &VirtualService) -> (Vec<&Gateway<'o>>, bool) {
        let mut are_all = true;
        let mut found = Vec::new();
        for (namespace, name) in service.gateways() {
            let is_named = |gateway: &&Gateway| {
                gateway.object.name == name && is_same_namespace(&gateway.object.namespace, namespace)
            };
            let before = found.len();
            found.extend(self.gateways.iter().filter(is_named));
            are_all &= found.len() > before;
        }
        (found, are_all)
    }

    /// The VirtualServices at a gateway that a plugin may be on.
    pub fn beside<'w>(&'w self, plugin: &Plugin) -> Vec<&'w VirtualService<'o>> {
        let is_beside = |service: &&VirtualService| {
            let (gateways, are_all) = self.gateways_of(service);
            !are_all || gateways.iter().any(|gateway| plugin.may_be_on(gateway))
        };
        let has_routes = |service: &&VirtualService| !service.hosts.is_empty() && !service.routes.is_empty();
        self.virtual_services.iter().filter(has_routes).filter(is_beside).collect()
    }

    /// The VirtualService that a route delegates to, if it is given.
    pub fn delegate(&self, service: &VirtualService, route: &Route) -> Option<&VirtualService<'o>> {
        let delegate = route.node.get("delegate")?;
        let text = |key: &str| delegate.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let (name, namespace) = (text("name")?, text("namespace").unwrap_or(&service.object.namespace));
        let named = self.by_name.get(name).into_iter().flatten();
        let mut delegates = named.filter_map(|place| self.virtual_services.get(*place));
        delegates.find(|other| other.hosts.is_empty() && is_same_namespace(&other.object.namespace, namespace))
    }

    /// All routes of a VirtualService, those of its delegates too.
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
        self.services.iter().filter(|service| service.name().is(&name)).collect()
    }

    /// The given DestinationRules for a destination.
    pub fn rules_of(&self, destination: &Destination) -> Vec<&DestinationRule<'o>> {
        self.destination_rules.iter().filter(|rule| rule.is_for(destination)).collect()
    }

    /// What makes the pods of a Service; `None` if there may be more with these labels that nobody knows of, or if none is given.
    pub fn pods_of(&self, service: &Service, labels: &Labels) -> Option<Vec<&Workload<'o>>> {
        let is_there = |namespace: &str| is_same_namespace(namespace, &service.object.namespace);
        let is_obscure = self.obscure.iter().any(|namespace| is_there(namespace))
            || self.unknown.iter().any(|unknown| is_there(&unknown.namespace) && may_have(&unknown.node, labels));
        let pods: Vec<_> = self.workloads.iter().filter(|workload| workload.is_behind(service)).collect();
        (!is_obscure && !pods.is_empty()).then_some(pods)
    }

    /// Whether an object of an unknown kind speaks of these labels.
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

/// The namespaces of pods whose labels nobody knows: another object has them, or it is of a kind of which only a template tells
/// that it makes pods.
fn obscure(objects: &Objects) -> Vec<&str> {
    let without_labels = objects.workloads().filter(|pods| Workload::of(pods).is_none()).map(|pods| &*pods.namespace);
    let has_template = |node: &Node| {
        let spec = node.get("spec").map_or(&[][..], Node::entries);
        spec.iter().any(|(key, _)| key.name.to_ascii_lowercase().ends_with("template"))
    };
    let makers = objects.unknown.iter().filter(|unknown| has_template(&unknown.node));
    without_labels.chain(makers.map(|unknown| &*unknown.namespace)).collect()
}

/// Whether an object has these labels anywhere, or more.
fn may_have(node: &Node, labels: &Labels) -> bool {
    let is_it = |(key, value): &(Key, Node)| {
        ["labels", "label"].contains(&&*key.name) && Labels::of(value).is_some_and(|own| labels.selects(&own))
            || may_have(value, labels)
    };
    node.entries().iter().any(is_it) || node.items().iter().any(|item| may_have(item, labels))
}
