//! Argo Rollouts: reads a Rollout, so that the filter takes over from it.

use super::super::extra::{Extra, Known, Leave, Override};
use super::super::owner::GATEWAY_API_PLUGIN;
use super::super::refusal::Refusal;
use super::super::rule::name;
use super::ramp::Plan;
use super::said::{in_routes, lost, named, note, whole};
use crate::input::manifest::Object;
use crate::input::time;
use crate::input::yaml::{Key, Node};
use crate::world::World;
use crate::world::routing::VirtualService;
use canary_split::config::seconds;
use canary_split::rollout::ramp::Second;
use serde_json::{Value, json};

const YOURS: &str = "replicas are yours now";

/// Fields of the canary strategy that a rule has no counterpart for, with a note for each.
const LOST: [(&str, &str); 6] = [
    (
        "analysis",
        "the ramp goes on by the clock, whatever is measured; a guard in the rule takes a canary out that fails more than stable does",
    ),
    ("dynamicStableScale", YOURS),
    ("abortScaleDownDelaySeconds", YOURS),
    ("scaleDownDelaySeconds", YOURS),
    ("minPodsPerReplicaSet", YOURS),
    ("pingPong", "the weights are of the two destinations as they are"),
];

/// Fields of a step that a rule has no counterpart for, with a note for each.
const STEPS_LOST: [(&str, &str); 6] = [
    ("setCanaryScale", YOURS),
    ("setMirrorRoute", "write mirror into the route"),
    ("analysis", "nothing is measured, and the ramp goes on"),
    ("experiment", "write what it starts by hand"),
    ("plugin", "nobody runs it"),
    ("replicaProgressThreshold", YOURS),
];

/// Reads the settings that a Rollout has for its VirtualServices.
pub fn of(
    rollout: &Object,
    world: &World,
    start: Option<Second>,
    notes: &mut Vec<String>,
) -> Result<Vec<Known>, Refusal> {
    let strategy = rollout.at(&["spec", "strategy"]).unwrap_or(&rollout.node);
    let Some(canary) = strategy.get("canary") else {
        return Err(Refusal::at(rollout, strategy, "its strategy is not canary, so it has no weights"));
    };
    let Some(istio) = canary.at(&["trafficRouting", "istio"]) else {
        if let Some(node) =
            canary.at(&["trafficRouting", "plugins"]).and_then(|plugins| plugins.get(GATEWAY_API_PLUGIN))
        {
            let why = in_routes("remove spec.strategy.canary.trafficRouting from the Rollout");
            return Err(Refusal::at(rollout, node, format!("{GATEWAY_API_PLUGIN}: {why}")));
        }
        let node = canary.get("trafficRouting").unwrap_or(canary);
        return Err(Refusal::at(rollout, node, "without trafficRouting.istio the weights are in no VirtualService"));
    };
    let several = istio.get("virtualServices").map_or(&[][..], Node::items);
    let mut all = Vec::new();
    let read = steps(rollout, canary, notes)?;
    for own in istio.get("virtualService").into_iter().chain(several) {
        let said = own.get("name").and_then(Node::text).unwrap_or_default();
        let (name, namespace) = said.split_once('.').unwrap_or((said, &rollout.namespace));
        let Some(service) = named(world, namespace, name) else {
            let slash = if namespace.is_empty() { "" } else { "/" };
            return Err(Refusal::at(
                rollout,
                own,
                format!("its routes are in VirtualService {namespace}{slash}{name}; give that too"),
            ));
        };
        let names: Vec<&str> = own.get("routes").map_or(&[][..], Node::items).iter().filter_map(Node::text).collect();
        let at = Place { rollout, canary, istio, service, names: &names };
        all.push(at.known(&read, start)?);
    }
    if all.is_empty() {
        return Err(Refusal::at(rollout, istio, "it names no VirtualService"));
    }
    lost(rollout, canary, &LOST, notes);
    let place = canary.get("trafficRouting").map_or(rollout.node.span.start, |node| node.span.start);
    notes.push(note(
        rollout,
        place,
        "without trafficRouting its steps count replicas, and it still makes the pods; two Deployments, each with labels and a Service or subset of its own, take its place",
    ));
    if let Some(rule) = istio.at(&["destinationRule", "name"]) {
        notes.push(note(
            rollout,
            rule.span.start,
            &format!("Argo Rollouts writes rollouts-pod-template-hash into the subsets of DestinationRule {}; give them labels of your own", rule.text().unwrap_or_default()),
        ));
    }
    Ok(all)
}

/// The steps of a Rollout.
#[derive(Default)]
struct Steps {
    plan: Plan,
    /// Rules from setHeaderRoute: the end of the name, and the match entries.
    asked: Vec<(String, Vec<Value>)>,
}

/// A VirtualService that a Rollout names, with everything needed to read it.
struct Place<'p, 'o> {
    rollout: &'p Object,
    canary: &'p Node,
    istio: &'p Node,
    service: &'p VirtualService<'o>,
    names: &'p [&'p str],
}

