//! `simulate`: who moves when weights are edited, once, over a whole plan, and day by day.

mod days;
mod edits;
mod plans;
mod schemes;

use crate::report::output::Output;
use canary_split::split::Draw;
use clap::ValueEnum;
use std::io::Write;

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Weights, stable first, as in `80,20 50,50`; more of them are a plan; without any: tables of usual edits and plans. With
    /// --days the steps are spread evenly, or begin on the day that each names: `95,5 50,50@3`
    #[arg(value_name = "WEIGHTS")]
    plan: Vec<String>,
    /// How many visitors are simulated
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    visitors: u32,
    /// The seed of the visitors' draws
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Day by day, so many of them
    #[arg(long, requires = "plan", value_parser = clap::value_parser!(u32).range(1..=366))]
    days: Option<u32>,
    /// The share of the visitors of before who come again on a day
    #[arg(long, value_name = "RATE", default_value_t = 0.6, value_parser = rate, requires = "days")]
    return_rate: f64,
    /// What the cookies keep
    #[arg(long, value_enum, default_value_t = OnWeightChange::Rebalance, requires = "days")]
    on_weight_change: OnWeightChange,
    /// How the days are shown
    #[arg(long, value_enum, default_value_t = Form::Table, requires = "days")]
    form: Form,
}

/// As in the config.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnWeightChange {
    /// The draw
    Rebalance,
    /// The subset too
    Keep,
}

impl OnWeightChange {
    /// As the config spells it.
    fn name(self) -> &'static str {
        match self {
            OnWeightChange::Rebalance => "rebalance",
            OnWeightChange::Keep => "keep",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each day
    Table,
    /// A line for each day and subset
    Csv,
    /// A bar for each day
    Plot,
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| "a rate is a number of 0 to 1".to_owned())
}

/// Prints what was simulated.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<(), String> {
    if let Some(days) = options.days {
        return days::run(days, options, output, out);
    }
    let given = options.plan.iter().map(|step| weights(step)).collect::<Result<Vec<_>, _>>()?;
    let (edits, plans) = match given.as_slice() {
        [] => (edits::usual(options)?, plans::usual(options)?),
        [one] => return Err(format!("{}: one step is no edit; give a second one, or --days", slashed(one))),
        [old, new] => (vec![edits::row("", old, new, options)?], Vec::new()),
        _ => (Vec::new(), vec![plans::walk("", &given, options)?]),
    };
    let done = match output {
        Output::Json => {
            let edits: Vec<_> = edits.iter().map(edits::Row::to_json).collect();
            let plans: Vec<_> = plans.iter().map(|plan| plan.to_json(options)).collect();
            let (visitors, seed) = (options.visitors, options.seed);
            let json = serde_json::json!({"visitors": visitors, "seed": seed, "edits": edits, "plans": plans});
            writeln!(out, "{json:#}")
        }
        Output::Text { .. } => print_tables(&edits, &plans, options, out),
    };
    done.map_err(|error| error.to_string())
}

fn print_tables(
    edits: &[edits::Row],
    plans: &[plans::Plan],
    options: &Options,
    out: &mut impl Write,
) -> std::io::Result<()> {
    if !edits.is_empty() {
        edits::print(edits, options, out)?;
    }
    if !edits.is_empty() && !plans.is_empty() {
        writeln!(out)?;
    }
    if plans.is_empty() { Ok(()) } else { plans::print(plans, options, out) }
}

/// The share of the visitors that any scheme has to move: what the subsets gain.
fn least(old: &[u32], new: &[u32]) -> f64 {
    (0..old.len().max(new.len())).map(|subset| (share(new, subset) - share(old, subset)).max(0.0)).sum()
}

/// What a subset has by weight; of one that is not there nothing.
fn share(weights: &[u32], subset: usize) -> f64 {
    let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
    f64::from(weights.get(subset).copied().unwrap_or(0)) / sum as f64
}

/// The draw of a visitor: a Weyl sequence through xxHash64, the same for every scheme and edit.
fn draw(visitor: u32, options: &Options) -> Draw {
    Draw(xxhash_rust::xxh64::xxh64(&visitor.to_le_bytes(), options.seed) as u32)
}

/// All visitors' draws.
fn draws(options: &Options) -> impl Iterator<Item = Draw> {
    (0..options.visitors).map(|visitor| draw(visitor, options))
}

fn weights(text: &str) -> Result<Vec<u32>, String> {
    text.split(',')
        .map(|w| w.trim().parse().map_err(|_| format!("{text:?}: {w:?} is no weight of 0 to {}", u32::MAX)))
        .collect()
}

fn slashed(weights: &[u32]) -> String {
    weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/")
}
