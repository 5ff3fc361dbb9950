//! All of that for one request: which subset, why, and with which cookie?

mod clock;
mod cookies;
mod decide;
mod first;
mod recall;
mod source;
mod visit;

pub use decide::{Answer, Choice, Decision, answer, decide};
pub use source::Source;
