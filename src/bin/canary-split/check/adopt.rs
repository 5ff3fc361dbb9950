//! Whether weights that somebody else owns are picked by what the filter writes, and whether Envoy takes these routes at all.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::envoy_filter::Pick;
use crate::world::gateway::Gateway;
use crate::world::host::overlap;
use crate::world::plugin::{Plugin, hosts};
use crate::world::routing::Routing;
use crate::world::site::Site;
use crate::world::table::{Step, Table};
use canary_split::config::DEFAULT_POSITION_HEADER;
use canary_split::rule::{Adopted, Rule, Target};
use std::collections::HashSet;

const WIDE: Code = Code {
    name: "adopt-too-wide",
    severity: Severity::Error,
    why: "Envoy refuses a route that has header_name and no weighted clusters, and with it all routes of that port: the old ones stay, and no later edit of any VirtualService there takes effect",
    fix: "match the virtual host by domainName and the route by name, so that only routes with several destinations are met; canary-split adopt writes it",
};

const HTTP_ROUTE: Code = Code {
    name: "adopt-http-route",
    severity: Severity::Error,
    why: "Istio turns an HTTPRoute with the weights 100 and 0 into a route without weighted clusters: an EnvoyFilter that sets header_name then makes Envoy refuse all routes of that port",
    fix: "let a VirtualService carry the weights, or leave them to the rule: split instead of adopt",
};

const UNREAD: Code = Code {
    name: "adopt-unread",
    severity: Severity::Error,
    why: "nothing uses the position that the filter writes: Envoy draws again for every request, and visitors see both versions",
    fix: "apply an EnvoyFilter that sets header_name on this route, on the same gateway: canary-split adopt writes it",
};

const UNWRITTEN: Code = Code {
    name: "adopt-unwritten",
    severity: Severity::Error,
    why: "no rule writes or removes the header: Envoy draws again for every request, and a client that sends the header chooses its version",
    fix: "add a rule with adopt for the host and the same header, or remove the EnvoyFilter",
};

const UNMET: Code = Code {
    name: "adopt-unmet",
    severity: Severity::Warning,
    why: "the EnvoyFilter changes nothing: no route has this host and this name, so visitors are drawn again with every request",
    fix: "give domainName a host of the VirtualService, and route.name the name of its http entry; canary-split adopt writes both",
};

const MANY: Code = Code {
    name: "adopt-many",
    severity: Severity::Warning,
    why: "Envoy lays out the destinations one after another: an edit of one weight moves visitors of all later ones, up to twice as many as necessary",
    fix: "adopt two destinations; for more let the rule own the weights: split instead of adopt",
};

const UNEVEN: Code = Code {
    name: "adopt-uneven",
    severity: Severity::Warning,
    why: "a visitor has the same position on both routes, but it means another version if the sum of the weights or their order differs",
    fix: "give all routes of the host the same destinations in the same order, with the same sum of weights",
};

const AFRESH: Code = Code {
    name: "adopt-afresh",
    severity: Severity::Warning,
    why: "without sticky every request has a new position, as in Envoy without the filter",
    fix: "add sticky with cookie: {}, or with keys",
};

/// The codes of this file.
pub const CODES: [&Code; 8] = [&WIDE, &HTTP_ROUTE, &UNREAD, &UNWRITTEN, &UNMET, &MANY, &UNEVEN, &AFRESH];

/// Looks at the rules that adopt weights, and at the EnvoyFilters that pick by a header.
pub fn check<'o>(world: &World<'o>, sites: &[Site<'_, 'o>], findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        for (_, rule) in &plugin.rules {
            if let Target::Adopted(adopted) = &rule.target {
                of_rule(world, plugin, rule, adopted, findings);
            }
        }
    }
    for site in sites {
        if let Target::Adopted(adopted) = &site.rule.target {
            of_site(world, site, adopted, findings);
        }
    }
    for pick in &world.picks {
        of_pick(world, pick, findings);
    }
}

fn of_rule(world: &World, plugin: &Plugin, rule: &Rule, adopted: &Adopted, findings: &mut Vec<Finding>) {
    let mut add = |code, what: &str, message| {
        findings.push(Finding::new(code, &plugin.config.source, &plugin.place_in(rule, what), message));
    };
    if adopted.sticky.is_none() {
        add(&AFRESH, "adopt", format!("rule {} adopts weights and has nothing that sticks", rule.name));
    }
    let of_api = hosts(rule).into_iter().find(|host| {
        let mut routings = world.routing(host).peekable();
        routings.peek().is_some() && routings.all(|routing| !routing.is_virtual_service())
    });
    if let Some(host) = of_api {
        add(&HTTP_ROUTE, "adopt", format!("rule {} adopts the weights of {host}, which an HTTPRoute has", rule.name));
    }
}

