//! `status`: what is in force on every gateway pod, what was decided, and what arrived.

mod print;

use crate::check;
use crate::cluster::access::Access;
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::look::{self, Question, Silence};
use crate::cluster::reading::{self, Looks, Reading};
use crate::input::time;
use crate::report::finding::{Finding, Severity};
use crate::report::output::Output;
use crate::world::World;
use kube::Client;
use std::io::Write;
use std::time::Duration;

/// What to show.
#[derive(clap::Args)]
pub struct Options {
    /// The rule; all if it is not given
    rule: Option<String>,
    /// The plugin, if a rule of this name is in several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Show it again and again, in place, until it is interrupted
    #[arg(short, long)]
    watch: bool,
    /// The time between two looks, over which shares are taken
    #[arg(long, value_name = "DURATION", value_parser = time::duration, default_value = "5s")]
    interval: Duration,
    #[command(flatten)]
    access: Access,
}

/// Shows the state; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    if options.watch && matches!(output, Output::Json) {
        return Err("--watch is for people; for programs ask again".to_owned());
    }
    options.access.run(|client| watch(client, options, output, out))
}

async fn watch(client: Client, options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let mut screen = print::Screen::default();
    let mut inventory = read(&client, options).await?;
    let mut before = looks(&client, &inventory).await?;
    loop {
        tokio::time::sleep(options.interval).await;
        let now = looks(&client, &inventory).await?;
        let shown = Shown::of(&inventory, options, &before, &now)?;
        let is_good = shown.is_good();
        if !options.watch {
            shown.print(output, out).map_err(|error| error.to_string())?;
            return Ok(u8::from(!is_good));
        }
        let mut text = Vec::new();
        shown.print(output, &mut text).map_err(|error| error.to_string())?;
        screen.show(&text).map_err(|error| error.to_string())?;
        before = now;
        // The next picture is of what the API server has then.
        inventory = read(&client, options).await?;
    }
}

async fn read(client: &Client, options: &Options) -> Result<Inventory, String> {
    Inventory::read(client, options.access.namespace.as_deref(), Extent::All).await
}

/// One look at each gateway pod.
async fn looks(client: &Client, inventory: &Inventory) -> Result<Looks, String> {
    let world = World::of(&inventory.objects);
    let pods = reading::gateway_pods(&world, inventory);
    let looks = look::at_all(client, &pods, Question::Arrived).await;
    if let Some(Err(Silence::Forbidden(why))) = looks.iter().find(|look| matches!(look, Err(Silence::Forbidden(_)))) {
        return Err(why.clone());
    }
    Ok(pods.iter().map(|pod| pod.title()).zip(looks).collect())
}

/// What is printed.
pub struct Shown {
    reading: Reading,
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Shown {
    fn of(inventory: &Inventory, options: &Options, before: &Looks, looks: &Looks) -> Result<Shown, String> {
        let world = World::of(&inventory.objects);
        let now = time::or_clock(None);
        let mut reading = reading::read(&world, inventory, before, looks, now);
        let mut notes = inventory.notes.clone();
        notes.append(&mut reading.notes);
        // A warning of check may be meant; an error is why requests go wrong.
        let mut findings = check::of_cluster(inventory, Some(&reading), now, &mut notes);
        findings.retain(|finding| {
            finding.code.severity == Severity::Error || crate::cluster::health::CODES.contains(&finding.code)
        });
        choose(&mut reading, options)?;
        Ok(Shown { reading, findings, notes })
    }

    fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    fn print(&self, output: Output, out: &mut impl Write) -> std::io::Result<()> {
        match output {
            Output::Json => {
                let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
                let json =
                    serde_json::json!({"plugins": self.reading.plugins, "findings": findings, "notes": self.notes});
                writeln!(out, "{json:#}")
            }
            Output::Text { is_colourful } => print::print(self, is_colourful, out),
        }
    }
}

/// Leaves the rules and plugins that are asked for.
fn choose(reading: &mut Reading, options: &Options) -> Result<(), String> {
    if let Some(wanted) = &options.plugin {
        let titles: Vec<String> =
            reading.plugins.iter().map(|plugin| format!("{}/{}", plugin.namespace, plugin.name)).collect();
        reading
            .plugins
            .retain(|plugin| plugin.name == *wanted || format!("{}/{}", plugin.namespace, plugin.name) == *wanted);
        if reading.plugins.is_empty() {
            return Err(format!("no plugin {wanted}; there are {}", titles.join(", ")));
        }
    }
    let Some(wanted) = &options.rule else { return Ok(()) };
    let names: Vec<String> =
        reading.plugins.iter().flat_map(|plugin| &plugin.rules).map(|rule| rule.name.clone()).collect();
    for plugin in &mut reading.plugins {
        plugin.rules.retain(|rule| rule.name == *wanted);
    }
    reading.plugins.retain(|plugin| !plugin.rules.is_empty());
    match reading.plugins.as_slice() {
        [] if names.is_empty() => Err(format!("no rule {wanted}: no plugin has any")),
        [] => Err(format!("no rule {wanted}; there are {}", names.join(", "))),
        [_] => Ok(()),
        several => {
            let titles: Vec<String> =
                several.iter().map(|plugin| format!("{}/{}", plugin.namespace, plugin.name)).collect();
            Err(format!("several plugins have a rule {wanted}; choose by --plugin: {}", titles.join(", ")))
        }
    }
}
