//! Which file of a kustomization a place in what it renders is from.

use super::secrets::Hidden;
use super::step::Step;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{self, Unit};
use crate::input::yaml::Node;
use crate::report::finding::Origin;
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// What the files of kustomizations hold, each read once.
#[derive(Default)]
pub struct Origins {
    known: HashMap<PathBuf, Files>,
}

/// What the files of a kustomization hold.
struct Files {
    objects: Objects,
    secrets: Hidden,
}

impl Origins {
    /// Where the same value of the same object is, if a file of the kustomization has it.
    pub fn find(&mut self, folder: &Path, object: &Object, steps: &[Step]) -> Option<Origin> {
        let files = self.known.entry(folder.to_owned()).or_insert_with(|| {
            let objects = files_of(folder);
            Files { secrets: Hidden::of(&objects), objects }
        });
        let rendered = walk(&object.node, steps)?.0.to_json();
        let is_same = |other: &&Object| other.kind == object.kind && other.name == object.name;
        // What is patched is where the patch is: files that are named later have the last word.
        files.objects.objects.iter().rev().filter(is_same).find_map(|other| {
            let (node, at) = walk(&other.node, steps).filter(|(node, _)| node.to_json() == rendered)?;
            let (text, begins) = other.source.line(at);
            let end = node.span.end.saturating_sub(begins).min(text.len());
            let (start, line) = (at - begins, other.source.position(at).0);
            let pointed = start..end.max(start);
            let masked = files.secrets.line(&other.source, at);
            Some(Origin { file: other.source.name.clone(), line, text: text.to_owned(), masked, pointed })
        })
    }
}

/// The value at the end, and the byte at which its key or itself begins.
fn walk<'n>(node: &'n Node, steps: &[Step]) -> Option<(&'n Node, usize)> {
    steps.iter().try_fold((node, node.span.start), |(node, _), step| match step {
        Step::Key(name) => {
            let (key, value) = node.entries().iter().rfind(|(key, _)| key.name == *name)?;
            Some((value, key.span.start))
        }
        Step::Item(at) => node.items().get(*at).map(|item| (item, item.span.start)),
    })
}

/// `a/../b` → `b`
fn joined(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in Path::new(name).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => drop(path.pop()),
            other => path.push(other),
        }
    }
    path
}

/// All files that a kustomization names, and those of the kustomizations that it names.
fn files_of(folder: &Path) -> Objects {
    let (mut seen, mut unit) = (HashSet::new(), Unit::default());
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if !path.canonicalize().is_ok_and(|path| seen.insert(path)) {
            continue;
        }
        if path.is_dir() {
            let files = sources::KUSTOMIZATIONS.iter().filter_map(|name| sources::read(&path.join(name)).ok());
            for node in files.flat_map(|file| file.read().0) {
                named(&node, &mut |name| open.push(joined(&path, name)));
            }
        } else if let Ok(source) = sources::read(&path) {
            unit.sources.insert(0, Rc::new(source));
        }
    }
    Objects::readable(&unit)
}

/// Every text in a kustomization may name a file or a folder.
fn named(node: &Node, found: &mut impl FnMut(&str)) {
    if let Some(text) = node.text().filter(|text| !text.contains('\n') && !text.starts_with('/')) {
        found(text);
    }
    for (_, value) in node.entries() {
        named(value, found);
    }
    for item in node.items() {
        named(item, found);
    }
}
