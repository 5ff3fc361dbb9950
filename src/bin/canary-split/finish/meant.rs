//! Finds the rule, and the VirtualServices that route its requests.

use super::http::Http;
use crate::change::Refusal;
use crate::change::{place, rule};
use crate::edit::Step;
use crate::input::manifest::{Object, Objects};
use crate::report::plan;
use crate::world::World;
use crate::world::host::overlap;
use crate::world::parent::Parent;
use crate::world::plugin::{Plugin, hosts};
use crate::world::routing::{Routing, VirtualService};
use canary_split::rollout::ramp::Second;
use canary_split::rule::{Rule, WeightedSubsets};
use std::collections::HashSet;

/// The request.
pub struct Meant<'m> {
    /// The rule's name.
    pub rule: &'m str,
    /// The plugin, if it is named.
    pub plugin: Option<&'m str>,
    /// The time.
    pub now: Second,
}

/// A rule in force, and its place.
pub struct Found<'w> {
    /// Its plugin.
    pub plugin: &'w Plugin,
    /// The same as an object.
    pub object: &'w Object,
    /// The header that it writes.
    pub header: &'w str,
    /// Its place in `rules`.
    pub index: usize,
    /// All of it.
    pub rule: &'w Rule,
}

impl<'w> Found<'w> {
    /// The rule of this name.
    pub fn of(world: &'w World, meant: &Meant) -> Result<Found<'w>, Refusal> {
        let Meant { rule: name, plugin: wanted, .. } = meant;
        let is_named = |plugin: &&Plugin| {
            wanted.is_none_or(|wanted| {
                plugin.config.title() == wanted || plugin.object().is_some_and(|object| object.name == wanted)
            })
        };
        let has = |plugin: &&Plugin| rule::names(&plugin.config).any(|own| own == *name);
        let all: Vec<&Plugin> = world.plugins.iter().filter(is_named).collect();
        let having: Vec<&Plugin> = all.iter().copied().filter(has).collect();
        let titles = |of: &[&Plugin]| of.iter().map(|plugin| plugin.config.title()).collect::<Vec<_>>().join(", ");
        let plugin = match having.as_slice() {
            [plugin] => *plugin,
            [] if all.is_empty() => return Err("no WasmPlugin of this filter is given".to_owned().into()),
            [] => {
                let rules: Vec<&str> = all.iter().flat_map(|plugin| rule::names(&plugin.config)).collect();
                let known = if rules.is_empty() { "has none".to_owned() } else { format!("has {}", rules.join(", ")) };
                return Err(format!("no rule {name}; {} {known}", titles(&all)).into());
            }
            several => {
                return Err(
                    format!("several plugins have a rule {name}; choose with --plugin: {}", titles(several)).into()
                );
            }
        };
        let Some(object) = plugin.object() else {
            return Err(format!("{}: a pluginConfig alone; give the WasmPlugin", plugin.config.title()).into());
        };
        let index = rule::names(&plugin.config).position(|own| own == *name).unwrap_or_default();
        let rule = plugin.rules.iter().find(|(_, rule)| *rule.name == **name);
        match (rule, &plugin.header) {
            (Some((index, rule)), Some(header)) => Ok(Found { plugin, object, header, index: *index, rule }),
            _ => {
                let (line, _) = object.source.position(plugin.config.locate(&format!("rules[{index}]"), false).start);
                Err(Refusal::Fault(format!(
                    "{}:{line}: rule {name} has a fault; fix it first, canary-split check says what",
                    object.source.name
                )))
            }
        }
    }

    /// The routes of a routing, as its gateway orders them.
    pub fn http<'o>(&self, service: &'w Routing<'o>) -> Http<'w, 'o> {
        Http::of(service, self.header, self.plugin.precedence())
    }

    /// What commands add to name its file: ` -f FILE`, or nothing in the cluster.
    pub fn named_file(&self) -> String {
        let source = &self.object.source;
        if source.is_living { String::new() } else { format!(" -f {}", source.name) }
    }

    /// The path from its object to the rule.
    pub fn path(&self) -> Vec<Step> {
        place::of_rule(self.plugin.config.carrier, self.index)
    }

