//! Which kustomizations and folders are compared with each other: all that do not hold the same object.

use super::parts::{self, Part};
use crate::input::manifest::Objects;
use crate::report::finding::Finding;
use std::collections::{HashMap, HashSet};

/// Objects that are compared with each other.
#[derive(Debug)]
pub struct World {
    /// What they are called: the folder of the version, or of the only part; empty: several.
    pub folder: String,
    /// All of them.
    pub objects: Objects,
}

/// Parts that hold the same object are versions: each is compared with the parts that have no version. Of these what is found counts
/// if it is found with every version.
pub struct Worlds {
    /// At least one, if there is any part.
    pub all: Vec<World>,
    /// The names of the texts that are in all of them, if there are several.
    shared: HashSet<String>,
}

impl Worlds {
    /// Of all parts.
    pub fn of(parts: Vec<Part>) -> Worlds {
        let is_version = parts::versions(&parts);
        let (versions, shared): (Vec<_>, Vec<_>) = parts.into_iter().zip(is_version).partition(|(_, is)| *is);
        let [versions, shared] =
            [versions, shared].map(|parts| parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>());
        let sources = shared.iter().flat_map(|part| &part.objects.sources).map(|source| source.name.clone()).collect();
        let all = if versions.is_empty() {
            let folder = if let [part] = shared.as_slice() { part.folder.clone() } else { String::new() };
            let objects = Objects::together(shared.iter().map(|part| &part.objects));
            if shared.is_empty() { Vec::new() } else { vec![World { folder, objects }] }
        } else {
            let together = |version: Part| World {
                objects: Objects::together(shared.iter().map(|part| &part.objects).chain([&version.objects])),
                folder: version.folder,
            };
            versions.into_iter().map(together).collect()
        };
        Worlds { all, shared: sources }
    }

    /// What is found in each of them → what counts, in the order of the worlds.
    pub fn united(&self, found: Vec<Vec<Finding>>) -> Vec<Finding> {
        let worlds = found.len();
        let is_shared = |finding: &Finding| self.shared.contains(&finding.source.name);
        let mut counts: HashMap<_, usize> = HashMap::new();
        for finding in found.iter().flatten().filter(|finding| is_shared(finding)) {
            *counts.entry(finding.identity()).or_default() += 1;
        }
        let mut united: Vec<Finding> = Vec::new();
        for finding in found.into_iter().flatten() {
            // Taken away, so that it counts once.
            if !is_shared(&finding) || counts.remove(&finding.identity()) == Some(worlds) {
                united.push(finding);
            }
        }
        united
    }
}
