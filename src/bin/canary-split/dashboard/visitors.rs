//! Visitors as dots among the draws: a file says which subset has answered each of them last.

use super::envoys;
use super::rule::key;
use crate::cluster::reading::PluginReading;
use crate::input::reason::reason;
use crate::world::World;
use canary_split::rule::Target;
use canary_split::split::Salt;
use canary_split::visitor::cookie::Held;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// The visitors of a file: lines of `NAME=VALUE SUBSET`, or `NAME=VALUE SUBSET failed`.
#[derive(Default)]
pub struct Visitors {
    /// The file, if one was given.
    file: Option<PathBuf>,
    /// The last subset of each, and when he or she moved there.
    seen: HashMap<String, (String, Option<u64>)>,
}

/// A visitor.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Dot {
    /// The place among the draws.
    position: u32,
    /// The subset that answered last.
    subset: String,
    /// Whether it failed.
    failed: bool,
    /// When the visitor came from another subset; seconds since 1970.
    moved: Option<u64>,
}

/// The visitors of each rule, by the name of its history.
pub type Dots = BTreeMap<String, Vec<Dot>>;

impl Visitors {
    /// Those of a file.
    pub fn of(file: Option<PathBuf>) -> Visitors {
        Visitors { file, seen: HashMap::new() }
    }

    /// Reads them; none without a file.
    pub fn read(&mut self, world: &World, plugins: &[PluginReading], now: u64) -> Result<Dots, String> {
        let Some(file) = &self.file else { return Ok(Dots::new()) };
        envoys::small(file)?;
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {}", file.display(), reason(&error)))?;
        Ok(self.dots(&text, &cookies(world, plugins), now))
    }

    fn dots(&mut self, text: &str, cookies: &HashMap<String, (String, Salt)>, now: u64) -> Dots {
        let mut dots = Dots::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(cookie), Some(subset)) = (words.next(), words.next()) else { continue };
            let failed = words.next() == Some("failed");
            let Some((name, value)) = cookie.split_once('=') else { continue };
            let Some(((key, salt), held)) = cookies.get(name).zip(Held::parse(value.as_bytes())) else { continue };
            let seen = self.seen.entry(cookie.to_owned()).or_insert_with(|| (subset.to_owned(), None));
            if seen.0 != subset {
                *seen = (subset.to_owned(), Some(now));
            }
            let dot = Dot { position: salt.position(held.draw), subset: subset.to_owned(), failed, moved: seen.1 };
            dots.entry(key.clone()).or_default().push(dot);
        }
        dots
    }
}

/// The rules' own cookies, each with the name of the rule's history and what leads from a draw to its place.
fn cookies(world: &World, plugins: &[PluginReading]) -> HashMap<String, (String, Salt)> {
    let mut cookies = HashMap::new();
    for reading in plugins {
        let rules = reading.plugin(world).map_or(&[][..], |plugin| &plugin.rules);
        for (_, rule) in rules {
            if let (Some((cookie, _)), Target::Split(split)) = (rule.cookie(), &rule.target) {
                cookies.entry(cookie.name.clone()).or_insert_with(|| (key(reading, &rule.name), split.salt));
            }
        }
    }
    cookies
}

#[cfg(test)]
mod tests {
    use super::{Dot, Visitors};
    use canary_split::split::{Draw, Salt};
    use std::collections::HashMap;

    #[test]
    fn a_visitor_who_gets_another_subset_has_moved() {
        let salt = Salt::new(b"shop");
        let cookies = HashMap::from([("canary-shop".to_owned(), ("a/b shop".to_owned(), salt))]);
        let mut visitors = Visitors::default();
        let dot = |subset: &str, failed, moved| Dot {
            position: salt.position(Draw(7)),
            subset: subset.to_owned(),
            failed,
            moved,
        };
        for (at, line, expected) in [
            (1, "canary-shop=1.00000007.1c8cf84 v1", Some(dot("v1", false, None))),
            (2, "canary-shop=1.00000007.1c8cf84 v1 failed", Some(dot("v1", true, None))),
            (3, "canary-shop=1.00000007.1c8cf84 v2", Some(dot("v2", false, Some(3)))),
            (4, "canary-shop=1.00000007.1c8cf84 v2", Some(dot("v2", false, Some(3)))),
            (5, "canary-shop=1.00000007.1c8cf84 v1", Some(dot("v1", false, Some(5)))),
            (6, "other=1.00000007.1c8cf84 v1", None),
            (7, "canary-shop=x v1", None),
            (8, "canary-shop=1.00000007.1c8cf84", None),
        ] {
            let mut dots = visitors.dots(&format!("\n{line}\n"), &cookies, at);
            assert_eq!(dots.remove("a/b shop").unwrap_or_default(), Vec::from_iter(expected), "{line}");
        }
    }
}
