//! `--config`: the plan of a rule's ramp, step by step: the weights, who moves, and whether anybody is sent back.

use super::options::Options;
use crate::input::choice::{choose, read, shown};
use crate::input::time;
use crate::input::unreadable;
use crate::report::bars::{cells, painted};
use crate::report::fault::{self, FaultAt};
use crate::report::output::{Output, width};
use crate::report::plan::{self, Progress, ramp};
use crate::report::share::Share;
use crate::report::time::{span, utc};
use crate::report::wrap::wrapped;
use canary_split::reload::State;
use canary_split::rollout::ramp::{Between, Ramp, Second};
use canary_split::rule::{Rule, Target, WeightedSubsets};
use canary_split::split::Split;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// The largest and the smallest width of a bar.
const WIDTHS: (usize, usize) = (40, 8);
/// The number of characters of a line apart from the weights, the bar and who moves.
const REST: usize = 38;

/// The plan of a rule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    rule: String,
    /// Its position now.
    progress: Progress,
    between: &'static str,
    /// What happens to visitors when weights change.
    on_weight_change: &'static str,
    subsets: Vec<String>,
    /// The weights before it, then its steps.
    steps: Vec<Step>,
    /// All visitors who are sent back to stable, step by step.
    back: Share,
}

/// Weights from some time on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    /// `None`: before the plan.
    at: Option<String>,
    after: Option<u32>,
    weights: Vec<u32>,
    /// The part of all draws of each subset.
    shares: Vec<Share>,
    /// The visitors who see another subset than before.
    moved: Share,
    /// The visitors who go from a canary to stable.
    back: Share,
    /// Whether it holds at this moment.
    is_now: bool,
}

/// Prints the plan of every ramp in a config, or of one rule; the exit code is as for `explain`.
pub fn run(path: &Path, options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let name = shown(path);
    let given = read(path)?;
    unreadable::warn(&given.unreadable);
    let written = choose(&name, &given.configs, options.plugin.as_deref())?;
    let evaluation = State::default().evaluate(written.json().as_bytes());
    let faults = FaultAt::all(&written, &evaluation.faults);
    fault::warn(&faults);
    let now = time::or_clock(options.now);
    let is_meant = |rule: &&Rule| options.rule.as_ref().is_none_or(|name| rule.name == *name);
    let plans: Vec<Plan> =
        evaluation.config.rules.iter().filter(is_meant).filter_map(|rule| planned(rule, now)).collect();
    if plans.is_empty() {
        let which = options.rule.as_ref().map_or("no rule".to_owned(), |rule| format!("no rule {rule}"));
        return Err(format!("{name}: {which} in force has a ramp"));
    }
    let done = match output {
        Output::Json => writeln!(out, "{:#}", serde_json::json!({"now": utc(now), "ramps": plans})),
        Output::Text { is_colourful } => plans.iter().enumerate().try_for_each(|(number, plan)| {
            if number > 0 {
                writeln!(out)?;
            }
            print(plan, is_colourful, out)
        }),
    };
    done.map_err(|error| error.to_string())?;
    Ok(if given.unreadable.is_empty() { u8::from(!faults.is_empty()) } else { 2 })
}

