//! `--write`: the files of the result.

use crate::input::reason::reason;
use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file of the result.
#[derive(Debug)]
pub struct File {
    pub path: PathBuf,
    /// The whole content.
    pub text: String,
}

/// File names for texts in one folder, from the names of their sources. A name that is taken gets a number.
pub fn names<'n>(sources: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |source: &str| {
        let path = Path::new(source);
        let last = path.file_name().map(|name| name.to_string_lossy().into_owned());
        // A source that is not a file is the standard input or a rendered folder.
        let last = last.filter(|_| is_file(source)).unwrap_or_else(|| match source {
            "standard input" => "routes.yaml".to_owned(),
            other => format!(
                "{}.yaml",
                Path::new(other).file_name().map_or_else(|| "routes".into(), |name| name.to_string_lossy())
            ),
        });
        let (stem, end) = last.rsplit_once('.').unwrap_or((&last, "yaml"));
        let others = (2..).map(|number: usize| format!("{stem}-{number}.{end}"));
        [last.clone()].into_iter().chain(others).find(|name| taken.insert(name.clone())).unwrap_or_default()
    };
    sources.into_iter().map(name).collect()
}

/// Whether the name of a source is that of a file.
pub fn is_file(source: &str) -> bool {
    Path::new(source).extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
}

/// Writes all files. If one exists already and may not be replaced, none is written.
pub fn write<'f>(
    folder: &Path,
    files: impl IntoIterator<Item = &'f File> + Clone,
    may_replace: bool,
) -> Result<(), String> {
    let at = |path: &Path, problem: String| format!("{}: {problem}", path.display());
    let existing = files.clone().into_iter().find(|file| !may_replace && file.path.symlink_metadata().is_ok());
    if let Some(file) = existing {
        return Err(at(&file.path, "exists, so nothing was written; name another folder, or give --force".to_owned()));
    }
    fs::create_dir_all(folder).map_err(|error| at(folder, reason(&error)))?;
    for file in files {
        let mut options = OpenOptions::new();
        options.write(true);
        if may_replace {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(&file.path).and_then(|mut open| open.write_all(file.text.as_bytes()));
        written.map_err(|error| at(&file.path, reason(&error)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn each_text_has_a_name_of_its_own() {
        let sources = [
            "wasmplugin.yaml",
            "a/vs.yaml",
            "b/vs.yaml",
            "standard input",
            "kubectl kustomize envs/v1.2",
            "c/wasmplugin.yaml",
            "x.json",
        ];
        let expected =
            ["wasmplugin.yaml", "vs.yaml", "vs-2.yaml", "routes.yaml", "v1.2.yaml", "wasmplugin-2.yaml", "x.json"];
        assert_eq!(names(sources), expected);
    }
}
