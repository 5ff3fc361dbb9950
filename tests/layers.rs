//! The imports follow the architecture that `src/lib.rs` draws.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// A crate's source files, each by the path of its module: `["rule", "hosts"]`.
struct Tree {
    files: BTreeMap<Vec<String>, PathBuf>,
}

/// Which files' items each file uses.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

impl Tree {
    /// The files below a folder whose root module is `root`, without the folders in `without`.
    fn read(folder: &str, root: &str, without: &[&str]) -> Tree {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files = BTreeMap::new();
        let mut open = vec![folder.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                if !without.iter().any(|name| path == folder.join(name)) {
                    open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&folder).unwrap().with_extension("");
                let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                if module.last().is_some_and(|last| last == "mod") || module == [root] {
                    module.pop();
                }
                files.insert(module, path);
            }
        }
        Tree { files }
    }

    /// The file that an absolute path leads to: that of the longest module which the path begins with.
    fn file_of(&self, path: &[String]) -> Vec<String> {
        (0..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|module| self.files.contains_key(module))
            .unwrap()
    }

    fn imports(&self) -> Imports {
        let imports_of = |(module, path): (&Vec<String>, &PathBuf)| {
            let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
            let mut paths = Paths { module: module.clone(), found: Vec::new() };
            paths.visit_file(&file);
            let used = paths.found.iter().map(|path| self.file_of(path)).filter(|used| used != module);
            (module.clone(), used.collect())
        };
        self.files.iter().map(imports_of).collect()
    }
}

/// Collects the paths of this crate that a file names, as absolute ones.
struct Paths {
    /// The module that is being read: that of the file, and of what is nested in it.
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn add(&mut self, path: &[String]) {
        let Some(first) = path.first() else { return };
        let supers = path.iter().take_while(|part| *part == "super").count();
        let absolute = match first.as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [&self.module, &path[1..]].concat(),
            "super" => [&self.module[..self.module.len() - supers], &path[supers..]].concat(),
            // A name from where this file is: a module below it, or something of another crate.
            _ => [&self.module, path].concat(),
        };
        self.found.push(absolute);
    }

    fn add_tree(&mut self, tree: &syn::UseTree, mut path: Vec<String>) {
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.add_tree(&part.tree, path);
            }
            syn::UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                self.add(&path);
            }
            syn::UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                self.add(&path);
            }
            syn::UseTree::Glob(_) => self.add(&path),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, path.clone())),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.add(&parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

/// A circle, if any: each file uses something of the next.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn walk<'i>(
        file: &'i Vec<String>,
        imports: &'i Imports,
        way: &mut Vec<&'i Vec<String>>,
        done: &mut BTreeSet<&'i Vec<String>>,
    ) -> Option<Vec<String>> {
        if let Some(at) = way.iter().position(|known| *known == file) {
            return Some(way[at..].iter().copied().chain([file]).map(|module| module.join("::")).collect());
        }
        if done.contains(file) {
            return None;
        }
        way.push(file);
        let found = imports[file].iter().find_map(|used| walk(used, imports, way, done));
        way.pop();
        done.insert(file);
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|file| walk(file, imports, &mut Vec::new(), &mut done))
}

/// The rooms in the order of the table in `src/lib.rs`.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let name = |line: &str| {
        let cell = line.strip_prefix("//! | ")?.split(" |").next()?;
        Some(cell.trim_matches(['[', ']', '`']).to_owned())
    };
    lib.lines().filter_map(name).skip(1).collect()
}

fn library() -> Tree {
    Tree::read("src", "lib", &["bin"])
}

/// Imports of one room from a room that is not below it.
fn upward(imports: &Imports, rooms: &[String]) -> Vec<String> {
    let floor = |module: &[String]| rooms.iter().position(|room| Some(room) == module.first());
    let mut upward = Vec::new();
    for (file, used) in imports.iter().filter(|(file, _)| !file.is_empty()) {
        for used in used.iter().filter(|used| used.first() != file.first() && floor(used) >= floor(file)) {
            upward.push(format!("{} uses {}", file.join("::"), used.join("::")));
        }
    }
    upward
}

#[test]
fn every_room_of_the_library_is_on_the_map() {
    let tree = library();
    let rooms = rooms();
    let on_disk: BTreeSet<&String> = tree.files.keys().filter_map(|module| module.first()).collect();
    assert_eq!(on_disk, rooms.iter().collect(), "src/ and the table in src/lib.rs");
    assert!(rooms.len() > 8, "{rooms:?}");
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let imports = library().imports();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 80, "the imports were not found");
    assert_eq!(upward(&imports, &rooms()), [] as [String; 0]);
}

#[test]
fn no_file_of_the_library_is_in_a_circle() {
    assert_eq!(circle(&library().imports()), None);
}

#[test]
fn no_file_of_the_tool_is_in_a_circle_and_commands_use_what_is_shared() {
    let imports = Tree::read("src/bin/canary-split", "main", &[]).imports();
    assert_eq!(circle(&imports), None);
    let room = |module: &Vec<String>| module.first().cloned().unwrap_or_default();
    for (file, used) in imports.iter().filter(|(file, _)| !file.is_empty()) {
        for used in used.iter().map(room).filter(|used| *used != room(file)) {
            let is_fine = match room(file).as_str() {
                "input" => false,
                "report" | "edit" => used == "input",
                "world" => ["input", "report"].contains(&used.as_str()),
                "cluster" => ["input", "report", "world"].contains(&used.as_str()),
                // It shows what check finds.
                "status" => ["input", "report", "world", "cluster", "check"].contains(&used.as_str()),
                // It shows what status shows, what explain says of a visitor, and what a change would do.
                "dashboard" => {
                    ["input", "report", "world", "cluster", "status", "explain", "change"].contains(&used.as_str())
                }
                // It ends with what check finds in the result, and what explain says of it.
                "convert" => {
                    ["input", "report", "world", "cluster", "edit", "check", "explain"].contains(&used.as_str())
                }
                // It makes its plugin as convert does.
                "adopt" => ["input", "report", "world", "edit", "check", "convert"].contains(&used.as_str()),
                // It shows the difference before it writes.
                "change" => ["input", "report", "world", "cluster", "edit", "diff"].contains(&used.as_str()),
                // It shows that nobody moves.
                "finish" => ["input", "report", "world", "cluster", "edit", "change", "diff"].contains(&used.as_str()),
                "set" | "rollback" => ["input", "report", "world", "cluster", "change"].contains(&used.as_str()),
                _ => ["input", "report", "world", "cluster"].contains(&used.as_str()),
            };
            assert!(is_fine, "{} uses {used}", file.join("::"));
        }
    }
}

#[test]
fn an_upward_import_and_a_circle_are_found() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let rooms = ["request", "rule"].map(str::to_owned);
    let mut imports = Imports::from([
        (module("request"), BTreeSet::new()),
        (module("rule::hosts"), BTreeSet::from([module("request")])),
    ]);
    assert_eq!(upward(&imports, &rooms), [] as [String; 0]);
    assert_eq!(circle(&imports), None);
    imports.insert(module("request"), BTreeSet::from([module("rule::hosts")]));
    assert_eq!(upward(&imports, &rooms), ["request uses rule::hosts"]);
    assert_eq!(circle(&imports).unwrap(), ["request", "rule::hosts", "request"]);
}
