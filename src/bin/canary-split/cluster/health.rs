//! What is wrong in the live cluster, according to the gateways.

use super::inventory::Inventory;
use super::reading::{Gateway, PluginReading, Reading, RuleReading, State, SubsetReading};
use crate::input::manifest::Object;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::plugin::Plugin;
use crate::world::site;
use std::collections::HashSet;
use std::rc::Rc;

const SILENT: Code = Code {
    name: "gateway-silent",
    severity: Severity::Error,
    why: "nobody knows what is in force on a gateway pod that does not answer",
    fix: "look at the pod: kubectl get pod, kubectl logs; everything shown comes from the other pods",
};

const NO_GATEWAY: Code = Code {
    name: "no-gateway-pod",
    severity: Severity::Error,
    why: "a plugin that is on no gateway pod decides nothing: all requests take the routes without a header",
    fix: "start the gateway's pods, or give spec.selector.matchLabels the labels that they have, in their namespace",
};

const NO_FILTER: Code = Code {
    name: "filter-missing",
    severity: Severity::Error,
    why: "a gateway pod without the filter sends everybody to the routes without a header, and lets clients write the header",
    fix: "look at the pod's log for wasm: the module could not be fetched, or its digest is wrong",
};

const BEHIND: Code = Code {
    name: "config-behind",
    severity: Severity::Error,
    why: "gateway pods with two configs decide by two sets of weights: a visitor may see both versions",
    fix: "wait some seconds; if it stays, ask istioctl proxy-status which push the pod does not take",
};

const FAULTS: Code = Code {
    name: "config-faults",
    severity: Severity::Error,
    why: "a faulty config is not fully in force: a rule keeps its last good version, or is off",
    fix: "run canary-split check --cluster, and fix what it names",
};

const REJECTED: Code = Code {
    name: "push-rejected",
    severity: Severity::Warning,
    why: "a rejected push is not in force on that pod, and later changes of the same routes may be lost too",
    fix: "look at istioctl proxy-status, and for rejected in the pod's log; the count starts again with the pod",
};

const DIFFERS: Code = Code {
    name: "weights-differ",
    severity: Severity::Error,
    why: "gateway pods with different weights in force send one visitor to two versions",
    fix: "find the pod that is behind, or whose guard has tripped",
};

const ASTRAY: Code = Code {
    name: "arrived-off-decided",
    severity: Severity::Error,
    why: "requests get to another version than the filter has chosen: visitors see both, and the share is not the weight",
    fix: "look for weights that are left in the VirtualService, for a route before the header route, and for a header that is written in two ways: canary-split check --cluster",
};

const TRIPPED: Code = Code {
    name: "canary-tripped",
    severity: Severity::Error,
    why: "the guard has removed a failing canary from the split: stable has its share",
    fix: "canary-split rollback, fix the version, and start again; any edit of the rule ends the trip",
};

const NO_PODS: Code = Code {
    name: "no-ready-pod",
    severity: Severity::Error,
    why: "requests for a subset without a ready pod are answered with 503",
    fix: "roll the subset back, or look at its pods",
};

const NO_SERVICE: Code = Code {
    name: "no-such-service",
    severity: Severity::Error,
    why: "requests for a Service that does not exist are answered with 503",
    fix: "write the Service's name and namespace, or create it",
};

/// The codes of this file.
pub const CODES: [&Code; 11] =
    [&SILENT, &NO_GATEWAY, &NO_FILTER, &BEHIND, &FAULTS, &REJECTED, &DIFFERS, &ASTRAY, &TRIPPED, &NO_PODS, &NO_SERVICE];

/// The tolerated difference of shares: the two counters are not read at the same moment.
const TOLERANCE: f64 = 0.02;
/// Fewer requests allow no conclusion.
const FEW: f64 = 50.0;

/// What is wrong.
pub fn findings(world: &World, inventory: &Inventory, reading: &Reading) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plugin in &reading.plugins {
        let Some(object) = plugin.plugin(world).and_then(Plugin::object) else { continue };
        let mut found = Found { object, findings: &mut findings };
        found.gateways(plugin, inventory);
        plugin.rules.iter().for_each(|rule| found.rule(rule));
    }
    if inventory.is_whole {
        missing_services(world, &mut findings);
    }
    findings
}

