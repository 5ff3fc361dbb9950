//! `adopt`: makes weights sticky that somebody else writes into a VirtualService, by a WasmPlugin and an EnvoyFilter.
//!
//! ```text
//! VirtualServices → adopted (routes and patches, or refusals) → plugin of convert, filter → check
//! ```

mod adopted;
mod filter;
mod print;

use crate::check;
use crate::convert::files::{self, File};
use crate::convert::gateway_api::read;
use crate::convert::others;
use crate::convert::sticky::Sticky;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{self, Input, Source, Unit};
use crate::input::stderr;
use crate::input::time;
use crate::input::unreadable::Unreadable;
use crate::report::finding::{Finding, Severity};
use crate::report::output::{Output, harmless};
use crate::world::World;
use adopted::Adopted;
use canary_split::config::DEFAULT_POSITION_HEADER;
use print::Said;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What to adopt.
#[derive(clap::Args)]
pub struct Options {
    /// Files, folders, and - for the standard input: VirtualServices whose weights a controller writes, and their Gateways
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Keep visitors by this: cookie (default), header:NAME or claim:NAME; several are tried in order, the cookie last
    #[arg(long, value_name = "BY", value_delimiter = ',')]
    sticky: Vec<Sticky>,
    /// Write positions into this request header
    #[arg(long, value_name = "NAME", default_value = DEFAULT_POSITION_HEADER)]
    header: String,
    /// Write the files into this folder; without it, YAML goes to the standard output, and all else to the standard error
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Replace files that exist in the folder of --write
    #[arg(long, requires = "write")]
    force: bool,
}

/// The names of the files.
const NAMES: [&str; 2] = ["wasmplugin.yaml", "envoyfilter.yaml"];

/// Prints or writes the objects. Returns the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let objects = options.read()?;
    let world = World::of(&objects);
    let sticky = if options.sticky.is_empty() { vec![Sticky::Cookie] } else { options.sticky.clone() };
    let mut adopted = adopted::of(&objects, &world, &options.header, &sticky);
    if adopted.services.is_empty() && adopted.refused.is_empty() {
        return Err("no VirtualService has a route with several destinations: there are no weights to adopt".to_owned());
    }
    let folder = options.write.as_deref();
    let files = files(&adopted, &sticky, folder)?;
    let findings = if adopted.services.is_empty() { Vec::new() } else { check(&objects, &files, &mut adopted.notes) };
    let is_good =
        !adopted.services.is_empty() && findings.iter().all(|finding| finding.code.severity < Severity::Error);
    if let Some(folder) = folder.filter(|_| is_good) {
        files::write(folder, &files, options.force)?;
    }
    let [apply, back] = steps(&adopted, &files, folder);
    let said = Said { adopted: &adopted, sticky: &sticky, findings: &findings, apply, back, is_good };
    let done = match output {
        Output::Json => writeln!(out, "{:#}", to_json(&said, &files, folder.is_some())),
        Output::Text { is_colourful } => {
            let mut text = Vec::new();
            let printed = said.print(&mut text, is_colourful && folder.is_some());
            printed.and_then(|()| match folder {
                Some(_) => out.write_all(&text),
                None => {
                    let texts: Vec<&str> = files.iter().filter(|_| is_good).map(|file| &*file.text).collect();
                    out.write_all(texts.join("---\n").as_bytes())?;
                    io::stderr().write_all(&harmless(&text))
                }
            })
        }
    };
    done.map_err(|error| error.to_string())?;
    if matches!(output, Output::Text { .. }) {
        adopted.refused.iter().for_each(|refusal| stderr::say(format!("not adopted: {refusal}")));
        if !is_good && !adopted.services.is_empty() {
            stderr::say("the result has errors, so nothing was written; fix what they are about, and adopt again");
        }
    }
    Ok(u8::from(!is_good || !adopted.refused.is_empty()))
}

