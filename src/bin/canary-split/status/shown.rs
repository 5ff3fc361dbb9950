//! The content of `status`: for the chosen rules, the gateways' answers and the findings.

use crate::check;
use crate::cluster::health;
use crate::cluster::inventory::Inventory;
use crate::cluster::looks::Looks;
use crate::cluster::reading::{self, PluginReading, Reading};
use crate::input::time;
use crate::report::finding::{Finding, Severity};
use crate::world::World;

/// The choice.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    /// A rule; `None`: all.
    pub rule: Option<&'w str>,
    /// A plugin; `None`: all.
    pub plugin: Option<&'w str>,
}

/// The content to print.
pub struct Shown {
    /// The gateways' answers.
    pub reading: Reading,
    /// The findings.
    pub findings: Vec<Finding>,
    /// Why something is unknown.
    pub notes: Vec<String>,
}

impl Shown {
    /// From two looks.
    pub fn of(inventory: &Inventory, wanted: Wanted, before: &Looks, looks: &Looks) -> Result<Shown, String> {
        let world = World::of(&inventory.objects);
        let now = time::or_clock(None);
        let mut reading = reading::read(&world, inventory, before, looks, now);
        choose(&mut reading, wanted)?;
        let mut notes = inventory.notes.clone();
        notes.append(&mut reading.notes);
        // A warning of check may be intended; an error explains why requests go wrong.
        let mut findings = check::of_cluster(inventory, Some(&reading), false, now, &mut notes);
        findings.retain(|finding| finding.code.severity == Severity::Error || health::CODES.contains(&finding.code));
        if let Some(rule) = wanted.rule {
            findings.retain(|finding| finding.message.contains(&format!("rule {rule}")) || is_of_a_gateway(finding));
        }
        Ok(Shown { reading, findings, notes })
    }

    /// Whether nothing was found.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Whether it is about a gateway pod, and so about every rule.
fn is_of_a_gateway(finding: &Finding) -> bool {
    health::CODES.contains(&finding.code) && !finding.message.starts_with("rule ")
}

/// Keeps only the chosen rules and plugins.
fn choose(reading: &mut Reading, wanted: Wanted) -> Result<(), String> {
    if let Some(wanted) = wanted.plugin {
        let titles: Vec<String> = reading.plugins.iter().map(PluginReading::title).collect();
        reading.plugins.retain(|plugin| plugin.name == wanted || plugin.title() == wanted);
        if reading.plugins.is_empty() {
            return Err(format!("no plugin {wanted}; there are {}", titles.join(", ")));
        }
    }
    let Some(wanted) = wanted.rule else { return Ok(()) };
    let names: Vec<String> =
        reading.plugins.iter().flat_map(|plugin| &plugin.rules).map(|rule| rule.name.clone()).collect();
    for plugin in &mut reading.plugins {
        plugin.rules.retain(|rule| rule.name == wanted);
    }
    reading.plugins.retain(|plugin| !plugin.rules.is_empty());
    match reading.plugins.as_slice() {
        [] if names.is_empty() => Err(format!("no rule {wanted}: no plugin has any")),
        [] => Err(format!("no rule {wanted}; there are {}", names.join(", "))),
        [_] => Ok(()),
        several => {
            let titles: Vec<String> = several.iter().map(PluginReading::title).collect();
            Err(format!("several plugins have a rule {wanted}; choose with --plugin: {}", titles.join(", ")))
        }
    }
}