/// Routes of rules to Services that the cluster does not have.
fn missing_services(world: &World, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for site in site::sites(world) {
        for (service, route) in site.routes() {
            for destination in &route.destinations {
                let Some(name) = destination.service() else { continue };
                let (span, source) = (&destination.host.0.span, &service.object.source);
                if world.services_called(&name).is_empty() && seen.insert((Rc::as_ptr(source), span.clone())) {
                    let title = service.object.title();
                    let message =
                        format!("{title} leads to Service {}/{}, which does not exist", name.namespace, name.name);
                    findings.push(Finding::new(&NO_SERVICE, source, span, message));
                }
            }
        }
    }
}

struct Found<'f> {
    object: &'f Object,
    findings: &'f mut Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, code: &'static Code, message: String) {
        let node = self.object.at(&["metadata", "name"]).unwrap_or(&self.object.node);
        self.findings.push(Finding::new(code, &self.object.source, &node.span, message));
    }

    fn gateways(&mut self, plugin: &PluginReading, inventory: &Inventory) {
        let title = self.object.title();
        if plugin.gateways.is_empty() {
            self.add(&NO_GATEWAY, format!("{title} is on none of the {} pods that are read", inventory.pods.len()));
        }
        for gateway in &plugin.gateways {
            let Gateway { namespace, pod, silent, has_filter, current, faults, rejected } = gateway;
            if let Some(why) = silent {
                self.add(&SILENT, format!("gateway pod {namespace}/{pod} does not answer: {why}"));
            } else if !has_filter {
                self.add(&NO_FILTER, format!("gateway pod {namespace}/{pod} does not run the filter"));
            } else if !current {
                self.add(&BEHIND, format!("gateway pod {namespace}/{pod} does not have the config of {title}"));
            }
            if let Some(faults @ 1..) = faults {
                self.add(
                    &FAULTS,
                    format!(
                        "gateway pod {namespace}/{pod}: the config of {title} has {faults} fault{}",
                        plural(*faults)
                    ),
                );
            }
            if let Some(rejected @ 1..) = rejected {
                self.add(
                    &REJECTED,
                    format!(
                        "gateway pod {namespace}/{pod} has rejected {rejected} push{}",
                        if *rejected == 1 { "" } else { "es" }
                    ),
                );
            }
        }
    }

    fn rule(&mut self, rule: &RuleReading) {
        match rule.state {
            State::Active => {}
            State::LastGood => {
                self.add(&FAULTS, format!("rule {} has a fault; its last good version is in force", rule.name))
            }
            State::Off => self.add(&FAULTS, format!("rule {} has a fault and is off", rule.name)),
        }
        for subset in &rule.subsets {
            let name = &subset.name;
            if subset.tripped {
                self.add(&TRIPPED, format!("rule {}: the guard has removed {name}", rule.name));
            }
            let mut weights: Vec<u64> = subset.in_force_by_gateway.values().copied().collect();
            weights.sort_unstable();
            weights.dedup();
            if weights.len() > 1 {
                let by: Vec<String> =
                    subset.in_force_by_gateway.iter().map(|(pod, weight)| format!("{weight} on {pod}")).collect();
                self.add(&DIFFERS, format!("rule {}: the weight of {name} in force is {}", rule.name, by.join(", ")));
            }
            if let (Some(decided), Some(arrived)) = (subset.decided, subset.arrived)
                && is_astray(rule, subset)
            {
                let message = format!(
                    "rule {}: {:.1} % of the requests arrived at {name}, {:.1} % were decided for it",
                    rule.name,
                    arrived * 100.0,
                    decided * 100.0
                );
                self.add(&ASTRAY, message);
            }
            let has_weight = subset.in_force.or(subset.weight.map(u64::from)).is_some_and(|weight| weight > 0);
            if has_weight && subset.pods.is_some_and(|pods| pods.ready == 0) {
                self.add(&NO_PODS, format!("rule {}: {name} has a weight and no ready pod", rule.name));
            }
        }
    }
}

