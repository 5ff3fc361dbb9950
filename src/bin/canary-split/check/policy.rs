//! Whether a policy of Envoy Gateway is where requests are decided: it is on routes, and not on a gateway's pods.

use crate::input::manifest::{Carrier, Object, Objects};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::plugin::{Aim, Plugin, targets};
use crate::world::routing::Routing;
use crate::world::site::Site;
use std::collections::{BTreeMap, HashMap, HashSet};

const CONFIG: Code = Code {
    name: "policy-config",
    severity: Severity::Error,
    why: "the API server drops a field that it does not know: the filter gets no rule, and everybody sees stable",
    fix: "call it config, as an EnvoyExtensionPolicy does; pluginConfig is its name in a WasmPlugin",
};

const NOT_ON_ROUTE: Code = Code {
    name: "policy-not-on-route",
    severity: Severity::Error,
    why: "Envoy Gateway runs the filter on the routes of the policy alone: requests meet this route first, so nobody decides, and everybody sees stable",
    fix: "let the policy aim at the Gateway, or at every route of the host; a route with a policy of its own needs mergeType in that one",
};

const OPEN: Code = Code {
    name: "header-route-open",
    severity: Severity::Warning,
    why: "a request that brings the header meets this route at once, where the filter is not: a client's own header passes, and nothing is counted",
    fix: "let the policy aim at the Gateway, or at this route too; or set seal in the config",
};

const UNDERSCORE: Code = Code {
    name: "header-underscore",
    severity: Severity::Warning,
    why: "Envoy Gateway refuses requests that have a header with _ in its name, unless a ClientTrafficPolicy allows them: nobody with this header gets there",
    fix: "call the header with - instead, or set headers: {withUnderscoresAction: Allow} in a ClientTrafficPolicy",
};

/// The codes of this file.
pub const CODES: [&Code; 4] = [&CONFIG, &NOT_ON_ROUTE, &OPEN, &UNDERSCORE];

/// The policies by the kind, namespace and name of what they aim at, except those that are merged with others.
type Named<'o> = HashMap<(&'o str, &'o str, &'o str), Vec<&'o Object>>;

/// Looks at every policy.
pub fn check(objects: &Objects, world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    let policies: Vec<&Plugin> = world.plugins.iter().filter(|plugin| plugin.is_policy()).collect();
    if policies.is_empty() {
        return;
    }
    let named = named(world);
    for plugin in &policies {
        config(plugin, findings);
        underscores(objects, plugin, findings);
    }
    open(world, &policies, &named, findings);
    for site in sites.iter().filter(|site| site.plugin.is_policy()) {
        not_on_route(site, &named, findings);
    }
}

fn named<'o>(world: &World<'o>) -> Named<'o> {
    let mut named: Named = HashMap::new();
    for policy in world.policies.iter().filter(|policy| policy.at(&["spec", "mergeType"]).is_none()) {
        // One for a rule of a route leaves the others alone.
        let whole = targets(policy).into_iter().filter(|target| target.get("sectionName").is_none());
        for aim in whole.map(Aim::of) {
            named.entry((aim.kind, &policy.namespace, aim.name)).or_default().push(policy);
        }
    }
    named
}

/// Whether the routes of an object have a policy's filter; or else the policy that replaces it there.
fn is_on<'o>(plugin: &Plugin, routing: &Routing, named: &Named<'o>) -> Result<(), Option<&'o Object>> {
    if !plugin.covers(routing) {
        return Err(None);
    }
    let object = routing.object;
    let own = named.get(&(object.kind, &*object.namespace, &*object.name)).into_iter().flatten();
    let is_other = |policy: &&&Object| plugin.object().is_none_or(|own| own.identity() != policy.identity());
    match own.copied().find(|policy| is_other(&policy)) {
        Some(other) if !plugin.covers_by_name(routing) => Err(Some(other)),
        _ => Ok(()),
    }
}

