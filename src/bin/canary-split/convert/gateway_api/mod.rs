//! Routes of the Gateway API with weights: HTTPRoutes and GRPCRoutes.
//!
//! ```text
//! read (entry: what a match asks for) → attached (where a route is met, and by which plugin) → unit (what a gateway merges)
//!   → weighted (rules with weights) → order (who takes a request), alone → plan (rules of the plugin) → edits
//! ```

mod alone;
pub mod attached;
mod edits;
mod entry;
mod order;
mod plan;
pub mod read;
mod unit;
mod weighted;

pub use plan::{Edited, Planned, plan};
pub use unit::all;
