//! `check`: what is wrong with these manifests, before anything is applied.

mod adopt;
mod allow;
mod astray;
mod attached;
mod by_selector;
mod codes;
mod config;
mod cors;
mod destinations;
mod domain;
mod duplicates;
mod everywhere;
mod first;
mod grants;
mod header;
mod hosts;
mod image;
mod kinds;
mod listening;
mod mesh;
mod missing;
mod misspelt;
mod nobody;
mod order;
mod origin;
mod pairs;
mod parted;
mod paths;
mod placeholder;
mod places;
mod plugin;
mod policy;
mod redirect;
mod redirected;
mod rivals;
mod rollout;
mod rules;
mod same;
mod seal;
mod secrets;
mod settings;
mod shared_pods;
mod short_host;
mod stable;
mod step;
mod targets;
mod twice;
mod unchosen;
mod unmet;
mod unseen;
mod walks;
mod websocket;
mod weights;

use crate::cluster::access::Access;
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::reading::{self, Reading};
use crate::cluster::{health, looks};
use crate::input::choice::shown;
use crate::input::manifest::Objects;
use crate::input::quoted::visible;
use crate::input::sources::{self, Input};
use crate::input::stderr;
use crate::input::time;
use crate::input::unreadable::{self, Unreadable};
use crate::report::finding::{Code, Finding, Severity};
use crate::report::output::Output;
use crate::report::wrap::wrapped;
use crate::world::parts::Part;
use crate::world::together::{self, Worlds};
use crate::world::{World, parts, site};
use canary_split::rollout::ramp::Second;
use kube::Client;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// Every code there is, file by file.
pub const CODES: [&[&Code]; 41] = [
    &config::CODES,
    &duplicates::CODES,
    &twice::CODES,
    &kinds::CODES,
    &rules::CODES,
    &plugin::CODES,
    &rivals::CODES,
    &everywhere::CODES,
    &targets::CODES,
    &policy::CODES,
    &by_selector::CODES,
    &image::CODES,
    &placeholder::CODES,
    &header::CODES,
    &unmet::CODES,
    &unchosen::CODES,
    &mesh::CODES,
    &seal::CODES,
    &order::CODES,
    &paths::CODES,
    &parted::CODES,
    &stable::CODES,
    &shared_pods::CODES,
    &weights::CODES,
    &first::CODES,
    &destinations::CODES,
    &listening::CODES,
    &nobody::CODES,
    &short_host::CODES,
    &websocket::CODES,
    &cors::CODES,
    &settings::CODES,
    &hosts::CODES,
    &attached::CODES,
    &grants::CODES,
    &redirect::CODES,
    &redirected::CODES,
    &domain::CODES,
    &rollout::CODES,
    &adopt::CODES,
    &health::CODES,
];

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Name files, folders, or - for the standard input: all that will be applied together
    #[arg(required_unless_present_any = ["list", "explain", "cluster"])]
    paths: Vec<PathBuf>,
    /// Check the cluster: what its API server has, and what each gateway pod says
    #[arg(help_heading = "Cluster", long, conflicts_with_all = ["paths", "list", "explain"])]
    cluster: bool,
    /// Leave out findings of this code; for one object there is the annotation canary-split/allow: CODE,…
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
    /// End with 1 only if something at least that bad is found
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = Severity::Warning)]
    fail_on: Severity,
    /// List all codes, with how bad each is and why it matters
    #[arg(help_heading = "Codes", long, conflicts_with_all = ["paths", "explain"])]
    list: bool,
    /// Explain a code, with a manifest before and after
    #[arg(help_heading = "Codes", long, value_name = "CODE", conflicts_with = "paths")]
    explain: Option<String>,
    /// Show seals and what headers, cookies, query parameters and claims are compared with, instead of *
    #[arg(long)]
    show_secrets: bool,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    now: Option<Second>,
    /// Look at the gateways again after this time
    #[arg(help_heading = "Cluster", long, value_name = "DURATION", value_parser = time::duration, default_value = "5s", requires = "cluster")]
    interval: Duration,
    #[command(flatten)]
    access: Access,
}

/// All that is said.
struct Said {
    objects: usize,
    configs: usize,
    findings: Vec<Finding>,
    notes: Vec<String>,
    unreadable: Vec<Unreadable>,
}

/// Prints all findings; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let known = || CODES.into_iter().flatten().copied();
    if options.list || options.explain.is_some() {
        return codes::print(known(), options.explain.as_deref(), output, out).map(|()| 0);
    }
    let is_known = |name: &str| known().any(|code| code.name == name);
    if let Some(unknown) = options.allow.iter().find(|allowed| !is_known(allowed)) {
        return Err(codes::unknown("--allow", unknown));
    }
    let mut said = if options.cluster {
        options.access.run(|client| look_at_cluster(client, options))?
    } else if options.access.is_given() {
        return Err("-n, --context and --kubeconfig go with --cluster".to_owned());
    } else {
        look(options, &is_known)?
    };
    said.findings.retain(|finding| !options.allow.iter().any(|allowed| allowed == finding.code.name));
    say(&said, output, out).map_err(|error| error.to_string())?;
    unreadable::warn(&said.unreadable);
    let is_bad = said.findings.iter().any(|finding| finding.code.severity >= options.fail_on);
    Ok(if said.unreadable.is_empty() { u8::from(is_bad) } else { 2 })
}