/// Routes with weights whose positions nobody reads, or reads otherwise than on another route.
fn of_site<'o>(world: &World<'o>, site: &Site<'_, 'o>, adopted: &Adopted, findings: &mut Vec<Finding>) {
    // Of weights in the Gateway API it is said that they cannot be adopted.
    let is_classic = |step: &&Step| step.service.is_virtual_service();
    if site.steps().next().is_some() && !site.steps().any(|step| is_classic(&step)) {
        return;
    }
    let weighted: Vec<&Step> = site.steps().filter(is_classic).filter(|step| step.route.is_weighted()).collect();
    let (rule, header) = (&site.rule.name, &adopted.header);
    if weighted.is_empty() {
        // What a delegate that is not given has, nobody knows.
        if site.steps().any(|step| step.route.is_delegated()) {
            return;
        }
        let title = site.services.first().map(|service| service.object.title()).unwrap_or_default();
        let message = format!("rule {rule} writes {header}, and no route of {title} has several destinations");
        findings.push(Finding::new(
            &UNREAD,
            &site.plugin.config.source,
            &site.plugin.place_in(site.rule, "adopt"),
            message,
        ));
        return;
    }
    if let Some((step, elsewhere)) = weighted.iter().find_map(|step| Some((step, unread(world, site, step, header)?))) {
        let message = match elsewhere {
            Some(title) => {
                format!("rule {rule} writes {header}, and {title}, which lets Envoy pick by it, is not on this gateway")
            }
            None => {
                format!("rule {rule} writes {header}, and no EnvoyFilter lets Envoy pick by it for {}", step.title())
            }
        };
        findings.push(at(&UNREAD, step, message));
    }
    let Some((first, others)) = weighted.split_first() else { return };
    for other in others {
        let (before, after) = (shares(first), shares(other));
        if before.sum != after.sum || !before.is_in_order_of(&after) {
            let message = format!("{} has {}, and {} has {after}", first.title(), before, other.title());
            findings.push(at(&UNEVEN, other, message));
        }
    }
}

/// Whether a part of a route is picked by chance on a gateway of its host; and the EnvoyFilter that is elsewhere, if there is one.
fn unread(world: &World, site: &Site, step: &Step, header: &str) -> Option<Option<String>> {
    let service = service_of(site, step);
    let domains = world.domains_of(service);
    let is_for_it = |pick: &&Pick| pick.is_by(header) && pick.is_applied_to(step);
    let picks: Vec<&Pick> = world.picks.iter().filter(is_for_it).collect();
    let (gateways, _) = world.gateways_of(service);
    let is_read = |domain: &String, gateway: Option<&Gateway>| {
        let own = picks
            .iter()
            .filter(|pick| pick.is_for_domain(domain) && gateway.is_none_or(|gateway| world.is_on(pick, gateway)));
        let own: Vec<_> = own.collect();
        let is_named = |name: &String| own.iter().any(|pick| pick.is_named(name));
        own.iter().any(|pick| !pick.has_route_name()) || !own.is_empty() && step.names().iter().all(is_named)
    };
    let is_served = |gateway: &Gateway, domain: &str| gateway.serves(domain, service);
    let is_all_read = domains.iter().all(|domain| {
        let mut own = gateways.iter().filter(|gateway| is_served(gateway, domain)).peekable();
        if own.peek().is_none() { is_read(domain, None) } else { own.all(|gateway| is_read(domain, Some(gateway))) }
    });
    if is_all_read {
        return None;
    }
    let elsewhere = picks
        .iter()
        .find(|pick| domains.iter().any(|domain| pick.is_for_domain(domain)) && !world.is_at(pick, service));
    Some(elsewhere.map(|pick| pick.object.title()))
}

/// The VirtualService of the host: a delegate has none of its own.
fn service_of<'s, 'w, 'o>(site: &'s Site<'w, 'o>, step: &'s Step<'w, 'o>) -> &'w Routing<'o> {
    let root = site.services.iter().find(|service| service.object.identity() == step.service.object.identity());
    root.or(site.services.first()).copied().unwrap_or(step.service)
}

