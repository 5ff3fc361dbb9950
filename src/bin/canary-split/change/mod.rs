//! What `set` and `rollback` do to a rule: the edits, a description, and who moves.
//!
//! ```text
//! config, rule, request → Change → a file, or a patch of an object in the cluster
//! ```

pub mod file;
pub mod living;
pub mod pause;
pub mod place;
pub mod print;
pub mod rollback;
pub mod rule;
mod text;
mod verdict;
pub mod weights;
pub mod write;

use crate::edit::Edit;
use crate::input::manifest::PluginConfig;

/// The change of one rule.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub rule: String,
    /// Its place in `rules`.
    pub index: usize,
    /// The edits; none: nothing to do.
    pub edits: Vec<Edit>,
    /// The same in words, as in `v1 80 → 75, v2 20 → 25`.
    pub said: String,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The weights before; `None`: not a valid weight.
    pub old: Vec<(String, Option<u32>)>,
    /// The weights after.
    pub new: Vec<(String, u32)>,
}

/// Why nothing is changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be fulfilled: exit code 2.
    Wrong(String),
    /// The config has a fault that must be fixed first: exit code 1.
    Fault(String),
}

impl Refusal {
    /// In words.
    pub fn text(&self) -> &str {
        let (Refusal::Wrong(text) | Refusal::Fault(text)) = self;
        text
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Refusal {
        Refusal::Wrong(text)
    }
}

/// The name of a config in a sentence.
fn title(config: &PluginConfig) -> String {
    let title = config.title();
    if config.object.is_some() { format!("WasmPlugin {title}") } else { title }
}
