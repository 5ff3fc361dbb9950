//! `convert`: from a VirtualService with weights to a WasmPlugin that decides by them, and routes that follow it.
//!
//! ```text
//! origins: what else has weights
//!   ingress (ingress-nginx, Higress) → VirtualServices, and what is known of them (extra)
//!   leaving (Flagger, Argo Rollouts: steps) → what is known of VirtualServices that are given
//!   higress (traffic-tag) → rules
//! HTTPRoutes and GRPCRoutes → gateway_api: the same for them
//! VirtualServices → unit (what belongs together) → plan (weighted, names, owner; rule, alone, fixed): what becomes of it, or why not
//!                 → plugin (gateway, sticky) and texts (routes) → check
//! ```

mod alone;
mod around;
mod export;
mod extra;
pub mod files;
mod fixed;
pub mod gateway;
pub mod gateway_api;
mod higress;
mod ingress;
mod leaving;
mod names;
mod origins;
pub mod others;
pub mod owner;
mod pieces;
mod plan;
pub mod plugin;
mod policy;
pub mod print;
pub mod refusal;
mod result;
mod routes;
pub mod rule;
mod saved;
mod steps;
pub mod sticky;
mod stream;
mod texts;
pub mod unit;
mod way;
mod weighted;

use crate::check;
use crate::explain;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{self, Input, Unit};
use crate::input::stderr;
use crate::input::time;
use crate::input::unreadable::Unreadable;
use crate::report::finding::{Finding, Severity};
use crate::report::output::{Output, harmless};
use canary_split::rollout::ramp::Second;
use files::File;
use gateway::Controller;
use print::Said;
use result::Converted;
use rule::{Rule, Target};
use saved::Saved;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use sticky::Sticky;
use texts::{Text, read};

/// What to convert.
#[derive(clap::Args)]
pub struct Options {
    /// Files, folders, and - for the standard input: what has weights (VirtualServices; HTTPRoutes and GRPCRoutes; Ingresses with a
    /// canary; a traffic-tag WasmPlugin; with --leave Canaries and Rollouts), and its Gateways, DestinationRules, Services
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Keep visitors by this: cookie (default), header:NAME or claim:NAME; several are tried in order, the cookie last
    #[arg(long, value_name = "BY", value_delimiter = ',')]
    sticky: Vec<Sticky>,
    /// Name the stable subset; without it, it is the one with the largest weight
    #[arg(long, value_name = "SUBSET")]
    stable: Option<String>,
    /// Flagger or Argo Rollouts goes away: take over what the Canary or Rollout says of a VirtualService
    #[arg(long)]
    leave: bool,
    /// Begin the ramp of --leave at this time; without it, the ramp waits for set --resume
    #[arg(long, value_name = "TIME", requires = "leave", value_parser = time::read)]
    start: Option<Second>,
    /// Say who runs the Gateways of HTTPRoutes; without it, their GatewayClasses tell
    #[arg(long = "for", value_name = "CONTROLLER", value_enum)]
    controller: Option<Controller>,
    /// Write the files into this folder; without it, YAML goes to the standard output, and all else to the standard error
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Replace files that exist in the folder of --write
    #[arg(long, requires = "write")]
    force: bool,
}