/// Whether the share that arrived differs from the share that was decided by more than chance.
pub fn is_astray(rule: &RuleReading, subset: &SubsetReading) -> bool {
    let (Some(decided), Some(arrived)) = (subset.decided, subset.arrived) else { return false };
    let chance = 4.0 * (decided * (1.0 - decided) / rule.requests.max(1.0)).sqrt();
    rule.requests >= FEW && (decided - arrived).abs() > TOLERANCE + chance
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::{CODES, findings};
    use crate::cluster::inventory::Inventory;
    use crate::cluster::look::{Look, Silence};
    use crate::cluster::looks::Looks;
    use crate::cluster::reading;
    use crate::cluster::statistics::Statistics;
    use crate::world::World;
    use canary_split::config::fingerprint;
    use canary_split::rollout::ramp::Second;
    use serde_json::{Value, json};
    use std::collections::{BTreeSet, HashMap};

    const GATEWAY: &str = "istio-ingressgateway";

    /// What a gateway reports and receives between two looks; the defaults are healthy.
    #[derive(Clone)]
    struct Says {
        weights: (u32, u32),
        has_filter: bool,
        is_current: bool,
        faults: u32,
        state: Option<&'static str>,
        rejected: u32,
        tripped: u32,
        /// Of 1000 requests: decided for v2, arrived at v2.
        v2: (u32, u64),
        silent: Option<&'static str>,
    }

    const WELL: Says = Says {
        weights: (80, 20),
        has_filter: true,
        is_current: true,
        faults: 0,
        state: None,
        rejected: 0,
        tripped: 0,
        v2: (200, 200),
        silent: None,
    };

    fn config() -> Value {
        json!({"rules": [{"name": "shop", "hosts": ["shop.example.com"], "guard": {},
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}]}]})
    }

    fn pod(namespace: &str, name: &str, labels: Value, arguments: Value, is_ready: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
            "spec": {"containers": [{"name": "main", "args": arguments}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}]}})
    }

    fn objects(gateways: usize, is_v2_ready: bool) -> Vec<Value> {
        let route = |subset: &str| json!([{"destination": {"host": "shop", "subset": subset}}]);
        let mut objects = vec![
            json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
                "metadata": {"namespace": "istio-system", "name": "canary-split"},
                "spec": {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "pluginConfig": config()}}),
            json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"namespace": "shop", "name": "shop"},
                "spec": {"hosts": ["shop.example.com"], "gateways": ["shop"], "http": [
                    {"match": [{"headers": {"x-canary-subset": {"exact": "v2"}}}], "route": route("v2")}, {"route": route("v1")}]}}),
            json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"namespace": "shop", "name": "shop"},
                "spec": {"host": "shop", "subsets": [
                    {"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}}]}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "shop"},
                "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]}}),
            pod("shop", "shop-v1", json!({"app": "shop", "version": "v1"}), json!([]), true),
            pod("shop", "shop-v2", json!({"app": "shop", "version": "v2"}), json!([]), is_v2_ready),
        ];
        objects.extend((1..=gateways).map(|number| {
            let labels = json!({"istio": "ingressgateway"});
            pod("istio-system", &format!("{GATEWAY}-{number}"), labels, json!(["proxy", "router"]), true)
        }));
        objects
    }

    fn look(says: &Says, requests: u32) -> Result<Look, Silence> {
        if let Some(why) = says.silent {
            return Err(Silence::Silent(why.to_owned()));
        }
        let print = if says.is_current { fingerprint::of_text(config().to_string().as_bytes()) } else { 7 };
        let of = |share: u32| share * requests / 1000;
        let (v1, v2) = (of(1000 - says.v2.0), of(says.v2.0));
        let mut text = String::new();
        if says.has_filter {
            text = format!(
                "canary_config_rules{{state=\"active\"}} 1\n\
                 canary_config_fingerprint{{plugin=\"istio-system.canary-split~x\"}} {print}\n\
                 canary_config_faults{{plugin=\"istio-system.canary-split~x\"}} {}\n\
                 canary_config_weight{{rule=\"shop\",subset=\"v1\"}} {}\n\
                 canary_config_weight{{rule=\"shop\",subset=\"v2\"}} {}\n\
                 canary_tripped{{rule=\"shop\",subset=\"v2\"}} {}\n\
                 canary_requests_total{{rule=\"shop\",subset=\"v1\",source=\"fresh\"}} {v1}\n\
                 canary_requests_total{{rule=\"shop\",subset=\"v2\",source=\"fresh\"}} {v2}\n\
                 envoy_http_rds_update_rejected{{}} {}\n",
                says.faults, says.weights.0, says.weights.1, says.tripped, says.rejected,
            );
            if let Some(state) = says.state {
                text += &format!("canary_rule_fault{{rule=\"shop\",state=\"{state}\"}} 1\n");
            }
        }
        let cluster = |subset: &str| format!("outbound|80|{subset}|shop.shop.svc.cluster.local");
        let (all, to_v2) = (u64::from(requests), says.v2.1 * u64::from(requests) / 1000);
        let arrived = HashMap::from([(cluster("v1"), all - to_v2), (cluster("v2"), to_v2)]);
        Ok(Look { statistics: Statistics::read(&text), arrived: Some(arrived), unknown: None })
    }

    /// The findings about these gateways, as `CODE: MESSAGE`.
    fn found(gateways: &[Says], is_v2_ready: bool) -> Vec<String> {
        let inventory = Inventory::of(objects(gateways.len(), is_v2_ready));
        let looks = |requests| -> Looks {
            let pods = (1..).zip(gateways);
            pods.map(|(number, says)| (format!("istio-system/{GATEWAY}-{number}"), look(says, requests))).collect()
        };
        let world = World::of(&inventory.objects);
        let reading = reading::read(&world, &inventory, &looks(1000), &looks(3000), Second(0));
        let all = findings(&world, &inventory, &reading);
        all.iter().map(|finding| format!("{}: {}", finding.code.name, finding.message)).collect()
    }

    /// What arrived at v2, and the notes.
    fn arrived(says: &Says, more: Vec<Value>, requests: (u32, u32)) -> (Option<f64>, Vec<String>) {
        let mut all = objects(1, true);
        all.extend(more);
        let inventory = Inventory::of(all);
        let looks = |requests| Looks::from([(format!("istio-system/{GATEWAY}-1"), look(says, requests))]);
        let world = World::of(&inventory.objects);
        let reading = reading::read(&world, &inventory, &looks(requests.0), &looks(requests.1), Second(0));
        (reading.plugins[0].rules[0].subsets[1].arrived, reading.notes)
    }

    #[test]
    fn what_arrived_is_not_said_where_it_cannot_be_known() {
        let route = |name: &str, gateway: &str, hosts: Value| {
            json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"namespace": "shop", "name": name},
                "spec": {"hosts": hosts, "gateways": [gateway], "http": [{"route": [{"destination": {"host": "shop", "subset": "v2"}}]}]}})
        };
        let stranger = route("wild", "shop", json!(["*.other.test"]));
        let of_mesh = route("inside", "mesh", json!(["shop"]));
        let last_good = Says { state: Some("last_good"), ..WELL };
        let notes = |(share, notes): (Option<f64>, Vec<String>)| (share, notes.join("; "));
        let said = |what: &str| format!("what arrived {what}");
        for (says, more, requests, expected) in [
            (WELL, vec![], (1000, 3000), (Some(0.2), String::new())),
            (WELL, vec![of_mesh], (1000, 3000), (Some(0.2), String::new())),
            (WELL, vec![], (1000, 1000), (None, String::new())),
            (
                WELL,
                vec![stranger],
                (1000, 3000),
                (
                    None,
                    said(
                        "of rule shop is not known: VirtualService shop/wild sends requests there that no rule decides",
                    ),
                ),
            ),
            (last_good, vec![], (1000, 3000), (None, said("is not known while rule shop is on its last good version"))),
        ] {
            assert_eq!(notes(arrived(&says, more, requests)), expected);
        }
    }

    #[test]
    fn what_the_gateways_say_is_found_under_its_code_and_nothing_else_is() {
        let silent = Says { silent: Some("statistics at 15090: 503 no healthy upstream"), ..WELL };
        let table: Vec<(Vec<Says>, bool, Vec<&str>)> = vec![
            (vec![WELL, WELL], true, vec![]),
            (
                vec![silent, WELL],
                true,
                vec![
                    "gateway-silent: gateway pod istio-system/istio-ingressgateway-1 does not answer: statistics at 15090: 503 no healthy upstream",
                ],
            ),
            (
                vec![],
                true,
                vec!["no-gateway-pod: WasmPlugin istio-system/canary-split is on none of the 2 pods that are read"],
            ),
            (
                vec![Says { has_filter: false, v2: (200, 200), ..WELL }, WELL],
                true,
                vec!["filter-missing: gateway pod istio-system/istio-ingressgateway-1 does not run the filter"],
            ),
            (
                vec![Says { is_current: false, ..WELL }],
                true,
                vec![
                    "config-behind: gateway pod istio-system/istio-ingressgateway-1 does not have the config of WasmPlugin istio-system/canary-split",
                ],
            ),
            (
                vec![Says { faults: 1, state: Some("last_good"), ..WELL }],
                true,
                vec![
                    "config-faults: gateway pod istio-system/istio-ingressgateway-1: the config of WasmPlugin istio-system/canary-split has 1 fault",
                    "config-faults: rule shop has a fault; its last good version is in force",
                ],
            ),
            (
                vec![Says { state: Some("off"), ..WELL }, Says { state: Some("last_good"), ..WELL }],
                true,
                vec!["config-faults: rule shop has a fault and is off"],
            ),
            (
                vec![Says { rejected: 2, ..WELL }],
                true,
                vec!["push-rejected: gateway pod istio-system/istio-ingressgateway-1 has rejected 2 pushes"],
            ),
            (
                vec![WELL, Says { weights: (100, 0), ..WELL }],
                true,
                vec![
                    "weights-differ: rule shop: the weight of v1 in force is 80 on istio-ingressgateway-1, 100 on istio-ingressgateway-2",
                    "weights-differ: rule shop: the weight of v2 in force is 20 on istio-ingressgateway-1, 0 on istio-ingressgateway-2",
                ],
            ),
            (
                vec![Says { v2: (200, 370), ..WELL }],
                true,
                vec![
                    "arrived-off-decided: rule shop: 63.0 % of the requests arrived at v1, 80.0 % were decided for it",
                    "arrived-off-decided: rule shop: 37.0 % of the requests arrived at v2, 20.0 % were decided for it",
                ],
            ),
            (vec![Says { v2: (200, 215), ..WELL }], true, vec![]),
            (
                vec![Says { weights: (100, 0), tripped: 1, ..WELL }],
                true,
                vec!["canary-tripped: rule shop: the guard has removed v2"],
            ),
            (vec![WELL], false, vec!["no-ready-pod: rule shop: v2 has a weight and no ready pod"]),
            (vec![Says { weights: (100, 0), v2: (0, 0), ..WELL }], false, vec![]),
        ];
        let (mut seen, mut said) = (BTreeSet::new(), BTreeSet::new());
        for (gateways, is_v2_ready, expected) in table {
            let found = found(&gateways, is_v2_ready);
            assert_eq!(found, expected);
            seen.extend(found.iter().filter_map(|line| line.split(':').next().map(str::to_owned)));
            said.extend(found);
        }
        let mut all = objects(1, true);
        all.retain(|object| object["kind"] != "Service");
        let inventory = Inventory::of(all);
        let world = World::of(&inventory.objects);
        let looks = || Looks::from([(format!("istio-system/{GATEWAY}-1"), look(&WELL, 1000))]);
        let reading = reading::read(&world, &inventory, &looks(), &looks(), Second(0));
        let missing: Vec<String> = findings(&world, &inventory, &reading)
            .iter()
            .map(|finding| format!("{}: {}", finding.code.name, finding.message))
            .collect();
        let line = "no-such-service: VirtualService shop/shop leads to Service shop/shop, which does not exist";
        assert_eq!(missing, [line, line]);
        seen.insert("no-such-service".to_owned());
        said.extend(missing);
        // The messages in the document are real ones.
        let document = include_str!("../../../../docs/checks.md");
        for code in CODES {
            let (_, section) = document.split_once(&format!("\n## {}\n\n> ", code.name)).unwrap();
            let shown = format!("{}: {}", code.name, section.lines().next().unwrap());
            assert!(said.contains(&shown), "{shown}");
        }
        assert_eq!(seen, CODES.iter().map(|code| code.name.to_owned()).collect());
    }
}
