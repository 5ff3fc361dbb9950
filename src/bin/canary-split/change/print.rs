//! The output about changes, for people and for programs.

use super::Change;
use super::text::Done;
use crate::diff::Diff;
use crate::edit::{Edit, Shown, Step};
use crate::input::quoted::visible;
use crate::report::output::Output;
use crate::report::wrap::wrapped;
use serde_json::{Value, json};
use std::io::{self, Write};

/// A change and its effect on a text, edit by edit.
pub struct Told {
    /// The change.
    pub change: Change,
    /// The result of each edit.
    pub done: Vec<Done>,
}

/// Where the change was made.
pub struct Place {
    /// The file, or the object in the cluster.
    pub name: String,
    /// `NAMESPACE/NAME` of the plugin.
    pub plugin: Option<String>,
    /// On how many gateway pods it is in force; `None`: nobody waited.
    pub gateways: Option<Value>,
}

/// How the change was made.
pub struct Way {
    /// Whether it is a dry run.
    pub is_dry: bool,
    /// Whether anything was written.
    pub is_written: bool,
    /// Whether there may be several rules.
    pub is_list: bool,
    /// How long it took.
    pub took_ms: u64,
}

/// Prints the changes of rules of a file, and who moves.
pub fn say(
    place: &Place,
    told: &[Told],
    diff: &Diff,
    way: &Way,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    if let Output::Json = output {
        let mut all = listed(place, told, diff, way);
        return match all.pop() {
            Some(only) if !way.is_list => writeln!(out, "{only:#}"),
            last => {
                all.extend(last);
                writeln!(out, "{:#}", Value::from(all))
            }
        };
    }
    let name = visible(&place.name);
    for Told { change, .. } in told {
        let rule = &change.rule;
        if change.edits.is_empty() {
            writeln!(out, "{name}: rule {} has these weights already; nothing is written", visible(rule))?;
        } else {
            let end = if way.is_dry { "; nothing is written" } else { "" };
            writeln!(out, "{name}: rule {}: {}{end}", visible(rule), visible(&change.said))?;
        }
        for note in &change.notes {
            writeln!(out, "{}", wrapped("  note: ", &visible(note)))?;
        }
    }
    if told.iter().all(|told| told.change.edits.is_empty()) {
        return Ok(());
    }
    writeln!(out)?;
    diff.print(output, out)
}

/// The same for programs, rule by rule.
pub fn listed(place: &Place, told: &[Told], diff: &Diff, way: &Way) -> Vec<Value> {
    told.iter().map(|told| to_json(place, told, diff, way)).collect()
}

fn to_json(place: &Place, told: &Told, diff: &Diff, way: &Way) -> Value {
    let Told { change, done } = told;
    let old: serde_json::Map<_, _> = change.old.iter().map(|(name, weight)| (name.clone(), (*weight).into())).collect();
    let new: serde_json::Map<_, _> = change.new.iter().map(|(name, weight)| (name.clone(), (*weight).into())).collect();
    json!({
        "plugin": place.plugin,
        "rule": change.rule,
        "old": old,
        "new": new,
        "moved": diff.moved(&change.rule).unwrap_or(0.0),
        "gateways": place.gateways,
        "tookMs": way.took_ms,
        "file": place.name,
        "edits": edits(change, done),
        "notes": change.notes,
        "written": way.is_written && !change.edits.is_empty(),
        "diff": if way.is_list { of_rule(diff.to_json(), &change.rule) } else { diff.to_json() },
    })
}

/// The part of a difference that is about a rule: a list has an entry for each.
fn of_rule(mut diff: Value, rule: &str) -> Value {
    for plugin in diff.get_mut("plugins").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(rules) = plugin.get_mut("rules").and_then(Value::as_array_mut) {
            rules.retain(|diff| diff.get("rule").and_then(Value::as_str) == Some(rule));
        }
    }
    diff
}

fn edits(change: &Change, done: &[Done]) -> Vec<Value> {
    let one = |(at, edit): (usize, &Edit)| {
        let done = done.get(at);
        let place = match edit.path.as_slice() {
            [_, Step::Item(at), Step::Field(last)] if last == "weight" => change.old.get(*at),
            _ => None,
        };
        let (key, name) = match place {
            Some((subset, _)) => ("subset", subset.clone()),
            None => ("field", Shown(&edit.path).to_string()),
        };
        json!({key: name, "old": done.map(|done| &done.old), "new": edit.new_value(), "line": done.map(|done| done.line)})
    };
    change.edits.iter().enumerate().map(one).collect()
}
