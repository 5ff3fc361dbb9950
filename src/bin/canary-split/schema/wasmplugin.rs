//! A WasmPlugin that loads the filter.

use super::config::PluginConfig;
use schemars::JsonSchema;
use serde_json::{Map, Value};

/// An Istio WasmPlugin that loads the filter canary-split, or a patch of one.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct WasmPlugin {
    /// Istio's group.
    #[schemars(regex(pattern = r"^extensions\.istio\.io/"), extend("default" = "extensions.istio.io/v1alpha1"))]
    api_version: String,
    /// A WasmPlugin.
    #[schemars(extend("const" = "WasmPlugin"))]
    kind: String,
    /// Its name, in the namespace of the gateway's pods.
    metadata: Map<String, Value>,
    /// What is loaded, where, and what it is told. Fields that are not described here are Istio's.
    spec: Option<Spec>,
}

/// What is loaded, where, and what it is told.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct Spec {
    /// The config of the filter.
    plugin_config: Option<PluginConfig>,
    /// Where the gateway gets the module from; with a digest, since a tag is not pulled again.
    url: Option<String>,
    /// `FAIL_OPEN`: without the module all goes to stable. The default refuses all of the gateway's traffic.
    fail_strategy: Option<Value>,
    /// Its name in Envoy's log.
    plugin_name: Option<String>,
    /// Leave it out: before authentication there are no claims.
    phase: Option<Value>,
    /// Leave it out: the filter belongs on all ports of the gateway.
    #[schemars(rename = "match")]
    matches: Option<Value>,
}
