//! The routing of a rule's requests.

use super::World;
use super::api_match::Precedence;
use super::asked::Asked;
use super::beside::Beside;
use super::host::{covers, is_host_of, overlap};
use super::listeners;
use super::plugin::{self, Named, Plugin};
use super::routing::{Destination, Route, Routing};
use super::table::{Met, Step, Table};
use super::text::Taken;
use crate::input::yaml::Node;
use canary_split::rule::Rule;
use canary_split::rule::hosts::HostPattern;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The most alternatives and hosts of a rule that are looked at.
const MAX_CLASSES: usize = 32;
/// The most hosts that are tried.
const MAX_TRIED: usize = 8;

/// A host of a rule, and the routings whose routes its requests surely meet.
#[derive(Debug)]
pub struct Site<'w, 'o> {
    /// The plugin.
    pub plugin: &'w Plugin,
    /// The header that it writes.
    pub header: &'w str,
    /// One of its rules.
    pub rule: &'w Rule,
    /// All routings that serve the host at the plugin's gateway.
    pub services: Vec<&'w Routing<'o>>,
    /// Their routes: one table for each VirtualService, and one for each listener of the Gateway API.
    pub tables: Vec<Rc<Table<'w, 'o>>>,
    /// The host as the first of them writes it.
    pub host: (&'o Node, &'o str),
    /// The hosts that are not wildcards, if it is for several.
    exact: Vec<&'w str>,
    /// The wildcards: of the rule's and the routings' the narrower one.
    wide: Vec<String>,
    /// Whether any of its routes asks for the host.
    asks_for_host: OnceCell<bool>,
}

/// The known properties of similar requests.
#[derive(Debug)]
pub struct Class<'w>(Vec<Asked<'w>>);

impl Class<'_> {
    /// The header that the filter writes for them.
    pub fn header(&self) -> Option<&Asked<'_>> {
        self.0.last()
    }

    /// All properties except the filter's header.
    pub fn without_header(&self) -> Vec<&Asked<'_>> {
        self.0.split_last().map_or_else(Vec::new, |(_, rest)| rest.iter().collect())
    }

    /// All of it.
    pub fn known(&self) -> Vec<&Asked<'_>> {
        self.0.iter().collect()
    }
}

impl<'w, 'o> Site<'w, 'o> {
    /// All routes of the host, as they are written.
    pub fn routes(&self) -> impl Iterator<Item = (&'w Routing<'o>, &'w Route<'o>)> {
        self.services.iter().flat_map(|service| service.routes.iter().map(|route| (*service, route)))
    }

    /// All routes of the host, with delegates' routes in place of the delegating ones.
    pub fn steps(&self) -> impl Iterator<Item = &Step<'w, 'o>> {
        self.tables.iter().flat_map(|table| &table.steps)
    }

