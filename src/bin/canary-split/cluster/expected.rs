//! Where the requests of each subset should arrive: the route, Envoy's clusters, and the pods behind them.

use super::pods::Pod;
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::labels::Labels;
use crate::world::plugin::{Named, Plugin};
use crate::world::routing::{Destination, Form, Route, Routing};
use crate::world::site::Site;
use crate::world::table::Step;
use crate::world::text::Taken;
use serde::Serialize;
use std::collections::HashSet;

/// Where the requests of one subset of a rule should arrive.
#[derive(Debug, Default)]
pub struct Expected {
    /// `NAMESPACE/NAME http[PLACE]` of the route that they meet first.
    pub route: Option<String>,
    /// Envoy's names of the destinations; empty if unknown.
    pub clusters: Vec<Cluster>,
    /// The pods behind them.
    pub pods: Option<Pods>,
}

/// The pods of a subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pods {
    /// The pods that get requests.
    pub ready: usize,
    /// The pods that run.
    pub total: usize,
}

/// A cluster of Envoy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// Istio's: `outbound|PORT|SUBSET|HOST`.
    Outbound {
        /// `None`: whichever port the Service has.
        port: Option<u32>,
        /// Empty: no subset.
        subset: String,
        /// The host, or the beginning of it up to the cluster's domain.
        host: String,
    },
    /// Envoy Gateway's: `KIND/NAMESPACE/NAME/rule/PLACE`.
    Rule(String),
}

/// A route, and one of the destinations to which it leads.
type Way<'w, 'o> = (&'w Routing<'o>, &'w Route<'o>, &'w Destination<'o>);

impl Cluster {
    fn of((service, route, destination): Way, is_envoy_gateways: bool) -> Cluster {
        if let (Form::Rule { rule, .. }, true) = (route.form, is_envoy_gateways) {
            let object = service.object;
            let kind = object.kind.to_ascii_lowercase();
            return Cluster::Rule(format!("{kind}/{}/{}/rule/{rule}", object.namespace, object.name));
        }
        let host = match destination.service() {
            Some(service) => format!("{}.{}.svc.", service.name, service.namespace),
            None => destination.host.1.to_owned(),
        };
        let subset = destination.subset.map(|(_, subset)| subset.to_owned()).unwrap_or_default();
        Cluster::Outbound { port: destination.port.map(|(_, port)| port), subset, host }
    }

