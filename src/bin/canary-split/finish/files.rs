//! Carries out a plan in files.

use super::plan::{Plan, Stage};
use super::print::{Way, Written, say, to_json};
use super::target::Target;
use crate::change::{Refusal, write};
use crate::edit::text::{self, Refused};
use crate::edit::{Shown, differing};
use crate::input::manifest::Objects;
use crate::input::sources::{self, MARK, Source, Unit};
use crate::input::stderr;
use crate::input::unreadable::Unreadable;
use crate::report::output::Output;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// Carries out the plan; the exit code.
pub fn run(
    target: &Target,
    plan: impl FnOnce(&Objects) -> Result<Plan, Refusal>,
    output: Output,
    out: &mut impl Write,
) -> Result<u8, String> {
    let begun = Instant::now();
    target.access.go_with_files()?;
    let mut sources = read(target)?;
    let given = objects(&sources)?;
    if given.configs().next().is_none() {
        let paths: Vec<String> = target.files.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("{}: no WasmPlugin of this filter", paths.join(", ")));
    }
    let plan = match plan(&given) {
        Ok(plan) => plan,
        Err(Refusal::Wrong(why)) => return Err(why),
        Err(Refusal::Fault(why)) => {
            stderr::say(why);
            return Ok(1);
        }
    };
    let before = sources.clone();
    let written: Vec<Written> = plan.stages.iter().map(|stage| done(stage, &mut sources)).collect::<Result<_, _>>()?;
    if !target.dry_run {
        for (old, new) in before.iter().zip(&sources).filter(|(old, new)| old.text != new.text) {
            let path = Path::new(&old.name);
            let whole = sources::read_whole(path)?.text;
            let mark = if whole.starts_with(MARK) { MARK.to_string() } else { String::new() };
            if whole.strip_prefix(MARK).unwrap_or(&whole) != old.text {
                return Err(format!("{}: somebody else has written it meanwhile; check again", old.name));
            }
            write::replace(path, &[mark.as_str(), &new.text].concat())?;
        }
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let is_written = !target.dry_run && !plan.stages.is_empty();
    let end = if is_written { after(&written) } else { "nothing is written".to_owned() };
    let way = Way { is_dry: target.dry_run, is_written, took_ms, gateways: None };
    match output {
        Output::Json => writeln!(out, "{:#}", to_json(&plan, &written, &way)),
        Output::Text { .. } => say(&plan, &written, &way, out)
            .and_then(|()| if plan.stages.is_empty() { Ok(()) } else { writeln!(out, "{end}") }),
    }
    .map_err(|error| error.to_string())?;
    Ok(0)
}

/// What to do with files that are written.
fn after(written: &[Written]) -> String {
    let mut files = HashSet::new();
    match written.iter().find(|step| !files.insert(&*step.file)) {
        _ if written.len() == 1 => "written".to_owned(),
        None => "written; apply the files in this order, and wait for each: canary-split status".to_owned(),
        Some(Written { file, .. }) => format!(
            "written; {file} has objects of several steps, which must not be applied at once: run the same command without -f first, which edits the cluster step by step"
        ),
    }
}

fn read(target: &Target) -> Result<Vec<Rc<Source>>, String> {
    if let Some(path) = target.files.iter().find(|path| path.as_os_str() == "-") {
        return Err(format!("{}: several files are edited; name them", path.display()));
    }
    let input = sources::read_all(&target.files);
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

fn objects(sources: &[Rc<Source>]) -> Result<Objects, String> {
    Objects::of(&Unit { folder: String::new(), sources: sources.to_vec() })
}

/// Carries out a step in the text of its object.
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
                "{}: {} of {title} is in or behind an alias, and is also used elsewhere; edit it by hand",
                place(at),
                path(edit)
            ),
            Refused::Unwritable => {
                format!("{}: {title} cannot be edited without changing more than that; edit it by hand", object.place())
            }
        }
    })?;
    let line = edited.done.iter().map(|done| source.position(done.at).0).min();
    let diff = differing::unified(&source.name, &source.text, &edited.text);
    let written = Written { file: source.name.clone(), line, diff };
    let new = Rc::new(source.with(edited.text));
    let place = sources.iter().position(|known| Rc::ptr_eq(known, source)).ok_or_else(|| format!("{title} is gone"))?;
    if let Some(known) = sources.get_mut(place) {
        *known = new;
    }
    Ok(written)
}