    /// The subsets that the rule names.
    pub fn subsets(&self) -> Vec<Named<'w>> {
        self.plugin.subsets(self.rule)
    }

    /// The hosts that are not wildcards.
    pub fn hosts(&self) -> &[&'w str] {
        &self.exact
    }

    /// Hosts of requests for it: for a wildcard one that nobody names.
    pub fn tried_hosts(&self) -> Vec<String> {
        let below =
            |wide: &String| Some(format!("any-other-host{}", wide.strip_prefix('*').filter(|end| !end.is_empty())?));
        let mut seen = HashSet::new();
        let all = self.exact.iter().map(|host| host.to_ascii_lowercase()).chain(self.wide.iter().filter_map(below));
        all.filter(|host| seen.insert(host.clone())).take(MAX_TRIED).collect()
    }

    /// Whether every host for which there may be requests with these properties is covered by one of these.
    pub fn is_covered_by(&self, patterns: &[String], known: &[&Asked]) -> bool {
        let may_be = |host: &&&str| {
            let host = Asked::host(host);
            known.iter().filter(|asked| asked.is_about_host()).all(|asked| asked.taken_of(&[&host]) != Taken::None)
        };
        let exact = self.exact.iter().filter(may_be).copied();
        let mut all = exact.chain(self.wide.iter().map(String::as_str)).peekable();
        all.peek().is_some() && all.all(|host| patterns.iter().any(|wide| covers(wide, host)))
    }

    /// The rule's requests for which the filter writes this value.
    pub fn classes(&self, value: &'w str) -> Vec<Class<'w>> {
        self.classes_with(|| Asked::header(self.header, value))
    }

    /// The rule's requests as they would be without the filter.
    pub fn undecided(&self) -> Vec<Class<'w>> {
        self.classes_with(|| Asked::no_header(self.header))
    }

    /// Whether requests surely get to an entry of one of the host's tables. The order in which Istio puts several tables is
    /// unknown.
    pub fn gets_to(&self, table: &Table, met: &Met, class: &Class) -> bool {
        let known = class.known();
        let narrowed: Vec<_> = known.iter().chain(&met.entry.asked).copied().collect();
        let is_elsewhere = |other: &Table| !std::ptr::eq(other, table) && other.taker(&narrowed, 0).is_some();
        table.reaches(met, &known) && (table.is_alone || !self.tables.iter().any(|other| is_elsewhere(other)))
    }

    fn classes_with(&self, header: impl Fn() -> Asked<'w>) -> Vec<Class<'w>> {
        let asks_for_host = *self.asks_for_host.get_or_init(|| self.steps().any(Step::asks_for_host));
        let exact = if asks_for_host { self.exact.as_slice() } else { &[] };
        let hosts = exact.len().max(1);
        let alternatives = self.rule.matches.len().max(1);
        let class = |number: usize| {
            let conditions = self.rule.matches.get(number / hosts).into_iter().flat_map(|all| &all.conditions);
            // The rule's conditions on its own header are about clients; here the filter writes the header.
            let of_rule = conditions.filter_map(Asked::of_rule).filter(|asked| !asked.is_about(self.header));
            let host = exact.get(number % hosts).map(|host| Asked::host(host));
            Class(of_rule.chain(host).chain([header()]).collect())
        };
        (0..alternatives.saturating_mul(hosts).min(MAX_CLASSES)).map(class).collect()
    }
}

/// The hosts whose requests meet a table's routes and may have a header, if all are known.
#[derive(Debug, Default)]
pub struct Hosts<'s>(HashMap<usize, HashMap<&'s str, Option<Vec<&'s str>>>>);

