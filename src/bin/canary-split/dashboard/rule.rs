//! What the page shows of a rule and `status` does not: who owns which draws, the ramp's plan, the guard, trips, and how to find a
//! visitor.

use super::memory::Memory;
use super::twice;
use super::verdict::{self, Verdict};
use crate::cluster::reading::{PluginReading, RuleReading, SubsetReading};
use crate::input::manifest::Object;
use crate::report::plan;
use crate::report::share::Share;
use crate::world::World;
use crate::world::plugin::Plugin;
use canary_split::rollout::guard::Action;
use canary_split::rollout::ramp::{Between, Ramp, Second};
use canary_split::rule::{Rule, Target, WeightedSubsets};
use canary_split::visitor::keys::Key;
use serde::Serialize;
use std::collections::HashSet;

/// A rule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    /// The name of its history; no two rules have the same.
    pub key: String,
    /// `NAMESPACE/NAME`
    pub plugin: String,
    /// `KIND NAMESPACE/NAME` of the object that has the plugin.
    pub object: String,
    /// Its name.
    pub rule: String,
    /// How it is, first of all.
    pub verdict: Verdict,
    /// `(place of the subset, draws)` from the first draw to the last, by the config at this moment; empty: it has no split.
    pub space: Vec<(usize, u64)>,
    /// The name of its cookie.
    pub cookie: Option<String>,
    /// Whether visitors stay in their subset whatever the weights are.
    pub keeps: bool,
    /// What decides before the cookie, as the config names it.
    pub keys: Vec<KeyView>,
    /// An address that it is for.
    pub url: String,
    /// The plan of its weights.
    pub ramp: Option<Plan>,
    /// What its guard does.
    pub guard: Option<GuardView>,
    /// Canaries that are out.
    pub trips: Vec<Trip>,
    /// Visitors who failed since the gateways have started, by subset, if a guard counts them.
    pub failing: Vec<Option<f64>>,
}

/// A key of visitors.
#[derive(Serialize)]
pub struct KeyView {
    /// `header`, `claim`, `queryParam`, `cookie` or `remoteIp`.
    kind: &'static str,
    /// Its name, if it has one; of a claim the names that lead to it.
    path: Vec<String>,
}

/// The plan of a ramp.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Seconds since 1970.
    start: u64,
    /// When the weights stopped moving.
    paused_at: Option<u64>,
    /// Whether the weights move between steps.
    is_linear: bool,
    /// The shares before the first step.
    before: Vec<f64>,
    /// In their order.
    steps: Vec<Step>,
}

/// A step of a ramp.
#[derive(Serialize)]
struct Step {
    /// Seconds since 1970.
    at: u64,
    /// The share of each subset from then on.
    shares: Vec<f64>,
}

/// A guard.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardView {
    /// By how much a canary must fail more than stable.
    margin: f64,
    /// Seconds after which a canary comes back.
    hold_for: Option<u32>,
    /// Whether a trip only says so.
    only_observes: bool,
}

/// A canary that is out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trip {
    /// Its name.
    subset: String,
    /// The gateway pods that have removed it.
    pods: Vec<String>,
    /// Seconds since 1970; `None`: before the dashboard was started.
    since: Option<u64>,
    /// What speaks against it.
    evidence: String,
    /// A command that shows the gateway's own words.
    log: Option<String>,
}

/// All rules of the reading.
pub fn all<'r>(
    world: &World,
    plugins: &'r [PluginReading],
    memory: &Memory,
    now: Second,
) -> Vec<(RuleView, &'r RuleReading)> {
    let mut keys = HashSet::new();
    let mut views = Vec::new();
    for plugin in plugins {
        for (reading, is_second) in twice::rules(plugin) {
            let mut view = RuleView::of(world, plugin, reading, is_second, memory, now);
            while !keys.insert(view.key.clone()) {
                view.key.push('\'');
            }
            views.push((view, reading));
        }
    }
    views
}

/// The name of a rule's history.
pub fn key(plugin: &PluginReading, rule: &str) -> String {
    format!("{} {rule}", plugin.title())
}

