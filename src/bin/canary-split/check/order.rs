//! The first route that takes a request decides.

use super::world::routing::{Route, VirtualService, condition};
use super::world::site::Site;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};

const ORDER: Code = Code {
    name: "route-order",
    severity: Severity::Error,
    why: "the first route that matches decides: the earlier one takes every request of this one, and nobody sees the subset",
    fix: "put the route that matches the header first",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&ORDER];

/// Looks at the routes that rules lead to.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        site.services.iter().for_each(|service| check_service(service, site.header, findings));
    }
}

fn check_service(service: &VirtualService, header: &str, findings: &mut Vec<Finding>) {
    for (place, route) in service.routes.iter().enumerate() {
        for entry in route.matches.iter().flatten().filter(|entry| condition(entry, header).is_some()) {
            let takes_all = |earlier: &&Route| !earlier.is_delegated() && covers(earlier, entry, header);
            let Some(earlier) = service.routes.iter().take(place).find(takes_all) else { continue };
            let (line, _) = service.object.source.position(earlier.node.span.start);
            let message = format!(
                "{}: the route at line {line} takes all requests of this one, whatever {header} says",
                service.object.title()
            );
            findings.push(Finding::new(&ORDER, &service.object.source, &entry.span, message));
        }
    }
}

/// Whether a route that does not ask for the header takes every request that an entry takes.
fn covers(route: &Route, entry: &Node, header: &str) -> bool {
    let Some(matches) = &route.matches else { return true };
    matches.iter().any(|wide| covers_entry(wide, Some(entry), header))
}

/// Whether an entry that does not ask for the header takes every request that another one takes; `None`: every request at all.
pub fn covers_entry(wide: &Node, entry: Option<&Node>, header: &str) -> bool {
    let mut conditions = wide.entries().iter().filter(|(key, _)| !["name", "statPrefix"].contains(&&*key.name));
    let narrow = |keys: &[&str]| entry.and_then(|entry| entry.at(keys));
    condition(wide, header).is_none()
        && conditions.all(|(key, asked)| match &*key.name {
            "uri" => is_any(asked) || narrow(&["uri"]).is_some_and(|narrow| narrows(narrow, asked)),
            "headers" | "queryParams" | "withoutHeaders" => asked.entries().iter().all(|(name, asked)| {
                narrow(&[&key.name, &name.name]).is_some_and(|narrow| narrow.to_json() == asked.to_json())
            }),
            // Without regard to case it takes more.
            "ignoreUriCase" => true,
            other => narrow(&[other]).is_some_and(|narrow| narrow.to_json() == asked.to_json()),
        })
}

/// Whether every path begins like this.
fn is_any(uri: &Node) -> bool {
    uri.get("prefix").and_then(Node::text) == Some("/")
}

fn narrows(narrow: &Node, wide: &Node) -> bool {
    let begins = |prefix: &str| {
        ["prefix", "exact"]
            .iter()
            .filter_map(|key| narrow.get(key))
            .filter_map(Node::text)
            .any(|text| text.starts_with(prefix))
    };
    narrow.to_json() == wide.to_json() || wide.get("prefix").and_then(Node::text).is_some_and(begins)
}
