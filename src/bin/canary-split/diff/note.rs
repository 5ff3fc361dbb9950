//! Notes about a difference.

use serde::Serialize;

/// A remark, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its subject, in one word for programs.
    pub about: &'static str,
    /// The remark.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Note {
    /// Without anything to do.
    pub fn new(about: &'static str, text: impl Into<String>) -> Note {
        Note { about, text: text.into(), help: None }
    }

    /// With this to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Note {
        Note { help: Some(help.into()), ..self }
    }
}
