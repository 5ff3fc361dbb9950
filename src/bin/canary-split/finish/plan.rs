//! Edits of several objects, in their order.

use crate::diff::Diff;
use crate::edit::{Edit, patch};
use crate::input::manifest::{Object, PluginConfig};
use canary_split::rollout::ramp::Second;
use serde_json::Value;

/// The edits of one object.
#[derive(Debug)]
pub struct Stage {
    /// The current object.
    pub object: Object,
    /// The edits, from its root.
    pub edits: Vec<Edit>,
    /// The same in words.
    pub said: String,
    /// Why it has this place in the order.
    pub why: &'static str,
}

/// The whole plan.
#[derive(Debug)]
pub struct Plan {
    /// `NAMESPACE/NAME` of the plugin.
    pub plugin: String,
    /// The rule.
    pub rule: String,
    /// Its weights before.
    pub old: Vec<(String, u64)>,
    /// Its weights after; none: it is removed.
    pub new: Vec<(String, u64)>,
    /// The share of the visitors who move.
    pub moved: f64,
    /// The steps in their order; none: nothing to do.
    pub stages: Vec<Stage>,
    /// Notes.
    pub notes: Vec<String>,
}

/// An object as JSON.
pub fn json(object: &Object) -> Value {
    serde_json::from_str(&object.node.to_json()).unwrap_or_default()
}

/// The config that a plugin has after these edits.
pub fn edited(config: &PluginConfig, edits: &[Edit]) -> Result<PluginConfig, String> {
    let object = config.object.as_ref().ok_or("not a plugin")?;
    let mut value = json(object);
    patch::apply(&mut value, edits)?;
    PluginConfig::living(&value).ok_or_else(|| format!("{} would be no plugin of this filter", object.title()))
}

/// The share of the visitors of a rule who move by these edits of its plugin.
pub fn moved(config: &PluginConfig, edits: &[Edit], rule: &str, now: Second) -> Result<f64, String> {
    let new = edited(config, edits)?;
    let diff = Diff::between(std::slice::from_ref(config), std::slice::from_ref(&new), now);
    Ok(diff.moved(rule).unwrap_or(0.0))
}
