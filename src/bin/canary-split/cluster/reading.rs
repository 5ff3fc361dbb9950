//! What two looks at all gateways tell about each rule: what is in force, what was decided, and what arrived.

use super::expected::{self, Cluster, Expected, Part, Pods};
use super::inventory::Inventory;
use super::look::{Look, Silence};
use super::looks::Looks;
use super::manager::Manager;
use super::pods::{self, Pod};
use crate::input::yaml::Node;
use crate::report::plan::{self, Progress};
use crate::world::World;
use crate::world::plugin::{self, Named, Plugin};
use crate::world::site::{self, Site};
use canary_split::config::fingerprint;
use canary_split::metrics;
use canary_split::reload::RuleState;
use canary_split::rollout::ramp::Second;
use canary_split::rule::Rule;
use canary_split::rule::Target;
use canary_split::rule::hosts::HostPattern;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};

/// The gauges for the config that a gateway has, and for the number of its faults.
pub const FINGERPRINT: &str = "canary_config_fingerprint";
const FAULTS: &str = "canary_config_faults";

/// A plugin and what is known about it.
#[derive(Serialize)]
pub struct PluginReading {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// The controller that also writes the object.
    #[serde(rename = "managedBy")]
    pub managed_by: Option<Manager>,
    /// The number of pods that it is on.
    pub gateways: Vec<Gateway>,
    /// Its rules, in their order.
    pub rules: Vec<RuleReading>,
    /// The index of its plugin.
    #[serde(skip)]
    at: usize,
}

impl PluginReading {
    /// `NAMESPACE/NAME`
    pub fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The plugin itself, in the world that was read.
    pub fn plugin<'w, 'o>(&self, world: &'w World<'o>) -> Option<&'w Plugin> {
        world.plugins.get(self.at)
    }
}

/// A gateway pod.
#[derive(Serialize)]
pub struct Gateway {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub pod: String,
    /// Whether it has this config.
    pub current: bool,
    /// The number of faults of its last config; `None`: unknown.
    pub faults: Option<u64>,
    /// The number of pushes of routes and extensions that its Envoy has rejected; `None`: not collected.
    pub rejected: Option<u64>,
    /// Why it gives no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// Whether the filter runs there.
    #[serde(rename = "hasFilter")]
    pub has_filter: bool,
}

/// Whether a rule is in force, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As the config says.
    Active,
    /// As in the last config in which it was good.
    LastGood,
    /// Not in force.
    Off,
}

/// A rule.
#[derive(Serialize)]
pub struct RuleReading {
    /// Its name.
    pub name: String,
    /// Its hosts, as a VirtualService would write them.
    pub hosts: Vec<String>,
    /// The worst state of the gateways.
    pub state: State,
    /// The state of its ramp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Progress>,
    /// The header by which Envoy picks a destination, if somebody else owns the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopts: Option<String>,
    /// Stable first; if somebody else owns the weights, the destinations of the route.
    pub subsets: Vec<SubsetReading>,
    /// Requests that the rule was asked about between the looks.
    #[serde(skip)]
    pub requests: f64,
    /// Whether a guard watches it.
    #[serde(skip)]
    pub is_guarded: bool,
}

/// A subset of a rule.
#[derive(Serialize)]
pub struct SubsetReading {
    /// Its name.
    pub name: String,
    /// Whether it is stable: it holds whatever the others do not.
    pub stable: bool,
    /// In the config; `None`: a fixed subset, or it cannot be read.
    pub weight: Option<u32>,
    /// In force now, if all gateways agree.
    #[serde(rename = "inForce")]
    pub in_force: Option<u64>,
    /// The same by gateway pod.
    #[serde(rename = "inForceByGateway")]
    pub in_force_by_gateway: BTreeMap<String, u64>,
    /// The share of the rule's requests for which it was chosen.
    #[serde(serialize_with = "short")]
    pub decided: Option<f64>,
    /// The share of the rule's requests that got there.
    #[serde(serialize_with = "short")]
    pub arrived: Option<f64>,
    /// The share of its final responses that were 5xx.
    #[serde(serialize_with = "short")]
    pub errors: Option<f64>,
    /// Whether a gateway's guard has removed it.
    pub tripped: bool,
    /// The pods behind it.
    pub pods: Option<Pods>,
    /// The route that its requests meet.
    pub route: Option<String>,
    /// Envoy's names of their destinations.
    #[serde(skip)]
    clusters: Vec<Cluster>,
    /// Requests between the looks: decided, arrived.
    #[serde(skip)]
    pub counted: (f64, Option<f64>),
    /// What became of them.
    #[serde(skip)]
    pub ended: Ended,
    /// By gateway pod: whether its guard has removed it, if the pod says so.
    #[serde(skip)]
    pub tripped_by_gateway: BTreeMap<String, bool>,
}

