//! What the tool says on the standard error.

use super::quoted::visible;
use std::fmt::Display;

/// `canary-split: TEXT`. The terminal obeys nothing that others wrote into it; lines stay lines.
pub fn say(text: impl Display) {
    let text = text.to_string();
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    eprintln!("canary-split: {}", lines.join("\n"));
}
