//! A plan and its result, for people and for programs.

use super::plan::{Plan, Stage};
use crate::edit::patch;
use crate::input::quoted::visible;
use crate::report::wrap::wrapped;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// The effect of a step on a text.
pub struct Written {
    /// The file, or the object in the cluster.
    pub file: String,
    /// The first line that is edited; `None`: not in a file.
    pub line: Option<usize>,
    /// The difference.
    pub diff: String,
}

/// How the plan was carried out.
pub struct Way {
    /// Whether it is a dry run.
    pub is_dry: bool,
    /// Whether anything was written.
    pub is_written: bool,
    /// How long it took.
    pub took_ms: u64,
    /// On how many gateway pods it is in force; `None`: nobody waited.
    pub gateways: Option<Value>,
}

/// Prints the steps; with their differences in a dry run and in the cluster, where nothing else shows them.
pub fn say(plan: &Plan, written: &[Written], way: &Way, out: &mut impl Write) -> io::Result<()> {
    if plan.stages.is_empty() {
        writeln!(out, "rule {}: nothing to do; nothing is written", plan.rule)?;
    }
    for (number, (stage, written)) in plan.stages.iter().zip(written).enumerate() {
        let place = written.line.map(|line| format!(" ({}:{line})", visible(&written.file))).unwrap_or_default();
        writeln!(out, "{}. {}{place}: {}", number + 1, visible(&stage.object.title()), visible(&stage.said))?;
        writeln!(out, "{}", wrapped("   ", stage.why))?;
        if way.is_dry || written.line.is_none() {
            write!(out, "{}", written.diff)?;
        }
    }
    plan.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", &visible(note))))
}

/// The same for programs.
pub fn to_json(plan: &Plan, written: &[Written], way: &Way) -> Value {
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
        "gateways": way.gateways,
        "tookMs": way.took_ms,
        "steps": plan.stages.iter().zip(written).map(step).collect::<Vec<_>>(),
        "notes": plan.notes,
        "written": way.is_written,
    })
}