impl Place<'_, '_> {
    fn known(&self, steps: &Steps, start: Option<Second>) -> Result<Known, Refusal> {
        let Place { rollout, canary, istio, service, names } = self;
        let managed = canary.at(&["trafficRouting", "managedRoutes"]).map_or(&[][..], Node::items);
        let managed: Vec<&str> = managed.iter().filter_map(|route| route.get("name")?.text()).collect();
        let called = |node: &Node| node.get("name").and_then(Node::text).map(str::to_owned);
        if let Some(route) =
            service.routes.iter().find(|route| called(route.node).is_some_and(|name| managed.contains(&&*name)))
        {
            let reason =
                "a managed route of Argo Rollouts is there, so a rollout is under way; convert when it has ended";
            return Err(Refusal::at(service.object, route.node, reason));
        }
        let text = |node: &Node, keys: &[&str]| node.at(keys).and_then(Node::text).map(str::to_owned);
        let stable = (text(canary, &["stableService"]), text(istio, &["destinationRule", "stableSubsetName"]));
        let other = (text(canary, &["canaryService"]), text(istio, &["destinationRule", "canarySubsetName"]));
        let mut routes = Vec::new();
        for (at, route) in service.routes.iter().enumerate() {
            if !names.is_empty() && !called(route.node).is_some_and(|name| names.contains(&&*name)) {
                continue;
            }
            let entries = route.node.get("route").map_or(&[][..], Node::items);
            let place = |(by_service, by_subset): &(Option<String>, Option<String>)| {
                let is_it = |entry: &Node| match by_subset {
                    Some(subset) => text(entry, &["destination", "subset"]).as_ref() == Some(subset),
                    None => {
                        let host = text(entry, &["destination", "host"]);
                        by_service.is_some()
                            && host.as_deref().and_then(|host| host.split('.').next()) == by_service.as_deref()
                    }
                };
                entries.iter().position(is_it)
            };
            let (Some(stable), Some(other)) = (place(&stable), place(&other)) else { continue };
            let now = entries.get(other).and_then(|entry| entry.get("weight")?.number()).unwrap_or(0);
            let overrides = steps.asked.iter();
            let overrides = overrides.map(|(suffix, matches)| Override {
                suffix: suffix.clone(),
                matches: matches.clone(),
                to: other,
            });
            routes.push((
                at,
                Extra {
                    stable: Some(stable),
                    overrides: overrides.collect(),
                    ramp: steps.plan.ramp(now, stable, entries.len(), start, time::or_clock(None)),
                    ..Extra::default()
                },
            ));
        }
        if routes.is_empty() {
            let reason = format!("no route leads to the stable and the canary destination of {}", rollout.title());
            return Err(Refusal::at(service.object, &service.object.node, reason));
        }
        let (what, title) = ("spec.strategy.canary.trafficRouting", rollout.title());
        Ok(Known {
            service: (service.object.namespace.clone(), service.object.name.clone()),
            routes,
            is_left: true,
            leaves: Some(Leave {
                step: format!("remove {what} from {title}"),
                back: format!("put {what} back into {title}"),
                object: (*rollout).clone(),
            }),
            ..Known::default()
        })
    }
}

fn steps(rollout: &Object, canary: &Node, notes: &mut Vec<String>) -> Result<Steps, Refusal> {
    let mut read = Steps::default();
    for step in canary.get("steps").map_or(&[][..], Node::items) {
        lost(rollout, step, &STEPS_LOST, notes);
        if let Some(route) = step.get("setHeaderRoute") {
            header_route(rollout, route, &mut read, notes)?;
        }
        if read.plan.waits {
            if let Some((Key { span, .. }, _)) = step.entries().iter().find(|(key, _)| *key.name == *"setWeight") {
                let says = format!(
                    "setWeight {} is behind a pause without an end, so it is no step of the ramp; set does it",
                    step.get("setWeight").map(Node::to_json).unwrap_or_default()
                );
                notes.push(note(rollout, span.start, &says));
            }
            continue;
        }
        if let Some(node) = step.get("setWeight") {
            match whole(node).filter(|weight| *weight <= 100) {
                Some(weight) => read.plan.set(weight),
                None => {
                    return Err(Refusal::at(rollout, node, format!("{} is no weight from 0 to 100", node.to_json())));
                }
            }
        }
        let Some((Key { span, .. }, pause)) = step.entries().iter().find(|(key, _)| *key.name == *"pause") else {
            continue;
        };
        match pause.get("duration") {
            None => {
                read.plan.waits = true;
                notes.push(note(
                    rollout,
                    span.start,
                    "a pause without an end waits for somebody, and a ramp goes by the clock: it ends here",
                ));
            }
            Some(node) => {
                let length = whole(node).map(u64::from).or_else(|| seconds(node.text()?, "").ok().map(u64::from));
                match length {
                    Some(length) => read.plan.length += length,
                    None => return Err(Refusal::at(rollout, node, format!("{} is no duration", node.to_json()))),
                }
            }
        }
    }
    Ok(read)
}

/// Reads a setHeaderRoute, which sends requests with a header to the canary.
fn header_route(rollout: &Object, route: &Node, read: &mut Steps, notes: &mut Vec<String>) -> Result<(), Refusal> {
    let said = route.get("name").and_then(Node::text).unwrap_or("header");
    let suffix = name(said);
    let entries = route.get("match").map_or(&[][..], Node::items);
    if entries.is_empty() {
        notes.push(note(
            rollout,
            route.span.start,
            &format!("setHeaderRoute {said} ends here: remove its rule by then"),
        ));
        return Ok(());
    }
    let mut matches = Vec::new();
    for entry in entries {
        let header = entry.get("headerName").and_then(Node::text);
        let value =
            entry.get("headerValue").map(Node::to_json).and_then(|json| serde_json::from_str::<Value>(&json).ok());
        let (Some(header), Some(value)) = (header, value) else {
            return Err(Refusal::at(rollout, entry, "a match without headerName or headerValue"));
        };
        matches.push(json!({"headers": {header.to_ascii_lowercase(): value}}));
    }
    notes.push(note(
        rollout,
        route.span.start,
        &format!("setHeaderRoute {said} is a rule that holds from the beginning, not from this step on"),
    ));
    match read.asked.iter_mut().find(|(known, _)| *known == suffix) {
        Some((_, known)) => *known = matches,
        None => read.asked.push((suffix, matches)),
    }
    Ok(())
}
