//! Whether the plugin is on the gateway, on all of its ports, at the right place among the filters.

use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway::{Gateway, Protocol};
use crate::world::gateway_api;
use crate::world::host_index::HostIndex;
use crate::world::labels::Labels;
use crate::world::namespace::{ROOT_NAMESPACE, is_same_namespace};
use crate::world::plugin::{Plugin, hosts};
use std::collections::BTreeSet;

const NAMESPACE: Code = Code {
    name: "plugin-namespace",
    severity: Severity::Error,
    why: "Istio puts a plugin only on pods of its own namespace, or on all if it is in istio-system; here no gateway gets it, and everybody sees stable",
    fix: "put the plugin into the namespace of the gateway's pods, not into the application's",
};

const SELECTOR: Code = Code {
    name: "plugin-selector",
    severity: Severity::Error,
    why: "no pod of the gateway has the labels: the gateway does not get the plugin, and everybody sees stable",
    fix: "give spec.selector.matchLabels the labels of spec.selector of the Gateway",
};

const MODE: Code = Code {
    name: "plugin-mode",
    severity: Severity::Error,
    why: "a gateway counts as CLIENT; with SERVER alone no gateway gets the plugin, and everybody sees stable",
    fix: "leave match out",
};

const PORTS: Code = Code {
    name: "plugin-ports",
    severity: Severity::Warning,
    why: "requests at the other ports are not decided; the numbers are those of the gateway's pods (usually 8080 and 8443), not those of the Gateway",
    fix: "leave match out",
};

const PHASE: Code = Code {
    name: "plugin-phase",
    severity: Severity::Warning,
    why: "in this phase no token is verified yet: no claim exists, and requests that are refused later are decided and counted",
    fix: "leave phase out",
};

/// The codes of this file.
pub const CODES: [&Code; 5] = [&NAMESPACE, &SELECTOR, &MODE, &PORTS, &PHASE];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in world.plugins.iter().filter(|plugin| !plugin.is_policy()) {
        let Some(object) = plugin.object() else { continue };
        namespace(world, plugin, object, findings);
        selector(world, plugin, object, findings);
        matches(world, plugin, object, findings);
        if let Some(phase) = object.at(&["spec", "phase"]).filter(|phase| phase.text() == Some("AUTHN")) {
            let message = format!("{} is in phase AUTHN", object.title());
            findings.push(Finding::new(&PHASE, &object.source, &phase.span, message));
        }
    }
}

/// Where the gateway's pods are, as far as the manifests tell: they or a Service of them is given, or a certificate is next to them.
pub fn gateway_namespaces<'w>(world: &'w World, plugin: &Plugin) -> BTreeSet<&'w str> {
    let mut found = BTreeSet::new();
    for gateway in wanted(world, plugin) {
        if gateway.is_of_api() {
            // Its pods are next to it.
            let selector = plugin.selector().filter(|_| plugin.targets().is_empty());
            let is_its = |selector: Labels| selector.contradiction(&gateway.selector).is_none();
            found.extend(selector.is_some_and(is_its).then_some(&*gateway.object.namespace));
        }
        if gateway.is_of_api() || !plugin.may_be_on(gateway) {
            continue;
        }
        let pods = world
            .workloads
            .iter()
            .filter(|pods| !gateway.selector.is_empty() && gateway.selector.selects(&pods.labels));
        found.extend(pods.map(|pods| &*pods.object.namespace));
        let selects = |own: &Labels| !gateway.selector.is_empty() && gateway.selector.selects(own);
        let services = world.services.iter().filter(|service| service.selector.as_ref().is_some_and(selects));
        found.extend(services.map(|service| &*service.object.namespace));
        for server in &gateway.servers {
            let is_its = |certificate: &&&Object| {
                certificate.text(&["spec", "secretName"]).is_some_and(|name| server.secrets.contains(&name))
            };
            found.extend(world.certificates.iter().filter(is_its).map(|certificate| &*certificate.namespace));
        }
    }
    found
}

