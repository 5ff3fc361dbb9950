//! `check`: what is wrong with these manifests, before anything is applied.

mod config;
mod cors;
mod destinations;
mod domain;
mod everywhere;
mod first;
mod header;
mod hosts;
mod image;
mod mesh;
mod order;
mod pairs;
mod parts;
mod paths;
mod placeholder;
mod plugin;
mod redirect;
mod rivals;
mod rules;
mod seal;
mod secrets;
mod short_host;
mod stable;
mod strangers;
mod targets;
mod websocket;
mod weights;

mod world;

use crate::input::manifest::{Objects, Unknown};
use crate::input::sources;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding};
use crate::report::output::Output;
use parts::Part;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use world::{World, site};

/// Every code there is, file by file.
pub const CODES: [&[&Code]; 24] = [
    &config::CODES,
    &parts::CODES,
    &rules::CODES,
    &plugin::CODES,
    &rivals::CODES,
    &everywhere::CODES,
    &targets::CODES,
    &image::CODES,
    &placeholder::CODES,
    &header::CODES,
    &mesh::CODES,
    &seal::CODES,
    &order::CODES,
    &paths::CODES,
    &stable::CODES,
    &weights::CODES,
    &first::CODES,
    &destinations::CODES,
    &short_host::CODES,
    &websocket::CODES,
    &cors::CODES,
    &hosts::CODES,
    &redirect::CODES,
    &domain::CODES,
];

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Files, folders, and `-` for the standard input; all of them together are what will be applied
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Findings to leave out, by their code
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
}

/// Prints all findings; whether there is none.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<bool, String> {
    let known = || CODES.into_iter().flatten().map(|code| code.name);
    if let Some(unknown) = options.allow.iter().find(|allowed| !known().any(|name| name == *allowed)) {
        return Err(format!("--allow {unknown}: no such code; known are {}", known().collect::<Vec<_>>().join(", ")));
    }
    let input = sources::read_all(&options.paths)?;
    let mut findings = Vec::new();
    let mut notes = input.notes;
    let (mut objects, mut configs, mut has_http_routes) = (0, 0, false);
    for unit in &input.units {
        for part in parts::of(unit, &mut notes)? {
            objects += part.objects.objects.len() + part.objects.bare.len();
            configs += part.objects.configs().count();
            findings.extend(check(&part.objects));
            let is_allowed = options.allow.iter().any(|allowed| allowed == placeholder::PLACEHOLDER.name);
            let example =
                placeholder::note(&World::of(&part.objects)).filter(|note| !is_allowed && !notes.contains(note));
            notes.extend(example);
            notes.extend(parts::strangers(&part.objects));
            notes.extend(note(&part));
            has_http_routes |= part.objects.unknown.iter().any(is_http_route);
        }
    }
    notes.extend(has_http_routes.then(|| "HTTPRoutes were not looked at".to_owned()));
    if objects == 0 {
        let mut said: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        said = vec![format!("{}: neither a WasmPlugin nor anything that it works with", said.join(", "))];
        said.extend(notes);
        return Err(said.join("; "));
    }
    findings.retain(|finding| !options.allow.iter().any(|allowed| allowed == finding.code.name));
    let done = match output {
        Output::Json => {
            let listed: Vec<_> = findings.iter().map(Finding::to_json).collect();
            writeln!(
                out,
                "{:#}",
                serde_json::json!({"objects": objects, "configs": configs, "findings": listed, "notes": notes})
            )
        }
        Output::Text { is_colourful } => findings
            .iter()
            .try_for_each(|finding| finding.print(out, is_colourful))
            .and_then(|()| writeln!(out, "{}", summary(objects, configs, findings.len())))
            .and_then(|()| notes.iter().try_for_each(|note| writeln!(out, "{note}"))),
    };
    done.map_err(|error| error.to_string())?;
    Ok(findings.is_empty())
}

/// All that is wrong with what is applied together, in the order of the texts; secrets are hidden.
fn check(objects: &Objects) -> Vec<Finding> {
    let mut findings = Vec::new();
    config::check(objects, &mut findings);
    parts::check(objects, &mut findings);
    if parts::twice(objects).is_none() {
        let world = World::of(objects);
        let sites = site::sites(&world);
        rules::check(&world, &mut findings);
        plugin::check(&world, &mut findings);
        rivals::check(&world, &mut findings);
        everywhere::check(&world, &mut findings);
        targets::check(&world, &mut findings);
        image::check(&world, &mut findings);
        placeholder::check(&world, &mut findings);
        header::check(&world, &sites, &mut findings);
        mesh::check(&world, &mut findings);
        seal::check(&sites, &mut findings);
        order::check(&sites, &mut findings);
        paths::check(&sites, &mut findings);
        stable::check(&world, &sites, &mut findings);
        weights::check(&sites, &mut findings);
        first::check(&sites, &mut findings);
        destinations::check(&world, &mut findings);
        short_host::check(&world, &mut findings);
        websocket::check(&world, &sites, &mut findings);
        cors::check(&sites, &mut findings);
        hosts::check(&world, &mut findings);
        domain::check(&world, &sites, &mut findings);
    }
    // Two rules may meet one route.
    let mut distinct: Vec<Finding> = Vec::new();
    for finding in findings {
        if !distinct.contains(&finding) {
            distinct.push(finding);
        }
    }
    let place = |finding: &Finding| {
        let source = objects.sources.iter().position(|source| Rc::ptr_eq(source, &finding.source));
        (source, finding.span.start)
    };
    distinct.sort_by_key(place);
    secrets::hide(objects, &mut distinct);
    distinct
}

/// What could not be compared, for want of the other side.
fn note(part: &Part) -> Option<String> {
    let folder = if part.folder.is_empty() { String::new() } else { format!("{}: ", part.folder) };
    if let Some((first, second)) = parts::twice(&part.objects) {
        let (title, first, second) = (second.title(), first.place(), second.place());
        return Some(format!("{folder}{title} is there twice ({first}, {second}), so nothing was compared"));
    }
    let missing = World::of(&part.objects).missing();
    (!missing.is_empty()).then(|| format!("{folder}not given, so not compared with: {}", missing.join(", ")))
}

/// Whether it is a route of the Gateway API.
fn is_http_route(unknown: &Unknown) -> bool {
    let text = |key: &str| unknown.node.get(key).and_then(Node::text).unwrap_or_default();
    text("kind") == "HTTPRoute" && text("apiVersion").starts_with("gateway.networking.k8s.io/")
}

fn summary(objects: usize, configs: usize, findings: usize) -> String {
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {} of this filter: {}",
        number(objects, "object"),
        number(configs, "config"),
        number(findings, "finding")
    )
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn the_document_has_every_code_with_its_reason_and_its_way_out() {
        let document = include_str!("../../../../docs/CHECKS.md");
        let value = |section: &str, name: &str| {
            section.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let read = |section: &str| {
            [
                section.lines().next().unwrap_or_default().to_owned(),
                value(section, "- Why: "),
                value(section, "- Way out: "),
            ]
        };
        let documented: Vec<_> = document.split("\n## ").skip(1).map(read).collect();
        let codes: Vec<_> =
            CODES.into_iter().flatten().map(|code| [code.name, code.why, code.fix].map(str::to_owned)).collect();
        assert_eq!(documented, codes);
    }
}
