//! Which rules are in force after this config, given the one before?
//!
//! Each rule is judged on its own: a bad one keeps its last good version, found by its name, or is off without one. A
//! config that cannot be used at all changes nothing.
//!
//! Envoy gives every config to several VMs, in any order, and each may find the state from before that config or
//! after it. So evaluation is idempotent: on the state that it leaves, it gives the same answer again.

mod difference;
mod evaluation;
mod health;
mod in_force;
pub mod plugins;
mod state;
pub mod trips;

pub use difference::Difference;
pub use evaluation::{Counts, Evaluation, Fault};
pub use health::{FaultyRule, Health, RuleState};
pub use state::{Claim, Served, State};
