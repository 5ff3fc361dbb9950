//! A change of a rule in a file.

use super::print::{Place, Told, Way, say};
use super::rule::{self, Chosen};
use super::text;
use super::verdict::{self, Verdict};
use super::{Change, Refusal, write};
use crate::cluster::access::Access;
use crate::diff::Diff;
use crate::input::choice;
use crate::input::manifest::{Objects, PluginConfig};
use crate::input::sources::{self, MARK, Source, Unit};
use crate::input::stderr;
use crate::input::time;
use crate::report::fault::{self, FaultAt};
use crate::report::output::Output;
use canary_split::reload::State;
use canary_split::rollout::ramp::Second;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Where the rule is, and whether to write it.
#[derive(clap::Args)]
pub struct Target {
    #[command(flatten)]
    pub access: Access,
    /// Wait this long until it is in force on every gateway pod
    #[arg(long, value_name = "DURATION", value_parser = time::duration, default_value = "60s", help_heading = "Cluster")]
    pub timeout: Duration,
    /// Edit this file instead of the cluster; - reads the standard input and prints the edited text, the difference on the standard
    /// error
    #[arg(short, long = "filename", value_name = "FILE", help_heading = "Where")]
    file: Option<PathBuf>,
    /// Choose the WasmPlugin, if there are several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub plugin: Option<String>,
    /// Write nothing; show what would be done
    #[arg(long, help_heading = "How")]
    pub dry_run: bool,
    /// Do not ask; a file is edited without a question anyway
    #[arg(long, help_heading = "How")]
    pub yes: bool,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::read, help_heading = "How")]
    now: Option<Second>,
}

/// A file with a config that is to be edited.
pub struct Edited<'t> {
    target: &'t Target,
    path: &'t Path,
    /// The byte order mark at its beginning.
    mark: String,
    /// The config as it is.
    pub config: PluginConfig,
    /// The changes.
    done: Vec<Told>,
    /// Whether a change was refused.
    is_partial: bool,
    begun: Instant,
}

impl Target {
    /// For a change that is asked for elsewhere than on the command line, of a file or of the cluster.
    pub fn elsewhere(access: Access, file: Option<PathBuf>, plugin: String, timeout: Duration) -> Target {
        Target { access, timeout, file, plugin: Some(plugin), dry_run: false, yes: true, now: None }
    }

    /// Whether a file is meant, and not the cluster.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// The time that is given, or the clock's.
    pub fn now(&self) -> Second {
        time::or_clock(self.now)
    }

    /// The file that is to be edited.
    pub fn open(&self) -> Result<Edited<'_>, String> {
        let begun = Instant::now();
        let path = self.file.as_deref().ok_or("which file? -f FILE names the one with the WasmPlugin")?;
        self.access.go_with_files()?;
        if path.as_os_str() != "-" && path.is_dir() {
            return Err(format!("{}: a folder; name the file in it that holds the WasmPlugin", path.display()));
        }
        let whole = sources::read_whole(path)?;
        let (mark, rest) = whole
            .text
            .split_at_checked(whole.text.strip_prefix(MARK).map_or(0, |_| MARK.len_utf8()))
            .unwrap_or_default();
        let source = Source::new(whole.name, rest);
        source.documents()?;
        let config = chosen(source, self.plugin.as_deref())?;
        Ok(Edited { target: self, path, mark: mark.to_owned(), config, done: Vec::new(), is_partial: false, begun })
    }
}

impl Edited<'_> {
    /// The rule of this name; without a name, the only one with a split.
    pub fn rule(&self, name: Option<&str>) -> Result<Chosen<'_>, String> {
        rule::choose(&self.config, name)
    }

    /// Changes a rule, or says why not.
    pub fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&PluginConfig, Chosen) -> Result<Change, Refusal>,
    ) -> Result<(), Refusal> {
        let old = self.config.clone();
        let rule = rule::choose(&old, Some(name))?;
        let change = change(&old, rule)?;
        let (text, done) = text::edited(&old, rule, &change.edits)?;
        let source = Source::new(old.source.name.clone(), text);
        let new = chosen(source, self.target.plugin.as_deref())?;
        // The text may have faults of its own, such as a field that is given twice.
        match verdict::of(&new.json(), change.index) {
            Verdict::Good(_) => {}
            Verdict::Faulty(errors) | Verdict::Refused(errors) => {
                return Err(Refusal::Fault(format!("rule {name} would have a fault: {}", verdict::first(&errors))));
            }
        }
        self.done.push(Told { change, done });
        self.config = new;
        Ok(())
    }

    /// Remembers a rule that could not be changed while others were.
    pub fn refuse(&mut self, refusal: &Refusal) {
        stderr::say(refusal.text());
        self.is_partial = true;
    }

    fn text(&self) -> String {
        [self.mark.as_str(), &self.config.source.text].concat()
    }

    fn has_edits(&self) -> bool {
        self.done.iter().any(|told| !told.change.edits.is_empty())
    }

    /// Writes the file, if anything is to be changed.
    pub fn write(&self) -> Result<(), String> {
        if self.has_edits() { write::replace(self.path, &self.text()) } else { Ok(()) }
    }

    /// Writes the changes and reports them; the exit code.
    pub fn finish(self, old: &PluginConfig, is_list: bool, output: Output, out: &mut impl Write) -> Result<u8, String> {
        let is_stdin = self.path.as_os_str() == "-";
        let target = self.target;
        let text = self.text();
        let is_written = self.has_edits() && !target.dry_run;
        if is_written && !is_stdin {
            write::replace(self.path, &text)?;
        }
        let diff = Diff::between(std::slice::from_ref(old), std::slice::from_ref(&self.config), target.now());
        let way = Way {
            is_dry: target.dry_run,
            is_written,
            is_list,
            took_ms: self.begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        };
        let mut said = Vec::new();
        let plugin = self.config.object.as_ref().map(|_| self.config.title());
        let place = Place { name: self.config.source.name.clone(), plugin, gateways: None };
        say(&place, &self.done, &diff, &way, output, &mut said).map_err(|error| error.to_string())?;
        let done = if is_stdin && !target.dry_run {
            io::stderr().write_all(&said).and_then(|()| out.write_all(text.as_bytes()))
        } else {
            out.write_all(&said)
        };
        done.map_err(|error| error.to_string())?;
        // Earlier faults may be gone now.
        let faults = State::default().evaluate(self.config.json().as_bytes()).faults;
        fault::warn(&FaultAt::all(&self.config, &faults));
        Ok(u8::from(!faults.is_empty() || self.is_partial))
    }
}

/// The one config of a text that is meant.
fn chosen(source: Source, plugin: Option<&str>) -> Result<PluginConfig, String> {
    let name = source.name.clone();
    let unit = Unit { folder: String::new(), sources: vec![Rc::new(source)] };
    let all: Vec<PluginConfig> = Objects::of(&unit)?.configs().collect();
    choice::choose(&name, &all, plugin)
}
