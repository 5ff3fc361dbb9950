//! The first route that takes a request decides.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::asked::Asked;
use crate::world::site::{Hosts, Site};
use crate::world::table::Table;
use std::collections::HashSet;
use std::rc::Rc;

const ORDER: Code = Code {
    name: "route-order",
    severity: Severity::Error,
    why: "the first route that matches decides: the earlier one takes every request of this one, and nobody sees the subset",
    fix: "put the route that matches the header first; in an HTTPRoute, where the order of the text does not count, give its match the same path in the same type",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&ORDER];

/// Looks at the routes that rules lead to.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    let hosts = Hosts::of(sites);
    let mut seen = HashSet::new();
    for site in sites {
        for table in site.tables.iter().filter(|table| seen.insert((site.header, Rc::as_ptr(table)))) {
            check_table(table, site.header, hosts.at(site.header, table), findings);
        }
    }
}

fn check_table(table: &Table, header: &str, hosts: &[&str], findings: &mut Vec<Finding>) {
    for (place, step) in table.steps.iter().enumerate() {
        for entry in step.entries.iter().filter(|entry| entry.asks_for_value(header)) {
            let known: Vec<&Asked> = entry.without(header).collect();
            let earlier = |host: Option<&Asked>| {
                let known: Vec<_> = known.iter().copied().chain(host).collect();
                table.taker(&known, 0).filter(|(earlier, _)| *earlier < place)
            };
            // Routes may ask for the host, and take all requests of each that there is.
            let of_each = || hosts.iter().map(|host| earlier(Some(&Asked::host(host)))).collect::<Option<Vec<_>>>();
            let Some((_, earlier)) = earlier(None).or_else(|| of_each()?.first().copied()) else { continue };
            let (object, other) = (step.service.object, earlier.service.object);
            let (line, _) = other.source.position(earlier.route.node.span.start);
            let file = if Rc::ptr_eq(&object.source, &other.source) { "" } else { &other.source.name };
            let message = format!(
                "{}: the route at {file}{}line {line} takes all requests of this one, whatever {header} says",
                object.title(),
                if file.is_empty() { "" } else { ", " },
            );
            findings.push(Finding::new(&ORDER, &object.source, &entry.node.span, message));
        }
    }
}
