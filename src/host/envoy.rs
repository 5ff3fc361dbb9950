//! What Envoy is asked for.

use crate::rollout::ramp::Second;
use proxy_wasm::hostcalls;
use std::time::UNIX_EPOCH;

/// What Envoy calls this plugin; the same in all VMs and over all configs.
pub(super) fn plugin_name() -> String {
    // Protobuf's strings are UTF-8.
    let named = |name: &str| property(vec![name]).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
    // It ends a line in the list of plugins.
    format!("{}/{}", named("plugin_name"), named("plugin_root_id")).replace(char::is_control, " ")
}

/// Envoy's name of a plugin, without the root id: with Istio `NAMESPACE.NAME` of the WasmPlugin, maybe with a suffix.
pub(super) fn called(plugin: &str) -> &str {
    plugin.rsplit_once('/').map_or(plugin, |(name, _)| name)
}

pub(super) fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}

/// Seconds since 1970.
pub(super) fn second() -> Second {
    Second(now() / 1000)
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let time = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    time.map_or(0, |time| time.as_millis() as u64)
}
