//! What has happened with some traffic and some share of the canary.

/// The part of its requests that fail of a canary that begins to fail.
pub const FAILING: [f64; 2] = [0.5, 0.05];
/// In seconds.
pub const DAY: u64 = 86_400;
/// Whether a canary trips is awaited for so many seconds.
pub const LIMIT: u64 = 2 * DAY;

/// What has happened with some traffic and some share of the canary.
pub struct Cell {
    pub rate: u32,
    pub canary: u32,
    /// Trips in days in which both versions are equally good: errors by chance, errors of few visitors.
    pub false_trips: [u64; 2],
    /// Outages of both versions in which the guard tripped.
    pub outages: usize,
    /// For each of [`FAILING`] after how many seconds half of the runs have tripped, if they have.
    pub times: [Option<u64>; FAILING.len()],
}
