//! `--days`: the weights follow a plan day by day.

mod print;
mod schedule;
mod simulation;

use super::options::Options;
use crate::report::output::Output;
use std::io::Write;

/// Simulates the days of a plan and prints them.
pub fn run(days: u32, options: &Options, output: Output, out: &mut impl Write) -> Result<(), String> {
    let steps = schedule::read(&options.plan, days)?;
    let simulation = simulation::simulated(&steps, days, options)?;
    simulation.print(options, output, out).map_err(|error| error.to_string())
}