impl Options {
    /// Reads all input. It must be readable, have routes, and not have this filter yet.
    fn read(&self) -> Result<Objects, String> {
        let Input { units, notes, unreadable, .. } = sources::read_all(&self.paths);
        let all: Vec<Objects> = units.iter().map(Objects::readable).collect();
        let all = Objects::together(&all);
        let unreadable: Vec<String> =
            unreadable.iter().chain(&all.unreadable).map(Unreadable::to_string).chain(notes).collect();
        if !unreadable.is_empty() {
            return Err(unreadable.join("\ncanary-split: "));
        }
        if all.of_kind("VirtualService").next().is_none() && read::objects(&all).is_empty() {
            let paths: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
            return Err(format!("{}: no VirtualService", paths.join(", ")));
        }
        if let Some(plugin) = all.plugins().next() {
            let (title, place) = (plugin.title(), plugin.place());
            return Err(format!(
                "{title} ({place}) is this filter already; adopt without it, and add the rules of the result to its rules"
            ));
        }
        Ok(all)
    }
}

/// The files of the result: plugins first, then EnvoyFilters.
fn files(adopted: &Adopted, sticky: &[Sticky], folder: Option<&Path>) -> Result<Vec<File>, String> {
    let mut texts = Vec::new();
    for plugin in &adopted.plugins.0 {
        texts.push((NAMES[0], plugin.text(sticky)?));
    }
    texts.extend(adopted.filters.iter().map(|filter| (NAMES[1], filter.text())));
    let names = files::names(texts.iter().map(|(name, _)| *name));
    let path = |name: String| folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
    Ok(names.into_iter().zip(texts).map(|(name, (_, text))| File { path: path(name), text }).collect())
}

/// Checks the input together with the new objects.
fn check(objects: &Objects, files: &[File], notes: &mut Vec<String>) -> Vec<Finding> {
    let made = files.iter().map(|file| Rc::new(Source::new(file.path.display().to_string(), &file.text)));
    let sources = made.chain(objects.sources.iter().cloned()).collect();
    let all = Objects::readable(&Unit { folder: String::new(), sources });
    let mut findings = check::of_objects(&all, time::or_clock(None), notes);
    check::without_open_digest(&mut findings, notes);
    findings
}

/// The steps to apply the result, and those to go back: two each.
fn steps(adopted: &Adopted, files: &[File], folder: Option<&Path>) -> [[Vec<String>; 2]; 2] {
    let (plugins, filters) = (&adopted.plugins.0, &adopted.filters);
    let delete_plugins = plugins.iter().map(others::removal);
    let delete_filters = filters.iter().map(|filter| {
        let (title, namespace, name) = (filter.title(), &filter.home.namespace, &filter.name);
        format!("if {title} has no patches but these: kubectl -n {namespace} delete envoyfilter {name}; otherwise remove these from its configPatches")
    });
    let back = [delete_filters.collect(), delete_plugins.collect()];
    let apply = match folder {
        Some(_) => {
            let apply = |file: &File| format!("kubectl apply -f {}", file.path.display());
            let (first, second) = files.split_at_checked(plugins.len()).unwrap_or_default();
            [first.iter().map(apply).collect(), second.iter().map(apply).collect()]
        }
        None => [
            plugins.iter().map(|plugin| format!("apply {}", plugin.title())).collect(),
            filters.iter().map(|filter| format!("apply {}", filter.title())).collect(),
        ],
    };
    [apply, back]
}

fn to_json(said: &Said, files: &[File], is_written: bool) -> Value {
    let adopted = said.adopted;
    let value = |object: &Object| serde_json::from_str::<Value>(&object.node.to_json()).unwrap_or_default();
    let of = |file: &File| {
        let sources = vec![Rc::new(Source::new(file.path.display().to_string(), &file.text))];
        let objects = Objects::readable(&Unit { folder: String::new(), sources }).objects;
        objects.iter().map(value).collect::<Vec<_>>()
    };
    let objects: Vec<Value> = files.iter().filter(|_| said.is_good).flat_map(of).collect();
    let services = adopted.services.iter().map(|service| {
        json!({"object": service.title, "rule": service.rule.name, "hosts": service.rule.hosts, "routes": service.routes})
    });
    let paths = files.iter().filter(|_| is_written && said.is_good).map(|file| file.path.display().to_string());
    json!({
        "adopted": services.collect::<Vec<_>>(),
        "objects": objects,
        "files": paths.collect::<Vec<_>>(),
        "apply": if said.is_good { said.apply.concat() } else { Vec::new() },
        "back": if said.is_good { said.back.concat() } else { Vec::new() },
        "notes": adopted.notes,
        "refused": adopted.refused,
        "findings": said.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
    })
}
