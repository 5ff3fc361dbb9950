//! Which live plugins of a gateway write which header: two with one header would undo each other's decisions.

use crate::json::Json;
use std::collections::BTreeMap;

/// The headers of the live plugins, by the plugins' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugins(BTreeMap<String, String>);

impl Plugins {
    /// Notes that a plugin writes a header; whether that is news.
    pub fn insert(&mut self, plugin: &str, header: &str) -> bool {
        self.0.insert(plugin.to_owned(), header.to_owned()).as_deref() != Some(header)
    }

    /// Notes that a plugin has ended; whether that is news.
    pub fn remove(&mut self, plugin: &str) -> bool {
        self.0.remove(plugin).is_some()
    }

    /// Another plugin that writes this plugin's header.
    pub fn rival(&self, plugin: &str) -> Option<String> {
        let header = self.0.get(plugin)?;
        self.0.iter().find(|(other, h)| *h == header && *other != plugin).map(|(other, _)| other.clone())
    }

    /// The list as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields = self.0.iter().map(|(plugin, header)| (plugin.clone(), Json::String(header.clone())));
        Json::Object(fields.collect()).to_string().into_bytes()
    }

    /// Reads what [`Plugins::to_bytes`] wrote; anything else is an empty list.
    pub fn from_bytes(bytes: &[u8]) -> Plugins {
        let Ok(Json::Object(fields)) = Json::parse(bytes) else { return Plugins::default() };
        let header = |(plugin, header)| if let Json::String(header) = header { Some((plugin, header)) } else { None };
        Plugins(fields.into_iter().filter_map(header).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Plugins;

    #[test]
    fn a_rival_is_another_live_plugin_with_the_same_header() {
        let mut plugins = Plugins::default();
        assert!(plugins.insert("a", "x-a"));
        assert!(!plugins.insert("a", "x-a"));
        assert!(plugins.insert("b", "x-b"));
        assert_eq!(plugins.rival("b"), None);
        assert!(plugins.insert("b", "x-a"));
        assert_eq!(Plugins::from_bytes(&plugins.to_bytes()).rival("b").as_deref(), Some("a"));
        assert!(plugins.remove("a"));
        assert!(!plugins.remove("a"));
        assert_eq!(plugins.rival("b"), None);
    }
}
