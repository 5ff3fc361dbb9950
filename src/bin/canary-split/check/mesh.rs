//! Whether routes are for sidecars alone that are meant for the gateway.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::beside::{Beside, Found, Names};
use crate::world::host::is_host_of;
use crate::world::plugin::{Plugin, hosts};
use crate::world::routing::{Destination, Route, Routing, condition};
use crate::world::site::Site;
use canary_split::rule::Rule;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

const MESH_ONLY: Code = Code {
    name: "mesh-only-routes",
    severity: Severity::Error,
    why: "the filter decides at the gateway, and the gateway has routes only from VirtualServices that name it: nobody sees the canary",
    fix: "name the Gateway in gateways of the VirtualService that has the public host (with mesh next to it if sidecars need the routes too), and in those of its match",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&MESH_ONLY];

/// The VirtualServices for sidecars that ask for a plugin's header.
pub struct Mesh<'w, 'o>(HashMap<&'w str, Vec<&'w Routing<'o>>>);

/// Whether sidecars behind a gateway route by the header.
pub enum Behind<'w, 'o> {
    /// No sidecar does.
    Nobody,
    /// Some may: an application behind the gateway may call these hosts, or their routes are at a gateway too.
    Perhaps,
    /// No request meets these VirtualServices, as the gateway leads straight to the pods; each with the place that says that it is for
    /// sidecars.
    Bypassed(Vec<(&'w Routing<'o>, &'o Node)>),
}

/// Looks at the rules whose hosts no gateway has.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let mesh = world.routings.iter().enumerate().filter(|(_, service)| is_for_mesh_alone(service));
    let mesh: Vec<usize> = mesh.map(|(place, _)| place).collect();
    if mesh.is_empty() {
        return;
    }
    let mesh = Beside::new(&world.routings, Rc::new(Found::new(&world.routings, mesh, Names::default())));
    for plugin in &world.plugins {
        let Some(header) = plugin.header.as_deref() else { continue };
        let beside = world.beside(plugin);
        let mut found: Vec<&Routing> = Vec::new();
        if beside.len() == 0 && plugin.rules.iter().any(|(_, rule)| plugin.subsets(rule).len() > 1) {
            found.extend(mesh.iter().filter(|service| service.mentions(header)));
        }
        for (_, rule) in &plugin.rules {
            for pattern in hosts(rule) {
                let names = |service: &Routing| {
                    let own = &service.object.namespace;
                    service.hosts.iter().any(|(_, host)| is_host_of(host, own, &pattern))
                };
                let near = beside.near(&pattern);
                let is_covered = near.iter().any(|service| service.is_for(&pattern));
                // One for every host may be for others than this one.
                let serves = |service: &&Routing| {
                    names(service) || service.is_for(&pattern) && (pattern.starts_with('*') || service.asks_for(header))
                };
                if near.iter().any(serves) {
                    continue;
                }
                let is_its = |service: &&Routing| {
                    let is_named = names(service) || !is_covered && service.is_for(&pattern) && pattern != "*";
                    is_named && (service.mentions(header) || leads_to(service, plugin, rule))
                };
                found.extend(mesh.near(&pattern).into_iter().filter(is_its));
            }
        }
        let mut seen = HashSet::new();
        found.retain(|service| seen.insert(std::ptr::from_ref(*service)));
        findings.extend(found.into_iter().map(|service| bypassed(service, gateways(service), header)));
    }
}

/// Routes that no gateway has; the node says that they are for sidecars.
pub fn bypassed(service: &Routing, node: &Node, header: &str) -> Finding {
    let object = service.object;
    let what = if service.mentions(header) { "asks for {header}" } else { "has the canary's routes" };
    let message = format!("{} {} for sidecars alone", object.title(), what.replace("{header}", header));
    Finding::new(&MESH_ONLY, &object.source, &node.span, message)
}

/// The place where a VirtualService says which gateways have it.
fn gateways<'o>(service: &Routing<'o>) -> &'o Node {
    let first = service.hosts.first().map(|(node, _)| *node);
    service.object.at(&["spec", "gateways"]).or(first).unwrap_or(&service.object.node)
}

/// The entries of a VirtualService's routes that ask for a header at no gateway, each with where its requests go.
fn for_sidecars<'w, 'o>(service: &'w Routing<'o>, header: &str) -> impl Iterator<Item = (&'o Node, &'w Route<'o>)> {
    service.routes.iter().flat_map(move |route| {
        let entries = route.node.get("match").map_or(&[][..], Node::items).iter();
        let at_gateway = |entry: &Node| route.matches.iter().flatten().any(|known| std::ptr::eq(*known, entry));
        let own = entries.filter(move |entry| condition(entry, header).is_some() && !at_gateway(entry));
        own.filter_map(move |entry| Some((entry.get("gateways")?, route)))
    })
}

