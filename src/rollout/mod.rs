//! Which weights hold now?
//!
//! A [`ramp`] sets them by the clock, and a [`guard`] removes a canary that fails more than stable does. [`failure`] tells which
//! answers are failures, [`failing`] which visitors have failed already, and [`watch`] whether a canary fails too much.

pub mod failing;
pub mod failure;
pub mod guard;
pub mod ramp;
mod rollout;
pub mod watch;
mod window;

pub use rollout::Rollout;
pub use window::Totals;
