//! What is applied together, as far as the checks between objects look at it.

pub mod gateway;
pub mod gateway_api;
pub mod host;
mod index;
pub mod labels;
mod makers;
pub mod namespace;
pub mod plugin;
pub mod routing;
pub mod service;

use crate::input::manifest::{Object, Objects, Unknown};
use crate::input::yaml::{Key, Node};
use canary_split::rule::Rule;
use gateway::Gateway;
use gateway_api::GatewayApi;
use host::{ServiceName, overlap};
use index::Index;
use labels::Labels;
use namespace::is_same_namespace;
use plugin::Plugin;
use routing::{Destination, Route, VirtualService};
use service::{DestinationRule, Service, Workload};
use std::collections::HashSet;

/// All that is applied together.
#[derive(Debug)]
pub struct World<'o> {
    /// The plugins that are this filter.
    pub plugins: Vec<Plugin>,
    /// All VirtualServices.
    pub virtual_services: Vec<VirtualService<'o>>,
    /// All Gateways.
    pub gateways: Vec<Gateway<'o>>,
    /// All DestinationRules.
    pub destination_rules: Vec<DestinationRule<'o>>,
    /// All Services.
    pub services: Vec<Service<'o>>,
    /// What makes pods.
    pub workloads: Vec<Workload<'o>>,
    /// Namespaces with pods whose labels nobody knows.
    pub obscure: HashSet<&'o str>,
    /// What may make pods, or stand for them, in a way that is not known here.
    pub unknown: Vec<&'o Unknown>,
    /// cert-manager's.
    pub certificates: Vec<&'o Object>,
    /// Where these are.
    index: Index<'o>,
    /// What is given of the Gateway API.
    pub gateway_api: GatewayApi<'o>,
}

/// A host of a rule, and the VirtualServices whose routes its requests surely meet.
#[derive(Debug)]
pub struct Site<'w, 'o> {
    /// The plugin.
    pub plugin: &'w Plugin,
    /// The header that it writes.
    pub header: &'w str,
    /// One of its rules.
    pub rule: &'w Rule,
    /// All that serve the host at the plugin's gateway.
    pub services: Vec<&'w VirtualService<'o>>,
    /// The host as the first of them writes it.
    pub host: (&'o Node, &'o str),
}

impl<'w, 'o> Site<'w, 'o> {
    /// All routes of the host.
    pub fn routes(&self) -> impl Iterator<Item = (&'w VirtualService<'o>, &'w Route<'o>)> {
        self.services.iter().flat_map(|service| service.routes.iter().map(|route| (*service, route)))
    }
}

impl<'o> World<'o> {
    /// Reads it.
    pub fn of(objects: &'o Objects) -> World<'o> {
        let gateways: Vec<_> = objects.of_kind("Gateway").filter_map(Gateway::of).collect();
        let destination_rules: Vec<_> = objects.of_kind("DestinationRule").filter_map(DestinationRule::of).collect();
        let services: Vec<_> = objects.of_kind("Service").filter_map(Service::of).collect();
        let workloads: Vec<_> =
            objects.workloads().filter(|object| !makers::is_past(object)).filter_map(Workload::of).collect();
        let unknown: Vec<_> = makers::unknown(objects).collect();
        let index = Index::of(&services, &destination_rules, &gateways, &workloads, &unknown);
        World {
            plugins: objects.configs().map(Plugin::new).collect(),
            virtual_services: objects.of_kind("VirtualService").map(VirtualService::of).collect(),
            gateways,
            destination_rules,
            services,
            workloads,
            obscure: makers::obscure(objects),
            unknown,
            index,
            certificates: objects.of_kind("Certificate").collect(),
            gateway_api: GatewayApi::of(objects),
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
            let named = self.index.gateways(name).iter().filter_map(|place| self.gateways.get(*place));
            let is_there = |gateway: &&Gateway| is_same_namespace(&gateway.object.namespace, namespace);
            let before = found.len();
            found.extend(named.filter(is_there));
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

    /// The plugins that write a header.
    pub fn writers_of(&self, header: &str) -> Vec<&Plugin> {
        self.plugins.iter().filter(|plugin| plugin.header.as_deref() == Some(header)).collect()
    }

    /// The hosts of all rules, where they have routes. A host that a rule does not name but only covers may be another service's:
    /// it counts if its routes ask for the plugin's header.
    pub fn sites(&self) -> Vec<Site<'_, 'o>> {
        let mut sites = Vec::new();
        for plugin in &self.plugins {
            let Some(header) = &plugin.header else { continue };
            let beside = self.beside(plugin);
            for (_, rule) in &plugin.rules {
                sites.extend(sites_of(plugin, header, rule, &beside));
            }
        }
        sites
    }

    /// The given Services that a destination may mean.
    pub fn services_of(&self, destination: &Destination) -> Vec<&Service<'o>> {
        let Some(name) = destination.service() else { return Vec::new() };
        let named = self.index.services(name.name).iter().filter_map(|place| self.services.get(*place));
        named.filter(|service| service.name().is(&name)).collect()
    }

    /// The given DestinationRules for a destination: those for its host, or else those for many hosts.
    pub fn rules_of(&self, destination: &Destination) -> Vec<&DestinationRule<'o>> {
        let all = self.index.rules(destination).filter_map(|place| self.destination_rules.get(place));
        let all = all.filter(|rule| rule.is_for(destination));
        let (wide, own): (Vec<_>, Vec<_>) = all.partition(|rule| rule.is_wildcard());
        if own.is_empty() { wide } else { own }
    }

    /// What makes the pods of a Service; `None` if there may be more with these labels that nobody knows of, or if none is given.
    pub fn pods_of(&self, service: &Service, labels: &Labels) -> Option<Vec<&Workload<'o>>> {
        let namespace = &*service.object.namespace;
        let mut unknown = self.index.unknown(namespace).into_iter().filter_map(|place| self.unknown.get(place));
        let is_obscure = [namespace, ""].iter().any(|namespace| self.obscure.contains(namespace))
            || namespace.is_empty() && !self.obscure.is_empty()
            || unknown.any(|unknown| may_have(&unknown.node, labels));
        let pods = self.pods_behind(service);
        (!is_obscure && !pods.is_empty()).then_some(pods)
    }

