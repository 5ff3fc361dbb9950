//! Adopts the routes that can be adopted, and says why others cannot.

use super::filter::{Filter, Patch};
use crate::convert::gateway;
use crate::convert::gateway_api::read;
use crate::convert::owner::{self, FLAGGER, NOT_ADOPTED};
use crate::convert::plugin::{Plugin, Plugins};
use crate::convert::refusal::Refusal;
use crate::convert::rule::{Rule, Target, name};
use crate::convert::sticky::{self, Sticky};
use crate::convert::unit::Unit;
use crate::input::manifest::Objects;
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::routing::VirtualService;
use crate::world::table::{Step, Table};

/// The result for all VirtualServices.
#[derive(Debug, Default)]
pub struct Adopted {
    /// One for each gateway.
    pub plugins: Plugins,
    /// One for each gateway, next to its plugin.
    pub filters: Vec<Filter>,
    /// The VirtualServices that were adopted.
    pub services: Vec<Service>,
    /// Objects that could not be adopted, with the reason.
    pub refused: Vec<Refusal>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

#[derive(Debug)]
pub struct Service {
    /// The VirtualService's title.
    pub title: String,
    /// The controller that writes the weights, if known.
    pub owner: Option<&'static str>,
    /// The rule that adopts the weights.
    pub rule: Rule,
    /// The adopted routes by name, or by place if they have no name.
    pub routes: Vec<String>,
}

/// Adopts every VirtualService that can be adopted.
pub fn of(objects: &Objects, world: &World, header: &str, sticky: &[Sticky]) -> Adopted {
    let mut adopted = Adopted::default();
    for service in world.virtual_services().filter(|service| !service.hosts.is_empty()) {
        let table = Table::of(service, |route| world.delegate(service, route));
        let weighted: Vec<&Step> = table.steps.iter().filter(|step| step.route.is_weighted()).collect();
        if weighted.is_empty() {
            continue;
        }
        if let Err(refusal) = adopted.add(objects, world, service, &weighted, header) {
            adopted.refused.push(refusal);
        }
    }
    for object in &read::objects(objects) {
        let route = read::Route::of(object);
        let place = route.weighted.first().map(|weighted| weighted.node).or(route.to_one);
        let refused = place.map(|node| {
            Refusal::at(object, node, format!("weights of the Gateway API cannot be adopted: {NOT_ADOPTED}"))
        });
        adopted.refused.extend(refused);
    }
    if !adopted.services.is_empty() {
        let titles = adopted.plugins.0.iter().map(Plugin::title).chain(adopted.filters.iter().map(Filter::title));
        let titles: Vec<String> = titles.collect();
        adopted.notes.push(format!(
            "if {} is in the cluster already, adopt its VirtualServices in this call too: applying replaces all of its rules and patches",
            titles.join(" or ")
        ));
        adopted.notes.extend(sticky::notes(sticky));
    }
    adopted
}

impl Adopted {
    fn add(
        &mut self,
        objects: &Objects,
        world: &World,
        service: &VirtualService,
        weighted: &[&Step],
        header: &str,
    ) -> Result<(), Refusal> {
        let object = service.object;
        let at = |node: Option<&Node>| node.unwrap_or(&object.node).clone();
        if service.gateways().next().is_none() {
            let reason = "for sidecars alone: the filter decides at a gateway, so name the Gateway in gateways";
            return Err(Refusal::at(object, &at(object.at(&["spec", "gateways"])), reason));
        }
        if let Some((node, host)) = service.hosts.iter().find(|(_, host)| !host.contains('.') && *host != "*") {
            let reason =
                format!("the short host {host} is {host}.NAMESPACE.svc.cluster.local to visitors; write it in full");
            return Err(Refusal::at(object, node, reason));
        }
        let owner = owner::of(objects, world, service).map(|owner| owner.name);
        let mut notes = Vec::new();
        let mut patches = Vec::new();
        for domain in world.domains_of(service) {
            patches.extend(patches_for(world, weighted, &domain, header, owner, &mut notes)?);
        }
        let hosts: Vec<String> = service.hosts.iter().map(|(_, host)| host.to_ascii_lowercase()).collect();
        let hosts = if hosts.iter().any(|host| host == "*") { Vec::new() } else { hosts };
        let target = Target::Adopted(header.to_owned());
        let rule = Rule { name: name(&object.name), hosts, matches: Vec::new(), target };
        if patches.is_empty() {
            let reason = "its Gateways serve none of its hosts, so no gateway has these routes";
            return Err(Refusal::at(object, &at(object.at(&["spec", "hosts"])), reason));
        }
        let homes = gateway::homes(world, &Unit { roots: vec![service], delegates: Vec::new() }, &mut notes);
        let rules = self.plugins.add(&homes, vec![rule], &object.namespace);
        let rules = rules.map_err(|reason| Refusal::at(object, &at(object.at(&["spec", "hosts"])), reason))?;
        for home in homes {
            let filter = match self.filters.iter().position(|filter| filter.home == home) {
                Some(at) => self.filters.get_mut(at),
                None => {
                    // The name follows that of the plugin on the same gateway.
                    let plugin = self.plugins.0.iter().find(|plugin| plugin.home == home);
                    let name = format!("{}-adopt", plugin.map_or("canary-split", |plugin| &plugin.name));
                    self.filters.push(Filter { name, home, patches: Vec::new() });
                    self.filters.last_mut()
                }
            };
            if let Some(filter) = filter {
                for patch in patches.iter().cloned() {
                    if !filter.patches.contains(&patch) {
                        filter.patches.push(patch);
                    }
                }
            }
        }
        if service.is_for_mesh() {
            notes.push(format!("{} is for sidecars too: there every request is still drawn afresh", object.title()));
        }
        if let Some(step) = weighted.iter().find(|step| count(step) > 2) {
            notes.push(format!(
                "{} has {} destinations: an edit of one weight moves visitors of those that follow too",
                step.title(),
                count(step)
            ));
        }
        let mut routes: Vec<String> = Vec::new();
        for step in weighted {
            let names = step.names().into_iter().map(|name| if name.is_empty() { step.title() } else { name });
            for name in names {
                if !routes.contains(&name) {
                    routes.push(name);
                }
            }
        }
        if let Some(rule) = rules.into_iter().next() {
            self.services.push(Service { title: object.title(), owner, rule, routes });
        }
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(())
    }
}

fn count(step: &Step) -> usize {
    step.route.node.get("route").map_or(&[][..], Node::items).len()
}

/// The patches that let a host's weighted routes pick by the header, and leave routes without weights alone.
fn patches_for(
    world: &World,
    weighted: &[&Step],
    host: &str,
    header: &str,
    owner: Option<&'static str>,
    notes: &mut Vec<String>,
) -> Result<Vec<Patch>, Refusal> {
    let patch = |route: Option<String>| Patch { host: host.to_owned(), route, header: header.to_owned() };
    // Istio puts the routes of all VirtualServices for a host into one virtual host.
    let has_domain = |other: &&VirtualService| world.domains_of(other).iter().any(|domain| domain == host);
    let neighbours: Vec<&VirtualService> = world.virtual_services().filter(has_domain).collect();
    let tables: Vec<Table> =
        neighbours.iter().map(|other| Table::of(other, |route| world.delegate(other, route))).collect();
    let others: Vec<&Step> =
        tables.iter().flat_map(|table| &table.steps).filter(|step| !step.route.is_weighted()).collect();
    let names: Vec<String> = weighted.iter().flat_map(|step| step.names()).collect();
    let unnamed = weighted.iter().find(|step| step.names().iter().any(String::is_empty));
    let namesake =
        others.iter().find(|other| other.names().iter().any(|name| !name.is_empty() && names.contains(name)));
    if unnamed.is_none() && namesake.is_none() {
        return Ok(names.into_iter().map(|name| patch(Some(name))).collect());
    }
    let forwards = |step: &&&Step| ["redirect", "directResponse"].iter().all(|key| step.route.node.get(key).is_none());
    let Some(other) = others.iter().find(forwards) else {
        if owner != Some(FLAGGER) {
            let step = unnamed.or(weighted.first()).map(|step| step.title()).unwrap_or_default();
            notes.push(format!(
                "{step} has no name of its own, so the patch is for all routes of {host}: a route with one destination that is added there later has Envoy refuse the port; give the route a name, and adopt again"
            ));
        }
        return Ok(vec![patch(None)]);
    };
    let step = unnamed.or(weighted.first()).copied().unwrap_or(*other);
    let problem = match namesake.filter(|_| unnamed.is_none()) {
        Some(namesake) => format!("{} has its name, and one destination", namesake.title()),
        None => format!("it has no name, and {} has one destination", other.title()),
    };
    let way_out = match owner {
        Some(FLAGGER) => "Flagger writes no names; give those routes a VirtualService and a host of their own",
        _ => "give it a name of its own",
    };
    let reason = format!("{problem}: a patch for both would have Envoy refuse all routes of the port; {way_out}");
    let node = step.route.node;
    Err(Refusal::at(step.service.object, node, reason))
}