/// How the requests of a subset have ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Final responses between the looks.
    pub responses: f64,
    /// Those of them that were 5xx.
    pub failed: f64,
    /// Visitors who have failed, if a guard counts them: between the looks, and since the gateways have started.
    pub failing: Option<(f64, f64)>,
}

/// Five digits are enough.
fn short<S: Serializer>(share: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    share.map(|share| (share * 100_000.0).round() / 100_000.0).serialize(serializer)
}

/// All plugins, with notes.
pub struct Reading {
    /// In the order of the API server.
    pub plugins: Vec<PluginReading>,
    /// Why something is unknown.
    pub notes: Vec<String>,
}

/// Reads what two looks say; `before` may have fewer pods.
pub fn read(world: &World, inventory: &Inventory, before: &Looks, looks: &Looks, now: Second) -> Reading {
    let sites = site::sites(world);
    let mut notes = Vec::new();
    let mut plugins: Vec<PluginReading> = world
        .plugins
        .iter()
        .enumerate()
        .filter_map(|(at, plugin)| read_plugin(world, inventory, &sites, (at, plugin), (before, looks), now))
        .collect();
    let strangers = expected::undecided(world, &sites);
    count_arrived(&mut plugins, &strangers, before, looks, &mut notes);
    if !inventory.knows_workloads {
        let rules = plugins.iter_mut().flat_map(|plugin| &mut plugin.rules);
        rules.flat_map(|rule| &mut rule.subsets).for_each(|subset| subset.pods = None);
    }
    let unknown = looks.values().filter_map(|look| look.as_ref().ok()?.unknown.clone());
    notes.extend(unknown.min().map(|why| format!("what arrived is not known: {why}")));
    Reading { plugins, notes }
}

fn read_plugin(
    world: &World,
    inventory: &Inventory,
    sites: &[Site],
    (at, plugin): (usize, &Plugin),
    (before, looks): (&Looks, &Looks),
    now: Second,
) -> Option<PluginReading> {
    let object = plugin.object()?;
    let pods = pods::of_plugin(plugin, world, &inventory.pods).into_iter();
    // A pod that has ended meanwhile has no look.
    let own: Vec<(&Pod, &Result<Look, Silence>)> =
        pods.filter_map(|pod| Some((pod, looks.get(&pod.title())?))).collect();
    let fingerprint = f64::from(fingerprint::of_text(plugin.config.json().as_bytes()));
    let called = pods::called(plugin);
    let gauge = |look: &Look, name: &str| look.statistics.of_plugin(name, &called);
    let gateways = own.iter().map(|(pod, look)| {
        let answered = look.as_ref().ok();
        Gateway {
            namespace: pod.namespace.clone(),
            pod: pod.name.clone(),
            current: answered.is_some_and(|look| gauge(look, FINGERPRINT) == Some(fingerprint)),
            faults: answered.and_then(|look| gauge(look, FAULTS)).map(|faults| faults as u64),
            rejected: answered.and_then(|look| look.statistics.rejected()).map(|rejected| rejected as u64),
            silent: look.as_ref().err().map(Silence::said),
            has_filter: answered.is_some_and(|look| look.statistics.has_filter()),
        }
    });
    let answered: Vec<(&Pod, &Look)> = own.iter().filter_map(|(pod, look)| Some((*pod, look.as_ref().ok()?))).collect();
    let rules = plugin.config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
    let read = |(place, node): (usize, &Node)| {
        let name = node.get("name").and_then(Node::text)?;
        let good = plugin.rules.iter().find(|(own, _)| *own == place).map(|(_, rule)| rule);
        // If two rules have the same name, the gateways know the first.
        let earlier = rules.iter().take(place);
        let is_second = earlier.filter_map(|node| node.get("name")?.text()).any(|earlier| earlier == name);
        let mut reading = match good {
            Some(rule) => {
                let own = sites_of(sites, plugin, place, rule);
                read_rule(world, inventory, plugin, rule, &own, now)
            }
            None => read_faulty(node, name),
        };
        let state = |(_, look): &(&Pod, &Look)| {
            let is = |state| look.statistics.value(&metrics::rule_fault(name, state)) == Some(1.0);
            match (is(RuleState::Off), is(RuleState::LastGood)) {
                (true, _) => State::Off,
                (_, true) => State::LastGood,
                _ => State::Active,
            }
        };
        if !is_second {
            let said = answered.iter().map(state).max().filter(|state| *state != State::Active);
            reading.state = said.unwrap_or(reading.state);
            fill(&mut reading, &answered, before);
        }
        Some(reading)
    };
    Some(PluginReading {
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        managed_by: inventory.manager(object),
        gateways: gateways.collect(),
        rules: rules.iter().enumerate().filter_map(read).collect(),
        at,
    })
}

