//! A plan and what has become of it, as people and programs read it.

use super::plan::{Plan, Stage};
use crate::edit::patch;
use crate::report::wrap::wrapped;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// What a step has done to a text.
pub struct Written {
    /// The file, or the object in the cluster.
    pub file: String,
    /// The first line of it that is edited; `None`: it is in no file.
    pub line: Option<usize>,
    /// What is other than before.
    pub diff: String,
}

/// How it was done.
pub struct Way {
    /// Whether it is only tried.
    pub is_dry: bool,
    /// Whether anything was written.
    pub is_written: bool,
    /// How long it took.
    pub took_ms: u64,
    /// How many gateway pods have it in force; `None`: nobody has waited.
    pub gateways: Option<Value>,
}

/// Says the steps; with their differences where they are only tried, or in the cluster, where nobody else shows them.
pub fn say(plan: &Plan, written: &[Written], way: &Way, out: &mut impl Write) -> io::Result<()> {
    if plan.stages.is_empty() {
        writeln!(out, "rule {}: nothing to do; nothing is written", plan.rule)?;
    }
    for (number, (stage, written)) in plan.stages.iter().zip(written).enumerate() {
        let place = written.line.map(|line| format!(" ({}:{line})", written.file)).unwrap_or_default();
        writeln!(out, "{}. {}{place}: {}", number + 1, stage.object.title(), stage.said)?;
        writeln!(out, "{}", wrapped("   ", stage.why))?;
        if way.is_dry || written.line.is_none() {
            write!(out, "{}", written.diff)?;
        }
    }
    plan.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", note)))
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
