//! Whether each subset that a rule can choose has a route, and each route a rule.

use super::seal;
use super::world::plugin::{Named, Plugin};
use super::world::routing::{Destination, Route, VirtualService};
use super::world::{Site, World};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};

const MISMATCH: Code = Code {
    name: "header-mismatch",
    severity: Severity::Error,
    why: "the filter writes its own header and no other: this route never takes a request of the subset, and the default route does",
    fix: "match the plugin's header, or set header in pluginConfig",
};

const NO_ROUTE: Code = Code {
    name: "no-header-route",
    severity: Severity::Error,
    why: "the filter cannot see whether there is a route: it counts these requests as the subset's, and the default route takes them",
    fix: "put a route that matches the header before the default route; values are compared byte by byte",
};

const ELSEWHERE: Code = Code {
    name: "route-elsewhere",
    severity: Severity::Error,
    why: "those for whom the filter chooses the one subset see the other, and every count and share says otherwise",
    fix: "let the route lead to the subset that its header names",
};

const UNCHOSEN: Code = Code {
    name: "unchosen-route",
    severity: Severity::Warning,
    why: "nobody can get there: the filter removes what clients send in this header; most often it is a name that is spelled in two ways",
    fix: "take the route out, or name the subset in a rule (with a weight of 0 while nobody shall see it)",
};

/// The codes of this file.
pub const CODES: [&Code; 4] = [&MISMATCH, &NO_ROUTE, &ELSEWHERE, &UNCHOSEN];

/// Looks at the routes that requests of every rule meet.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let is_routed_later = world.virtual_services.iter().any(|service| site.may_meet_later(service));
        for named in site.plugin.subsets(site.rule) {
            site.subset(&named, is_routed_later, findings);
        }
        let writers = world.writers_of(site.header);
        if writers.iter().all(|writer| writer.is_whole) {
            site.unchosen(&writers, findings);
        }
    }
}

impl Site<'_, '_> {
    /// Whether requests may meet these routes further on, at a sidecar: the routes here lead to one of its hosts, or it is for
    /// sidecars alone, and any application may call it. One that is at a gateway as well is another application's.
    fn may_meet_later(&self, service: &VirtualService) -> bool {
        let is_its = |destination: &Destination| {
            service.hosts.iter().any(|(_, host)| destination.is_at(host, &service.object.namespace))
        };
        let is_near = || {
            let mut destinations = self.routes().flat_map(|(_, route)| &route.destinations);
            service.is_for(self.host.1) || destinations.any(is_its)
        };
        service.is_for_mesh() && service.mentions(self.header) && (service.gateways().next().is_none() || is_near())
    }

    fn subset(&self, named: &Named, is_routed_later: bool, findings: &mut Vec<Finding>) {
        let value = &*named.subset.header_value;
        if self.routes().any(|(_, route)| route.takes(self.header, value)) {
            self.elsewhere(named, findings);
            return;
        }
        if self.sealed_otherwise(named, findings) || !named.is_chosen {
            return;
        }
        if is_routed_later || self.is_unknowable() || self.is_default(named) {
            return;
        }
        let others =
            self.routes().flat_map(|(service, route)| route.headers_with(value).map(move |key| (service, key)));
        let mut is_matched_otherwise = false;
        for (service, key) in others {
            is_matched_otherwise = true;
            let message = format!(
                "{} matches {} for subset {}, the plugin writes {}",
                service.object.title(),
                key.name,
                named.subset.name,
                self.header
            );
            findings.push(Finding::new(&MISMATCH, &service.object.source, &key.span, message));
        }
        if !is_matched_otherwise {
            self.missing(named, findings);
        }
    }

    fn missing(&self, named: &Named, findings: &mut Vec<Finding>) {
        let Some(service) = self.services.first() else { return };
        let (node, host) = self.host;
        let message = format!(
            "no route of {host} takes {}: {}, which rule {} can choose",
            self.header, named.subset.name, self.rule.name
        );
        findings.push(Finding::new(&NO_ROUTE, &service.object.source, &node.span, message));
    }

    /// Whether routes stand elsewhere, or ask for the header in a way that is not understood here.
    fn is_unknowable(&self) -> bool {
        self.routes().any(|(_, route)| route.is_delegated() || route.shuns(self.header))
    }

    /// Whether the routes that take any request, or nobody knows which, are the subset's own.
    fn is_default(&self, named: &Named) -> bool {
        let value = &*named.subset.header_value;
        let is_open = |route: &Route| route.is_open(self.header) && route.headers_with(value).next().is_none();
        let open = self.routes().filter(|(_, route)| is_open(route));
        let mut destinations = open.flat_map(|(_, route)| &route.destinations).peekable();
        if !named.is_stable {
            return destinations.any(|destination| destination.is_subset(&named.subset.name));
        }
        // Stable may be called otherwise there; another subset of this rule it is not.
        let is_other = |subset: &str| subset != &*named.subset.name && self.is_named(subset);
        destinations.peek().is_none()
            || !destinations.all(|destination| destination.subset.is_some_and(|(_, subset)| is_other(subset)))
    }

    fn is_named(&self, subset: &str) -> bool {
        self.plugin.subsets(self.rule).iter().any(|named| *named.subset.name == *subset)
    }

    /// Routes for a subset that lead to another one of its rule.
    fn elsewhere(&self, named: &Named, findings: &mut Vec<Finding>) {
        let value = &*named.subset.header_value;
        for (service, route) in self.routes() {
            if !route.exact_values(self.header).any(|(_, exact)| exact == value) {
                continue;
            }
            let is_other = |subset: &str| subset != &*named.subset.name && self.is_named(subset);
            let others: Vec<_> = route.destinations.iter().filter_map(|destination| destination.subset).collect();
            if others.len() == route.destinations.len() && others.iter().all(|(_, subset)| is_other(subset)) {
                for (node, subset) in others {
                    let message =
                        format!("the route for {}: {} leads to subset {subset}", self.header, named.subset.name);
                    findings.push(Finding::new(&ELSEWHERE, &service.object.source, &node.span, message));
                }
            }
        }
    }

    /// Whether there are routes for a subset, but under another seal.
    fn sealed_otherwise(&self, named: &Named, findings: &mut Vec<Finding>) -> bool {
        let before = findings.len();
        for (service, route) in self.routes() {
            for (node, exact) in route.exact_values(self.header) {
                if subset_of(exact) == &*named.subset.name {
                    findings.push(seal::mismatch(self.plugin, service, node, &named.subset.name));
                }
            }
        }
        findings.len() > before
    }

    /// Routes for what no rule chooses.
    fn unchosen(&self, writers: &[&Plugin], findings: &mut Vec<Finding>) {
        for (service, route) in self.routes() {
            let is_unknown = |(_, exact): &(&Node, &str)| {
                !writers.iter().any(|writer| writer.writes(exact) || writer.names(subset_of(exact)))
            };
            for (node, exact) in route.exact_values(self.header).filter(is_unknown) {
                let message = format!(
                    "{} has a route for {}: {}, which no rule chooses",
                    service.object.title(),
                    self.header,
                    subset_of(exact)
                );
                findings.push(Finding::new(&UNCHOSEN, &service.object.source, &node.span, message));
            }
        }
    }
}

/// A header's value without its seal.
fn subset_of(value: &str) -> &str {
    value.split('.').next().unwrap_or_default()
}