/// The same, with what is all but certain of a plugin that is next to the application: `istioctl install` has its gateway in the root
/// namespace, and no gateway's pods are next to the application if all its Gateways are elsewhere.
fn assumed_namespaces<'w>(world: &'w World, plugin: &Plugin, own: &str) -> BTreeSet<&'w str> {
    let mut known = gateway_namespaces(world, plugin);
    if !known.is_empty() || !world.is_of_application(own) {
        return known;
    }
    if plugin.selector().is_some_and(|labels| labels.get("istio") == Some("ingressgateway")) {
        known.insert(ROOT_NAMESPACE);
        return known;
    }
    let gateways = wanted(world, plugin).into_iter().filter(|gateway| !gateway.is_of_api());
    known.extend(gateways.map(|gateway| &*gateway.object.namespace));
    if known.iter().any(|there| there.is_empty() || is_same_namespace(there, own)) {
        known.clear();
    }
    known
}

/// Whether nothing tells if a plugin is in the namespace of the pods that it selects.
pub fn is_place_unknown(world: &World, plugin: &Plugin) -> bool {
    let Some(object) = plugin.object().filter(|_| !plugin.is_policy() && plugin.targets().is_empty()) else {
        return false;
    };
    let own = &*object.namespace;
    let is_of_istio = |gateway: &&Gateway| !gateway.is_of_api();
    !own.is_empty()
        && own != ROOT_NAMESPACE
        && wanted(world, plugin).iter().any(is_of_istio)
        && assumed_namespaces(world, plugin, own).is_empty()
}

/// The plugins that go wherever everything is applied to, while others name their namespaces.
pub fn unplaced(world: &World) -> Vec<String> {
    let is_placed = |object: &Object| !object.namespace.is_empty();
    let mut others = world.routings.iter().map(|routing| routing.object);
    let mut gateways = world.gateways.iter().map(|gateway| gateway.object);
    if !others.any(is_placed) && !gateways.any(is_placed) {
        return Vec::new();
    }
    let said = |plugin: &Plugin| {
        // A patch may well leave it out.
        let object = plugin.object().filter(|object| !is_placed(object) && plugin.url().0.is_some())?;
        let known: Vec<_> = gateway_namespaces(world, plugin).into_iter().filter(|there| !there.is_empty()).collect();
        let there = match (plugin.is_policy(), known.as_slice()) {
            (true, _) => "that of its route or Gateway".to_owned(),
            (false, []) => "that of the gateway's pods".to_owned(),
            (false, known) => format!("that of the gateway's pods, {}", known.join(", ")),
        };
        let title = object.title();
        Some(format!(
            "{title} has no metadata.namespace: it goes where kubectl or Helm is told to, which must be {there}"
        ))
    };
    world.plugins.iter().filter_map(said).collect()
}

fn namespace(world: &World, plugin: &Plugin, object: &Object, findings: &mut Vec<Finding>) {
    let own = &*object.namespace;
    if own.is_empty() || own == ROOT_NAMESPACE {
        return;
    }
    let known = assumed_namespaces(world, plugin, own);
    if known.is_empty() || known.iter().any(|namespace| is_same_namespace(namespace, own)) {
        return;
    }
    let there: Vec<_> = known.into_iter().collect();
    let message = format!("{} is in namespace {own}, the gateway in {}", object.title(), there.join(", "));
    let span = object.at(&["metadata", "namespace"]).unwrap_or(&object.node).span.clone();
    findings.push(Finding::new(&NAMESPACE, &object.source, &span, message));
}

/// The Gateways that the rules are about: they serve a host of one, and nothing else that may do so is unknown.
pub fn wanted<'w, 'o>(world: &'w World<'o>, plugin: &Plugin) -> Vec<&'w Gateway<'o>> {
    let mut wanted = Vec::new();
    let hosts = || plugin.rules.iter().flat_map(|(_, rule)| hosts(rule));
    let index = HostIndex::of(hosts().map(|host| (0, host)));
    let header = plugin.header.as_deref().unwrap_or_default();
    for service in &world.routings {
        let is_its = |(_, own): &(&Node, &str)| !index.of_host(own).is_empty();
        let asks = || service.asks_for(header) && service.hosts.iter().any(|(_, own)| index.has(own));
        if service.hosts.iter().any(is_its) || asks() {
            let (gateways, are_all) = world.gateways_of(service);
            if !are_all {
                return Vec::new();
            }
            wanted.extend(gateways);
        }
    }
    wanted
}