fn is_for_mesh_alone(service: &Routing) -> bool {
    !service.hosts.is_empty() && service.is_for_mesh() && service.gateways().next().is_none()
}

fn leads_to(service: &Routing, plugin: &Plugin, rule: &Rule) -> bool {
    let subsets = plugin.subsets(rule);
    let mut destinations = service.routes.iter().flat_map(|route| &route.destinations);
    destinations.any(|destination| {
        let mut canaries = subsets.iter().filter(|named| !named.is_stable);
        canaries.any(|named| destination.is_version(&named.subset.name))
    })
}

impl<'w, 'o> Mesh<'w, 'o> {
    /// Those that ask for the header of any plugin.
    pub fn of(world: &'w World<'o>) -> Mesh<'w, 'o> {
        let all = || world.routings.iter().filter(|service| !service.hosts.is_empty() && service.is_for_mesh());
        let headers: HashSet<_> = world.plugins.iter().filter_map(|plugin| plugin.header.as_deref()).collect();
        let asking = |header| all().filter(|service| service.mentions(header)).collect();
        Mesh(headers.into_iter().map(|header| (header, asking(header))).collect())
    }

    /// Whether requests may meet one of them further on, at a sidecar: the gateway leads to an application that may call it, or it
    /// is at a gateway as well and the routes here lead to one of its hosts.
    pub fn behind(&self, world: &World, site: &Site) -> Behind<'w, 'o> {
        let mut bypassed = Vec::new();
        let mut seen = HashSet::new();
        let routes = site.steps().filter(|step| !step.entries.is_empty()).map(|step| step.route);
        let destinations = routes.flat_map(|route| &route.destinations);
        let destinations: Vec<_> = destinations.filter(|destination| seen.insert(destination.host.1)).collect();
        // Where requests go that have no header of the filter.
        let classes = site.undecided();
        let takers =
            site.tables.iter().flat_map(|table| classes.iter().filter_map(|class| table.taker(&class.known(), 0)));
        let led_to: Vec<_> = takers.flat_map(|(_, step)| &step.route.destinations).collect();
        let is_reached = |to: &Destination| {
            let mut met = led_to.iter().filter(|destination| destination.is_with(to)).peekable();
            met.peek().is_some() && !met.any(|destination| has_waypoint(world, destination))
        };
        // Where the plugin is on a waypoint, these are the routes of its requests.
        let is_its_own = |service: &Routing| {
            !service.is_virtual_service() && site.services.iter().any(|own| std::ptr::eq(*own, service))
        };
        for service in self.0.get(site.header).into_iter().flatten().filter(|service| !is_its_own(service)) {
            let is_its = |destination: &&&Destination| {
                service.hosts.iter().any(|(_, host)| destination.is_at(host, &service.object.namespace))
            };
            let mut met = destinations.iter().filter(is_its).peekable();
            let is_near = service.is_for(site.host.1) || met.peek().is_some();
            match (is_for_mesh_alone(service), is_near) {
                (true, true) if !met.any(|destination| has_waypoint(world, destination)) => {
                    bypassed.push((*service, gateways(service)));
                }
                (false, false) => {}
                _ => {
                    let own: Vec<_> = for_sidecars(service, site.header).collect();
                    let is_at_gateway = site.services.iter().any(|at_gateway| std::ptr::eq(*at_gateway, *service));
                    let are_reached = own.iter().all(|(_, route)| route.destinations.iter().all(is_reached));
                    // The gateway has the other routes of this VirtualService, and they lead to the same hosts.
                    if own.is_empty() || !is_at_gateway || !are_reached {
                        return Behind::Perhaps;
                    }
                    bypassed.extend(own.iter().map(|(node, _)| (*service, *node)));
                }
            }
        }
        if bypassed.is_empty() { Behind::Nobody } else { Behind::Bypassed(bypassed) }
    }
}

/// Whether the gateway sends what is for a Service through its waypoint, which has the mesh's routes.
fn has_waypoint(world: &World, destination: &Destination) -> bool {
    let label = |name: &str| {
        let services = world.services_of(destination);
        services.iter().any(|service| service.object.at(&["metadata", "labels", name]).is_some_and(is_on))
    };
    label("istio.io/ingress-use-waypoint")
}

fn is_on(value: &Node) -> bool {
    value.is_true() || value.text() == Some("true")
}
