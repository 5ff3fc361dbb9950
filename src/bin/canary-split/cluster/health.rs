//! What is wrong in the living cluster, as far as the gateways tell.

use super::inventory::Inventory;
use super::reading::{Gateway, PluginReading, Reading, RuleReading, State, SubsetReading};
use crate::input::manifest::Object;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;

const SILENT: Code = Code {
    name: "gateway-silent",
    severity: Severity::Error,
    why: "nobody knows what is in force on a gateway pod that does not answer",
    fix: "look at the pod: kubectl get pod, kubectl logs; what is shown is that of the others",
};

const NO_GATEWAY: Code = Code {
    name: "no-gateway-pod",
    severity: Severity::Error,
    why: "a plugin that is on no gateway pod decides nothing: all requests take the routes without a header",
    fix: "give spec.selector.matchLabels the labels of the gateway's pods, in their namespace",
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
    why: "what has a fault is not in force: a rule keeps its last good version, or is off",
    fix: "run canary-split check --cluster, and fix what it names",
};

const REJECTED: Code = Code {
    name: "push-rejected",
    severity: Severity::Warning,
    why: "what Envoy has rejected is not in force on that pod, and later changes of the same routes may be lost too",
    fix: "ask istioctl proxy-status, and the pod's log for rejected; the count starts again with the pod",
};

const DIFFERS: Code = Code {
    name: "weights-differ",
    severity: Severity::Error,
    why: "gateway pods with different weights in force send one visitor to two versions",
    fix: "look which pod is behind, or whose guard has tripped",
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
    why: "the guard has taken a failing canary out of the split: stable has its share",
    fix: "canary-split rollback, fix the version, and begin again; any edit of the rule ends the trip",
};

const NO_PODS: Code = Code {
    name: "no-ready-pod",
    severity: Severity::Error,
    why: "requests for a subset without a ready pod are answered with 503",
    fix: "roll the subset back, or look at its pods",
};

/// The codes of this file.
pub const CODES: [&Code; 10] =
    [&SILENT, &NO_GATEWAY, &NO_FILTER, &BEHIND, &FAULTS, &REJECTED, &DIFFERS, &ASTRAY, &TRIPPED, &NO_PODS];

/// How far shares may be apart: the two counters are not read at one moment.
const TOLERANCE: f64 = 0.02;
/// Of fewer requests nothing is said.
const FEW: f64 = 50.0;

/// What is wrong.
pub fn findings(world: &World, inventory: &Inventory, reading: &Reading) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plugin in &reading.plugins {
        let Some(object) = world.plugins.get(plugin.at).and_then(|plugin| plugin.object()) else { continue };
        let mut found = Found { object, findings: &mut findings };
        found.gateways(plugin, inventory);
        plugin.rules.iter().for_each(|rule| found.rule(rule));
    }
    findings
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
                self.add(&TRIPPED, format!("rule {}: the guard has taken {name} out", rule.name));
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

/// Whether another share arrived than was decided, and chance does not explain it.
pub fn is_astray(rule: &RuleReading, subset: &SubsetReading) -> bool {
    let (Some(decided), Some(arrived)) = (subset.decided, subset.arrived) else { return false };
    let chance = 4.0 * (decided * (1.0 - decided) / rule.requests.max(1.0)).sqrt();
    rule.requests >= FEW && (decided - arrived).abs() > TOLERANCE + chance
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
