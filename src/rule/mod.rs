//! Which rule matches a request?
//!
//! [`hosts`] and [`paths`] are indexes: they leave few rules, and [`condition`] checks whether one of these holds.

pub mod condition;
pub mod hosts;
mod in_force;
pub mod paths;
pub mod re2;
mod rule;

pub use rule::{Adopted, Rule, Target, WeightedSubsets};
