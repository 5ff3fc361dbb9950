//! Whether each subset that a rule can choose has a route.

use super::mesh::{self, Behind, Mesh};
use super::seal;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::{Asked, Written};
use crate::world::plugin::Named;
use crate::world::routing::{Destination, Route, Routing};
use crate::world::site::{Class, Site};
use crate::world::table::{Met, Step, Table};
use crate::world::text::Taken;
use std::ops::Range;

const MISMATCH: Code = Code {
    name: "header-mismatch",
    severity: Severity::Error,
    why: "the filter writes only its own header: this route never takes a request of the subset, the default route takes them",
    fix: "match the plugin's header, or set header in pluginConfig",
};

/// No route takes a subset's requests.
pub const NO_ROUTE: Code = Code {
    name: "no-header-route",
    severity: Severity::Error,
    why: "the filter cannot see whether there is a route: it counts these requests as the subset's, and the default route takes them",
    fix: "put a route that matches the header before the default route; in an HTTPRoute, add a match with the same path and the header; values are compared byte by byte",
};

/// A route leads to another subset than its header names.
pub const ELSEWHERE: Code = Code {
    name: "route-elsewhere",
    severity: Severity::Error,
    why: "visitors for whom the filter chooses one subset see the other, and every count and share is wrong",
    fix: "let the route lead to the subset that its header names, and ask for that by exact, under headers",
};

/// The codes of this file.
pub const CODES: [&Code; 3] = [&MISMATCH, &NO_ROUTE, &ELSEWHERE];

/// Looks at the routes that requests of every rule meet.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    let mesh = Mesh::of(world);
    for site in sites {
        for named in site.subsets() {
            site.subset(&named, world, &mesh, findings);
        }
    }
}

impl<'w, 'o> Site<'w, 'o> {
    fn subset(&self, named: &Named<'w>, world: &World, mesh: &Mesh, findings: &mut Vec<Finding>) {
        let value = &*named.subset.header_value;
        let is_asked_for = self.steps().any(|step| step.takes(self.header, value));
        if is_asked_for {
            self.elsewhere(named, findings);
        }
        if named.is_chosen && !named.is_stable {
            self.taken_along(named, findings);
            self.inverted(named, findings);
        }
        // A route that asks for the header and for another host takes none of these requests.
        let is_taken = self.steps().any(|step| step.takes_at(self.header, value, self.hosts()));
        let is_known = !is_asked_for && self.sealed_otherwise(named, findings);
        if is_known || !named.is_chosen || self.steps().any(|step| step.route.shuns(self.header)) {
            return;
        }
        // A route for the header may be for other paths than the rule's.
        let mut classes = self.classes(value);
        classes.retain(|class| {
            let known = class.known();
            !self.steps().any(|step| step.may_take(self.header, &known))
        });
        let others = if is_asked_for { Vec::new() } else { self.matched_otherwise(named) };
        let has_unknown = self.steps().any(|step| step.route.is_delegated());
        if !self.is_stray(named, &classes, is_taken) && (!has_unknown || others.is_empty()) {
            return;
        }
        let bypassed = match mesh.behind(world, self) {
            Behind::Nobody => Vec::new(),
            Behind::Perhaps => return,
            Behind::Bypassed(services) => services,
        };
        if others.is_empty() && !has_unknown {
            match bypassed.as_slice() {
                [] => self.missing(named, findings),
                _ => findings.extend(bypassed.iter().map(|(service, node)| mesh::bypassed(service, node, self.header))),
            }
        }
        findings.extend(others);
    }

