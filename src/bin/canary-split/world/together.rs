//! Which kustomizations and folders are applied together: all that do not hold the same object.

use super::parts::{self, Part};
use crate::input::manifest::Objects;
use crate::input::sources::Source;
use crate::report::finding::Finding;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Objects that are applied together.
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
    /// How many of them have what is shared: the first.
    sharing: usize,
    /// The names of the texts that are shared.
    shared: HashSet<String>,
    /// What is shared.
    common: Objects,
}

impl Worlds {
    /// Of all parts.
    pub fn of(parts: Vec<Part>) -> Worlds {
        // With versions in it, a part can be compared with nothing; that is no reason not to compare the others.
        let (alone, parts): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| parts::twice(&part.objects).is_some());
        let is_version = parts::versions(&parts);
        let (versions, shared): (Vec<_>, Vec<_>) = parts.into_iter().zip(is_version).partition(|(_, is)| *is);
        let [versions, shared] =
            [versions, shared].map(|parts| parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>());
        let names = shared.iter().flat_map(|part| &part.objects.sources).map(|source| source.name.clone()).collect();
        let common = Objects::together(shared.iter().map(|part| &part.objects));
        let mut all: Vec<World> = versions.into_iter().map(|version| together(&shared, Some(version))).collect();
        if all.is_empty() && !shared.is_empty() {
            all.push(together(&shared, None));
        }
        let sharing = all.len();
        all.extend(alone.into_iter().map(|part| together(&[], Some(part))));
        Worlds { all, sharing, shared: names, common }
    }

    /// What is surely applied together with a text, and the folders of the versions of which one is applied too.
    pub fn with(self, source: &Rc<Source>) -> (Objects, Vec<String>) {
        let has = |world: &World| world.objects.sources.iter().any(|own| Rc::ptr_eq(own, source));
        let mut found: Vec<World> = self.all.into_iter().filter(has).collect();
        match found.pop() {
            Some(only) if found.is_empty() => (only.objects, Vec::new()),
            Some(last) => (self.common, found.into_iter().chain([last]).map(|world| world.folder).collect()),
            None => Default::default(),
        }
    }

    /// What is found in each of them → what counts, in the order of the worlds.
    pub fn united(&self, found: Vec<Vec<Finding>>) -> Vec<Finding> {
        let is_shared = |finding: &Finding| self.shared.contains(&finding.source.name);
        let mut counts: HashMap<_, usize> = HashMap::new();
        for finding in found.iter().flatten().filter(|finding| is_shared(finding)) {
            *counts.entry(finding.identity()).or_default() += 1;
        }
        let mut united: Vec<Finding> = Vec::new();
        for finding in found.into_iter().flatten() {
            // Taken away, so that it counts once.
            if !is_shared(&finding) || counts.remove(&finding.identity()) == Some(self.sharing) {
                united.push(finding);
            }
        }
        united
    }
}

fn together(shared: &[Part], version: Option<Part>) -> World {
    let folder = match (&version, shared) {
        (Some(part), _) => part.folder.clone(),
        (None, [part]) => part.folder.clone(),
        _ => String::new(),
    };
    let all = shared.iter().chain(&version);
    World { folder, objects: Objects::together(all.map(|part| &part.objects)) }
}