impl<'s> Hosts<'s> {
    /// Of all tables whose routes ask for the host.
    pub fn of(sites: &'s [Site]) -> Hosts<'s> {
        let mut hosts = Hosts::default();
        for site in sites {
            for table in site.tables.iter().filter(|table| table.steps.iter().any(Step::asks_for_host)) {
                let known = hosts.0.entry(address(table)).or_default();
                let known = known.entry(site.header).or_insert_with(|| Some(Vec::new()));
                match known {
                    Some(known) if !site.exact.is_empty() => known.extend(&site.exact),
                    known => *known = None,
                }
            }
        }
        for known in hosts.0.values_mut().flat_map(HashMap::values_mut).flatten() {
            known.sort_unstable();
            known.dedup();
        }
        hosts
    }

    /// The hosts of a table; none if not all are known.
    pub fn at(&self, header: &str, table: &Table) -> &[&'s str] {
        self.0.get(&address(table)).and_then(|known| known.get(header)?.as_deref()).unwrap_or_default()
    }
}

fn address(table: &Table) -> usize {
    std::ptr::from_ref(table).cast::<()>().addr()
}

/// The hosts of all rules, if they have routes. A host that a rule does not name but only covers may belong to another service: it
/// counts if its routes ask for the plugin's header, or if only they lead to a canary of the rule.
pub fn sites<'w, 'o>(world: &'w World<'o>) -> Vec<Site<'w, 'o>> {
    let mut tables: HashMap<(Vec<*const Routing>, Precedence), Rc<Table>> = HashMap::new();
    let mut sites = Vec::new();
    for plugin in &world.plugins {
        let Some(header) = &plugin.header else { continue };
        let beside = world.beside(plugin);
        for (_, rule) in &plugin.rules {
            for mut site in sites_of(world, plugin, header, rule, &beside) {
                for service in site.services.iter().copied().filter(|service| service.is_virtual_service()) {
                    let table = tables.entry((vec![std::ptr::from_ref(service)], Precedence::Istio));
                    let read = || Rc::new(Table::of(service, |route| world.delegate(service, route)));
                    site.tables.push(Rc::clone(table.or_insert_with(read)));
                }
                for group in listeners::groups(world, &beside, &site.services, site.host.1) {
                    let (key, precedence) =
                        (group.iter().map(|service| std::ptr::from_ref(*service)), plugin.precedence());
                    let table = tables.entry((key.collect(), precedence));
                    let read = || Rc::new(Table::of_listener(group, precedence));
                    site.tables.push(Rc::clone(table.or_insert_with(read)));
                }
                sites.push(site);
            }
        }
    }
    sites
}

fn sites_of<'w, 'o>(
    world: &'w World<'o>,
    plugin: &'w Plugin,
    header: &'w str,
    rule: &'w Rule,
    beside: &Beside<'w, 'o>,
) -> Vec<Site<'w, 'o>> {
    let mut sites: Vec<Site> = Vec::new();
    // Many routings may have one host.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let patterns = plugin::hosts(rule);
    for (number, pattern) in patterns.iter().enumerate() {
        let is_the_host = |service: &Routing, own: &str| is_host_of(own, &service.object.namespace, pattern);
        let near = beside.near(pattern);
        let is_named = near.iter().any(|service| service.hosts.iter().any(|(_, own)| is_the_host(service, own)));
        let covered = if pattern.starts_with('*') || !is_named {
            covered(world, plugin, header, rule, pattern, beside)
        } else {
            Vec::new()
        };
        for service in near {
            let is_covered = covered.iter().any(|covered| std::ptr::eq(*covered, service));
            let is_its = |own: &str| is_the_host(service, own) || is_covered && overlap(own, pattern);
            for host in service.hosts.iter().filter(|(_, own)| is_its(own)) {
                let exact = match rule.hosts.get(number) {
                    Some(HostPattern::Exact(exact)) => Some(&**exact),
                    _ => Some(host.1).filter(|host| !host.starts_with('*')),
                };
                // What is longer is for fewer hosts.
                let narrower = if pattern.len() > host.1.len() { pattern } else { host.1 };
                let wide = exact.is_none().then(|| narrower.to_owned());
                let place = *places.entry(host.1).or_insert_with(|| {
                    let services = beside.with(host.1);
                    let is_same = |site: &Site| {
                        site.services.len() == services.len()
                            && site.services.iter().zip(&services).all(|(one, other)| std::ptr::eq(*one, *other))
                    };
                    sites.iter().position(is_same).unwrap_or_else(|| {
                        let (tables, exact, wide) = (Vec::new(), Vec::new(), Vec::new());
                        let (host, asks_for_host) = (*host, OnceCell::new());
                        sites.push(Site { plugin, header, rule, services, tables, host, exact, wide, asks_for_host });
                        sites.len() - 1
                    })
                });
                if let Some(site) = sites.get_mut(place) {
                    site.exact.extend(exact);
                    site.wide.extend(wide);
                }
            }
        }
    }
    sites
}

/// The routings that surely serve what a pattern covers, though none of their hosts is the pattern.
fn covered<'w, 'o>(
    world: &'w World<'o>,
    plugin: &Plugin,
    header: &str,
    rule: &Rule,
    pattern: &str,
    beside: &Beside<'w, 'o>,
) -> Vec<&'w Routing<'o>> {
    let length = |service: &Routing| {
        let hosts = service.hosts.iter().filter(|(_, own)| overlap(own, pattern));
        hosts.map(|(_, own)| own.len()).max()
    };
    let asks = |service: &&'w Routing<'o>| {
        let mut delegates = service.routes.iter().filter_map(|route| world.delegate(service, route));
        service.asks_for(header) || delegates.any(|delegate| delegate.asks_for(header))
    };
    let all = beside.overlapping(pattern);
    let asking: Vec<_> = all.iter().copied().filter(asks).collect();
    if !asking.is_empty() {
        return asking;
    }
    // The most specific host decides.
    let longest = all.iter().filter_map(|service| length(service)).max();
    let is_next = |service: &&Routing| pattern.starts_with('*') || length(service) == longest;
    let subsets = plugin.subsets(rule);
    let leads = |service: &Routing, is_any: bool| {
        let is_its = |destination: &Destination| {
            let mut subsets = subsets.iter().filter(|named| is_any || !named.is_stable);
            subsets.any(|named| destination.is_version(&named.subset.name))
        };
        world.routes_of(service).iter().flat_map(|route| &route.destinations).any(is_its)
    };
    let is_only_one = rule.hosts.is_empty() && beside.len() == 1;
    let meant: Vec<_> = all.into_iter().filter(is_next).filter(|service| leads(service, is_only_one)).collect();
    if meant.len() == 1 { meant } else { Vec::new() }
}