/// Reads a cluster, and looks twice at its gateways.
async fn look_at_cluster(client: Client, options: &Options) -> Result<Said, String> {
    let inventory = Inventory::read(&client, options.access.namespace.as_deref(), Extent::All).await?;
    let mut notes = inventory.notes.clone();
    let now = time::or_clock(options.now);
    let reading = match looks::take(&client, &inventory).await {
        Ok(before) => {
            tokio::time::sleep(options.interval).await;
            let looks = looks::take(&client, &inventory).await.map_err(|silence| silence.said())?;
            let mut reading = reading::read(&World::of(&inventory.objects), &inventory, &before, &looks, now);
            notes.append(&mut reading.notes);
            Some(reading)
        }
        Err(silence) => {
            notes.push(format!("the gateways were not asked: {}", silence.said()));
            None
        }
    };
    let findings = of_cluster(&inventory, reading.as_ref(), options.show_secrets, now, &mut notes);
    let objects = &inventory.objects;
    let (count, configs) = (objects.objects.len(), objects.configs().count());
    Ok(Said { objects: count, configs, findings, notes, unreadable: objects.unreadable.clone() })
}

/// Reads and compares.
fn look(options: &Options, is_known: &dyn Fn(&str) -> bool) -> Result<Said, String> {
    let Input { units, mut notes, mut unreadable, .. } = sources::read_all(&options.paths);
    let parts: Vec<Part> = units.iter().flat_map(|unit| parts::of(unit, &mut notes)).collect();
    let all = Objects::together(parts.iter().map(|part| &part.objects));
    unreadable.extend(all.unreadable.iter().cloned());
    let (objects, configs) = (all.objects.len() + all.bare.len(), all.configs().count());
    if objects == 0 && !kinds::is_any(&all) {
        let mut said: Vec<_> = unreadable.iter().map(Unreadable::to_string).collect();
        if said.is_empty() {
            let paths: Vec<_> = options.paths.iter().map(|path| shown(path)).collect();
            let end = notes.into_iter().map(|note| format!("; {note}")).collect::<String>();
            said.push(format!("{}: neither a WasmPlugin nor anything that it works with{end}", paths.join(", ")));
        }
        return Err(stderr::error_of(said));
    }
    let worlds = Worlds::of(parts);
    let now = time::or_clock(options.now);
    let found = worlds.all.iter().map(|world| check(&world.objects, now, &mut notes)).collect();
    if !options.allow.iter().any(|allowed| allowed == placeholder::PLACEHOLDER.name) {
        notes.extend(worlds.all.iter().filter_map(|world| placeholder::note(&World::of(&world.objects))));
    }
    notes.extend(worlds.all.iter().filter_map(|world| parts::strangers(&world.objects)));
    notes.extend(worlds.all.iter().flat_map(|world| plugin::unplaced(&World::of(&world.objects))));
    notes.extend(worlds.all.iter().filter_map(note));
    notes.extend(all.almost_ours().map(|plugin| {
        let (title, place) = (plugin.title(), plugin.place());
        format!("{title} ({place}) is not taken for this filter, but its config looks alike: has it a list rules?")
    }));
    let mut findings = worlds.united(found);
    allow::retain(&all, &mut findings, &mut notes, is_known);
    places::add(&all, &mut findings);
    order(&all, &mut findings);
    if !options.show_secrets {
        secrets::hide(&all, &mut findings, &mut notes);
    }
    let mut seen = HashSet::new();
    notes.retain(|note| seen.insert(note.clone()));
    Ok(Said { objects, configs, findings, notes, unreadable })
}

/// All that is wrong in a cluster: with its manifests, and, where they were asked, with what the gateways say.
pub fn of_cluster(
    inventory: &Inventory,
    reading: Option<&Reading>,
    shows_secrets: bool,
    now: Second,
    notes: &mut Vec<String>,
) -> Vec<Finding> {
    let objects = &inventory.objects;
    let mut findings = check(objects, now, notes);
    if let Some(reading) = reading {
        findings.extend(health::findings(&World::of(objects), inventory, reading));
    }
    settle(objects, &mut findings, shows_secrets, notes);
    findings
}

/// All that is wrong with objects that another command has made.
pub fn of_objects(objects: &Objects, now: Second, notes: &mut Vec<String>) -> Vec<Finding> {
    let mut findings = check(objects, now, &mut Vec::new());
    settle(objects, &mut findings, false, notes);
    findings
}

/// Makes a note of the finding that a plugin has no digest yet, as it is shipped: the build of the module prints the digest.
pub fn without_open_digest(findings: &mut Vec<Finding>, notes: &mut Vec<String>) {
    let is_open = |finding: &Finding| finding.code.name == "placeholder" && finding.message.contains("digest");
    let mut fields: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| is_open(finding)) {
        let field = finding.place.as_ref().map_or("spec.url", |place| &place.path);
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    notes.extend(
        fields.iter().map(|field| {
            format!("{field} of the plugin is still to be filled in: make image prints it, with the digest")
        }),
    );
    findings.retain(|finding| !is_open(finding));
}

