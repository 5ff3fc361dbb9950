//! `--guard`: how often the guard trips without a cause, and how soon with one.
//!
//! Visitors come by chance, and each sends requests by chance as long as he or she stays. Which of these fail is drawn second by
//! second; who counts as failing and whether that is too much is decided by the filter's own code.

mod chance;
mod options;
mod print;
mod traffic;
mod trial;

use super::options::Options as Simulated;
use crate::report::output::Output;
use chance::Chance;
use std::io::Write;
use traffic::Demand;
use trial::{Guarded, Spread};

pub use options::Options;

/// Requests per second on one gateway.
const RATES: [u32; 3] = [1, 10, 1000];
/// The canary's share in percent.
const CANARIES: [u32; 3] = [1, 5, 20];
/// The part of its requests that fail of a canary that begins to fail.
const FAILING: [f64; 2] = [0.5, 0.05];
/// So many days are simulated, if nothing else is said.
const DAYS: u32 = 20;
/// In seconds.
const DAY: u64 = 86_400;
/// Whether a canary trips is awaited for so many seconds.
const LIMIT: u64 = 2 * DAY;

/// What has happened with some traffic and some share of the canary.
struct Cell {
    rate: u32,
    canary: u32,
    /// Trips in days in which both versions are equally good: errors by chance, errors of few visitors.
    false_trips: [u64; 2],
    /// Outages of both versions in which the guard tripped.
    outages: usize,
    /// For each of [`FAILING`] after how many seconds half of the runs have tripped, if they have.
    times: [Option<u64>; FAILING.len()],
}

/// Simulates all of it and prints the tables.
pub fn run(options: &Simulated, output: Output, out: &mut impl Write) -> Result<(), String> {
    let days = options.days.unwrap_or(DAYS);
    let mut cells = Vec::new();
    for rate in RATES {
        for canary in CANARIES {
            cells.push(cell(rate, canary, days, options)?);
        }
    }
    print::print(&cells, days, options, output, out).map_err(|error| error.to_string())
}

fn cell(rate: u32, canary: u32, days: u32, simulated: &Simulated) -> Result<Cell, String> {
    let options = &simulated.guard;
    let guarded = Guarded::new(canary, &options.margin)?;
    let demand = Demand {
        rate: f64::from(rate),
        every: f64::from(options.every),
        visit: f64::from(options.visit),
        unlucky: 0.0,
        workers: options.workers as usize,
    };
    // A sequence for each run, so that one more day or run changes nothing of the others.
    let chance = |trial: u64, run: u32| {
        Chance::new(
            simulated.seed,
            (trial << 48) + (u64::from(rate) << 38) + (u64::from(canary) << 32) + u64::from(run),
        )
    };
    let false_trips = [(0, Spread::Independent), (1, Spread::Clustered)]
        .map(|(trial, spread)| (0..days).map(|day| guarded.false_trips(demand, spread, DAY, chance(trial, day))).sum());
    let outages = (0..options.runs).filter(|&run| guarded.trips_in_an_outage(demand, chance(2, run))).count();
    let times = FAILING.map(|failing| {
        let time = |run| guarded.time_to_trip(demand, failing, LIMIT, chance(3, run)).unwrap_or(u64::MAX);
        let mut times: Vec<u64> = (0..options.runs).map(time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().filter(|&median| median <= LIMIT)
    });
    Ok(Cell { rate, canary, false_trips, outages, times })
}
