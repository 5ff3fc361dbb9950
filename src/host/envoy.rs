//! What Envoy is asked for.

use crate::rollout::ramp::Second;
use proxy_wasm::hostcalls;
use std::time::UNIX_EPOCH;

/// What Envoy calls this plugin; the same in all VMs and over all configs.
pub(super) fn plugin_name() -> String {
    // Protobuf's strings are UTF-8.
    let named = |name: &str| property(vec![name]).and_then(|name| String::from_utf8(name).ok()).unwrap_or_default();
    // In the list of plugins it is a line's end.
    format!("{}/{}", named("plugin_name"), named("plugin_root_id")).replace(char::is_control, " ")
}

/// What Envoy calls a plugin, without the root id: with Istio `NAMESPACE.NAME` of the WasmPlugin, and maybe more behind it.
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
