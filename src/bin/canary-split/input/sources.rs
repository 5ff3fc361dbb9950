//! PATH… → the texts to look at, and which of them are applied together.

use super::reason::reason;
pub use super::source::Source;
use super::unreadable::Unreadable;
use super::yaml::Node;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

/// The names of kustomization files for `kubectl`.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The byte order mark that a text may begin with.
pub const MARK: char = '\u{feff}';

/// The most bytes of a text: a device has no end, and manifests are smaller.
const MOST: u64 = 256 * 1024 * 1024;

/// Texts that are applied together.
#[derive(Debug, Default)]
pub struct Unit {
    /// The folder of a kustomization, or the one folder that they are from; empty: all else.
    pub folder: String,
    /// In the order in which they were given.
    pub sources: Vec<Rc<Source>>,
}

/// The texts that were read, and what was left out.
#[derive(Debug, Default)]
pub struct Input {
    /// All else than kustomizations first.
    pub units: Vec<Unit>,
    /// What was left out, and what to do instead.
    pub notes: Vec<String>,
    /// What could not be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// The files and kustomizations that were read, by whatever name.
    seen: HashSet<PathBuf>,
}

/// Reads these files, folders (with everything below them) and, for `-`, the standard input; each file once. A kustomization is a
/// unit of its own, as `kubectl kustomize` renders it; everything else is one unit.
pub fn read_all(paths: &[PathBuf]) -> Input {
    let mut input = Input { units: vec![Unit::default()], ..Input::default() };
    for path in paths {
        let folder = path.parent().filter(|_| is_kustomization(path));
        if path.as_os_str() == "-" {
            input.add(path);
        } else if path.is_dir() {
            input.add_folder(path, false);
        } else if let Some(folder) = folder {
            input.add_kustomization(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }, path);
        } else {
            input.add(path);
        }
    }
    input.units.retain(|unit| !unit.sources.is_empty());
    input
}

/// Reads one file, or the standard input for `-`.
pub fn read(path: &Path) -> Result<Source, Unreadable> {
    let Source { name, text, .. } = read_whole(path)?;
    // A byte order mark is not part of the content.
    let text = text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text);
    Ok(Source::new(name, text))
}

/// Reads one file, or the standard input for `-`, with the byte order mark that it may begin with.
pub fn read_whole(path: &Path) -> Result<Source, Unreadable> {
    let (name, done) = if path.as_os_str() == "-" {
        ("standard input".to_owned(), bytes(io::stdin().lock()))
    } else {
        (path.display().to_string(), fs::File::open(path).and_then(bytes))
    };
    let bytes = done.map_err(|error| Unreadable::new(&name, None, reason(&error)))?;
    if bytes.len() as u64 > MOST {
        let problem = format!("more than {} MiB, which is the limit", MOST / 1024 / 1024);
        return Err(Unreadable::new(&name, None, problem));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        Unreadable::new(&name, None, format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
    })?;
    Ok(Source::new(name, text))
}

/// All bytes, or one more than the limit.
fn bytes(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_kustomization(path: &Path) -> bool {
    KUSTOMIZATIONS.iter().any(|name| path.ends_with(name))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
}

/// Whether a name in a folder is that of something to read.
fn is_read(path: &Path) -> bool {
    is_kustomization(path) || is_manifest(path) && !is_hidden(path)
}

/// Whether it is a pipe, a device or the like. What is missing is said by whoever reads it.
fn is_endless(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir())
}

impl Input {
    fn is_new(&mut self, path: &Path) -> bool {
        // A missing file is reported when it is read.
        fs::canonicalize(path).map_or(true, |path| self.seen.insert(path))
    }

    fn add(&mut self, path: &Path) {
        if path.as_os_str() != "-" && !self.is_new(path) {
            return;
        }
        match (read(path), self.units.first_mut()) {
            (Ok(source), Some(unit)) => unit.sources.push(Rc::new(source)),
            (Ok(_), None) => {}
            (Err(unreadable), _) => self.unreadable.push(unreadable),
        }
    }

    fn add_kustomization(&mut self, folder: &Path, file: &Path) {
        if self.is_new(file) {
            match render(folder, file) {
                Ok(unit) => self.units.extend(unit),
                Err(unreadable) => self.unreadable.push(unreadable),
            }
        }
    }

    /// Everything below a folder; in and below a kustomization only other kustomizations, since the rest belongs to these.
    fn add_folder(&mut self, folder: &Path, inside: bool) {
        let entries = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable.push(Unreadable::new(&folder.display().to_string(), None, reason(&error)));
                return;
            }
        };
        entries.sort();
        // A pipe that somebody has left here would be waited for, perhaps for ever.
        let (entries, endless): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|path| !is_read(path) || !is_endless(path));
        for path in endless {
            self.unreadable.push(Unreadable::new(&path.display().to_string(), None, "not a regular file".to_owned()));
        }
        let kustomization = entries.iter().find(|path| is_kustomization(path));
        if !inside && kustomization.is_none() && entries.iter().any(|path| path.ends_with("Chart.yaml")) {
            let folder = folder.display();
            self.notes.push(format!("{folder} is a Helm chart: helm template {folder} | canary-split check -"));
            return;
        }
        if let Some(file) = kustomization {
            self.add_kustomization(folder, file);
        }
        let inside = inside || kustomization.is_some();
        for path in entries {
            if path.is_symlink() && path.is_dir() || is_hidden(&path) || path.ends_with("node_modules") {
                continue;
            }
            if path.is_dir() {
                self.add_folder(&path, inside);
            } else if !inside && is_manifest(&path) {
                self.add(&path);
            }
        }
    }
}

/// The output of `kubectl kustomize` for a folder; `None` for a component, which cannot be rendered alone.
fn render(folder: &Path, file: &Path) -> Result<Option<Unit>, Unreadable> {
    let source = read(file)?;
    let (documents, malformed) = source.read();
    if let Some(malformed) = malformed.into_iter().next() {
        return Err(malformed);
    }
    if documents.iter().any(|node| node.get("kind").and_then(Node::text) == Some("Component")) {
        return Ok(None);
    }
    let unreadable = |name: &str, problem: String| Err(Unreadable::new(name, None, problem));
    for (program, arguments) in [("kubectl", ["kustomize"]), ("kustomize", ["build"])] {
        let name = format!("{program} {} {}", arguments.join(" "), folder.display());
        let done = match Command::new(program).args(arguments).arg(folder).output() {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return unreadable(program, reason(&error)),
        };
        let said =
            String::from_utf8_lossy(if done.status.success() { &done.stdout } else { &done.stderr }).into_owned();
        if !done.status.success() {
            return unreadable(&name, said.trim().replace('\n', " "));
        }
        let source = Source::new(name, said).from(folder);
        return Ok(Some(Unit { folder: folder.display().to_string(), sources: vec![Rc::new(source)] }));
    }
    let folder = folder.display().to_string();
    unreadable(
        &folder,
        format!(
            "a kustomization, and neither kubectl nor kustomize is installed; elsewhere: kubectl kustomize {folder} | canary-split check -"
        ),
    )
}