/// Leaves out what is allowed, and puts the rest in order.
fn settle(objects: &Objects, findings: &mut Vec<Finding>, shows_secrets: bool, notes: &mut Vec<String>) {
    let is_known = |name: &str| CODES.into_iter().flatten().any(|code| code.name == name);
    allow::retain(objects, findings, notes, &is_known);
    places::add(objects, findings);
    order(objects, findings);
    if !shows_secrets {
        secrets::hide(objects, findings, notes);
    }
}

fn say(said: &Said, output: Output, out: &mut impl Write) -> io::Result<()> {
    let Said { objects, configs, findings, notes, unreadable } = said;
    let Output::Text { is_colourful } = output else {
        let listed: Vec<_> = findings.iter().map(Finding::to_json).collect();
        let json = serde_json::json!({
            "objects": objects, "configs": configs, "findings": listed, "notes": notes, "unreadable": unreadable,
        });
        return writeln!(out, "{json:#}");
    };
    for finding in findings {
        finding.print(out, is_colourful)?;
    }
    writeln!(out, "{}", summary(*objects, *configs, findings.len(), unreadable.len()))?;
    notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("", &visible(note))))
}

/// All that is wrong with what is applied together.
fn check(objects: &Objects, now: Second, notes: &mut Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    config::check(objects, &mut findings);
    duplicates::check(objects, &mut findings);
    twice::check(objects, &mut findings);
    kinds::check(objects, &mut findings);
    if parts::twice(objects).is_none() {
        let world = World::of(objects);
        let sites = site::sites(&world);
        rules::check(&world, &mut findings);
        plugin::check(&world, &mut findings);
        rivals::check(&world, &mut findings);
        everywhere::check(&world, &mut findings);
        targets::check(&world, &mut findings);
        astray::check(&world, &mut findings);
        by_selector::check(&world, &mut findings);
        policy::check(objects, &world, &sites, &mut findings);
        image::check(&world, &mut findings);
        placeholder::check(&world, &mut findings);
        header::check(&world, &sites, &mut findings);
        unmet::check(&world, &sites, &mut findings);
        unchosen::check(&world, &sites, &mut findings);
        mesh::check(&world, &mut findings);
        seal::check(&sites, &mut findings);
        order::check(&sites, &mut findings);
        paths::check(&sites, &mut findings);
        parted::check(&world, &sites, &mut findings, notes);
        stable::check(&world, &sites, &mut findings);
        shared_pods::check(&world, &sites, &mut findings);
        weights::check(&sites, &mut findings);
        first::check(&sites, &mut findings);
        destinations::check(&world, &mut findings);
        nobody::check(objects, &world, &sites, &mut findings);
        unseen::check(&world, &sites, &mut findings);
        short_host::check(&world, &mut findings);
        websocket::check(&world, &sites, &mut findings);
        cors::check(&sites, &mut findings);
        settings::check(&sites, &mut findings);
        hosts::check(&world, &mut findings);
        domain::check(&world, &sites, &mut findings);
        rollout::check(&world, now, &mut findings);
        adopt::check(&world, &sites, &mut findings);
    }
    // Two rules may meet one route.
    let mut seen = HashSet::new();
    findings.retain(|finding| seen.insert(finding.identity()));
    findings
}

/// Puts findings into the order of the texts.
fn order(objects: &Objects, findings: &mut [Finding]) {
    let places: HashMap<_, _> =
        objects.sources.iter().enumerate().map(|(at, source)| (Rc::as_ptr(source), at)).collect();
    findings.sort_by_key(|finding| (places.get(&Rc::as_ptr(&finding.source)).copied(), finding.span.start));
}

/// What could not be compared, since objects that it refers to are not given.
fn note(world: &together::World) -> Option<String> {
    let folder = if world.folder.is_empty() { String::new() } else { format!("{}: ", world.folder) };
    if let Some((first, second)) = parts::twice(&world.objects) {
        let (title, first, second) = (second.title(), first.place(), second.place());
        return Some(format!("{folder}{title} exists twice ({first}, {second}), so nothing was compared"));
    }
    let missing = missing::missing(&World::of(&world.objects), world.folder.is_empty());
    (!missing.is_empty()).then(|| format!("{folder}not given, so not compared with: {}", missing.join(", ")))
}

fn summary(objects: usize, configs: usize, findings: usize, unreadable: usize) -> String {
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let looked = format!("{}, {} of this filter", number(objects, "object"), number(configs, "config"));
    match (findings, unreadable) {
        (0, 0) => format!("ok: {looked}"),
        (_, 0) => format!("{} in {looked}", number(findings, "finding")),
        _ => format!("{} in {looked}; {unreadable} could not be read", number(findings, "finding")),
    }
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn the_document_has_every_code_with_its_reason_and_its_way_out() {
        let document = include_str!("../../../../docs/checks.md");
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