    /// What is known to make pods of a Service.
    pub fn pods_behind(&self, service: &Service) -> Vec<&Workload<'o>> {
        let places = self.index.workloads(&service.object.namespace).into_iter();
        let workloads = places.filter_map(|place| self.workloads.get(place));
        workloads.filter(|workload| workload.is_behind(service)).collect()
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

/// Whether an object has these labels anywhere, or more.
fn may_have(node: &Node, labels: &Labels) -> bool {
    let is_it = |(key, value): &(Key, Node)| {
        ["labels", "label"].contains(&&*key.name) && Labels::of(value).is_some_and(|own| labels.selects(&own))
            || may_have(value, labels)
    };
    node.entries().iter().any(is_it) || node.items().iter().any(|item| may_have(item, labels))
}

fn sites_of<'w, 'o>(
    plugin: &'w Plugin,
    header: &'w str,
    rule: &'w Rule,
    beside: &[&'w VirtualService<'o>],
) -> Vec<Site<'w, 'o>> {
    let mut sites: Vec<Site> = Vec::new();
    let leads_to_it = |service: &VirtualService| {
        let mut destinations = service.routes.iter().flat_map(|route| &route.destinations);
        let subsets = plugin.subsets(rule);
        destinations.any(|destination| subsets.iter().any(|named| destination.is_subset(&named.subset.name)))
    };
    for pattern in plugin::hosts(rule) {
        let is_the_host = |own: &str| own.eq_ignore_ascii_case(&pattern);
        let is_named = beside.iter().any(|service| service.hosts.iter().any(|(_, own)| is_the_host(own)));
        let covers = |service: &VirtualService, own: &str| {
            // The most specific host decides.
            let is_free = pattern.starts_with('*') || !is_named;
            let is_only_one = || rule.hosts.is_empty() && beside.len() == 1 && leads_to_it(service);
            is_free && overlap(own, &pattern) && (service.asks_for(header) || is_only_one())
        };
        for service in beside {
            for host in service.hosts.iter().filter(|(_, own)| is_the_host(own) || covers(service, own)) {
                let has_host =
                    |other: &&&VirtualService| other.hosts.iter().any(|(_, own)| own.eq_ignore_ascii_case(host.1));
                let services: Vec<_> = beside.iter().filter(has_host).copied().collect();
                let is_known = |site: &Site| {
                    site.services.len() == services.len()
                        && site.services.iter().zip(&services).all(|(one, other)| std::ptr::eq(*one, *other))
                };
                if !sites.iter().any(is_known) {
                    sites.push(Site { plugin, header, rule, services, host: *host });
                }
            }
        }
    }
    sites
}