/// The sites of a rule, except for hosts all of whose requests an earlier rule decides.
fn sites_of<'s, 'w, 'o>(
    sites: &'s [Site<'w, 'o>],
    plugin: &Plugin,
    place: usize,
    rule: &Rule,
) -> Vec<&'s Site<'w, 'o>> {
    let is_own = |site: &&Site| std::ptr::eq(site.plugin, plugin) && std::ptr::eq(site.rule, rule);
    let earlier = || plugin.rules.iter().filter(|(own, rule)| *own < place && rule.matches.is_empty());
    let is_taken = |site: &&Site| {
        let is_it =
            |host: &HostPattern| matches!(host, HostPattern::Exact(exact) if exact.eq_ignore_ascii_case(site.host.1));
        earlier().any(|(_, rule)| rule.hosts.iter().any(is_it))
    };
    let own: Vec<_> = sites.iter().filter(is_own).collect();
    let left: Vec<_> = own.iter().copied().filter(|site| !is_taken(site)).collect();
    if left.is_empty() { own } else { left }
}

fn read_rule(
    world: &World,
    inventory: &Inventory,
    plugin: &Plugin,
    rule: &Rule,
    sites: &[&Site],
    now: Second,
) -> RuleReading {
    let adopts = if let Target::Adopted(adopted) = &rule.target { Some(adopted.header.clone()) } else { None };
    let parts = if adopts.is_some() { expected::parts(world, sites, &inventory.pods) } else { Vec::new() };
    let parts = parts.into_iter().enumerate().map(|(place, Part { name, weight, expected })| {
        let Expected { route, clusters, pods } = expected;
        SubsetReading { pods, route, clusters, weight: Some(weight), ..SubsetReading::new(&name, place == 0) }
    });
    let split = if let Target::Split(split) = &rule.target { Some(split) } else { None };
    let weights: &[u32] = split.map_or(&[], |split| &split.weights);
    let subset = |(place, named): (usize, Named)| {
        let Expected { route, clusters, pods } = expected::of(world, sites, &named, &inventory.pods);
        let stable = named.is_stable && split.is_some();
        SubsetReading {
            pods,
            route,
            clusters,
            weight: weights.get(place).copied(),
            ..SubsetReading::new(&named.subset.name, stable)
        }
    };
    RuleReading {
        name: rule.name.to_string(),
        hosts: plugin::hosts(rule),
        state: State::Active,
        ramp: plan::progress(rule, now),
        adopts,
        subsets: plugin.subsets(rule).into_iter().enumerate().map(subset).chain(parts).collect(),
        requests: 0.0,
        is_guarded: split.and_then(|split| split.rollout.as_ref()?.guard.as_ref()).is_some(),
    }
}

