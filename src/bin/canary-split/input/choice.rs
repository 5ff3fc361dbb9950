//! The configs of a file or folder, and the choice of one.

use super::manifest::{Objects, PluginConfig};
use super::sources::{self, Unit};
use super::stderr;
use super::unreadable::Unreadable;
use std::path::Path;

/// The configs at a path, and the files there that could not be read.
#[derive(Debug, Default)]
pub struct Given {
    /// At least one.
    pub configs: Vec<PluginConfig>,
    /// Everything there.
    pub units: Vec<Unit>,
    /// These may contain more configs.
    pub unreadable: Vec<Unreadable>,
}

/// The configs at a path.
///
/// # Errors
///
/// If nothing that can be read is a config.
pub fn read(path: &Path) -> Result<Given, String> {
    let input = sources::read_all(&[path.to_owned()]);
    let mut given = Given { unreadable: input.unreadable, ..Given::default() };
    for objects in input.units.iter().map(Objects::readable) {
        given.configs.extend(objects.configs());
        given.unreadable.extend(objects.unreadable);
    }
    given.units = input.units;
    if !given.configs.is_empty() {
        return Ok(given);
    }
    let told: Vec<_> = given.unreadable.iter().map(Unreadable::to_string).collect();
    if told.is_empty() {
        return Err(format!("{}: no WasmPlugin of this filter and no pluginConfig", shown(path)));
    }
    Err(stderr::error_of(told))
}

/// The name of a path.
pub fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// The chosen config of a place: that of the plugin `NAME` or `NAMESPACE/NAME`, or the only one.
pub fn choose(place: &str, all: &[PluginConfig], plugin: Option<&str>) -> Result<PluginConfig, String> {
    let titles = || listed(all.iter().map(PluginConfig::title));
    let is_named = |config: &&PluginConfig, wanted: &str| {
        config.title() == wanted || config.object.as_ref().is_some_and(|object| object.name == wanted)
    };
    let fitting: Vec<&PluginConfig> =
        all.iter().filter(|config| plugin.is_none_or(|wanted| is_named(config, wanted))).collect();
    match (fitting.as_slice(), plugin) {
        ([config], _) => Ok((*config).clone()),
        ([], Some(wanted)) if !all.is_empty() && all.iter().all(|config| config.object.is_none()) => {
            Err(format!("{place}: no WasmPlugin {wanted} of this filter, but a bare pluginConfig; leave out --plugin"))
        }
        ([], Some(wanted)) if !all.is_empty() => {
            Err(format!("{place}: no WasmPlugin {wanted} of this filter; there are {}", titles()))
        }
        ([], _) => Err(format!("{place}: no WasmPlugin of this filter and no pluginConfig")),
        (several @ [first, ..], _) if several.iter().all(|config| config.title() == first.title()) => {
            let files = listed(several.iter().map(|config| config.source.name.clone()));
            Err(format!("{place}: {} is there {} times, in {files}; give one of these", first.title(), several.len()))
        }
        _ => Err(format!("{place}: several WasmPlugins of this filter; choose with --plugin: {}", titles())),
    }
}

/// The first ones, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    const MOST: usize = 10;
    let more = names.len().saturating_sub(MOST);
    let mut first: Vec<String> = names.take(MOST).collect();
    if more > 0 {
        first.push(format!("{more} more"));
    }
    first.join(", ")
}
