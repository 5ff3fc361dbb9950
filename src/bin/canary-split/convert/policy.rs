//! The plugin for Envoy Gateway: an EnvoyExtensionPolicy.

use super::gateway::Aim;
use crate::edit::flow;
use crate::input::manifest::GATEWAY_API;
use serde_json::json;

/// All of it as YAML. `image`: with the scheme that a WasmPlugin needs; `rules`: as they are written in one.
pub fn text(name: &str, namespace: &str, aim: &Aim, image: &str, rules: &str) -> String {
    let word = |text: &str| flow(&json!(text), false);
    let namespace = match namespace {
        "" => String::new(),
        namespace => format!("  namespace: {}  # that of the Gateway\n", word(namespace)),
    };
    let target = |listener: Option<&String>| {
        let (kind, name) = (aim.kind, word(&aim.name));
        let listener = listener.map_or_else(String::new, |name| format!("    sectionName: {}\n", word(name)));
        format!("  - group: {GATEWAY_API}\n    kind: {kind}\n    name: {name}\n{listener}")
    };
    let targets: String = match &*aim.listeners {
        [] => target(None),
        // An edit drains the connections of these listeners alone.
        listeners => listeners.iter().map(|listener| target(Some(listener))).collect(),
    };
    // Two columns deeper than there.
    let rules: String = rules.lines().map(|line| format!("  {line}\n")).collect();
    let image = image.strip_prefix("oci://").unwrap_or(image);
    format!(
        "\
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata:
  name: {name}
{namespace}  labels: {{app.kubernetes.io/part-of: canary-split}}  # by which it is deleted
spec:
  targetRefs:
{targets}  wasm:
  - name: {name}
    rootID: canary-split  # its name in Envoy's log
    code:
      type: Image
      # The one place for the image: what `make image` prints and you have pushed. Pin the digest; a tag is not pulled again.
      image:
        url: {image}
    # Without the module everything goes to stable; false would refuse all of the gateway's traffic instead.
    failOpen: true
    config:
      rules:
{rules}",
        name = word(name),
    )
}
