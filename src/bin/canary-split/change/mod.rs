//! What `set` and `rollback` do to a rule: which edits, in words, and who moves by them.
//!
//! ```text
//! config, rule, what is asked for → Change → a file, or a patch of an object in the cluster
//! ```

pub mod file;
pub mod living;
pub mod pause;
mod place;
pub mod print;
pub mod rollback;
pub mod rule;
mod text;
mod verdict;
pub mod weights;
pub mod write;

use crate::edit::Edit;
use crate::input::manifest::PluginConfig;

/// What becomes of one rule.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub rule: String,
    /// Its place in `rules`.
    pub index: usize,
    /// What is edited in it; nothing: it is so already.
    pub edits: Vec<Edit>,
    /// The same in words, as in `v1 80 → 75, v2 20 → 25`.
    pub said: String,
    /// What else is to be known of it.
    pub notes: Vec<String>,
    /// The weights before; `None`: what is written is no weight.
    pub old: Vec<(String, Option<u32>)>,
    /// The weights after.
    pub new: Vec<(String, u32)>,
}

/// Why there is no change.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What was asked for cannot be done: exit code 2.
    Wrong(String),
    /// Something in the config is wrong, and has to be fixed first: exit code 1.
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

/// What a config is called in a sentence.
fn title(config: &PluginConfig) -> String {
    let title = config.title();
    if config.object.is_some() { format!("WasmPlugin {title}") } else { title }
}
