//! `diff`: who moves if one config replaces another.

mod config;
mod cookies;
mod matches;
mod moves;
mod note;
mod print;
mod reasons;
mod remember;
mod rollout;
mod rule;
mod sticky;

use crate::input::choice::{Given, read};
use crate::input::manifest::PluginConfig;
use crate::input::stderr;
use crate::input::time;
use crate::input::unreadable::{self, Unreadable};
use crate::report::fault::{self, FaultAt};
use crate::report::output::Output;
use crate::report::share::Share;
use canary_split::rollout::ramp::Second;
use config::PluginDiff;
use rule::Change;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

/// What to compare.
#[derive(clap::Args)]
pub struct Options {
    /// Give what is in force: a file or folder with the WasmPlugin, a bare pluginConfig, or - for the standard input
    old: PathBuf,
    /// Give the new version, in the same way
    new: PathBuf,
    /// Compare them at this time, as in 2026-12-01T09:00:00Z, instead of the clock's
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    now: Option<Second>,
}

/// All plugins before and after.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// One by one.
    plugins: Vec<PluginDiff>,
    /// The faults of the configs.
    faults: Vec<FaultAt>,
    /// Plugins that are on one side only, while the other could not be read completely.
    #[serde(rename = "notCompared", skip_serializing_if = "Vec::is_empty")]
    not_compared: Vec<String>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

/// Prints the difference; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    if [&options.old, &options.new].into_iter().all(|path| path.as_os_str() == "-") {
        return Err("only one of OLD and NEW can be the standard input".to_owned());
    }
    let diff = Diff::of(read(&options.old)?, read(&options.new)?, time::or_clock(options.now));
    diff.print(output, out).map_err(|error| error.to_string())?;
    diff.warn();
    Ok(if diff.unreadable.is_empty() { u8::from(!diff.is_empty() || diff.has_faults()) } else { 2 })
}

impl Diff {
    /// Compares all that could be read.
    fn of(old: Given, new: Given, now: Second) -> Diff {
        let are_whole = [&old, &new].map(|given| given.unreadable.is_empty());
        let mut diff = Diff::compared(&old.configs, &new.configs, now, are_whole);
        diff.unreadable = old.unreadable.into_iter().chain(new.unreadable).collect();
        diff
    }

    /// Compares plugins at a moment, by namespace and name; if each side has only one, these two.
    pub fn between(old: &[PluginConfig], new: &[PluginConfig], now: Second) -> Diff {
        Diff::compared(old, new, now, [true, true])
    }

    /// The same if a side could not be read completely: a plugin without a counterpart there may have one.
    fn compared(
        old: &[PluginConfig],
        new: &[PluginConfig],
        now: Second,
        [is_old_whole, is_new_whole]: [bool; 2],
    ) -> Diff {
        let mut faults = Vec::new();
        let mut pairs = Vec::new();
        if let ([one], [other], true) = (old, new, is_old_whole && is_new_whole) {
            pairs.push((Some(one), Some(other)));
        } else {
            let mut left: Vec<&PluginConfig> = old.iter().collect();
            for config in new {
                let at = left.iter().position(|before| is_same(before, config));
                pairs.push((at.map(|at| left.remove(at)), Some(config)));
            }
            pairs.extend(left.into_iter().map(|config| (Some(config), None)));
        }
        let is_doubtful = |(old, new): &(Option<&PluginConfig>, Option<&PluginConfig>)| {
            old.is_none() && !is_old_whole || new.is_none() && !is_new_whole
        };
        let (doubtful, pairs): (Vec<_>, Vec<_>) = pairs.into_iter().partition(is_doubtful);
        let not_compared = doubtful.into_iter().filter_map(|(old, new)| Some(new.or(old)?.title())).collect();
        let plugins = pairs.into_iter().map(|(old, new)| config::between(old, new, now, &mut faults)).collect();
        Diff { plugins, faults, not_compared, unreadable: Vec::new() }
    }

    /// Whether nothing differs in effect.
    pub fn is_empty(&self) -> bool {
        self.plugins.iter().all(|plugin| plugin.change == Change::Same)
    }

    /// The share of the visitors of a rule who move; `None`: it is new, gone or the same as before.
    pub fn moved(&self, rule: &str) -> Option<f64> {
        let rule = self.plugins.iter().flat_map(|plugin| &plugin.rules).find(|diff| diff.rule == rule)?;
        rule.visitors.iter().filter_map(|visitors| visitors.moved).max().map(Share::fraction)
    }

    /// Whether there are faults in either.
    pub fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// As people or programs read it.
    pub fn print(&self, output: Output, out: &mut impl Write) -> io::Result<()> {
        match output {
            Output::Json => writeln!(out, "{:#}", self.to_json()),
            Output::Text { is_colourful } => print::print(&self.plugins, is_colourful, out),
        }
    }

    /// As one object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("differs".to_owned(), (!self.is_empty()).into());
        }
        json
    }

    /// Prints the faults of the configs to standard error.
    pub fn warn(&self) {
        fault::warn(&self.faults);
        unreadable::warn(&self.unreadable);
        for plugin in &self.not_compared {
            stderr::say(format!("{plugin} is on one side alone, as far as they could be read; it was not compared"));
        }
    }
}

/// Whether two configs belong to one plugin. An applied one has a namespace, even if the file leaves it to `kubectl`.
fn is_same(old: &PluginConfig, new: &PluginConfig) -> bool {
    match (&old.object, &new.object) {
        (Some(old), Some(new)) => {
            let is_there = !old.namespace.is_empty() && !new.namespace.is_empty();
            old.name == new.name && (old.namespace == new.namespace || !is_there)
        }
        (None, None) => true,
        _ => false,
    }
}