    /// Whether Envoy's cluster of this name is this one.
    pub fn is(&self, name: &str) -> bool {
        let (own_port, own_subset, own_host) = match self {
            Cluster::Outbound { port, subset, host } => (port, subset, host),
            // A backend may have a cluster of its own below it.
            Cluster::Rule(own) => {
                return name.strip_prefix(&**own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            }
        };
        let mut parts = name.splitn(4, '|');
        let (kind, port, subset, host) = (parts.next(), parts.next(), parts.next(), parts.next());
        let is_host =
            |host: &str| if own_host.ends_with(".svc.") { host.starts_with(&**own_host) } else { host == own_host };
        kind == Some("outbound")
            && subset == Some(&**own_subset)
            && host.is_some_and(is_host)
            && own_port.is_none_or(|own| port == Some(&*own.to_string()))
    }
}

/// Where the requests of a subset of a rule should arrive, by the sites of that rule.
pub fn of(world: &World, sites: &[&Site], named: &Named, pods: &[Pod]) -> Expected {
    let mut expected = Expected::default();
    let mut own: Vec<Way> = Vec::new();
    let is_policy = sites.iter().any(|site| site.plugin.is_policy());
    for site in sites {
        for class in site.classes(&named.subset.header_value) {
            for table in &site.tables {
                let met = table.met(&class.known());
                // The route that takes all; without one, the first that may take some.
                let leading = || met.iter().filter(|met| !met.step.route.destinations.is_empty());
                if let Some(met) = leading().find(|met| met.taken == Taken::All).or(leading().next()) {
                    expected.route.get_or_insert_with(|| title(met.step));
                }
                let steps = met.iter().map(|met| (met.step.service, met.step.route));
                own.extend(steps.flat_map(|(service, route)| ways(service, route)));
            }
        }
    }
    // Weights that are left in a route lead to other subsets too: the name of a destination tells whose it is.
    let all = sites.iter().flat_map(|site| site.routes()).flat_map(|(service, route)| ways(service, route));
    let mut called: Vec<Way> = all.filter(|(_, _, destination)| destination.is_called(&named.subset.name)).collect();
    if called.is_empty() {
        called = own;
    }
    for way @ (_, _, destination) in called {
        let cluster = Cluster::of(way, is_policy);
        if expected.clusters.contains(&cluster) {
            continue;
        }
        if let Some(there) = pods_of(world, destination, pods) {
            let sum = expected.pods.get_or_insert_default();
            (sum.ready, sum.total) = (sum.ready.max(there.ready), sum.total.max(there.total));
        }
        expected.clusters.push(cluster);
    }
    expected
}

fn ways<'w, 'o>(service: &'w Routing<'o>, route: &'w Route<'o>) -> impl Iterator<Item = Way<'w, 'o>> {
    route.destinations.iter().map(move |destination| (service, route, destination))
}

/// A destination that gets a part of a rule's requests by somebody else's weights.
#[derive(Debug)]
pub struct Part {
    /// Its subset, or else its host.
    pub name: String,
    /// Its weight in the route.
    pub weight: u32,
    /// Where its requests should arrive.
    pub expected: Expected,
}

/// The destinations of the first route with weights that the requests of a rule may meet.
pub fn parts(world: &World, sites: &[&Site], pods: &[Pod]) -> Vec<Part> {
    let mut steps = sites.iter().flat_map(|site| site.steps());
    let Some(step) = steps.find(|step| step.route.is_weighted()) else { return Vec::new() };
    let entries = step.route.node.get("route").map_or(&[][..], Node::items);
    let part = |entry| {
        let destination = Destination::of(entry, &step.service.object.namespace)?;
        let name = destination.subset.map_or(destination.host.1, |(_, subset)| subset).to_owned();
        let expected = Expected {
            route: Some(title(step)),
            clusters: vec![Cluster::of((step.service, step.route, &destination), false)],
            pods: pods_of(world, &destination, pods),
        };
        Some(Part { name, weight: destination.weight().unwrap_or_default(), expected })
    };
    entries.iter().filter_map(part).collect()
}

fn title(step: &Step) -> String {
    let object = step.service.object;
    // Entries of one rule lead to the same place.
    let place = match step.route.form {
        Form::Rule { rule, .. } => format!("rules[{rule}]"),
        form @ Form::Http(_) => form.to_string(),
    };
    format!("{}/{} {place}", object.namespace, object.name)
}

/// The routings at the plugins' gateways some of whose requests no rule decides, and where these may go.
pub fn undecided(world: &World, sites: &[Site]) -> Vec<(String, Vec<Cluster>)> {
    let decided = sites.iter().filter(|site| site.rule.matches.is_empty()).flat_map(|site| &site.services);
    let decided: HashSet<_> = decided.map(|service| std::ptr::from_ref(*service)).collect();
    let beside: HashSet<_> = world
        .plugins
        .iter()
        .flat_map(|plugin| world.beside(plugin).iter().map(std::ptr::from_ref).collect::<Vec<_>>())
        .collect();
    let is_policy = world.plugins.iter().any(Plugin::is_policy);
    let is_stranger = |service: &&Routing| {
        let place = std::ptr::from_ref(*service);
        !decided.contains(&place) && beside.contains(&place) && service.gateways().next().is_some()
    };
    let leads = |service: &Routing| {
        let routes = world.routes_of(service).into_iter();
        let clusters = routes.flat_map(|route| ways(service, route));
        clusters.map(|way| Cluster::of(way, is_policy)).collect::<Vec<_>>()
    };
    world.routings.iter().filter(is_stranger).map(|service| (service.object.title(), leads(service))).collect()
}

/// The pods that a destination leads to, if its Service and its subset are known.
pub fn pods_of(world: &World, destination: &Destination, pods: &[Pod]) -> Option<Pods> {
    let service = world.service_of(destination)?;
    let selector = service.selector.as_ref()?;
    let subset = match destination.subset {
        None => Labels::default(),
        Some((_, name)) => {
            let subset = world.rules_of(destination).into_iter().find_map(|rule| rule.subset(name))?;
            subset.get("labels").map_or(Some(Labels::default()), Labels::of)?
        }
    };
    let namespace = &service.object.namespace;
    let there = pods.iter().filter(|pod| pod.is_one_of(namespace, selector) && pod.has(&subset));
    Some(
        there.fold(Pods::default(), |sum, pod| Pods {
            ready: sum.ready + usize::from(pod.is_ready),
            total: sum.total + 1,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::Cluster;

    #[test]
    fn a_cluster_is_known_by_its_port_its_subset_and_its_host() {
        let own = Cluster::Outbound { port: None, subset: "v2".to_owned(), host: "shop.apps.svc.".to_owned() };
        for (name, expected) in [
            ("outbound|80|v2|shop.apps.svc.cluster.local", true),
            ("outbound|8080|v2|shop.apps.svc.example.org", true),
            ("outbound|80|v1|shop.apps.svc.cluster.local", false),
            ("outbound|80||shop.apps.svc.cluster.local", false),
            ("outbound|80|v2|shop.other.svc.cluster.local", false),
            ("inbound|80|v2|shop.apps.svc.cluster.local", false),
            ("BlackHoleCluster", false),
        ] {
            assert_eq!(own.is(name), expected, "{name}");
        }
        let own = Cluster::Outbound { port: Some(443), subset: String::new(), host: "www.example.com".to_owned() };
        assert!(own.is("outbound|443||www.example.com") && !own.is("outbound|80||www.example.com"));
        let own = Cluster::Rule("httproute/shop/shop/rule/1".to_owned());
        assert!(own.is("httproute/shop/shop/rule/1") && own.is("httproute/shop/shop/rule/1/backend/0"));
        assert!(!own.is("httproute/shop/shop/rule/10"));
    }
}