/// The readable part of a rule with a fault.
fn read_faulty(node: &Node, name: &str) -> RuleReading {
    let texts = |list: &[Node]| list.iter().filter_map(Node::text).map(str::to_owned).collect::<Vec<_>>();
    let split = node.get("split").map_or(&[][..], Node::items).iter();
    let subset = |(place, node): (usize, &Node)| {
        let name = node.get("subset").and_then(Node::text)?;
        Some(SubsetReading {
            weight: node.get("weight").and_then(Node::number),
            ..SubsetReading::new(name, place == 0)
        })
    };
    RuleReading {
        name: name.to_owned(),
        hosts: node.get("hosts").map(|hosts| texts(hosts.items())).unwrap_or_default(),
        // The gateways' answers count; before the first one, nothing of the rule is known to be in force.
        state: State::Off,
        ramp: None,
        adopts: None,
        subsets: split.enumerate().filter_map(subset).collect(),
        requests: 0.0,
        is_guarded: false,
    }
}

impl SubsetReading {
    fn new(name: &str, stable: bool) -> SubsetReading {
        SubsetReading {
            name: name.to_owned(),
            stable,
            weight: None,
            in_force: None,
            in_force_by_gateway: BTreeMap::new(),
            decided: None,
            arrived: None,
            errors: None,
            tripped: false,
            pods: None,
            route: None,
            clusters: Vec::new(),
            counted: (0.0, None),
            ended: Ended::default(),
            tripped_by_gateway: BTreeMap::new(),
        }
    }
}

/// Adds what the gateways say.
fn fill(rule: &mut RuleReading, answered: &[(&Pod, &Look)], before: &Looks) {
    for subset in &mut rule.subsets {
        let (mut responses, mut failed) = (0.0, 0.0);
        for (pod, look) in answered {
            let statistics = &look.statistics;
            if let Some(weight) = statistics.weight(&rule.name, &subset.name) {
                subset.in_force_by_gateway.insert(pod.name.clone(), weight.into());
            }
            if let Some(tripped @ (0.0 | 1.0)) = statistics.value(&metrics::tripped(&rule.name, &subset.name)) {
                subset.tripped_by_gateway.insert(pod.name.clone(), tripped == 1.0);
            }
            let failing = |look: &Look| look.statistics.value(&metrics::failing_visitors(&rule.name, &subset.name));
            if let Some(all) = failing(look) {
                subset.ended.failing.get_or_insert_default().1 += all;
            }
            let Some(earlier) = before.get(&pod.title()).and_then(|look| look.as_ref().ok()) else { continue };
            let since = |now: f64, then: f64| (now - then).max(0.0);
            let requests = |look: &Look| look.statistics.requests(&rule.name, &subset.name);
            subset.counted.0 += since(requests(look), requests(earlier));
            let (all, bad) = statistics.responses(&rule.name, &subset.name);
            let (all_then, bad_then) = earlier.statistics.responses(&rule.name, &subset.name);
            responses += since(all, all_then);
            failed += since(bad, bad_then);
            if let Some((lately, _)) = &mut subset.ended.failing {
                // A counter begins with its first event.
                *lately += since(failing(look).unwrap_or_default(), failing(earlier).unwrap_or_default());
            }
        }
        (subset.ended.responses, subset.ended.failed) = (responses, failed);
        subset.tripped = subset.tripped_by_gateway.values().any(|is_tripped| *is_tripped);
        let mut weights = subset.in_force_by_gateway.values();
        let first = weights.next().copied();
        let says_each = subset.in_force_by_gateway.len() == answered.len();
        subset.in_force = first.filter(|first| says_each && weights.all(|weight| weight == first));
        subset.errors = (responses > 0.0).then(|| (failed / responses).min(1.0));
    }
    if rule.adopts.is_some() {
        // They are counted without a subset.
        let of = |look: &Look| look.statistics.requests(&rule.name, "");
        let since = |(pod, look): &(&Pod, &Look)| {
            let earlier = before.get(&pod.title()).and_then(|look| look.as_ref().ok())?;
            Some((of(look) - of(earlier)).max(0.0))
        };
        rule.requests = answered.iter().filter_map(since).sum();
        return;
    }
    rule.requests = rule.subsets.iter().map(|subset| subset.counted.0).sum();
    if rule.requests > 0.0 {
        for subset in &mut rule.subsets {
            subset.decided = Some(subset.counted.0 / rule.requests);
        }
    }
}