/// Converts and prints or writes it; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let given = options.read()?;
    let origins = origins::of(&given, options.leave.then_some(options.start));
    let has_routes = !gateway_api::read::objects(&given).is_empty() || given.of_kind("VirtualService").next().is_some();
    if origins.is_empty() && !has_routes {
        let paths: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!(
            "{}: no VirtualService, no HTTPRoute, no Ingress with a canary, no traffic-tag plugin{}",
            paths.join(", "),
            if options.leave { ", no Canary, no Rollout" } else { "" }
        ));
    }
    let made = Objects::readable(&Unit { folder: String::new(), sources: origins.sources() });
    let objects = Objects::together([&given, &made]);
    let sticky = if options.sticky.is_empty() { vec![Sticky::Cookie] } else { options.sticky.clone() };
    let converted = result::of(&objects, &origins, options.stable.as_deref(), &sticky, options.controller);
    if converted.services.is_empty() && converted.refused.is_empty() {
        return Err(
            "no VirtualService and no HTTPRoute has weights for more than one destination: there is nothing to convert"
                .to_owned(),
        );
    }
    let folder = options.write.as_deref();
    let made = Made::of(&converted, &sticky, folder)?;
    let now = time::or_clock(None);
    let Checked { findings, notes, visit } = made.check(&converted, now);
    let converted = Converted { notes: [converted.notes, notes].concat(), ..converted };
    let is_good =
        !converted.services.is_empty() && findings.iter().all(|finding| finding.code.severity < Severity::Error);
    if let Some(folder) = folder.filter(|_| is_good) {
        files::write(folder, made.files.iter().chain(made.saved.files()), options.force)?;
    }
    let (plugins, routes) = made.files.split_at_checked(made.plugins).unwrap_or_default();
    let steps = way::of(&converted, plugins, routes, &made.saved, folder.is_some());
    let said =
        Said { converted: &converted, sticky: &sticky, findings: &findings, visit: visit.as_ref(), steps, is_good };
    let done = match output {
        Output::Json => writeln!(out, "{:#}", made.to_json(&said, folder.is_some())),
        Output::Text { is_colourful } => {
            let mut text = Vec::new();
            let printed = said.print(&mut text, is_colourful && folder.is_some());
            printed.and_then(|()| match folder {
                Some(_) => out.write_all(&text),
                None => {
                    let texts: Vec<&str> = made.files.iter().filter(|_| is_good).map(|file| &*file.text).collect();
                    out.write_all(stream::of(&texts).as_bytes())?;
                    io::stderr().write_all(&harmless(&text))
                }
            })
        }
    };
    done.map_err(|error| error.to_string())?;
    if matches!(output, Output::Text { .. }) {
        converted.refused.iter().for_each(|refusal| stderr::say(format!("not converted: {refusal}")));
        if !is_good && !converted.services.is_empty() {
            stderr::say("the result has errors, so nothing was written; fix what they are about, and convert again");
        }
    }
    Ok(u8::from(!is_good || !converted.refused.is_empty()))
}

impl Options {
    /// All that is given.
    fn read(&self) -> Result<Objects, String> {
        let Input { units, notes, unreadable, .. } = sources::read_all(&self.paths);
        let all: Vec<Objects> = units.iter().map(Objects::readable).collect();
        let all = Objects::together(&all);
        let unreadable: Vec<String> =
            unreadable.iter().chain(&all.unreadable).map(Unreadable::to_string).chain(notes).collect();
        if !unreadable.is_empty() {
            return Err(unreadable.join("\ncanary-split: "));
        }
        if let Some(plugin) = all.plugins().next() {
            let (title, place) = (plugin.title(), plugin.place());
            return Err(format!(
                "{title} ({place}) is this filter already; convert without it, and add the rules of the result to its rules"
            ));
        }
        Ok(all)
    }
}

/// What the result comes to.
#[derive(Default)]
struct Checked {
    /// What check finds in it.
    findings: Vec<Finding>,
    /// What else is to be known.
    notes: Vec<String>,
    /// A URL, and what explain says of a first visit there.
    visit: Option<(String, String)>,
}

/// A path of a host about which a rule is: `/`, if that is one.
fn path<'c>(converted: &'c Converted, host: &str) -> &'c str {
    let rules = converted.services.iter().flat_map(|(_, rules)| rules);
    let rules = || rules.clone().filter(|rule| rule.hosts.is_empty() || rule.hosts.iter().any(|own| own == host));
    if rules().any(|rule| rule.matches.is_empty()) {
        return "/";
    }
    let entries = || rules().flat_map(|rule| &rule.matches);
    let of_uri = |entry: &'c Value| match entry.get("uri") {
        None => Some("/"),
        Some(uri) => ["exact", "prefix"].into_iter().find_map(|kind| uri.get(kind)?.as_str()),
    };
    let paths = || entries().filter_map(of_uri).filter(|path| path.starts_with('/'));
    paths().find(|path| *path == "/").or_else(|| paths().next()).unwrap_or("/")
}

/// The files of a result.
struct Made {
    /// Those of the plugins first.
    files: Vec<File>,
    /// How many of them are plugins.
    plugins: usize,
    /// What is needed for the way back alone.
    saved: Saved,
}

impl Made {
    fn of(converted: &Converted, sticky: &[Sticky], folder: Option<&Path>) -> Result<Made, String> {
        let mut plugins = Vec::new();
        for plugin in &converted.plugins.0 {
            plugins.push(plugin.text(sticky)?);
        }
        let own: Vec<String> =
            converted.plugins.0.iter().map(|plugin| format!("{}.yaml", plugin.kind().to_ascii_lowercase())).collect();
        let names =
            files::names(own.iter().map(String::as_str).chain(converted.texts.edited().map(|text| &*text.old.name)));
        let count = plugins.len();
        let texts = plugins.into_iter().chain(converted.texts.edited().map(Text::written));
        let path = |name: String| folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
        let files = names.into_iter().zip(texts).map(|(name, text)| File { path: path(name), text }).collect();
        Ok(Made { files, plugins: count, saved: Saved::of(converted, folder) })
    }

