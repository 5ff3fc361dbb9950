//! All of that for one request: which subset, why, and with which cookie?

mod decide;

pub use decide::{Answer, Decision, Source, answer, decide};