    /// The VirtualServices at its gateway that are for one of its hosts and ask for its header.
    pub fn services<'o>(&self, world: &'w World<'o>) -> Result<Vec<&'w VirtualService<'o>>, Refusal> {
        let beside = world.beside(self.plugin);
        let own = hosts(self.rule);
        let mut found: Vec<&VirtualService> = Vec::new();
        for service in beside.iter().filter(|service| own.iter().any(|host| service.is_for(host))) {
            let mut delegates = service.routes.iter().filter_map(|route| world.delegate(service, route));
            if let Some(delegate) = delegates.find(|delegate| delegate.mentions(self.header)) {
                return Err(Refusal::Fault(format!(
                    "{}: {} delegates to {}, which asks for {}; routes of delegates have to be edited by hand",
                    delegate.object.place(),
                    service.object.title(),
                    delegate.object.title(),
                    self.header
                )));
            }
            if service.mentions(self.header) || service.routes.iter().any(|route| route.shuns(self.header)) {
                found.push(service);
            }
        }
        Ok(found)
    }

    /// The other routings of the same hosts at the same gateways: a request meets the routes of all of them.
    pub fn merged<'o>(&self, world: &'w World<'o>, service: &VirtualService<'o>) -> Vec<&'w VirtualService<'o>> {
        let is_same = |one: &Parent, other: &Parent| {
            (one.namespace, one.name) == (other.namespace, other.name)
                && (one.section.is_none() || other.section.is_none() || one.section == other.section)
                && (one.port.is_none() || other.port.is_none() || one.port == other.port)
        };
        let mut all: Vec<_> = world.beside(self.plugin).iter().collect();
        all.retain(|other| {
            !std::ptr::eq(other.object, service.object)
                && other.is_virtual_service() == service.is_virtual_service()
                && service.hosts.iter().any(|(_, host)| other.is_for(host))
                && service.parents.iter().any(|own| other.parents.iter().any(|other| is_same(own, other)))
        });
        all
    }

    /// Whether another rule is for one of its hosts.
    pub fn meets(&self, other: &Rule) -> bool {
        hosts(self.rule).iter().any(|own| hosts(other).iter().any(|other| overlap(own, other)))
    }

    /// The values that other rules write into its header for requests that a VirtualService may route, with their names.
    pub fn others(&self, world: &'w World, service: &VirtualService) -> Vec<(&'w Plugin, &'w Rule, HashSet<String>)> {
        let writers = world.writers_of(self.header);
        let rules = writers.flat_map(|plugin| plugin.rules.iter().map(move |(_, rule)| (plugin, rule)));
        let is_other = |rule: &Rule| !std::ptr::eq(rule, self.rule);
        let meets =
            |rule: &Rule| hosts(rule).iter().any(|host| service.hosts.iter().any(|(_, own)| overlap(own, host)));
        let values = |plugin: &Plugin, rule| {
            plugin.subsets(rule).iter().map(|named| named.subset.header_value.to_string()).collect()
        };
        rules
            .filter(|(_, rule)| is_other(rule) && meets(rule))
            .map(|(plugin, rule)| (plugin, rule, values(plugin, rule)))
            .collect()
    }
}

/// The final weights of a split, or why they will change.
pub fn settled(rule: &Rule, split: &WeightedSubsets, now: Second) -> Result<Vec<u64>, String> {
    let Some(ramp) = plan::ramp(split) else { return Ok(split.weights.iter().copied().map(u64::from).collect()) };
    match plan::progress(rule, now) {
        Some(progress) if progress.state != "ended" => {
            Err(format!("rule {}: its ramp {}; wait for its end", rule.name, progress.said()))
        }
        _ => Ok(ramp.weights(&split.weights, ramp.moment(now))),
    }
}

/// Whether an object is given only once; otherwise it is unknown which one is in force.
pub fn given_once(objects: &Objects, object: &Object) -> Result<(), Refusal> {
    let twin = objects.objects.iter().filter(|other| other.identity() == object.identity()).nth(1);
    match twin {
        Some(twin) => {
            Err(format!("{} is given twice, at {} and {}", object.title(), object.place(), twin.place()).into())
        }
        None => Ok(()),
    }
}
