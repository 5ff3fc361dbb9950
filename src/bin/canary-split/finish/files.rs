//! A plan done in files.

use super::meant::Meant;
use super::plan::{Plan, Stage};
use crate::change::{Refusal, write};
use crate::edit::text::{self, Refused};
use crate::edit::{Shown, differing, patch};
use crate::input::manifest::Objects;
use crate::input::sources::{self, MARK, Source, Unit};
use crate::input::time;
use crate::input::unreadable::Unreadable;
use crate::report::output::Output;
use crate::report::wrap::wrapped;
use canary_split::rollout::ramp::Second;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// Where the rule and its routes are, and whether they are written.
#[derive(clap::Args)]
pub struct Target {
    /// Edit these files, and those of these folders; all that routes the rule's requests must be among them
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1.., required = true, help_heading = "Where")]
    files: Vec<PathBuf>,
    /// Choose the WasmPlugin, if several have the rule: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    plugin: Option<String>,
    /// Write nothing; print the differences
    #[arg(long, help_heading = "How")]
    dry_run: bool,
    /// Do not ask; a file is edited without a question anyway
    #[arg(long, help_heading = "How")]
    yes: bool,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time::read, help_heading = "How")]
    now: Option<Second>,
}

/// What a step has done to a file.
struct Written {
    file: String,
    line: usize,
    diff: String,
}

impl Target {
    /// The rule of this name.
    pub fn meant<'m>(&'m self, rule: &'m str) -> Meant<'m> {
        Meant { rule, plugin: self.plugin.as_deref(), now: time::or_clock(self.now) }
    }

    /// Does what is planned; the exit code.
    pub fn run(
        &self,
        plan: impl FnOnce(&Objects) -> Result<Plan, Refusal>,
        output: Output,
        out: &mut impl Write,
    ) -> Result<u8, String> {
        let begun = Instant::now();
        let mut sources = self.sources()?;
        let plan = match plan(&objects(&sources)?) {
            Ok(plan) => plan,
            Err(Refusal::Wrong(why)) => return Err(why),
            Err(Refusal::Fault(why)) => {
                eprintln!("canary-split: {why}");
                return Ok(1);
            }
        };
        let before = sources.clone();
        let written: Vec<Written> =
            plan.stages.iter().map(|stage| done(stage, &mut sources)).collect::<Result<_, _>>()?;
        if !self.dry_run {
            for (old, new) in before.iter().zip(&sources).filter(|(old, new)| old.text != new.text) {
                let path = Path::new(&old.name);
                let whole = sources::read_whole(path)?.text;
                let mark = if whole.starts_with(MARK) { MARK.to_string() } else { String::new() };
                if whole.strip_prefix(MARK).unwrap_or(&whole) != old.text {
                    return Err(format!("{}: somebody else has written it meanwhile; look again", old.name));
                }
                write::replace(path, &[mark.as_str(), &new.text].concat())?;
            }
        }
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.say(&plan, &written, took_ms, output, out).map_err(|error| error.to_string())?;
        Ok(0)
    }

    fn sources(&self) -> Result<Vec<Rc<Source>>, String> {
        if let Some(path) = self.files.iter().find(|path| path.as_os_str() == "-") {
            return Err(format!("{}: several files are edited; name them", path.display()));
        }
        let input = sources::read_all(&self.files);
        let mut all = Vec::new();
        for source in input.units.into_iter().flat_map(|unit| unit.sources) {
            if let Some(folder) = &source.rendered_from {
                let folder = folder.display();
                return Err(format!("{folder}: a kustomization; what is rendered cannot be edited, name its files"));
            }
            all.push(source);
        }
        input.unreadable.first().map(Unreadable::to_string).map_or(Ok(all), Err)
    }

    fn say(
        &self,
        plan: &Plan,
        written: &[Written],
        took_ms: u64,
        output: Output,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        if let Output::Json = output {
            return writeln!(out, "{:#}", self.to_json(plan, written, took_ms));
        }
        if plan.stages.is_empty() {
            writeln!(out, "rule {}: it is so already; nothing is written", plan.rule)?;
        }
        for (number, (stage, written)) in plan.stages.iter().zip(written).enumerate() {
            let Written { file, line, diff } = written;
            writeln!(out, "{}. {} ({file}:{line}): {}", number + 1, stage.object.title(), stage.said)?;
            writeln!(out, "{}", wrapped("   ", stage.why))?;
            if self.dry_run {
                write!(out, "{diff}")?;
            }
        }
        plan.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", note)))?;
        if !plan.stages.is_empty() {
            let end = if self.dry_run { "nothing is written" } else { "written; apply it in this order" };
            writeln!(out, "{end}")?;
        }
        Ok(())
    }

    fn to_json(&self, plan: &Plan, written: &[Written], took_ms: u64) -> Value {
        let weights = |all: &[(String, u64)]| {
            all.iter().map(|(name, weight)| (name.clone(), Value::from(*weight))).collect::<Map<_, _>>()
        };
        let step = |(stage, written): (&Stage, &Written)| {
            json!({
                "object": stage.object.title(),
                "file": written.file,
                "line": written.line,
                "said": stage.said,
                "why": stage.why,
                "patch": patch::of(&[], &stage.edits),
                "diff": written.diff,
            })
        };
        json!({
            "plugin": plan.plugin,
            "rule": plan.rule,
            "old": weights(&plan.old),
            "new": weights(&plan.new),
            "moved": plan.moved,
            "gateways": null,
            "tookMs": took_ms,
            "steps": plan.stages.iter().zip(written).map(step).collect::<Vec<_>>(),
            "notes": plan.notes,
            "written": !self.dry_run && !plan.stages.is_empty(),
        })
    }
}

fn objects(sources: &[Rc<Source>]) -> Result<Objects, String> {
    Objects::of(&Unit { folder: String::new(), sources: sources.to_vec() })
}

/// Does a step to the text that its object is in.
fn done(stage: &Stage, sources: &mut [Rc<Source>]) -> Result<Written, String> {
    let title = stage.object.title();
    // Earlier steps may have edited the same file.
    let now = objects(sources)?;
    let object = now.objects.iter().find(|object| object.identity() == stage.object.identity());
    let object = object.ok_or_else(|| format!("{title} is gone"))?;
    let source = &object.source;
    let edited = text::edited(&source.text, &object.node.span, &stage.edits).map_err(|refused| {
        let path = |at: usize| Shown(stage.edits.get(at).map_or(&[][..], |edit| &edit.path)).to_string();
        let place = |at: usize| {
            let (line, column) = source.position(at);
            format!("{}:{line}:{column}", source.name)
        };
        match refused {
            Refused::Missing(at) => format!("{}: {title} has no {}", object.place(), path(at)),
            Refused::Aliased(edit, at) => format!(
                "{}: {} of {title} is in or behind an alias, and says something elsewhere too; edit it by hand",
                place(at),
                path(edit)
            ),
            Refused::Unwritable => {
                format!("{}: {title} cannot be edited without changing more than that; edit it by hand", object.place())
            }
        }
    })?;
    let line = edited.done.iter().map(|done| source.position(done.at).0).min().unwrap_or_default();
    let diff = differing::unified(&source.name, &source.text, &edited.text);
    let written = Written { file: source.name.clone(), line, diff };
    let new = Rc::new(source.with(edited.text));
    let place = sources.iter().position(|known| Rc::ptr_eq(known, source)).ok_or_else(|| format!("{title} is gone"))?;
    if let Some(known) = sources.get_mut(place) {
        *known = new;
    }
    Ok(written)
}
