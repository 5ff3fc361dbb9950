//! The arguments of `simulate`.

use super::guard;
use clap::ValueEnum;

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Weights, stable first, as in `80,20 50,50`; more of them are a plan; without any: tables of usual edits and plans. With
    /// --days the steps are spread evenly, or begin on the day that each names: `95,5 50,50@3`
    #[arg(value_name = "WEIGHTS")]
    pub plan: Vec<String>,
    /// How many visitors are simulated
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub visitors: u32,
    /// The seed of the visitors' draws
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Day by day, so many of them; with --guard: so many days without a cause, 20 if nothing is said
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub days: Option<u32>,
    /// The share of the visitors of before who come again on a day
    #[arg(long, value_name = "RATE", default_value_t = 0.6, value_parser = rate, requires = "days")]
    pub return_rate: f64,
    /// What the cookies keep
    #[arg(long, value_enum, default_value_t = OnWeightChange::Rebalance, requires = "days")]
    pub on_weight_change: OnWeightChange,
    /// How the days are shown
    #[arg(long, value_enum, default_value_t = Form::Table, requires = "days")]
    pub form: Form,
    #[command(flatten)]
    pub guard: guard::Options,
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
    /// As the config spells it.
    pub fn name(self) -> &'static str {
        match self {
            OnWeightChange::Rebalance => "rebalance",
            OnWeightChange::Keep => "keep",
        }
    }
}

/// How the days are shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
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
