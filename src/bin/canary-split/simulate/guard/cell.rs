//! All simulations with one traffic and one share of the canary.

use super::chance::Chance;
use super::traffic::Demand;
use super::trial::{Guarded, Spread};
use crate::simulate::options::Options;

/// The part of a failing canary's requests that fail.
pub const FAILING: [f64; 2] = [0.5, 0.05];
/// In seconds.
const DAY: u64 = 86_400;
/// The seconds to wait for a trip.
pub const LIMIT: u64 = 2 * DAY;

/// The results for some traffic and some share of the canary.
pub struct Cell {
    /// Requests per second.
    pub rate: u32,
    /// The canary's percent.
    pub canary: u32,
    /// Trips in days in which both versions are equally good: errors by chance, errors of few visitors.
    pub false_trips: [u64; 2],
    /// Outages of both versions in which the guard tripped.
    pub outages: usize,
    /// For each of [`FAILING`] the seconds after which half of the runs have tripped, if they have.
    pub times: [Option<u64>; FAILING.len()],
}

/// Simulates days, outages and canaries that fail.
pub fn cell(rate: u32, canary: u32, days: u32, simulated: &Options) -> Result<Cell, String> {
    let options = &simulated.guard;
    let guarded = Guarded::new(canary, &options.margin)?;
    let demand = Demand {
        rate: f64::from(rate),
        every: f64::from(options.every),
        visit: f64::from(options.visit),
        unlucky: 0.0,
    };
    // A sequence for each run, so that one more day or run does not change the others.
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
