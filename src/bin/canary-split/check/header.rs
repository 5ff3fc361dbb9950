//! Whether each subset that a rule can choose has a route, and each route a rule.

use super::seal;
use super::world::World;
use super::world::plugin::{Named, Plugin};
use super::world::routing::{Route, VirtualService};
use crate::finding::{Code, Finding};
use crate::yaml::Node;
use canary_split::rule::Rule;

const MISMATCH: Code = Code {
    name: "header-mismatch",
    why: "the filter writes its own header and no other: this route never takes a request of the subset, and the default route does",
    fix: "match the plugin's header, or set header in pluginConfig",
};

const NO_ROUTE: Code = Code {
    name: "no-header-route",
    why: "the filter cannot see whether there is a route: it counts these requests as the subset's, and the default route takes them",
    fix: "put a route that matches the header before the default route; values are compared byte by byte",
};

const ELSEWHERE: Code = Code {
    name: "route-elsewhere",
    why: "those for whom the filter chooses the one subset see the other, and every count and share says otherwise",
    fix: "let the route lead to the subset that its header names",
};

const UNCHOSEN: Code = Code {
    name: "unchosen-route",
    why: "nobody can get there: the filter removes what clients send in this header; most often it is a name that is spelled in two ways",
    fix: "take the route out, or name the subset in a rule (with a weight of 0 while nobody shall see it)",
};

/// The codes of this file.
pub const CODES: [&Code; 4] = [&MISMATCH, &NO_ROUTE, &ELSEWHERE, &UNCHOSEN];

/// The routes of a host, and which plugin and rule decide there.
struct Meeting<'m, 'o> {
    plugin: &'m Plugin,
    header: &'m str,
    rule: &'m Rule,
    routes: Vec<(&'m VirtualService<'o>, &'m Route<'o>)>,
    host: &'m str,
}

/// Looks at every rule and the routes that its requests meet.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let Some(header) = plugin.header.as_deref() else { continue };
        for (_, rule) in &plugin.rules {
            for site in world.sites(plugin, rule) {
                let routes: Vec<_> = site
                    .services
                    .iter()
                    .flat_map(|service| service.routes.iter().map(|route| (*service, route)))
                    .collect();
                let meeting = Meeting { plugin, header, rule, routes, host: site.host };
                for named in plugin.subsets(rule) {
                    meeting.subset(&named, findings);
                }
                let writers = world.writers_of(header);
                if writers.iter().all(|writer| writer.is_whole) {
                    meeting.unchosen(&writers, findings);
                }
            }
        }
    }
}

impl Meeting<'_, '_> {
    fn subset(&self, named: &Named, findings: &mut Vec<Finding>) {
        let value = &*named.subset.header_value;
        if self.routes.iter().any(|(_, route)| route.takes(self.header, value)) {
            self.elsewhere(named, findings);
            return;
        }
        if self.sealed_otherwise(named, findings) || !named.is_chosen || self.is_unknowable() || self.is_default(named)
        {
            return;
        }
        let others =
            self.routes.iter().flat_map(|(service, route)| route.headers_with(value).map(|key| (*service, key)));
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
        let Some((service, _)) = self.routes.first() else { return };
        let host = service.hosts.iter().find(|(_, own)| *own == self.host).map(|(node, _)| *node);
        let message = format!(
            "no route of {} takes {}: {}, which rule {} can choose",
            self.host, self.header, named.subset.name, self.rule.name
        );
        findings.push(Finding::new(
            &NO_ROUTE,
            &service.object.source,
            &host.unwrap_or(&service.object.node).span,
            message,
        ));
    }

    /// Whether routes stand elsewhere, or ask for the header in a way that is not understood here.
    fn is_unknowable(&self) -> bool {
        self.routes.iter().any(|(_, route)| route.is_delegated() || route.shuns(self.header))
    }

    /// Whether the routes that take any request, or nobody knows which, are the subset's own.
    fn is_default(&self, named: &Named) -> bool {
        let value = &*named.subset.header_value;
        let is_open = |route: &Route| route.is_open(self.header) && route.headers_with(value).next().is_none();
        let open = self.routes.iter().filter(|(_, route)| is_open(route));
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
        for (service, route) in &self.routes {
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
        for (service, route) in &self.routes {
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
        for (service, route) in &self.routes {
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