fn of_pick(world: &World, pick: &Pick, findings: &mut Vec<Finding>) {
    let mut add =
        |code, node: &Node, message| findings.push(Finding::new(code, &pick.object.source, &node.span, message));
    let (header, own) = (pick.header.1, pick.object.title());
    let has_hosts = |service: &&Routing| !service.hosts.is_empty() && service.gateways().next().is_some();
    let services: Vec<_> =
        world.routings.iter().filter(has_hosts).filter(|service| world.is_at(pick, service)).collect();
    if pick.adds {
        if !services.is_empty() {
            add(&WIDE, pick.scope, format!("{own} adds a route with header_name and without clusters"));
        }
        return;
    }
    let (mut domains_met, mut is_met, mut wide, mut many) = (HashSet::new(), false, None, None);
    for service in &services {
        let domains: Vec<String> =
            world.domains_of(service).into_iter().filter(|domain| pick.is_for_domain(domain)).collect();
        if domains.is_empty() {
            continue;
        }
        let table = Table::of(service, |route| world.delegate(service, route));
        for step in table.steps.iter().filter(|step| pick.is_applied_to(step)) {
            is_met = true;
            if step.route.is_weighted() {
                domains_met.extend(domains.iter().cloned());
            } else if !step.route.is_delegated() {
                wide =
                    wide.or_else(|| Some(format!("{own} sets header_name on {}, which has no weights", step.title())));
            }
            let count = step.route.entries().len();
            if count > 2 {
                many = many.or_else(|| Some(format!("{} has {count} destinations", step.title())));
            }
        }
    }
    if pick.is_for_every_host() && !pick.has_route_name() && (is_met || world.routings.is_empty()) {
        wide = wide.or_else(|| Some(format!("{own} sets header_name on every route of the gateway")));
    }
    if let Some(message) = wide.clone() {
        add(&WIDE, pick.scope, message);
    }
    // Whatever else picks by a header of its own is not this filter's.
    let rules = || world.plugins.iter().flat_map(|plugin| &plugin.rules).map(|(_, rule)| rule);
    let adopts = |rule: &Rule| matches!(&rule.target, Target::Adopted(own) if pick.is_by(&own.header));
    if !pick.is_by(DEFAULT_POSITION_HEADER) && !rules().any(adopts) || world.plugins.is_empty() {
        return;
    }
    if !is_met && services.iter().any(|service| service.is_virtual_service()) && wide.is_none() {
        add(&UNMET, pick.scope, format!("{own} meets no route of the VirtualServices that are given"));
    }
    if let Some(message) = many {
        add(&MANY, pick.scope, message);
    }
    let writes = |domain: &str| {
        rules().filter(|rule| adopts(rule)).any(|rule| hosts(rule).iter().any(|own| overlap(own, domain)))
    };
    let mut unwritten: Vec<_> = domains_met.into_iter().filter(|domain| !writes(domain)).collect();
    unwritten.sort();
    if let Some(domain) = unwritten.first().filter(|_| world.plugins.iter().all(|plugin| plugin.is_whole)) {
        add(
            &UNWRITTEN,
            pick.header.0,
            format!("{own} lets Envoy pick by {header} for {domain}, and no rule writes it there"),
        );
    }
}

/// What a route divides requests by.
struct Shares {
    /// Its destinations, in their order.
    names: Vec<String>,
    sum: u64,
}

impl Shares {
    /// Whether what both have is in one order.
    fn is_in_order_of(&self, other: &Shares) -> bool {
        let common = |of: &Shares, with: &Shares| -> Vec<String> {
            of.names.iter().filter(|name| with.names.contains(name)).cloned().collect()
        };
        common(self, other) == common(other, self)
    }
}

impl std::fmt::Display for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with the sum {}", self.names.join(", "), self.sum)
    }
}

fn shares(step: &Step) -> Shares {
    let entries = step.route.entries();
    let text = |entry: &Node, keys: &[&str]| entry.at(keys).and_then(Node::text).unwrap_or_default().to_owned();
    let name = |entry: &Node| {
        let subset = text(entry, &["destination", "subset"]);
        if subset.is_empty() { text(entry, &["destination", "host"]) } else { subset }
    };
    let weight = |entry: &Node| entry.get("weight").and_then(Node::number).map_or(0, u64::from);
    Shares { names: entries.iter().map(name).collect(), sum: entries.iter().map(weight).sum() }
}

fn at(code: &'static Code, step: &Step, message: String) -> Finding {
    let node = step.route.node_of_destinations();
    Finding::new(code, &step.service.object.source, &node.span, message)
}
