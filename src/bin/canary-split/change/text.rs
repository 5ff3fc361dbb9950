//! Edits of a rule in the text that it is written in.

use super::rule::Chosen;
use crate::edit::text::{self, Refused};
use crate::edit::{Edit, Shown};
use crate::input::manifest::PluginConfig;

/// An edit that was made.
pub struct Done {
    /// The old text there; `None`: none.
    pub old: Option<String>,
    /// Where, from 1.
    pub line: usize,
}

/// The text with these edits, and the result of each.
///
/// # Errors
///
/// If anything else would change its meaning.
pub fn edited(config: &PluginConfig, rule: Chosen, edits: &[Edit]) -> Result<(String, Vec<Done>), String> {
    let source = &config.source;
    let path = |at: usize| Shown(edits.get(at).map_or(&[][..], |edit| &edit.path));
    let edited = text::edited(&source.text, &rule.node.span, edits).map_err(|refused| match refused {
        Refused::Missing(at) => format!("rule {} has no {}; write one into the file first", rule.name, path(at)),
        Refused::Aliased(edit, at) => {
            let (line, column) = source.position(at);
            format!(
                "{}:{line}:{column}: {} of rule {} is in or behind an alias, and is also used elsewhere; edit it by hand",
                source.name,
                path(edit),
                rule.name
            )
        }
        Refused::Unwritable => format!(
            "{}: rule {} cannot be edited without changing more than that; is it read elsewhere by an alias? Edit it by hand",
            source.name, rule.name
        ),
    })?;
    let done = edited.done.into_iter().map(|done| Done { old: done.old, line: source.position(done.at).0 });
    Ok((edited.text, done.collect()))
}
