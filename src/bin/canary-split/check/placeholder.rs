//! What is shipped for the user to replace, and what is no digest.

use crate::input::manifest::Object;
use crate::input::sources::Source;
use crate::input::yaml::{Node, Value};
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::labels::Labels;
use crate::world::plugin::{Plugin, hosts};
use std::rc::Rc;

const DIGEST: Code = Code {
    name: "image-digest",
    severity: Severity::Error,
    why: "no image has such a digest: the gateway cannot fetch the module, and everybody sees stable",
    fix: "make image prints the digest and writes it into wasmplugin/wasmplugin.yaml; it has 64 hex digits, in lower case",
};

/// What is still as it was shipped.
pub const PLACEHOLDER: Code = Code {
    name: "placeholder",
    severity: Severity::Warning,
    why: "this is a placeholder for you to replace: nothing works with it, or everybody knows the secret",
    fix: "put in a value of your own; the message says what makes it",
};

// What makes a value of one's own.
const IMAGE: &str = "make image URL=… packs the module and writes the real one";
const SECRET: &str = "openssl rand -hex 16 makes a secret";
const HOST: &str = "name the host of your service";

/// The host of the example that is shipped: whoever has another one no longer has the example.
const EXAMPLE: &str = "canary.example.com";
/// The Service of the example at a waypoint, whose rules are for whatever host its callers use.
const EXAMPLE_SERVICE: &str = "httpbin";

/// The codes of this file.
pub const CODES: [&Code; 2] = [&DIGEST, &PLACEHOLDER];

/// Looks at every plugin, and at the hosts and values of routes. In the example placeholders are meant.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let mut found = Vec::new();
        check_plugin(plugin, &mut found);
        findings.extend(found.into_iter().filter(|finding| *finding.code != PLACEHOLDER || !is_example(plugin)));
    }
    check_routes(world, findings);
}

/// What is still to be replaced in the example, if that is given as it is shipped.
pub fn note(world: &World) -> Option<String> {
    let mut findings = Vec::new();
    let examples = world.plugins.iter().filter(|plugin| is_example(plugin));
    examples.for_each(|plugin| check_plugin(plugin, &mut findings));
    let placeholders = findings.into_iter().filter(|finding| *finding.code == PLACEHOLDER);
    let said: Vec<String> = placeholders.map(|finding| finding.message).collect();
    (!said.is_empty()).then(|| format!("the example as shipped, to be filled in: {}", said.join("; ")))
}

/// Whether a plugin, or a patch of it, is that of the example: with its label, and with no host but its own or on its Service.
fn is_example(plugin: &Plugin) -> bool {
    let hosts: Vec<String> = plugin.rules.iter().flat_map(|(_, rule)| hosts(rule)).collect();
    let is_its = |object: &Object| {
        let labels = object.at(&["metadata", "labels"]).and_then(Labels::of).unwrap_or_default();
        let is_patch = plugin.module().is_some() && plugin.url().0.is_none();
        is_patch || labels.get("app.kubernetes.io/part-of") == Some("canary-split")
    };
    let is_its_service = |target: &&Node| {
        let text = |key: &str| target.get(key).and_then(Node::text);
        text("kind") == Some("Service") && text("name") == Some(EXAMPLE_SERVICE)
    };
    let targets = plugin.targets();
    let is_on_its_service = !targets.is_empty() && targets.iter().all(is_its_service);
    plugin.object().is_some_and(is_its) && (is_on_its_service || hosts.iter().all(|host| host == EXAMPLE))
}

fn check_plugin(plugin: &Plugin, findings: &mut Vec<Finding>) {
    if let Some(object) = plugin.object() {
        let (url, sum) = plugin.url();
        if let Some(url) = url {
            let digest = url.text().and_then(|text| text.split_once("@sha256:")).map(|(_, digest)| digest);
            check_digest(object, url, digest, findings);
            found(&object.source, url, &format!("url of {}", object.title()), IMAGE, findings);
        }
        if let Some(sum) = sum {
            check_digest(object, sum, written(sum).filter(|digest| !digest.is_empty()), findings);
        }
    }
    config(plugin, findings);
}

fn check_routes(world: &World, findings: &mut Vec<Finding>) {
    for service in &world.routings {
        let hosts = service.hosts.iter().map(|(node, _)| *node);
        hosts.for_each(|host| {
            let what = format!("a host of {}", service.object.title());
            found(&service.object.source, host, &what, HOST, findings)
        });
        // With the plugin it is the plugin's; in the example it is meant.
        let is_example = service.hosts.iter().all(|(_, host)| *host == EXAMPLE);
        let asked = service.routes.iter().flat_map(|route| &route.asked).flat_map(|(_, asked)| asked);
        let written = asked.filter_map(Asked::value_asked).filter(|_| world.plugins.is_empty() && !is_example);
        for node in written.map(|written| written.node) {
            // Under any kind of comparison.
            for (_, value) in node.entries() {
                let what = format!("a value of {}", service.object.title());
                found(&service.object.source, value, &what, SECRET, findings);
            }
        }
    }
    for gateway in &world.gateways {
        let hosts = gateway.servers.iter().flat_map(|server| &server.hosts);
        hosts.for_each(|(host, _)| {
            let what = format!("a host of {}", gateway.object.title());
            found(&gateway.object.source, host, &what, HOST, findings)
        });
    }
}

/// Text as it was meant, even where YAML takes it for a number.
fn written(node: &Node) -> Option<&str> {
    match &node.value {
        Value::String(text) | Value::Number(text) => Some(text),
        _ => None,
    }
}

fn check_digest(object: &Object, node: &Node, digest: Option<&str>, findings: &mut Vec<Finding>) {
    let Some(digest) = digest else { return };
    let is_hex = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !digest.is_empty() && digest.bytes().all(|byte| byte == b'0') {
        let message = format!("the digest of {} is nothing but zeros: {IMAGE}", object.title());
        findings.push(Finding::new(&PLACEHOLDER, &object.source, &node.span, message));
    } else if digest.len() != 64 || !is_hex {
        let message = format!("sha256:{digest} of {} is not a digest", object.title());
        findings.push(Finding::new(&DIGEST, &object.source, &node.span, message));
    }
}

/// Whatever is still to be replaced in a config.
fn config(plugin: &Plugin, findings: &mut Vec<Finding>) {
    let Some(node) = &plugin.config.node else { return };
    let mut open = vec![(String::new(), node)];
    while let Some((path, node)) = open.pop() {
        let dot = if path.is_empty() { "" } else { "." };
        open.extend(node.entries().iter().map(|(key, value)| (format!("{path}{dot}{}", key.name), value)));
        open.extend(node.items().iter().enumerate().map(|(at, item)| (format!("{path}[{at}]"), item)));
        let own = if path.contains("hosts[") { HOST } else { SECRET };
        found(&plugin.config.source, node, &path, own, findings);
    }
}

/// The value itself may be a secret.
fn found(source: &Rc<Source>, node: &Node, what: &str, own: &str, findings: &mut Vec<Finding>) {
    let is_it = |text: &str| {
        let text = text.to_ascii_lowercase().replace(['-', '_'], "");
        text.contains("replaceme") || text.contains("changeme")
    };
    if node.text().is_some_and(is_it) {
        let message = format!("{what} is still the placeholder that is shipped: {own}");
        findings.push(Finding::new(&PLACEHOLDER, source, &node.span, message));
    }
}
