//! The live plugins of a gateway, with their headers and the states of their rules: two plugins with one header would undo
//! each other's decisions, and a gauge has one value for all of them.

use super::evaluation::Counts;
use std::fmt::Write;

/// Another live plugin that writes the same header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// The header.
    pub header: String,
    /// Whether it may be this plugin under its former name, on its way out: it has had the same config for a second or more.
    pub may_be_leaving: bool,
}

/// What a VM serves for a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Serving<'s> {
    /// The generation of its config.
    pub generation: u64,
    /// The hash of its config.
    pub config: u64,
    /// The headers that it writes, with commas between them.
    pub headers: &'s str,
    /// Its rules by their state.
    pub counts: Counts,
}

/// The live plugins, in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugins(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Its name: one line.
    plugin: String,
    /// The generation of the config that says so.
    generation: u64,
    /// The hash of that config.
    config: u64,
    /// When it came, in milliseconds since 1970.
    since: u64,
    /// The headers that the plugin writes, with commas between them.
    headers: String,
    /// Its rules by their state.
    counts: Counts,
    /// The VM that noted it last. Only this VM removes the entry: when a module is replaced, the old one's VMs end while the
    /// new one's serve the same plugin.
    by: u64,
}

impl Plugins {
    /// Notes the config of this generation that a VM has received for a plugin; true if that is news. A late one is news only
    /// if the VM is new too.
    pub fn insert(&mut self, plugin: &str, serving: Serving, by: u64, now: u64) -> bool {
        let Serving { generation, config, headers, counts } = serving;
        let new = Entry {
            plugin: plugin.to_owned(),
            generation,
            config,
            since: now,
            headers: headers.to_owned(),
            counts,
            by,
        };
        let Some(known) = self.0.iter_mut().find(|entry| entry.plugin == plugin) else {
            self.0.push(new);
            return true;
        };
        let newest = if known.generation > generation {
            Entry { by, ..known.clone() }
        } else {
            Entry { since: if known.config == config { known.since } else { now }, ..new }
        };
        let is_news = *known != newest;
        *known = newest;
        is_news
    }

