//! Rules of one name in one plugin: the gateways know the first, and what they say is about that one.

use crate::cluster::reading::{PluginReading, RuleReading};
use std::collections::HashSet;

/// The rules of a plugin in their order, and whether an earlier one has the same name.
pub fn rules(plugin: &PluginReading) -> impl Iterator<Item = (&RuleReading, bool)> {
    let mut seen = HashSet::new();
    plugin.rules.iter().map(move |rule| (rule, !seen.insert(&rule.name)))
}
