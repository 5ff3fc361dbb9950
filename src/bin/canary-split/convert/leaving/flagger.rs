//! Flagger: reads a Canary, so that the filter takes over from it.

use super::super::extra::{Extra, Known, Leave};
use super::super::refusal::Refusal;
use super::ramp::Plan;
use super::said::{in_routes, lost, named, note, whole};
use crate::input::manifest::Object;
use crate::input::time;
use crate::input::yaml::{Node, Value};
use crate::world::World;
use canary_split::config::seconds;
use canary_split::rollout::ramp::Second;
use serde_json::{Map, json};

/// Fields of the analysis that a rule has no counterpart for, with a note for each.
const LOST: [(&str, &str); 8] = [
    (
        "metrics",
        "the ramp goes on by the clock, whatever is measured; a guard in the rule takes a canary out that fails more than stable does",
    ),
    ("threshold", "nothing is measured"),
    ("webhooks", "nobody is asked"),
    ("alerts", "nobody is told; the filter has metrics of its own"),
    ("mirror", "write mirror into the route"),
    ("mirrorWeight", "write mirrorPercentage into the route"),
    ("iterations", "who matches is with the canary as long as the weights say so"),
    ("stepWeightPromotion", "the last step of the ramp is all at once"),
];

/// Fields of the cookie: Flagger's name, and that in a rule.
const COOKIE: [(&str, &str); 7] = [
    ("cookieName", "name"),
    ("domain", "domain"),
    ("path", "path"),
    ("sameSite", "sameSite"),
    ("secure", "secure"),
    ("httpOnly", "httpOnly"),
    ("partitioned", "partitioned"),
];

/// Reads the settings that a Canary has for its VirtualService.
pub fn of(canary: &Object, world: &World, start: Option<Second>, notes: &mut Vec<String>) -> Result<Known, Refusal> {
    let refuse = |node: &Node, reason: String| Err(Refusal::at(canary, node, reason));
    let spec = canary.at(&["spec"]).unwrap_or(&canary.node);
    if let Some(node) = spec.get("provider").filter(|node| node.text().is_some_and(|name| name != "istio")) {
        let why = if node.text().is_some_and(|name| name.starts_with("gatewayapi")) {
            in_routes("delete the Canary with --cascade=orphan")
        } else {
            "there is no VirtualService of Istio's".to_owned()
        };
        return refuse(node, format!("provider {}: {why}", node.to_json()));
    }
    let name = spec.at(&["service", "name"]).or_else(|| spec.at(&["targetRef", "name"]));
    let Some(apex) = name.and_then(Node::text) else {
        return refuse(spec, "neither service.name nor targetRef.name: nobody knows its VirtualService".to_owned());
    };
    let target = spec.at(&["targetRef", "name"]).and_then(Node::text).unwrap_or(apex);
    let (slash, namespace) = (if canary.namespace.is_empty() { "" } else { "/" }, &canary.namespace);
    let Some(service) = named(world, namespace, apex) else {
        return refuse(
            spec.get("service").unwrap_or(spec),
            format!("its routes are in VirtualService {namespace}{slash}{apex}, which Flagger has made; give that too"),
        );
    };
    if let Some(route) =
        service.routes.iter().find(|route| route.node.get("name").and_then(Node::text) == Some("sticky-route"))
    {
        let reason = "Flagger's sticky-route is there, so a rollout is under way; convert when it has ended";
        return Err(Refusal::at(service.object, route.node, reason));
    }
    let analysis = spec.get("analysis").or_else(|| spec.get("canaryAnalysis"));
    let mut extra = Extra::default();
    if let Some(affinity) = analysis.and_then(|analysis| analysis.get("sessionAffinity")) {
        extra.cookie = cookie(canary, affinity, notes)?;
    }
    let is_by_match = analysis.and_then(|analysis| analysis.get("match")).is_some_and(|node| !node.items().is_empty());
    let plan = match analysis.filter(|_| !is_by_match) {
        Some(analysis) => plan(canary, analysis)?,
        None => Plan::default(),
    };
    let mut routes = Vec::new();
    for (at, route) in service.routes.iter().enumerate() {
        let entries = route.node.get("route").map_or(&[][..], Node::items);
        let place = |end: &str| {
            let is_it = |entry: &Node| {
                let host = entry.at(&["destination", "host"]).and_then(Node::text).unwrap_or_default();
                host.split('.').next() == Some(&*format!("{apex}-{end}"))
            };
            entries.iter().position(is_it)
        };
        let (Some(primary), Some(other)) = (place("primary"), place("canary")) else { continue };
        let now = entries.get(other).and_then(|entry| entry.get("weight")?.number()).unwrap_or(0);
        let ramp = plan.ramp(now, primary, entries.len(), start, time::or_clock(None));
        routes.push((at, Extra { stable: Some(primary), ramp, ..extra.clone() }));
    }
    if routes.is_empty() {
        let reason = format!("no route leads to {apex}-primary and {apex}-canary, as Flagger's do");
        return Err(Refusal::at(service.object, &service.object.node, reason));
    }
    if let Some(analysis) = analysis {
        lost(canary, analysis, &LOST, notes);
    }
    let kind = spec.at(&["targetRef", "kind"]).and_then(Node::text).unwrap_or("Deployment");
    let place = spec.get("targetRef").map_or(canary.node.span.start, |node| node.span.start);
    notes.push(note(
        canary,
        place,
        &format!(
            "{kind} {target}-primary (stable) and {target} (the canary) are yours now: the next version goes into {target}, which Flagger has scaled to 0"
        ),
    ));
    if let Some(node) = spec.get("revertOnDeletion").filter(|node| node.is_true()) {
        notes.push(note(
            canary,
            node.span.start,
            "revertOnDeletion: set it to false before the Canary is deleted, or Flagger undoes all that it has made",
        ));
    }
    let place = if namespace.is_empty() { String::new() } else { format!("-n {namespace} ") };
    Ok(Known {
        service: (service.object.namespace.clone(), service.object.name.clone()),
        origin: None,
        routes,
        own_host: Some(apex.to_owned()),
        is_left: true,
        leaves: Some(Leave {
            step: format!("kubectl {place}delete canary {} --cascade=orphan", canary.name),
            back: format!("apply {} again, by which Flagger writes {}", canary.title(), service.object.title()),
            object: canary.clone(),
        }),
    })
}

