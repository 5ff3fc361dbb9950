//! `set`: other weights in a file, or a ramp that is paused or goes on, and nothing else.

mod pause;
mod splice;
mod write;

use crate::diff::Diff;
use crate::input::choice;
use crate::input::manifest::{Objects, PluginConfig};
use crate::input::sources::{self, MARK, Source, Unit};
use crate::input::time;
use crate::input::yaml::Node;
use crate::report::output::Output;
use canary_split::config::General;
use canary_split::rollout::ramp::Second;
use serde::Serialize;
use splice::Weight;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

/// What to set.
#[derive(clap::Args)]
pub struct Options {
    /// The file with the WasmPlugin or a bare pluginConfig; `-`: the standard input, and the edited text is printed, the difference
    /// on the standard error
    file: PathBuf,
    /// The name of the rule
    rule: String,
    /// New weights, as in `v1=50 v2=50`; the other subsets keep theirs
    #[arg(value_name = "SUBSET=WEIGHT", required_unless_present_any = ["rollback", "pause", "resume"])]
    weights: Vec<String>,
    /// Sets every canary to 0; stable gets the sum if it would have 0
    #[arg(long, conflicts_with = "weights")]
    rollback: bool,
    /// Pauses the ramp of the rule: writes pausedAt, and the weights of this moment stay
    #[arg(long, conflicts_with_all = ["weights", "rollback"])]
    pause: bool,
    /// Lets a paused ramp go on: removes pausedAt and moves start forward by the length of the pause
    #[arg(long, conflicts_with_all = ["weights", "rollback", "pause"])]
    resume: bool,
    /// The time, as in 2026-12-01T09:00:00Z; the clock's if it is not given
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    now: Option<Second>,
    /// The WasmPlugin, if the file holds several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Writes nothing
    #[arg(long)]
    dry_run: bool,
}

/// A weight before and after.
#[derive(Serialize)]
struct Edit {
    subset: String,
    old: String,
    new: u32,
    line: usize,
}

/// Sets the weights and prints who moves; whether no other rule has faults.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<bool, String> {
    let is_stdin = options.file.as_os_str() == "-";
    if !is_stdin && options.file.is_dir() {
        return Err(format!("{}: a folder; name the file in it that holds the WasmPlugin", options.file.display()));
    }
    let whole = sources::read_whole(&options.file)?;
    let (mark, rest) =
        whole.text.split_at_checked(whole.text.strip_prefix(MARK).map_or(0, |_| MARK.len_utf8())).unwrap_or_default();
    let source = Source::new(whole.name, rest);
    let name = source.name.clone();
    let documents = source.documents()?;
    let old = chosen(source, options)?;
    let rule = rule(&old, &options.rule)?;
    let now = time::or_clock(options.now);
    let Done { text, edits, said: what } = done(options, &old, &documents, rule, now)?;
    let new = chosen(Source::new(name.clone(), text.clone()), options)?;
    check_rule(&new, &options.rule)?;

    let is_written = !edits.is_empty() && !options.dry_run;
    if is_written && !is_stdin {
        write::replace(&options.file, &[mark, &text].concat())?;
    }
    let diff = Diff::between(std::slice::from_ref(&old), &[new], now);
    let mut said = Vec::new();
    say(&name, options, (&edits, &what), &diff, output, &mut said).map_err(|error| error.to_string())?;
    let done = if is_stdin && !options.dry_run {
        io::stderr().write_all(&said).and_then(|()| out.write_all([mark, &text].concat().as_bytes()))
    } else {
        out.write_all(&said)
    };
    done.map_err(|error| error.to_string())?;
    diff.warn();
    Ok(!diff.has_faults())
}

fn say(
    file: &str,
    options: &Options,
    (edits, what): (&[serde_json::Value], &str),
    diff: &Diff,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    let is_written = !edits.is_empty() && !options.dry_run;
    if let Output::Json = output {
        let json = serde_json::json!({
            "file": file, "rule": options.rule, "edits": edits, "written": is_written, "diff": diff.to_json(),
        });
        return writeln!(out, "{json:#}");
    }
    if edits.is_empty() {
        return writeln!(out, "{file}: rule {} has these weights already; nothing is written", options.rule);
    }
    let end = if options.dry_run { "; nothing is written" } else { "" };
    writeln!(out, "{file}: rule {}: {what}{end}\n", options.rule)?;
    diff.print(output, out)
}

/// What is to be done.
struct Done {
    text: String,
    edits: Vec<serde_json::Value>,
    said: String,
}

fn done(options: &Options, old: &PluginConfig, documents: &[Node], rule: &Node, now: Second) -> Result<Done, String> {
    if options.pause || options.resume {
        let edit = if options.pause { pause::pause } else { pause::resume };
        let pause::Paused { text, said, edits } = edit(old, documents, rule, &options.rule, now)?;
        return Ok(Done { text, edits, said });
    }
    if let Some(why) = pause::why_not(old, &options.rule, now) {
        return Err(why);
    }
    let wanted = if options.rollback { rollback(rule, &options.rule)? } else { wanted(&options.weights)? };
    let edits = edits(old, documents, rule, &options.rule, &wanted)?;
    let text = splice::spliced(&old.source, &edits, documents)?;
    let listed: Vec<Edit> = edits.iter().map(|edit| listed(edit, &old.source)).collect();
    let said: Vec<String> =
        listed.iter().map(|Edit { subset, old, new, .. }| format!("{subset} {old} → {new}")).collect();
    let edits = listed.iter().map(|edit| serde_json::to_value(edit).unwrap_or_default()).collect();
    Ok(Done { text, edits, said: said.join(", ") })
}