fn config(plugin: &Plugin, findings: &mut Vec<Finding>) {
    let (Some(object), Some(module), Carrier::Policy(at)) = (plugin.object(), plugin.module(), plugin.config.carrier)
    else {
        return;
    };
    if let Some((key, _)) = module.entries().iter().find(|(key, _)| &*key.name == "pluginConfig") {
        let message = format!("{}: spec.wasm[{at}] has pluginConfig, which no policy has", object.title());
        findings.push(Finding::new(&CONFIG, &object.source, &key.span, message));
    }
}

/// Headers with `_` that rules ask clients for.
fn underscores(objects: &Objects, plugin: &Plugin, findings: &mut Vec<Finding>) {
    let allows = |node: &Node| {
        let action = node.at(&["spec", "headers", "withUnderscoresAction"]).and_then(Node::text);
        node.get("kind").and_then(Node::text) == Some("ClientTrafficPolicy") && action == Some("Allow")
    };
    let Some(config) = &plugin.config.node else { return };
    if objects.unknown.iter().any(|unknown| allows(&unknown.node)) {
        return;
    }
    let mut add = |name: &str, span| {
        if name.contains('_') {
            let message = format!("a rule asks for the header {name}, which Envoy Gateway refuses");
            findings.push(Finding::new(&UNDERSCORE, &plugin.config.source, span, message));
        }
    };
    for rule in config.get("rules").map_or(&[][..], Node::items) {
        let keys = rule.at(&["sticky", "keys"]).map_or(&[][..], Node::items);
        for key in keys.iter().filter_map(|key| key.get("header")) {
            add(key.text().unwrap_or_default(), &key.span);
        }
        for entry in rule.get("match").map_or(&[][..], Node::items) {
            for (key, _) in entry.get("headers").map_or(&[][..], Node::entries) {
                add(&key.name, &key.span);
            }
        }
    }
}

/// Routes for a header that no policy for it is on, at a gateway that has the routes of one without a seal.
fn open(world: &World, policies: &[&Plugin], named: &Named, findings: &mut Vec<Finding>) {
    let mut by_header: BTreeMap<&str, Vec<&Plugin>> = BTreeMap::new();
    for policy in policies {
        by_header.entry(policy.header.as_deref().unwrap_or_default()).or_default().push(policy);
    }
    for (header, writers) in by_header {
        let (mut decided, mut unsealed) = (HashSet::new(), HashMap::new());
        for writer in writers {
            for routing in world.covered(writer) {
                if is_on(writer, routing, named).is_ok() {
                    decided.insert(std::ptr::from_ref(routing));
                }
                for gateway in routing.gateways().filter(|_| !writer.has_seal) {
                    unsealed.entry(gateway).or_insert(writer);
                }
            }
        }
        let is_open = |routing: &&Routing| !decided.contains(&std::ptr::from_ref(*routing));
        for routing in world.routings.iter().filter(|routing| routing.asks_for_value(header)).filter(is_open) {
            let Some(policy) = routing.gateways().find_map(|gateway| unsealed.get(&gateway)) else { continue };
            let title = policy.object().map(Object::title).unwrap_or_default();
            for (_, written) in routing.routes.iter().flat_map(|route| route.conditions(header)) {
                let message = format!("{} asks for {header}, and {title} is not on it", routing.object.title());
                findings.push(Finding::new(&OPEN, &routing.object.source, &written.node.span, message));
            }
        }
    }
}

/// Routes that requests of a rule meet before they are decided, and that the policy is not on.
fn not_on_route(site: &Site, named: &Named, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for class in site.undecided() {
        for table in &site.tables {
            let Some((_, step)) =
                table.taker(&class.known(), 0).filter(|(_, step)| !step.route.destinations.is_empty())
            else {
                continue;
            };
            let Err(replaced) = is_on(site.plugin, step.service, named) else { continue };
            let title = site.plugin.object().map(Object::title).unwrap_or_default();
            let why = replaced.map_or_else(String::new, |other| format!(": {} replaces it there", other.title()));
            let message = format!(
                "{title} is not on {}, which requests of rule {} meet first{why}",
                step.title(),
                site.rule.name
            );
            if seen.insert(message.clone()) {
                let object = step.service.object;
                findings.push(Finding::new(&NOT_ON_ROUTE, &object.source, &step.route.node.span, message));
            }
        }
    }
}
