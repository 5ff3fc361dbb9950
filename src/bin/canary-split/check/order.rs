//! The first route that takes a request decides.

use super::world::Site;
use super::world::routing::{Route, VirtualService, condition};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use std::collections::HashMap;

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
    let mut earlier = Earlier::default();
    for (place, route) in service.routes.iter().enumerate() {
        for entry in route.matches.iter().flatten().filter(|entry| condition(entry, header).is_some()) {
            let Some(before) = earlier.first_that_covers(entry, header).and_then(|at| service.routes.get(at)) else {
                continue;
            };
            let (line, _) = service.object.source.position(before.node.span.start);
            let message = format!(
                "{}: the route at line {line} takes all requests of this one, whatever {header} says",
                service.object.title()
            );
            findings.push(Finding::new(&ORDER, &service.object.source, &entry.span, message));
        }
        earlier.add(place, route, header);
    }
}

/// Routes that may take requests whatever the header says, by the paths that they are for: so that a route need not be compared
/// with every one before it.
#[derive(Default)]
struct Earlier<'w, 'o> {
    /// The first that takes every request.
    takes_all: Option<usize>,
    /// Entries for whatever path.
    any: Vec<(usize, &'w &'o Node)>,
    by_prefix: HashMap<&'w str, Vec<(usize, &'w &'o Node)>>,
    /// Exact paths and regexes, as JSON.
    by_uri: HashMap<String, Vec<(usize, &'w &'o Node)>>,
}

impl<'w, 'o> Earlier<'w, 'o> {
    fn add(&mut self, place: usize, route: &'w Route<'o>, header: &str) {
        if route.is_delegated() {
            return;
        }
        let Some(entries) = &route.matches else {
            self.takes_all = self.takes_all.or(Some(place));
            return;
        };
        for entry in entries.iter().filter(|entry| condition(entry, header).is_none()) {
            let prefix = entry.at(&["uri", "prefix"]).and_then(Node::text);
            match (entry.get("uri"), prefix) {
                (None, _) | (_, Some("/")) => self.any.push((place, entry)),
                (_, Some(prefix)) => self.by_prefix.entry(prefix).or_default().push((place, entry)),
                (Some(uri), None) => self.by_uri.entry(uri.to_json()).or_default().push((place, entry)),
            }
        }
    }

    fn first_that_covers(&self, entry: &Node, header: &str) -> Option<usize> {
        let uri = entry.get("uri");
        let path = ["prefix", "exact"].iter().find_map(|key| uri?.get(key)?.text()).unwrap_or_default();
        let prefixes = (0..=path.len()).filter_map(|end| self.by_prefix.get(path.get(..end)?));
        let same = uri.and_then(|uri| self.by_uri.get(&uri.to_json()));
        let alike = [&self.any].into_iter().chain(prefixes).chain(same);
        let covering = alike.filter_map(|entries| {
            entries.iter().find(|(_, wide)| covers_entry(wide, Some(entry), header)).map(|(place, _)| *place)
        });
        covering.chain(self.takes_all).min()
    }
}

/// Whether an entry that does not ask for the header takes all that one of these routes is for.
pub fn takes_all_of(wide: &Node, routes: &[&Route], header: &str) -> bool {
    let is_all_of = |route: &&Route| match &route.matches {
        None => covers_entry(wide, None, header),
        Some(entries) => !entries.is_empty() && entries.iter().all(|entry| covers_entry(wide, Some(entry), header)),
    };
    routes.iter().any(is_all_of)
}

/// Whether a route takes every request, whatever the header says.
pub fn takes_everything(route: &Route, header: &str) -> bool {
    route.matches.as_ref().is_none_or(|entries| entries.iter().any(|entry| covers_entry(entry, None, header)))
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
