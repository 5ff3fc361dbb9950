//! Which live plugins of a gateway write which header, and how their rules are: two with one header would undo each other's
//! decisions, and a gauge has one value for all of them.

use crate::json::Json;
use crate::reload::Counts;
use std::collections::BTreeMap;

/// The live plugins, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugins(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// The generation of the config that says so.
    generation: u64,
    /// The header that the plugin writes.
    header: String,
    /// Its rules by their state.
    counts: Counts,
    /// The VM that has noted it last. It alone takes the entry away: when a module is replaced, the old one's VMs end while
    /// the new one's serve the same plugin.
    by: u64,
}

impl Plugins {
    /// Notes what a VM has been given as a plugin's config of this generation; whether that is news. A late one is no news, but
    /// for the VM that has come with it.
    pub fn insert(&mut self, plugin: &str, generation: u64, header: &str, counts: Counts, by: u64) -> bool {
        let entry = Entry { generation, header: header.to_owned(), counts, by };
        let newest = match self.0.get(plugin) {
            Some(known) if known.generation > generation => Entry { by, ..known.clone() },
            _ => entry,
        };
        self.0.insert(plugin.to_owned(), newest.clone()).as_ref() != Some(&newest)
    }

    /// Whether a plugin is among them.
    pub fn contains(&self, plugin: &str) -> bool {
        self.0.contains_key(plugin)
    }

    /// The rules of all of them, by their state.
    pub fn counts(&self) -> Counts {
        self.0.values().fold(Counts::default(), |sum, Entry { counts, .. }| Counts {
            active: sum.active + counts.active,
            last_good: sum.last_good + counts.last_good,
            off: sum.off + counts.off,
        })
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
        let entry = |entry: &Entry| {
            let Counts { active, last_good, off } = entry.counts;
            let counts = [active, last_good, off].map(|count| Json::Unsigned(count as u64));
            let numbers = [Json::Unsigned(entry.by), Json::Unsigned(entry.generation)].into_iter().chain(counts);
            Json::List(std::iter::once(Json::String(entry.header.clone())).chain(numbers).collect())
        };
        let fields = self.0.iter().map(|(plugin, e)| (plugin.clone(), entry(e)));
        Json::Object(fields.collect()).to_string().into_bytes()
    }

    /// Reads what [`Plugins::to_bytes`] wrote; anything else is an empty list.
    pub fn from_bytes(bytes: &[u8]) -> Plugins {
        let Ok(Json::Object(fields)) = Json::parse(bytes) else { return Plugins::default() };
        let entry = |(plugin, json)| match json {
            Json::List(parts) => {
                let (Json::String(header), numbers) = parts.split_first()? else { return None };
                let number = |json: &Json| if let Json::Unsigned(number) = json { Some(*number) } else { None };
                let numbers: Vec<u64> = numbers.iter().filter_map(number).collect();
                let [by, generation, active, last_good, off] = <[u64; 5]>::try_from(numbers).ok()?;
                let [active, last_good, off] = [active, last_good, off].map(|count| count as usize);
                let counts = Counts { active, last_good, off };
                Some((plugin, Entry { generation, header: header.clone(), counts, by }))
            }
            _ => None,
        };
        Plugins(fields.into_iter().filter_map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Plugins};

    const ONE: Counts = Counts { active: 1, last_good: 2, off: 3 };

    #[test]
    fn a_rival_is_another_live_plugin_with_the_same_header() {
        let mut plugins = Plugins::default();
        assert!(plugins.insert("a", 1, "x-a", ONE, 1));
        assert!(!plugins.insert("a", 1, "x-a", ONE, 1));
        assert!(plugins.insert("b", 1, "x-b", ONE, 1));
        assert_eq!(plugins.rival("b"), None);
        assert!(plugins.insert("b", 2, "x-a", ONE, 1));
        assert!(!plugins.insert("b", 1, "x-b", ONE, 1), "a late config");
        assert_eq!(Plugins::from_bytes(&plugins.to_bytes()).rival("b").as_deref(), Some("a"));
        assert!(plugins.remove("a", 1));
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b"), None);
    }

    #[test]
    fn a_plugin_that_a_newer_vm_serves_stays_when_the_older_one_ends() {
        let mut plugins = Plugins::default();
        plugins.insert("a", 1, "x-a", ONE, 1);
        plugins.insert("a", 1, "x-a", ONE, 2);
        plugins.insert("b", 1, "x-a", ONE, 2);
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b").as_deref(), Some("a"));
    }

    #[test]
    fn the_rules_of_all_plugins_add_up() {
        let mut plugins = Plugins::default();
        plugins.insert("a", 1, "x-a", ONE, 1);
        plugins.insert("b", 1, "x-b", ONE, 1);
        let stored = Plugins::from_bytes(&plugins.to_bytes());
        assert_eq!(stored, plugins);
        assert_eq!(stored.counts(), Counts { active: 2, last_good: 4, off: 6 });
        plugins.remove("a", 1);
        assert_eq!(plugins.counts(), ONE);
    }
}