/// Reads sessionAffinity as options of the filter's cookie.
fn cookie(
    canary: &Object,
    affinity: &Node,
    notes: &mut Vec<String>,
) -> Result<Map<String, serde_json::Value>, Refusal> {
    let mut cookie = Map::new();
    for (theirs, ours) in COOKIE {
        if let Some(node) = affinity.get(theirs) {
            cookie.insert(ours.to_owned(), serde_json::from_str(&node.to_json()).unwrap_or_default());
        }
    }
    let lives = match affinity.get("maxAge") {
        None => 86_400,
        Some(node) => whole(node)
            .ok_or_else(|| Refusal::at(canary, node, format!("maxAge {} is no number of seconds", node.to_json())))?,
    };
    cookie.insert("ttl".to_owned(), json!(crate::report::time::span(lives.into())));
    lost(canary, affinity, &[("primaryCookieName", "one cookie keeps all visitors, those of stable too")], notes);
    Ok(cookie)
}

/// Reads the analysis as a plan, in which each weight lasts one interval.
fn plan(canary: &Object, analysis: &Node) -> Result<Plan, Refusal> {
    let wrong = |node: &Node, what: &str| Err(Refusal::at(canary, node, format!("{} is no {what}", node.to_json())));
    let interval = match analysis.get("interval") {
        None => 60,
        Some(node) => match node.text().and_then(|text| seconds(text, "").ok()) {
            Some(interval) => u64::from(interval),
            None => return wrong(node, "interval"),
        },
    };
    let mut weights = Vec::new();
    if let Some(Value::List(items)) = analysis.get("stepWeights").map(|node| &node.value) {
        for node in items.iter() {
            match whole(node).filter(|weight| *weight <= 100) {
                Some(weight) => weights.push(weight),
                None => return wrong(node, "weight from 0 to 100"),
            }
        }
    } else if let Some(node) = analysis.get("stepWeight") {
        let most = analysis.get("maxWeight").and_then(whole).unwrap_or(100).min(100);
        match whole(node).filter(|step| *step > 0) {
            Some(step) => {
                weights.extend((1..).map(|count: u32| step.saturating_mul(count)).take_while(|weight| *weight <= most))
            }
            None => return wrong(node, "weight above 0"),
        }
    }
    let mut plan = Plan::default();
    for weight in weights {
        plan.length += interval;
        plan.set(weight);
    }
    plan.length += interval;
    Ok(plan)
}
