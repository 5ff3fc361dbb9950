//! Whether a plugin selects the pods of a Gateway of the Gateway API by labels.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::gateway_api::NAME_LABEL;

const BY_SELECTOR: Code = Code {
    name: "gateway-by-selector",
    severity: Severity::Warning,
    why: "Istio lets a selector reach a Gateway of the Gateway API only while ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY is on, and istioctl analyze warns of it (IST0166): after an upgrade the gateway may be without the plugin",
    fix: "name the Gateway in spec.targetRefs instead, with the plugin in its namespace",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&BY_SELECTOR];

/// Looks at every plugin.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in world.plugins.iter().filter(|plugin| !plugin.is_policy() && plugin.targets().is_empty()) {
        let (Some(object), Some(selector)) = (plugin.object(), plugin.selector()) else { continue };
        let Some(name) = selector.get(NAME_LABEL) else { continue };
        // A classic Gateway may have these pods.
        if world.gateways.iter().any(|gateway| !gateway.is_of_api() && gateway.selector.get(NAME_LABEL) == Some(name)) {
            continue;
        }
        let message = format!("{} selects the pods of Gateway {name} by a label", object.title());
        let node = object.at(&["spec", "selector", "matchLabels"]).unwrap_or(&object.node);
        findings.push(Finding::new(&BY_SELECTOR, &object.source, &node.span, message));
    }
}