    /// Routes that ask for a subset under another header.
    fn matched_otherwise(&self, named: &Named) -> Vec<Finding> {
        let (name, value) = (&*named.subset.name, &*named.subset.header_value);
        let subsets = self.subsets();
        let others = subsets.iter().filter(|other| other.is_stable != named.is_stable);
        let others: Vec<&str> = others.flat_map(|other| [&*other.subset.name, &*other.subset.header_value]).collect();
        // A condition that also holds for stable, for any value, or for the name inside a longer one is about something else.
        let within = format!("another {name}");
        let is_else =
            |asked: &Asked| others.iter().chain(&["", "another", &within]).any(|other| asked.takes_unnamed(other));
        let is_it = |asked: &Asked, written: Written| match written.exact {
            Some((_, exact)) => exact == value || exact == name,
            None => (asked.takes_unnamed(value) || asked.takes_unnamed(name)) && !is_else(asked),
        };
        let finding = |step: &Step, (span, header): (&Range<usize>, &str)| {
            let object = step.service.object;
            let message =
                format!("{} matches {header} for subset {name}, the plugin writes {}", object.title(), self.header);
            Finding::new(&MISMATCH, &object.source, span, message)
        };
        let found = |step: &Step| -> Vec<_> {
            step.route.headers_with(&is_it).map(|written| finding(step, written.name)).collect()
        };
        self.steps().flat_map(found).collect()
    }

    fn missing(&self, named: &Named, findings: &mut Vec<Finding>) {
        // The route is not missing where requests are only redirected.
        let leads = |service: &&&Routing| {
            service.is_virtual_service() || service.routes.iter().any(|route| !route.destinations.is_empty())
        };
        let Some(service) = self.services.iter().find(leads).or(self.services.first()) else { return };
        let (node, host) = service.hosts.iter().find(|(_, host)| *host == self.host.1).unwrap_or(&self.host);
        let message = format!(
            "no route of {host} takes {}: {}, which rule {} can choose",
            self.header, named.subset.name, self.rule.name
        );
        findings.push(Finding::new(&NO_ROUTE, &service.object.source, &node.span, message));
    }

    /// Whether requests for a subset surely get to the route of another one. Destinations of stable may have any name, except that of
    /// another subset of this rule.
    fn is_stray(&self, named: &Named<'w>, classes: &[Class], is_taken: bool) -> bool {
        let own = &*named.subset.name;
        let is_other = |destination: &Destination| self.other(destination, own).is_some();
        let leads_there = |route: &Route| route.destinations.iter().all(|destination| destination.is_called(own));
        let is_away = |met: &Met| {
            let route = met.step.route;
            let mut destinations = route.destinations.iter();
            match met.taken {
                // A default route may well be for paths that the rule's application does not have.
                _ if is_taken => {
                    !named.is_stable
                        && !met.entry.asked.is_empty()
                        && !route.destinations.is_empty()
                        && destinations.all(is_other)
                }
                Taken::All if named.is_stable => {
                    !met.step.asks_for(self.header) && !route.destinations.is_empty() && destinations.all(is_other)
                }
                Taken::All => !leads_there(route),
                _ => !named.is_stable && destinations.any(is_other) && !leads_there(route),
            }
        };
        let mut destinations = self.steps().flat_map(|step| &step.route.destinations).peekable();
        let is_nowhere = !is_taken
            && destinations.peek().is_some()
            && match named.is_stable {
                false => !destinations.any(|destination| destination.is_called(own)),
                true => !self.steps().any(|step| step.asks_for(self.header)) && destinations.all(is_other),
            };
        let is_met = |class: &Class| {
            let known = class.known();
            let is_met = |table: &Table| table.met(&known).iter().any(|met| is_away(met) && table.reaches(met, &known));
            self.tables.iter().any(|table| is_met(table))
        };
        is_nowhere || classes.iter().any(is_met)
    }

