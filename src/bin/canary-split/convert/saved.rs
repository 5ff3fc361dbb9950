//! What is saved with `--write`, so that there is a way back: objects as they were, if no file has them that could be applied again.
//!
//! No command takes files of these names for manifests unless it is given their names: they must not be applied with the others.

use super::export;
use super::extra::Leave;
use super::files::{self, File};
use super::result::Converted;
use super::stream;
use super::texts::Text;
use std::path::Path;
use std::rc::Rc;

/// The routes as they were.
const ROUTES: &str = "before.yaml.saved";
/// What is removed, for example a Canary.
const REMOVED: &str = "removed.yaml.saved";

/// The files with what is saved.
#[derive(Debug, Default)]
pub struct Saved {
    pub routes: Option<File>,
    pub removed: Option<File>,
}

impl Saved {
    /// What is to be saved into a folder.
    pub fn of(converted: &Converted, folder: Option<&Path>) -> Saved {
        let file = |name: &str, texts: &[String]| {
            let folder = folder.filter(|_| !texts.is_empty())?;
            Some(File { path: folder.join(name), text: stream::of(texts) })
        };
        let routes: Vec<String> = converted.texts.edited().flat_map(Text::before).collect();
        let removed = converted.leaves.iter().filter(|leave| is_saved(converted, leave));
        let removed: Vec<String> = removed.map(|leave| export::document(&leave.object.node)).collect();
        Saved { routes: file(ROUTES, &routes), removed: file(REMOVED, &removed) }
    }

    /// All of the files.
    pub fn files(&self) -> impl Iterator<Item = &File> + Clone {
        self.routes.iter().chain(&self.removed)
    }

    /// How something that is removed comes back.
    pub fn back(&self, converted: &Converted, leave: &Leave) -> String {
        let file = self.removed.as_ref().filter(|_| is_saved(converted, leave));
        file.map_or_else(
            || leave.back.clone(),
            |file| format!("{}; it is saved in {}", leave.back, file.path.display()),
        )
    }
}

/// Whether something that is removed is to be saved.
fn is_saved(converted: &Converted, leave: &Leave) -> bool {
    let text = converted.texts.0.iter().find(|text| Rc::ptr_eq(&text.old, &leave.object.source));
    text.is_none_or(|text| text.is_export || !files::is_file(&text.old.name))
}
