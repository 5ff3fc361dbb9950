//! The seal: the same on both sides, and seen by no application.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::plugin::Plugin;
use crate::world::routing::Routing;
use crate::world::site::Site;

const MISMATCH: Code = Code {
    name: "seal-mismatch",
    severity: Severity::Error,
    why: "values are compared byte by byte: no request is routed by this, and everybody sees stable",
    fix: "match SUBSET.SEAL with the seal of pluginConfig, as manifests/overlays/sealed takes it from there",
};

const NOT_REMOVED: Code = Code {
    name: "header-not-removed",
    severity: Severity::Warning,
    why: "the application gets the header, and anyone who makes it echo its headers gets the seal",
    fix: "add headers: {request: {remove: [HEADER]}} to every route of these hosts, including the default one",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&MISMATCH, &NOT_REMOVED];

/// A route for a subset under another seal than the plugin's.
pub fn mismatch(plugin: &Plugin, service: &Routing, value: &Node, subset: &str) -> Finding {
    let is_sealed = value.text().is_some_and(|value| value.contains('.'));
    let problem = match (plugin.has_seal, is_sealed) {
        (true, true) => "is matched with another seal than the plugin's",
        (true, false) => "is matched without the plugin's seal",
        _ => "is matched with a seal, and the plugin has none",
    };
    let message = format!("{}: subset {subset} {problem}", service.object.title());
    Finding::new(&MISMATCH, &service.object.source, &value.span, message)
}

/// A header's value without its seal.
pub fn subset_of(value: &str) -> &str {
    value.split('.').next().unwrap_or_default()
}

/// Looks at the routes that requests with a seal meet.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites.iter().filter(|site| site.plugin.has_seal) {
        for (service, route) in site.routes() {
            if !route.replaces(site.header) {
                let message = format!("a route of {} does not remove {}", service.object.title(), site.header);
                findings.push(Finding::new(&NOT_REMOVED, &service.object.source, &route.node.span, message));
            }
        }
    }
}
