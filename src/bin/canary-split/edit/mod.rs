//! Edits of an object, wherever it is: in a file, in the cluster, or in memory.
//!
//! ```text
//! path → edit → patch (a JSON Patch)
//!             → text (style, spot): the same in YAML or JSON; every other byte stays
//!        differing: a file before and after
//! ```

pub mod differing;
mod edit;
pub mod patch;
mod path;
mod spot;
mod style;
pub mod text;
#[cfg(test)]
mod trials;

pub use edit::{Edit, Test};
pub use path::{Shown, Step, fields};
pub use style::{Style, flow};
