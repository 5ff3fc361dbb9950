//! What is applied together, where two versions of an object are given.

use super::strangers;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{Source, Unit};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// Objects that are applied together.
#[derive(Debug)]
pub struct Part {
    /// The folder that they are from; empty: wherever.
    pub folder: String,
    /// All of them.
    pub objects: Objects,
}

/// All of a unit; if an object exists twice, what is in each of the folders that tell the versions apart.
pub fn of(unit: &Unit, notes: &mut Vec<String>) -> Vec<Part> {
    let objects = Objects::readable(unit);
    let folders = if twice(&objects).is_some() { folders(&unit.sources) } else { Vec::new() };
    if folders.len() < 2 {
        return vec![Part { folder: unit.folder.clone(), objects }];
    }
    let units = folders.into_iter().map(|(folder, sources)| Unit { folder: folder.display().to_string(), sources });
    let mut inner = Vec::new();
    let groups: Vec<Vec<Part>> = units.map(|unit| of(&unit, &mut inner)).collect();
    if let Some((first, second)) = twice(&objects) {
        // An object is taken once, and not again for each folder below.
        let said = format!("{} exists twice", second.title());
        inner.retain(|note: &String| !note.starts_with(&said));
        notes.push(format!(
            "{} exists twice ({}, {}), so each folder was compared by itself",
            second.title(),
            first.place(),
            second.place()
        ));
    }
    notes.extend(inner);
    let mut parts: Vec<Part> = groups.into_iter().flatten().collect();
    // An object that is no version of a part may be applied together with it.
    let identities: Vec<HashSet<_>> =
        parts.iter().map(|part| part.objects.objects.iter().map(Object::identity).collect()).collect();
    let beside = |own: &HashSet<_>| {
        let others = parts.iter().zip(&identities).filter(|(_, other)| own.is_disjoint(other));
        others.flat_map(|(other, _)| other.objects.makers()).collect::<Vec<_>>()
    };
    let makers: Vec<_> = identities.iter().map(beside).collect();
    for (part, makers) in parts.iter_mut().zip(makers) {
        part.objects.unknown.extend(makers);
    }
    parts
}

/// Of each part, whether another one holds the same object of those that have to do with the plugin or with routes.
pub fn versions(parts: &[Part]) -> Vec<bool> {
    let all = Objects::together(parts.iter().map(|part| &part.objects));
    let known = strangers::known(&all);
    let is_known = |object: &&Object| known.contains(&std::ptr::from_ref(*object));
    let known: HashSet<_> = all.objects.iter().filter(is_known).map(Object::identity).collect();
    let counts = |object: &&Object| !object.name.is_empty() && known.contains(&object.identity());
    let mut holders: HashMap<_, Vec<usize>> = HashMap::new();
    for (at, part) in parts.iter().enumerate() {
        for object in part.objects.objects.iter().filter(counts) {
            holders.entry(object.identity()).or_default().push(at);
        }
    }
    let mut are = vec![false; parts.len()];
    for holders in holders.into_values() {
        let is_shared = holders.iter().any(|holder| Some(holder) != holders.first());
        for holder in holders.into_iter().filter(|_| is_shared) {
            are.get_mut(holder).into_iter().for_each(|is| *is = true);
        }
    }
    are
}

/// Two versions of one object that has to do with the plugin or with routes.
pub fn twice(objects: &Objects) -> Option<(&Object, &Object)> {
    let all = all_twice(objects);
    if all.is_empty() {
        return None;
    }
    let known = strangers::known(objects);
    let is_known = |object: &Object| known.contains(&std::ptr::from_ref(object));
    all.into_iter().find(|(first, second)| is_known(first) || is_known(second))
}

/// What to say of two versions of another object; nothing that is compared depends on them.
pub fn strangers(objects: &Objects) -> Option<String> {
    let all = if twice(objects).is_some() { Vec::new() } else { all_twice(objects) };
    let (first, second) = all.first()?;
    let (title, first, second) = (second.title(), first.place(), second.place());
    Some(format!("{title} exists twice ({first}, {second}); neither the plugin nor a route has to do with it"))
}

/// All pairs of an object with the first version of it; what has no name is no version of anything.
fn all_twice(objects: &Objects) -> Vec<(&Object, &Object)> {
    let mut seen = HashMap::new();
    let mut pairs = Vec::new();
    for object in objects.objects.iter().filter(|object| !object.name.is_empty()) {
        match seen.entry(object.identity()) {
            Entry::Occupied(first) => pairs.push((*first.get(), object)),
            Entry::Vacant(place) => drop(place.insert(object)),
        }
    }
    pairs
}

/// Texts by the folders at which their paths part.
fn folders(sources: &[Rc<Source>]) -> Vec<(PathBuf, Vec<Rc<Source>>)> {
    let paths: Vec<Vec<Component>> = sources
        .iter()
        .map(|source| {
            let folder = Path::new(&source.name).parent().unwrap_or(Path::new(""));
            folder.components().filter(|part| *part != Component::CurDir).collect()
        })
        .collect();
    let shared = paths.iter().skip(1).fold(paths.first().map_or(0, Vec::len), |shared, path| {
        let first = paths.first().into_iter().flatten();
        first.zip(path).take(shared).take_while(|(one, other)| one == other).count()
    });
    let mut folders: Vec<(PathBuf, Vec<Rc<Source>>)> = Vec::new();
    for (source, path) in sources.iter().zip(&paths) {
        let folder: PathBuf = path.iter().take(shared + 1).collect();
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, sources)) => sources.push(Rc::clone(source)),
            None => folders.push((folder, vec![Rc::clone(source)])),
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::folders;
    use crate::input::sources::Source;
    use std::rc::Rc;

    #[test]
    fn texts_are_told_apart_by_the_first_folder_that_differs() {
        let table = [
            (vec!["envs/prod/a", "./envs/staging/b/a"], vec!["envs/prod", "envs/staging"]),
            (vec!["envs/prod/x/a", "envs/prod/y/a", "envs/dev/a"], vec!["envs/prod", "envs/dev"]),
            (vec!["envs/a", "envs/prod/a"], vec!["envs", "envs/prod"]),
            (vec!["envs/a", "./envs/b"], vec!["envs"]),
            (vec!["/x/a", "/x/y/a"], vec!["/x", "/x/y"]),
            (vec!["standard input", "a"], vec![""]),
        ];
        for (names, expected) in table {
            let source = |name: &&str| Rc::new(Source::new(name.to_string(), ""));
            let sources: Vec<_> = names.iter().map(source).collect();
            let found: Vec<_> = folders(&sources).into_iter().map(|(folder, _)| folder.display().to_string()).collect();
            assert_eq!(found, expected, "{names:?}");
        }
    }
}
