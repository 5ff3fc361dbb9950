//! The configs of a file or folder, and which of them is meant.

use super::manifest::{Objects, PluginConfig};
use super::sources;
use std::path::Path;

/// The configs at a path; at least one.
pub fn read(path: &Path) -> Result<Vec<PluginConfig>, String> {
    let mut configs = Vec::new();
    let input = sources::read_all(&[path.to_owned()]);
    if let Some(unreadable) = input.unreadable.first() {
        return Err(unreadable.to_string());
    }
    for unit in input.units {
        configs.extend(Objects::of(&unit)?.configs());
    }
    if configs.is_empty() {
        return Err(format!("{}: no WasmPlugin of this filter and no pluginConfig", path.display()));
    }
    Ok(configs)
}

/// The one config of a place that is meant: of the plugin `NAME` or `NAMESPACE/NAME`, or the only one.
pub fn choose(place: &str, all: &[PluginConfig], plugin: Option<&str>) -> Result<PluginConfig, String> {
    let titles = || all.iter().map(PluginConfig::title).collect::<Vec<_>>().join(", ");
    let is_named = |config: &&PluginConfig, wanted: &str| {
        config.title() == wanted || config.object.as_ref().is_some_and(|object| object.name == wanted)
    };
    let fitting: Vec<&PluginConfig> =
        all.iter().filter(|config| plugin.is_none_or(|wanted| is_named(config, wanted))).collect();
    match (fitting.as_slice(), plugin) {
        ([config], _) => Ok((*config).clone()),
        ([], Some(wanted)) if !all.is_empty() => {
            Err(format!("{place}: no WasmPlugin {wanted} of this filter; there are {}", titles()))
        }
        ([], _) => Err(format!("{place}: no WasmPlugin of this filter and no pluginConfig")),
        _ => Err(format!("{place}: several WasmPlugins of this filter; choose by --plugin: {}", titles())),
    }
}
