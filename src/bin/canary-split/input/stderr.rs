//! What the tool says on the standard error.

use super::quoted::visible;
use std::fmt::Display;

/// `canary-split: TEXT`, in one line. The terminal obeys nothing that others wrote into it.
pub fn say(text: impl Display) {
    eprintln!("canary-split: {}", visible(&text.to_string()));
}

/// Says all but the last, which is the error.
pub fn error_of(mut all: Vec<String>) -> String {
    let last = all.pop().unwrap_or_default();
    all.iter().for_each(say);
    last
}