    /// The other subset of the rule that a destination is.
    fn other(&self, destination: &Destination, own: &str) -> Option<&'w str> {
        let others = self.subsets().into_iter().map(|named| &*named.subset.name).filter(|name| *name != own);
        others.into_iter().find(|name| destination.is_version(name))
    }

    /// Routes for a subset that lead to another one of its rule.
    fn elsewhere(&self, named: &Named, findings: &mut Vec<Finding>) {
        let value = &*named.subset.header_value;
        for (service, route) in self.steps().map(|step| (step.service, step.route)) {
            if !route.exact_values(self.header).any(|(_, exact)| exact == value) {
                continue;
            }
            let is_other = |destination: &Destination| self.other(destination, &named.subset.name).is_some();
            if route.destinations.iter().all(is_other) {
                for destination in &route.destinations {
                    let node = destination.subset.map_or(destination.host.0, |(node, _)| node);
                    let there = match destination.subset {
                        Some((_, subset)) => format!("subset {subset}"),
                        None => destination.host.1.to_owned(),
                    };
                    let message = format!("the route for {}: {} leads to {there}", self.header, named.subset.name);
                    findings.push(Finding::new(&ELSEWHERE, &service.object.source, &node.span, message));
                }
            }
        }
    }

    /// Routes for another subset that take requests of this one by more than its name. Of stable's they are another finding.
    fn taken_along(&self, named: &Named<'w>, findings: &mut Vec<Finding>) {
        let (name, value) = (&*named.subset.name, &*named.subset.header_value);
        let is_unnamed = |asked: &Asked| asked.takes_unnamed(value);
        if !self.steps().any(|step| step.route.conditions(self.header).any(|(asked, _)| is_unnamed(asked))) {
            return;
        }
        let is_it = |met: &Met| met.entry.condition(self.header).is_some_and(|(asked, _)| is_unnamed(asked));
        for (met, there) in self.led_astray(named).into_iter().filter(|(met, _)| is_it(met)) {
            let message = format!("the route to subset {there} takes requests of subset {name} too");
            let node = met.entry.condition(self.header).map_or(met.entry.node, |(_, written)| written.node);
            findings.push(Finding::new(&ELSEWHERE, &met.step.service.object.source, &node.span, message));
        }
    }

    /// Routes to a subset that take everything but its requests, which get another one.
    fn inverted(&self, named: &Named<'w>, findings: &mut Vec<Finding>) {
        let (name, value) = (&*named.subset.name, &*named.subset.header_value);
        let leads_there = |step: &&Step| {
            let all = &step.route.destinations;
            !all.is_empty() && all.iter().all(|destination| destination.is_version(name))
        };
        let excludes = |asked: &&Asked| asked.excludes(self.header, value);
        let entries = |step: &'_ Step<'w, '_>| {
            let own = step.entries.iter().filter(|entry| entry.asked.iter().copied().any(|asked| excludes(&asked)));
            own.map(|entry| (step.service, entry.node)).collect::<Vec<_>>()
        };
        let found: Vec<_> = self.steps().filter(leads_there).flat_map(entries).collect();
        if found.is_empty() || self.led_astray(named).is_empty() {
            return;
        }
        for (service, node) in found {
            let message = format!("the route to subset {name} takes all requests but those of subset {name}");
            findings.push(Finding::new(&ELSEWHERE, &service.object.source, &node.span, message));
        }
    }

    /// What requests of a subset surely get to, and the other subset of the rule that it leads to.
    fn led_astray(&self, named: &Named<'w>) -> Vec<(Met<'_, 'w, 'o>, &'w str)> {
        let mut found = Vec::new();
        for class in self.classes(&named.subset.header_value) {
            let known = class.known();
            for table in &self.tables {
                for met in table.met(&known) {
                    let destinations = &met.step.route.destinations;
                    let others = destinations.iter().map(|destination| self.other(destination, &named.subset.name));
                    let others = others.collect::<Option<Vec<_>>>().unwrap_or_default();
                    if let Some(there) = others.first().filter(|_| table.reaches(&met, &known)) {
                        found.push((met, *there));
                    }
                }
            }
        }
        found
    }

    /// Whether there are routes for a subset, but under another seal.
    fn sealed_otherwise(&self, named: &Named, findings: &mut Vec<Finding>) -> bool {
        let before = findings.len();
        for (service, route) in self.steps().map(|step| (step.service, step.route)) {
            for (node, exact) in route.exact_values(self.header) {
                if seal::subset_of(exact) == &*named.subset.name {
                    findings.push(seal::mismatch(self.plugin, service, node, &named.subset.name));
                }
            }
        }
        findings.len() > before
    }
}
