//! `--guard`: how often the guard trips without a cause, and how soon with one.
//!
//! Visitors come at random, and each sends requests at random while he or she stays. Failures are drawn second by second. The
//! filter's own code decides which visitors count as failing, and whether that is too much.

mod cell;
mod chance;
mod print;
mod traffic;
mod trial;

use super::options::Options;
use crate::report::output::Output;
use cell::cell;
use std::io::Write;

/// The number of simulated days by default.
const DAYS: u32 = 20;

/// Simulates all of it and prints the tables.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<(), String> {
    let days = options.days.unwrap_or(DAYS);
    let mut cells = Vec::new();
    for &rate in &options.guard.rate {
        for &canary in &options.guard.canary {
            cells.push(cell(rate, canary, days, options)?);
        }
    }
    print::print(&cells, days, options, output, out).map_err(|error| error.to_string())
}