    fn get(&self, plugin: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.plugin == plugin)
    }

    /// Whether a plugin is among them.
    pub fn contains(&self, plugin: &str) -> bool {
        self.get(plugin).is_some()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.plugin.as_str())
    }

    /// The rules of all of them, by their state.
    pub fn counts(&self) -> Counts {
        self.0.iter().fold(Counts::default(), |sum, Entry { counts, .. }| Counts {
            active: sum.active + counts.active,
            last_good: sum.last_good + counts.last_good,
            off: sum.off + counts.off,
        })
    }

    /// Notes that a plugin has ended in a VM; true if that is news.
    pub fn remove(&mut self, plugin: &str, by: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.plugin != plugin || entry.by != by);
        self.0.len() < before
    }

    /// Another plugin that writes a header of this plugin's.
    pub fn rival(&self, plugin: &str, now: u64) -> Option<Rival> {
        let own = self.get(plugin)?;
        let shared = |other: &Entry| {
            other.headers.split(',').find(|header| own.headers.split(',').any(|own| own == *header)).map(str::to_owned)
        };
        let others = self.0.iter().filter(|other| other.plugin != plugin);
        let (rival, header) = others.filter_map(|other| Some((other, shared(other)?))).next()?;
        let may_be_leaving = rival.config == own.config && now.saturating_sub(rival.since) >= 1000;
        Some(Rival { name: rival.plugin.clone(), header, may_be_leaving })
    }

    /// The list as it is stored: a line for each plugin, the name last.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for entry in &self.0 {
            let Entry { plugin, generation, config, since, headers, counts: Counts { active, last_good, off }, by } =
                entry;
            let _ = writeln!(text, "{by} {generation} {config} {since} {active} {last_good} {off} {headers} {plugin}");
        }
        text.into_bytes()
    }

    /// Reads what [`Plugins::to_bytes`] wrote; any other line is no plugin.
    pub fn from_bytes(bytes: &[u8]) -> Plugins {
        let entry = |line: &str| {
            let mut parts = line.splitn(9, ' ');
            let mut number = || parts.next()?.parse::<u64>().ok();
            let [by, generation, config, since] = [number()?, number()?, number()?, number()?];
            let [active, last_good, off] = [number()?, number()?, number()?].map(|count| count as usize);
            let (headers, plugin) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            Some(Entry { plugin, generation, config, since, headers, counts: Counts { active, last_good, off }, by })
        };
        Plugins(std::str::from_utf8(bytes).unwrap_or_default().lines().filter_map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Plugins, Serving};

    const ONE: Counts = Counts { active: 1, last_good: 2, off: 3 };

    /// A config of this generation that writes these headers; the same headers are the same config.
    fn serving(generation: u64, headers: &str) -> Serving<'_> {
        Serving { generation, config: headers.len() as u64, headers, counts: ONE }
    }

    #[test]
    fn a_rival_is_another_live_plugin_with_the_same_header() {
        let mut plugins = Plugins::default();
        assert!(plugins.insert("a", serving(1, "x-a"), 1, 0));
        assert!(!plugins.insert("a", serving(1, "x-a"), 1, 0));
        assert!(plugins.insert("b", serving(1, "x-b"), 1, 0));
        assert_eq!(plugins.rival("b", 0), None);
        assert!(plugins.insert("b", serving(2, "x-a"), 1, 0));
        assert!(!plugins.insert("b", serving(1, "x-b"), 1, 0), "a late config");
        assert_eq!(
            Plugins::from_bytes(&plugins.to_bytes()).rival("b", 0).map(|rival| rival.name).as_deref(),
            Some("a")
        );
        assert!(plugins.remove("a", 1));
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b", 0), None);
    }

    #[test]
    fn one_header_of_several_makes_a_rival() {
        let mut plugins = Plugins::default();
        plugins.insert("a", serving(1, "x-a,x-draw"), 1, 0);
        plugins.insert("b", serving(1, "x-b,x-draw"), 1, 0);
        plugins.insert("c", serving(1, "x-draw,x-dra"), 1, 0);
        plugins.insert("d", serving(1, "x-dra"), 1, 0);
        let rival = |of: &str| plugins.rival(of, 0).map(|rival| (rival.name, rival.header));
        assert_eq!(rival("b"), Some(("a".to_owned(), "x-draw".to_owned())));
        assert_eq!(rival("d"), Some(("c".to_owned(), "x-dra".to_owned())));
    }

    #[test]
    fn a_plugin_that_a_newer_vm_serves_stays_when_the_older_one_ends() {
        let mut plugins = Plugins::default();
        plugins.insert("a", serving(1, "x-a"), 1, 0);
        plugins.insert("a", serving(1, "x-a"), 2, 0);
        plugins.insert("b", serving(1, "x-a"), 2, 0);
        assert!(!plugins.remove("a", 1));
        assert_eq!(plugins.rival("b", 0).map(|rival| rival.name).as_deref(), Some("a"));
    }

    #[test]
    fn the_rules_of_all_plugins_add_up() {
        let mut plugins = Plugins::default();
        plugins.insert("a", serving(1, "x-a"), 1, 0);
        plugins.insert("b", serving(1, "x-b"), 1, 0);
        let stored = Plugins::from_bytes(&plugins.to_bytes());
        assert_eq!(stored, plugins);
        assert_eq!(stored.counts(), Counts { active: 2, last_good: 4, off: 6 });
        plugins.remove("a", 1);
        assert_eq!(plugins.counts(), ONE);
    }

    #[test]
    fn a_rival_with_the_same_config_may_be_the_same_plugin_under_its_old_name() {
        let mut plugins = Plugins::default();
        plugins.insert("old", serving(1, "x-a"), 1, 0);
        // Known again, by another VM.
        plugins.insert("old", serving(1, "x-a"), 2, 900);
        plugins.insert("new", serving(1, "x-a"), 1, 999);
        let may_be_leaving = |plugins: &Plugins, now| plugins.rival("new", now).map(|rival| rival.may_be_leaving);
        assert_eq!(may_be_leaving(&plugins, 999), Some(false), "both have just started");
        assert_eq!(may_be_leaving(&Plugins::from_bytes(&plugins.to_bytes()), 1000), Some(true));
        plugins.insert("new", Serving { config: 7, ..serving(2, "x-a") }, 1, 1000);
        assert_eq!(may_be_leaving(&plugins, 9000), Some(false));
    }
}
