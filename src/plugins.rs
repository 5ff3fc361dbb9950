//! Which live plugins of a gateway write which header: two with one header would undo each other's decisions.

use crate::json::Json;
use std::collections::BTreeMap;

/// The live plugins, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugins(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// The header that the plugin writes.
    header: String,
    /// The VM that has noted it last. It alone takes the entry away: when a module is replaced, the old one's VMs end while
    /// the new one's serve the same plugin.
    by: u64,
}

impl Plugins {
    /// Notes that a plugin writes a header; whether that is news.
    pub fn insert(&mut self, plugin: &str, header: &str, by: u64) -> bool {
        let entry = Entry { header: header.to_owned(), by };
        self.0.insert(plugin.to_owned(), entry.clone()).as_ref() != Some(&entry)
    }

    /// Notes that a plugin has ended in a VM; whether that is news.
    pub fn remove(&mut self, plugin: &str, by: u64) -> bool {
        let is_last = self.0.get(plugin).is_some_and(|entry| entry.by == by);
        is_last && self.0.remove(plugin).is_some()
    }

    /// Another plugin that writes this plugin's header.
    pub fn rival(&self, plugin: &str) -> Option<String> {
        let header = &self.0.get(plugin)?.header;
        self.0.iter().find(|(other, entry)| entry.header == *header && *other != plugin).map(|(other, _)| other.clone())
    }

    /// The list as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let entry = |entry: &Entry| Json::List(vec![Json::String(entry.header.clone()), Json::Unsigned(entry.by)]);
        let fields = self.0.iter().map(|(plugin, e)| (plugin.clone(), entry(e)));
        Json::Object(fields.collect()).to_string().into_bytes()
    }

    /// Reads what [`Plugins::to_bytes`] wrote; anything else is an empty list.
    pub fn from_bytes(bytes: &[u8]) -> Plugins {
        let Ok(Json::Object(fields)) = Json::parse(bytes) else { return Plugins::default() };
        let entry = |(plugin, json)| match json {
            Json::List(parts) => match <[Json; 2]>::try_from(parts) {
                Ok([Json::String(header), Json::Unsigned(by)]) => Some((plugin, Entry { header, by })),
                _ => None,
            },
            _ => None,
        };
        Plugins(fields.into_iter().filter_map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Plugins;

    #[test]
    fn a_rival_is_another_live_plugin_with_the_same_header() {
        let mut plugins = Plugins::default();
        assert!(plugins.insert("a", "x-a", 1));
        assert!(!plugins.insert("a", "x-a", 1));
        assert!(plugins.insert("b", "x-b", 1));
        assert_eq!(plugins.rival("b"), None);
        assert!(plugins.insert("b", "x-a", 1));
        assert_eq!(Plugins::from_bytes(&plugins.to_bytes()).rival("b").as_deref(), Some("a"));
        assert!(plugins.remove("a", 1));
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b"), None);
    }

    #[test]
    fn a_plugin_that_a_newer_vm_serves_stays_when_the_older_one_ends() {
        let mut plugins = Plugins::default();
        plugins.insert("a", "x-a", 1);
        plugins.insert("a", "x-a", 2);
        plugins.insert("b", "x-a", 2);
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b").as_deref(), Some("a"));
    }
}
