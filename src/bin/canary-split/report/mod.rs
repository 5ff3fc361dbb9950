//! How the tool reports its results.

pub mod bars;
pub mod fault;
pub mod finding;
pub mod output;
pub mod plan;
pub mod share;
pub mod table;
pub mod time;
pub mod wrap;