fn selector(world: &World, plugin: &Plugin, object: &Object, findings: &mut Vec<Finding>) {
    let (Some(selector), wanted) = (plugin.selector(), wanted(world, plugin)) else { return };
    let Some(gateway) = wanted.first() else { return };
    // Where another plugin decides, this one may be for what is not given.
    let peers = world.writers_of(plugin.header.as_deref().unwrap_or_default());
    let mut peers = peers.filter(|peer| peer.object().is_some() && !std::ptr::eq(*peer, plugin));
    if peers.any(|peer| wanted.iter().any(|gateway| peer.may_be_on(gateway))) {
        return;
    }
    if wanted.iter().any(|gateway| plugin.may_be_on(gateway)) {
        if are_without(world, &wanted, &selector) || wanted.iter().all(|gateway| gateway_api::lacks(gateway, &selector))
        {
            let title = gateway.object.title();
            let message = format!("{} selects {selector}, which no pod of {title} has", object.title());
            let node = object.at(&["spec", "selector", "matchLabels"]).unwrap_or(&object.node);
            findings.push(Finding::new(&SELECTOR, &object.source, &node.span, message));
        }
    } else if let Some((label, own, there)) = selector.contradiction(&gateway.selector) {
        let message =
            format!("{} selects {label}: {own}, {} has {label}: {there}", object.title(), gateway.object.title());
        let node = object.at(&["spec", "selector", "matchLabels", label]).unwrap_or(&object.node);
        findings.push(Finding::new(&SELECTOR, &object.source, &node.span, message));
    }
}

/// Whether the pods of all these Gateways are given, and none has these labels.
fn are_without(world: &World, gateways: &[&Gateway], labels: &Labels) -> bool {
    let pods_of = |gateway: &&Gateway| {
        let pods = world.workloads.iter().filter(|pods| gateway.selector.selects(&pods.labels));
        pods.map(|pods| labels.selects(&pods.labels)).collect::<Vec<_>>()
    };
    let pods: Vec<_> = gateways.iter().map(pods_of).collect();
    let are_given = gateways.iter().all(|gateway| !gateway.selector.is_empty()) && !pods.iter().any(Vec::is_empty);
    let may_be_others = !world.obscure.is_empty() || labels.are_generated() || world.may_be_unknown(labels);
    are_given && !may_be_others && !pods.iter().flatten().any(|has_labels| *has_labels)
}

fn matches(world: &World, plugin: &Plugin, object: &Object, findings: &mut Vec<Finding>) {
    let entries = object.items(&["spec", "match"]);
    let is_of_server = |entry: &&Node| entry.get("mode").and_then(Node::text) == Some("SERVER");
    if !entries.is_empty() && entries.iter().all(|entry| is_of_server(&entry)) {
        let mode = entries.first().and_then(|entry| entry.get("mode")).unwrap_or(&object.node);
        findings.push(Finding::new(
            &MODE,
            &object.source,
            &mode.span,
            format!("{} is for mode SERVER alone", object.title()),
        ));
        return;
    }
    let mut ports = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !is_of_server(entry)) {
        let own = entry.get("ports").map_or(&[][..], Node::items);
        if own.is_empty() {
            return;
        }
        for port in own {
            let Some(number) = port.get("number").and_then(Node::number) else { return };
            ports.insert(number);
        }
    }
    if ports.is_empty() {
        return;
    }
    for gateway in wanted(world, plugin).into_iter().filter(|gateway| plugin.may_be_on(gateway)) {
        let of = |is_wanted: &dyn Fn(Protocol) -> bool| -> BTreeSet<u32> {
            gateway.http_ports().filter(|(_, protocol)| is_wanted(*protocol)).map(|(port, _)| port).collect()
        };
        let (all, deciding) = (of(&|_| true), of(&|protocol| protocol != Protocol::Redirect));
        // The numbers of these ports at the pods are unknown, but not how many there are. Nothing is decided at a port that only
        // redirects, so that one may be left out, unless the numbers are the Gateway's own.
        let are_the_gateways = ports.iter().any(|port| *port < 1024 && all.contains(port));
        if ports.len() < deciding.len() || are_the_gateways && ports.len() < all.len() {
            let list = |ports: &BTreeSet<u32>| ports.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let message = format!(
                "{} is for port {} alone, {} has {}",
                object.title(),
                list(&ports),
                gateway.object.title(),
                list(&all)
            );
            let node = object.at(&["spec", "match"]).unwrap_or(&object.node);
            findings.push(Finding::new(&PORTS, &object.source, &node.span, message));
            return;
        }
    }
}
