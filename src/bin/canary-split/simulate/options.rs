//! The arguments of `simulate`.

use super::guard_options::GuardOptions;
use crate::input::time;
use crate::report::output::width;
use crate::report::table::Look;
use canary_split::rollout::ramp::Second;
use clap::ValueEnum;
use std::path::PathBuf;

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Give weights, stable first, as in 80/20 50/50; more than two are a plan. With --days the steps are spread evenly, or begin
    /// on the day that each names: 95/5 50/50@3
    #[arg(value_name = "WEIGHTS")]
    pub plan: Vec<String>,
    /// Simulate this many visitors
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub visitors: u32,
    /// Draw the visitors with another seed
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Simulate this many days, one by one; with --guard: days without a cause, 20 by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub days: Option<u32>,
    /// Let this share of the earlier visitors come again on a day
    #[arg(help_heading = "Day by day", long, value_name = "RATE", default_value_t = 0.6, value_parser = rate, requires = "days")]
    pub return_rate: f64,
    /// Choose what the cookies keep
    #[arg(help_heading = "Day by day", long, value_enum, default_value_t = OnWeightChange::Rebalance, requires = "days")]
    pub on_weight_change: OnWeightChange,
    /// Choose how tables are printed; csv and plot are for --days
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub form: Form,
    /// Draw the plans of the ramps in this file or folder with the WasmPlugin, in a bare pluginConfig, or in the standard input (-)
    #[arg(help_heading = "A ramp", short = 'f', long, visible_alias = "filename", value_name = "FILE", conflicts_with_all = ["plan", "days", "guard"])]
    pub config: Option<PathBuf>,
    /// Choose the WasmPlugin, if there are several: NAME or NAMESPACE/NAME
    #[arg(help_heading = "A ramp", long, value_name = "NAME", requires = "config")]
    pub plugin: Option<String>,
    /// Choose the rule; by default all that have a ramp
    #[arg(help_heading = "A ramp", long, value_name = "NAME", requires = "config")]
    pub rule: Option<String>,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z
    #[arg(help_heading = "A ramp", long, value_name = "TIME", value_parser = time::read, requires = "config")]
    pub now: Option<Second>,
    #[command(flatten)]
    pub guard: GuardOptions,
}

/// As in the config.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnWeightChange {
    /// The draw
    Rebalance,
    /// The subset too
    Keep,
}

impl OnWeightChange {
    /// As in the config.
    pub fn name(self) -> &'static str {
        match self {
            OnWeightChange::Rebalance => "rebalance",
            OnWeightChange::Keep => "keep",
        }
    }
}

/// How tables are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// In columns that fit the screen
    Table,
    /// As Markdown
    Markdown,
    /// A line for each day and subset
    Csv,
    /// A bar for each day
    Plot,
}

impl Form {
    /// How a table looks in it.
    pub fn look(self) -> Look {
        if self == Form::Markdown { Look::Markdown } else { Look::Columns(width()) }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or_else(|| "a rate is a number from 0 to 1".to_owned())
}