impl RuleView {
    fn of(
        world: &World,
        plugin: &PluginReading,
        reading: &RuleReading,
        is_second: bool,
        memory: &Memory,
        now: Second,
    ) -> RuleView {
        let rules = plugin.plugin(world).map_or(&[][..], |plugin| &plugin.rules);
        let rule = rules.iter().map(|(_, rule)| rule).find(|rule| rule.name == reading.name && !is_second);
        let split = rule.and_then(split);
        let sticky = rule.and_then(Rule::sticky);
        let title = plugin.title();
        let trips = reading.subsets.iter().filter(|subset| subset.tripped).map(|subset| {
            let pods = subset.tripped_by_gateway.iter().filter(|(_, is_tripped)| **is_tripped);
            let pods: Vec<String> = pods.map(|(pod, _)| pod.clone()).collect();
            Trip {
                subset: subset.name.clone(),
                since: memory.tripped_since(&title, &reading.name, &subset.name).map(|second| second.0),
                evidence: evidence(reading, &subset.name, split.and_then(|split| planned(split, &subset.name, now))),
                log: log(plugin, &pods),
                pods,
            }
        });
        RuleView {
            key: key(plugin, &reading.name),
            rule: reading.name.clone(),
            verdict: verdict::of(plugin, reading),
            space: split.map(|split| space(split, now)).unwrap_or_default(),
            cookie: rule.and_then(Rule::cookie).map(|(cookie, _)| cookie.name.clone()),
            keeps: rule.and_then(Rule::cookie).is_some_and(|(_, keeps)| keeps),
            keys: sticky.map(|sticky| sticky.keys.iter().map(KeyView::of).collect()).unwrap_or_default(),
            url: url(&reading.hosts),
            ramp: split.and_then(|split| Some(Plan::of(plan::ramp(split)?, split))),
            guard: split.and_then(|split| split.rollout.as_ref()?.guard.as_ref()).map(|guard| GuardView {
                margin: guard.margin.share(),
                hold_for: guard.hold_for,
                only_observes: guard.action == Action::Observe,
            }),
            trips: trips.collect(),
            failing: reading.subsets.iter().map(|subset| subset.ended.failing.map(|(_, all)| all)).collect(),
            object: plugin.plugin(world).and_then(Plugin::object).map(Object::title).unwrap_or_default(),
            plugin: title,
        }
    }
}

fn split(rule: &Rule) -> Option<&WeightedSubsets> {
    if let Target::Split(split) = &rule.target { Some(split) } else { None }
}

/// Who owns the draws, from the first to the last.
fn space(split: &WeightedSubsets, now: Second) -> Vec<(usize, u64)> {
    split.with_layout(|| now, |layout| layout.overlap(layout).map(|(own, _, draws)| (own, draws)).collect())
}

/// The share of the draws that a subset has by its weight at this moment, whatever the guard does.
fn planned(split: &WeightedSubsets, name: &str, now: Second) -> Option<Share> {
    let place = split.subsets.iter().position(|subset| *subset.name == *name)?;
    plan::draws(split, now).get(place).copied().map(Share::of_draws)
}

/// What speaks against a canary, by the counters of the gateways.
fn evidence(rule: &RuleReading, canary: &str, share: Option<Share>) -> String {
    let of = |subset: &SubsetReading| subset.ended.failing.map_or(0.0, |(_, all)| all);
    let own = rule.subsets.iter().find(|subset| subset.name == canary);
    let Some((own, stable)) = own.zip(rule.subsets.iter().find(|subset| subset.stable)) else { return String::new() };
    let (failing, of_stable) = (of(own), of(stable));
    let expected = share.map(|share| format!("; its weight is {share}")).unwrap_or_default();
    format!(
        "since the gateways started, {failing} of the {} visitors that failed on {canary} or {} failed on {canary}{expected}",
        failing + of_stable,
        stable.name
    )
}

/// The command that shows what a gateway said when its guard tripped; `None`: it is in no cluster.
fn log(plugin: &PluginReading, pods: &[String]) -> Option<String> {
    let gateway = plugin.gateways.iter().find(|gateway| pods.contains(&gateway.pod))?;
    // An Envoy of its own has an address in the place of a name.
    let is_pod = !gateway.pod.contains(':');
    is_pod.then(|| format!("kubectl -n {} logs {} | grep 'visitors that failed'", gateway.namespace, gateway.pod))
}

/// An address at the first host.
fn url(hosts: &[String]) -> String {
    let host = hosts.first().map_or("*", String::as_str);
    let host = match host.strip_prefix("*.") {
        Some(domain) => format!("www.{domain}"),
        None if host == "*" => "example.com".to_owned(),
        None => host.to_owned(),
    };
    format!("https://{host}/")
}

impl KeyView {
    fn of(key: &Key) -> KeyView {
        let (kind, path) = match key {
            Key::Header(name) => ("header", vec![name.clone()]),
            Key::Claim(path) => ("claim", path.names().map(str::to_owned).collect()),
            Key::QueryParam(name) => ("queryParam", vec![name.clone()]),
            Key::Cookie(name) => ("cookie", vec![name.clone()]),
            Key::RemoteIp => ("remoteIp", Vec::new()),
        };
        KeyView { kind, path }
    }
}

impl Plan {
    fn of(ramp: &Ramp, split: &WeightedSubsets) -> Plan {
        let step = |step: &canary_split::rollout::ramp::Step| Step {
            at: ramp.start.0.saturating_add(u64::from(step.after)),
            shares: shares(&step.weights),
        };
        Plan {
            start: ramp.start.0,
            paused_at: ramp.paused_at.map(|second| second.0),
            is_linear: ramp.between == Between::Linear,
            before: shares(&split.weights),
            steps: ramp.steps.iter().map(step).collect(),
        }
    }
}

fn shares(weights: &[u32]) -> Vec<f64> {
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    weights.iter().map(|weight| f64::from(*weight) / sum.max(1) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_address_of_a_rule_is_at_its_first_host() {
        for (hosts, expected) in [
            (&["shop.example.com", "b.example.com"][..], "https://shop.example.com/"),
            (&["*.example.com"], "https://www.example.com/"),
            (&["*"], "https://example.com/"),
            (&[], "https://example.com/"),
        ] {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(url(&hosts), expected);
        }
    }
}