/// Adds what arrived: what Envoy's clusters got, less what other rules have sent there.
fn count_arrived(
    plugins: &mut [PluginReading],
    strangers: &[(String, Vec<Cluster>)],
    before: &Looks,
    looks: &Looks,
    notes: &mut Vec<String>,
) {
    let mut got: HashMap<&str, f64> = HashMap::new();
    for (pod, look) in looks {
        let (Ok(Look { arrived: Some(arrived), .. }), Some(Ok(Look { arrived: Some(earlier), .. }))) =
            (look, before.get(pod))
        else {
            continue;
        };
        for (cluster, requests) in arrived {
            let since = requests.saturating_sub(earlier.get(cluster).copied().unwrap_or(0));
            *got.entry(cluster).or_default() += since as f64;
        }
    }
    // What arrived behind some of the gateways is not a share of what was decided on all.
    let is_unknown = looks.values().flatten().any(|look| look.unknown.is_some());
    if is_unknown || got.is_empty() {
        return;
    }
    let mut rules = plugins.iter().flat_map(|plugin| &plugin.rules);
    if let Some(rule) = rules.find(|rule| rule.state == State::LastGood) {
        notes.push(format!("what arrived is not known while rule {} is on its last good version", rule.name));
        return;
    }
    // Which subsets have each cluster, with what was decided for them.
    let users: Vec<(String, Vec<Cluster>, f64)> = plugins
        .iter()
        .flat_map(|plugin| plugin.rules.iter().map(move |rule| (plugin.at, rule)))
        .flat_map(|(at, rule)| rule.subsets.iter().map(move |subset| (at, rule, subset)))
        .map(|(at, rule, subset)| (format!("{at} {}", rule.name), subset.clusters.clone(), subset.counted.0))
        .collect();
    for plugin in plugins {
        for rule in &mut plugin.rules {
            let own = format!("{} {}", plugin.at, rule.name);
            let others = |subset: &SubsetReading| {
                let shares = |clusters: &[Cluster]| clusters.iter().any(|cluster| subset.clusters.contains(cluster));
                users
                    .iter()
                    .filter(|(user, clusters, _)| *user != own && shares(clusters))
                    .map(|(_, _, decided)| decided)
                    .sum::<f64>()
            };
            let is_shared = rule.subsets.iter().enumerate().any(|(place, subset)| {
                let later = rule.subsets.iter().skip(place + 1);
                later.into_iter().any(|other| other.clusters.iter().any(|cluster| subset.clusters.contains(cluster)))
            });
            if is_shared {
                notes.push(format!(
                    "what arrived of rule {} is not known: two of its subsets have one destination",
                    rule.name
                ));
            }
            let has = |clusters: &[Cluster]| {
                let mut own = rule.subsets.iter().flat_map(|subset| &subset.clusters);
                own.any(|cluster| clusters.contains(cluster))
            };
            let stranger = strangers.iter().find(|(_, clusters)| has(clusters));
            if let Some((title, _)) = stranger {
                notes.push(format!(
                    "what arrived of rule {} is not known: {title} sends requests there that no rule decides",
                    rule.name
                ));
            }
            if stranger.is_some()
                || rule.requests == 0.0
                || is_shared
                || rule.subsets.iter().any(|subset| subset.clusters.is_empty())
            {
                continue;
            }
            let mut sum = 0.0;
            for subset in &mut rule.subsets {
                let is_its = |name: &str| subset.clusters.iter().any(|cluster| cluster.is(name));
                let all: f64 = got.iter().filter(|(name, _)| is_its(name)).map(|(_, requests)| requests).sum();
                let arrived = (all - others(subset)).max(0.0);
                subset.counted.1 = Some(arrived);
                sum += arrived;
            }
            for subset in rule.subsets.iter_mut().filter(|_| sum > 0.0) {
                subset.arrived = subset.counted.1.map(|arrived| arrived / sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::cluster::inventory::Inventory;
    use crate::cluster::look::Look;
    use crate::cluster::looks::Looks;
    use crate::cluster::statistics::Statistics;
    use crate::world::World;
    use canary_split::config::fingerprint;
    use canary_split::rollout::ramp::Second;
    use serde_json::{Value, json};

    /// A cluster with an HTTPRoute, in which this has the filter.
    fn objects(kind: &str, group: &str, spec: &Value) -> Vec<Value> {
        let api = "gateway.networking.k8s.io/v1";
        let of = |kind: &str, version: &str, namespace: &str, name: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec});
        let pod = |namespace: &str, name: &str, labels: Value| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
                "spec": {"containers": [{"name": "main"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
        };
        let backend = |version: &str| json!([{"name": format!("shop-{version}"), "port": 80}]);
        let service = |version: &str| {
            let spec = json!({"selector": {"app": "shop", "version": version}, "ports": [{"port": 80}]});
            of("Service", "v1", "shop", &format!("shop-{version}"), spec)
        };
        vec![
            of(kind, group, "edge", "canary-split", spec.clone()),
            of(
                "Gateway",
                api,
                "edge",
                "public",
                json!({"gatewayClassName": "any", "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]}),
            ),
            of(
                "HTTPRoute",
                api,
                "shop",
                "shop",
                json!({"parentRefs": [{"name": "public", "namespace": "edge"}],
                "hostnames": ["shop.example.com"], "rules": [
                {"matches": [{"path": {"value": "/a"}, "headers": [{"name": "x-canary-subset", "value": "v2"}]},
                    {"headers": [{"name": "x-canary-subset", "value": "v2"}]}], "backendRefs": backend("v2")},
                {"backendRefs": backend("v1")}]}),
            ),
            service("v1"),
            service("v2"),
            pod("shop", "shop-v1", json!({"app": "shop", "version": "v1"})),
            pod("shop", "shop-v2", json!({"app": "shop", "version": "v2"})),
            pod("edge", "istios", json!({"gateway.networking.k8s.io/gateway-name": "public"})),
            pod(
                "envoy-gateway-system",
                "envoy-gateways",
                json!({"gateway.envoyproxy.io/owning-gateway-name": "public",
                "gateway.envoyproxy.io/owning-gateway-namespace": "edge"}),
            ),
        ]
    }

    #[test]
    fn what_arrived_behind_an_httproute_is_known_by_its_backends_or_by_its_rules() {
        let config = json!({"rules": [{"name": "shop", "hosts": ["shop.example.com"],
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}]}]});
        let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}]);
        let istio = ["outbound|80||shop-v1.shop.svc.cluster.local", "outbound|80||shop-v2.shop.svc.cluster.local"];
        let envoy_gateway = ["httproute/shop/shop/rule/1", "httproute/shop/shop/rule/0"];
        for (kind, group, spec, pod, label, clusters) in [
            (
                "WasmPlugin",
                "extensions.istio.io/v1alpha1",
                json!({"targetRefs": target, "pluginConfig": config}),
                "edge/istios",
                "edge.canary-split~istio-translated-wasmplugin",
                istio,
            ),
            (
                "TrafficExtension",
                "extensions.istio.io/v1alpha1",
                json!({"targetRefs": target, "wasm": {"pluginConfig": config}}),
                "edge/istios",
                "edge.canary-split",
                istio,
            ),
            (
                "EnvoyExtensionPolicy",
                "gateway.envoyproxy.io/v1alpha1",
                json!({"targetRefs": target, "wasm": [{"name": "canary-split", "config": config}]}),
                "envoy-gateway-system/envoy-gateways",
                "canary-split",
                envoy_gateway,
            ),
            (
                "EnvoyExtensionPolicy",
                "gateway.envoyproxy.io/v1alpha1",
                json!({"targetRefs": target, "wasm": [{"rootID": "canary-split", "config": config}]}),
                "envoy-gateway-system/envoy-gateways",
                "envoyextensionpolicy/edge/canary-split/wasm/0",
                envoy_gateway,
            ),
        ] {
            let look = |requests: u64| {
                let print = fingerprint::of_text(config.to_string().as_bytes());
                let text = format!(
                    "canary_config_rules{{state=\"active\"}} 1\ncanary_config_fingerprint{{plugin=\"{label}\"}} {print}\n\
                     canary_requests_total{{rule=\"shop\",subset=\"v1\",source=\"fresh\"}} {}\n\
                     canary_requests_total{{rule=\"shop\",subset=\"v2\",source=\"fresh\"}} {}\n",
                    requests * 8,
                    requests * 2
                );
                let arrived = [(clusters[0].to_owned(), requests * 8), (clusters[1].to_owned(), requests * 2)].into();
                Looks::from([(
                    pod.to_owned(),
                    Ok(Look { statistics: Statistics::read(&text), arrived: Some(arrived), unknown: None }),
                )])
            };
            let inventory = Inventory::of(objects(kind, group, &spec));
            let world = World::of(&inventory.objects);
            let reading = read(&world, &inventory, &look(100), &look(300), Second(0));
            assert_eq!(reading.notes, [] as [String; 0], "{kind}");
            let plugin = &reading.plugins[0];
            let gateways: Vec<_> = plugin.gateways.iter().map(|gateway| (&*gateway.pod, gateway.current)).collect();
            assert_eq!(gateways, [(pod.split_once('/').unwrap().1, true)], "{kind}");
            let subsets = plugin.rules[0].subsets.iter();
            let subsets: Vec<_> = subsets
                .map(|subset| (subset.arrived, subset.route.as_deref(), subset.pods.map(|pods| pods.ready)))
                .collect();
            let expected =
                [(Some(0.8), Some("shop/shop rules[1]"), Some(1)), (Some(0.2), Some("shop/shop rules[0]"), Some(1))];
            assert_eq!(subsets, expected, "{kind}");
        }
    }
    #[test]
    fn what_came_before_and_what_other_rules_sent_is_not_counted() {
        let hosts = ["shop.example.com"];
        let config = json!({"rules": [
            {"name": "testers", "hosts": hosts, "match": [{"headers": {"x-tester": {"exact": "1"}}}], "subset": "v2"},
            {"name": "shop", "hosts": hosts, "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}]}]});
        let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}]);
        let spec = json!({"targetRefs": target, "pluginConfig": config});
        let look = |v1: u64, v2: u64, testers: u64| {
            let requests = |rule: &str, subset: &str, source: &str, number: u64| {
                format!("canary_requests_total{{rule=\"{rule}\",subset=\"{subset}\",source=\"{source}\"}} {number}\n")
            };
            let text = requests("shop", "v1", "fresh", v1)
                + &requests("shop", "v2", "fresh", v2)
                + &requests("testers", "v2", "fixed", testers);
            let cluster = |subset: &str| format!("outbound|80||shop-{subset}.shop.svc.cluster.local");
            let arrived = Some([(cluster("v1"), v1), (cluster("v2"), v2 + testers)].into());
            Looks::from([(
                "edge/istios".to_owned(),
                Ok(Look { statistics: Statistics::read(&text), arrived, unknown: None }),
            )])
        };
        let inventory = Inventory::of(objects("WasmPlugin", "extensions.istio.io/v1alpha1", &spec));
        let world = World::of(&inventory.objects);
        let reading = read(&world, &inventory, &look(500, 500, 7), &look(1300, 700, 47), Second(0));
        let subsets = reading.plugins[0].rules[1].subsets.iter();
        let counted: Vec<_> = subsets.map(|subset| (subset.counted, subset.decided, subset.arrived)).collect();
        let expected = |number, share| ((number, Some(number)), Some(share), Some(share));
        assert_eq!(counted, [expected(800.0, 0.8), expected(200.0, 0.2)], "{:?}", reading.notes);
    }
}
