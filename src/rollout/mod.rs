//! Which weights hold now?
//!
//! A [`ramp`] says it by the clock, and a [`guard`] takes a canary out that fails more than stable does. What a failing answer is
//! says [`failure`]; who has failed already, [`failing`]; whether a canary fails too much, [`watch`].

pub mod failing;
pub mod failure;
pub mod guard;
pub mod ramp;
mod rollout;
pub mod watch;
mod window;

pub use rollout::Rollout;
pub use window::Totals;