    /// What is wrong with all that is given, as it is now; without what is still to be filled in, of which a note is made.
    fn check(&self, converted: &Converted, now: Second) -> Checked {
        if converted.services.is_empty() {
            return Checked::default();
        }
        let mut notes = Vec::new();
        let mut files = self.files.iter();
        let mut named = |text: &str| {
            let name = files.next().map(|file| file.path.display().to_string()).unwrap_or_default();
            Rc::new(sources::Source::new(name, text))
        };
        let mut sources: Vec<_> = self.files.iter().take(self.plugins).map(|file| named(&file.text)).collect();
        sources.extend(
            converted
                .texts
                .0
                .iter()
                .filter(|text| text.instead_of.is_empty() || !text.edited.is_empty())
                .map(|text| if text.edited.is_empty() { Rc::clone(&text.old) } else { named(&text.written()) }),
        );
        let mut all = vec![Objects::readable(&Unit { folder: String::new(), sources })];
        all.extend(converted.texts.edited().filter(|text| text.is_export).map(Text::others));
        let all = Objects::together(&all);
        let mut findings = check::of_objects(&all, now, &mut notes);
        check::without_open_digest(&mut findings, &mut notes);
        let rules = converted.services.iter().flat_map(|(_, rules)| rules);
        let host = rules.flat_map(|rule| &rule.hosts).find(|host| !host.starts_with('*'));
        let visit = host.and_then(|host| {
            let config = all.configs().find(|config| config.json().contains(&**host))?;
            ["https", "http"].into_iter().find_map(|scheme| {
                let url = format!("{scheme}://{host}{}", path(converted, host));
                let text = explain::of_first_visit(&all, &config, &url)?;
                Some((url, text))
            })
        });
        Checked { findings, notes, visit }
    }

    fn to_json(&self, said: &Said, is_written: bool) -> Value {
        let converted = said.converted;
        let value = |object: &Object| serde_json::from_str::<Value>(&object.node.to_json()).unwrap_or_default();
        let plugins = self.files.iter().take(self.plugins).map(|file| (file, None));
        let routes = self.files.iter().skip(self.plugins).zip(converted.texts.edited().map(Some));
        let of = |(file, text): (&File, Option<&Text>)| {
            let objects = read(&file.path.display().to_string(), &file.text).unwrap_or_default().objects;
            let is_of_result = |object: &&Object| {
                text.is_none_or(|text| !text.instead_of.is_empty() || text.edited.contains(&object.title()))
            };
            objects.iter().filter(is_of_result).map(value).collect::<Vec<_>>()
        };
        let objects: Vec<Value> = plugins.chain(routes).filter(|_| said.is_good).flat_map(of).collect();
        let rule = |rule: &Rule| match &rule.target {
            Target::Subset(name) | Target::Asked(name) => {
                json!({"name": rule.name, "hosts": rule.hosts, "subset": name})
            }
            Target::Adopted(header) => json!({"name": rule.name, "hosts": rule.hosts, "adopt": {"header": header}}),
            Target::Split(split) => {
                let split = split.weights.iter().map(|(name, weight)| json!({"subset": name, "weight": weight}));
                json!({"name": rule.name, "hosts": rule.hosts, "split": split.collect::<Vec<_>>()})
            }
        };
        let rules = |(service, rules): &(String, Vec<Rule>)| json!({"object": service, "rules": rules.iter().map(rule).collect::<Vec<_>>()});
        let paths: Vec<String> = self
            .files
            .iter()
            .chain(self.saved.files())
            .filter(|_| is_written && said.is_good)
            .map(|file| file.path.display().to_string())
            .collect();
        json!({
            "converted": converted.services.iter().map(rules).collect::<Vec<_>>(),
            "objects": objects,
            "files": paths,
            "apply": said.steps.apply().concat(),
            "back": said.steps.back().concat(),
            "notes": converted.notes,
            "refused": converted.refused,
            "findings": said.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "explained": said.visit.map(|(url, text)| json!({"url": url, "text": text})),
        })
    }
}