fn planned(rule: &Rule, now: Second) -> Option<Plan> {
    let Target::Split(split) = &rule.target else { return None };
    let ramp = ramp(split)?;
    let progress = plan::progress(rule, now)?;
    let sticks = match &split.sticky {
        None => "nothing sticks",
        Some(sticky) if sticky.keep.is_some() => "keep",
        Some(_) => "rebalance",
    };
    let reached = progress.step.unwrap_or(0);
    let mut steps: Vec<Step> = Vec::new();
    let mut before = split.split.clone();
    let all = std::iter::once((None, &*split.weights))
        .chain(ramp.steps.iter().map(|step| (Some(step.after), &*step.weights)));
    for (number, (after, weights)) in all.enumerate() {
        let Ok(layout) = Split::new(weights) else { continue };
        let draws = |is_so: &dyn Fn(usize, usize) -> bool| {
            let counted = before.overlap(&layout).filter(|&(from, to, _)| is_so(from, to));
            Share::of_draws(if sticks == "rebalance" { counted.map(|(.., draws)| draws).sum() } else { 0 })
        };
        steps.push(Step {
            at: after.map(|after| utc(at(ramp, after))),
            after,
            weights: weights.to_vec(),
            shares: owned(split, &layout),
            moved: draws(&|from, to| from != to),
            back: draws(&|from, to| from > 0 && to == 0),
            is_now: number == reached,
        });
        before = layout;
    }
    Some(Plan {
        rule: rule.name.clone(),
        progress,
        between: if ramp.between == Between::Linear { "linear" } else { "step" },
        on_weight_change: sticks,
        subsets: split.subsets.iter().map(|subset| subset.name.to_string()).collect(),
        back: steps.iter().map(|step| step.back).sum(),
        steps,
    })
}

fn at(ramp: &Ramp, after: u32) -> Second {
    Second(ramp.start.0.saturating_add(u64::from(after)))
}

fn owned(split: &WeightedSubsets, layout: &Split) -> Vec<Share> {
    let owned = |place| layout.overlap(layout).filter(move |(at, ..)| *at == place).map(|(.., draws)| draws).sum();
    (0..split.subsets.len()).map(|place| Share::of_draws(owned(place))).collect()
}

fn print(plan: &Plan, is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    let Plan { rule, progress, between, on_weight_change, subsets, steps, back } = plan;
    let legend: Vec<String> =
        subsets.iter().enumerate().map(|(at, name)| format!("{} {name}", painted(at, is_colourful))).collect();
    writeln!(out, "{}", wrapped("", &format!("rule {rule}: the ramp {}", progress.said())))?;
    writeln!(out, "  between: {between}; {}\n", legend.join(", "))?;
    let slashed = |step: &Step| step.weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/");
    let said = |step: &Step| {
        let is_moving = step.at.is_some() && *on_weight_change == "rebalance";
        let moved = if is_moving { step.moved.to_string() } else { "-".to_owned() };
        let back = if step.back > Share::default() { format!("; {} back to stable", step.back) } else { String::new() };
        moved + &back
    };
    let wide = steps.iter().map(|step| slashed(step).len()).max().unwrap_or(0).max("weights".len());
    let longest = steps.iter().map(|step| said(step).len()).max().unwrap_or(0).max("move".len());
    let bar_width = width().saturating_sub(REST + wide + longest).clamp(WIDTHS.1, WIDTHS.0);
    writeln!(out, "  {:20}  {:>8}  {:wide$}  {:bar_width$}  move", "from", "after", "weights", "")?;
    for step in steps {
        let mark = if step.is_now { ">" } else { " " };
        let when = step.at.as_deref().unwrap_or("before");
        let after = step.after.map(|after| span(after.into())).unwrap_or_default();
        let parts: Vec<(usize, u64)> = step.shares.iter().map(|share| share.draws().unwrap_or(0)).enumerate().collect();
        let bar: String = cells(&parts, bar_width).into_iter().map(|cell| painted(cell, is_colourful)).collect();
        writeln!(out, "{mark} {when:20}  {after:>8}  {:wide$}  {bar}  {}", slashed(step), said(step))?;
    }
    let verdict = match (*on_weight_change, *back > Share::default()) {
        ("rebalance", false) => "Nobody is sent back to stable.".to_owned(),
        ("rebalance", true) => format!("{back} are sent back to stable on the way."),
        ("keep", _) => "Visitors stay in their subset: new visitors come by these weights.".to_owned(),
        _ => "Nothing sticks: every request is drawn by these weights.".to_owned(),
    };
    writeln!(out, "\n  {verdict}")
}