fn listed(edit: &(Weight, u32), source: &Source) -> Edit {
    let (weight, new) = edit;
    let old = source.text.get(weight.span.clone()).unwrap_or_default().to_owned();
    Edit { subset: weight.subset.clone(), old, new: *new, line: source.position(weight.span.start).0 }
}

/// The one config of a text that is meant.
fn chosen(source: Source, options: &Options) -> Result<PluginConfig, String> {
    let name = source.name.clone();
    let unit = Unit { folder: String::new(), sources: vec![Rc::new(source)] };
    let all: Vec<PluginConfig> = Objects::of(&unit)?.configs().collect();
    choice::choose(&name, &all, options.plugin.as_deref())
}

/// The rule of this name, with a split.
fn rule<'c>(config: &'c PluginConfig, name: &str) -> Result<&'c Node, String> {
    let rules = config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
    let name_of = |rule: &'c Node| rule.get("name").and_then(Node::text);
    let Some(rule) = rules.iter().find(|rule| name_of(rule) == Some(name)) else {
        let names: Vec<&str> = rules.iter().filter_map(name_of).collect();
        let there =
            if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
        return Err(format!("{}: no rule {name}; {there}", config.title()));
    };
    match (rule.get("split"), rule.get("subset").and_then(Node::text)) {
        (None, Some(subset)) => Err(format!(
            "rule {name} has the fixed subset {subset} and no weights; take the rule out, or change the subset"
        )),
        (None, None) => Err(format!("rule {name} has no split")),
        _ => Ok(rule),
    }
}

/// `SUBSET=WEIGHT…`
fn wanted(arguments: &[String]) -> Result<Vec<(String, u32)>, String> {
    let mut wanted: Vec<(String, u32)> = Vec::new();
    for argument in arguments {
        let Some((subset, weight)) = argument.split_once('=') else {
            return Err(format!("{argument:?} is not SUBSET=WEIGHT, as in v2=20"));
        };
        let is_number = weight.bytes().all(|digit| digit.is_ascii_digit());
        let Some(weight) = weight.parse().ok().filter(|_| is_number) else {
            return Err(format!("{subset}: {weight:?} is no weight of 0 to {}", u32::MAX));
        };
        if wanted.iter().any(|(known, _)| known == subset) {
            return Err(format!("{subset} is given twice"));
        }
        wanted.push((subset.to_owned(), weight));
    }
    Ok(wanted)
}

/// All to stable.
fn rollback(rule: &Node, name: &str) -> Result<Vec<(String, u32)>, String> {
    let mut wanted = Vec::new();
    let mut sum = 0_u64;
    for item in rule.get("split").map_or(&[][..], Node::items) {
        let subset =
            item.get("subset").and_then(Node::text).ok_or(format!("rule {name} has a subset without a name"))?;
        let weight = item.get("weight").and_then(splice::weight);
        sum += u64::from(weight.unwrap_or(0));
        let is_stable = wanted.is_empty();
        wanted.push((subset.to_owned(), if is_stable { weight.unwrap_or(0) } else { 0 }));
    }
    if let Some((_, stable @ 0)) = wanted.first_mut() {
        *stable = u32::try_from(sum)
            .map_err(|_| format!("rule {name}: the weights add up to {sum}, which is more than {}", u32::MAX))?;
    }
    Ok(wanted)
}

/// The weights that have to change. A weight that is right already stays as it is written.
fn edits(
    config: &PluginConfig,
    documents: &[Node],
    rule: &Node,
    name: &str,
    wanted: &[(String, u32)],
) -> Result<Vec<(Weight, u32)>, String> {
    let items = rule.get("split").map_or(&[][..], Node::items);
    let subset_of = |item: &Node| item.get("subset").and_then(Node::text).map(str::to_owned);
    let mut edits = Vec::new();
    for (subset, weight) in wanted {
        let Some(item) = items.iter().find(|item| subset_of(item).as_deref() == Some(subset)) else {
            let names: Vec<String> = items.iter().filter_map(subset_of).collect();
            return Err(format!("rule {name} has no subset {subset}; there are {}", names.join(", ")));
        };
        let Some(node) = item.get("weight") else {
            return Err(format!("rule {name}: {subset} has no weight; write one into the file first"));
        };
        let (line, column) = config.source.position(node.span.start);
        let place = format!("{}:{line}:{column}", config.source.name);
        if !splice::is_written_there(documents, &node.span) {
            return Err(format!(
                "{place}: the weight of {subset} stands in or behind an alias, and says something elsewhere too; edit it by hand"
            ));
        }
        match splice::weight(node) {
            Some(old) if old == *weight => {}
            Some(_) => edits.push((Weight { subset: subset.clone(), span: node.span.clone() }, *weight)),
            None => {
                return Err(format!(
                    "{place}: the weight of {subset} is no number of 0 to {}; mend it first",
                    u32::MAX
                ));
            }
        }
    }
    edits.sort_by_key(|(weight, _)| weight.span.start);
    Ok(edits)
}

/// Whether the filter takes the rule as it is now.
fn check_rule(config: &PluginConfig, name: &str) -> Result<(), String> {
    let text = config.json();
    let first =
        |errors: &[canary_split::config::ConfigError]| errors.first().map(ToString::to_string).unwrap_or_default();
    let (general, _) = General::parse(text.as_bytes())
        .map_err(|refused| format!("the filter would refuse the config: {}", first(&refused.errors)))?;
    match general.rules().find(|entry| entry.name.as_deref() == Some(name)).map(|entry| entry.rule) {
        Some(Err(errors)) => Err(format!("rule {name} would have a fault: {}", first(&errors))),
        _ => Ok(()),
    }
}
