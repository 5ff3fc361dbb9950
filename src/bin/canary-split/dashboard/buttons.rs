//! Buttons of the page that run a command of whoever has started it.

use crate::input::reason::reason;
use std::process::Stdio;

/// A button.
#[derive(Clone, Debug)]
pub struct Button {
    /// What is on it.
    pub label: String,
    command: String,
}

impl Button {
    /// Reads `LABEL=COMMAND`.
    pub fn read(text: &str) -> Result<Button, String> {
        let (label, command) = text.split_once('=').ok_or("not LABEL=COMMAND")?;
        Ok(Button { label: label.to_owned(), command: command.to_owned() })
    }

    /// Runs its command.
    pub fn press(&self) -> Result<(), String> {
        let done = std::process::Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        match done {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{}: {status}", self.command)),
            Err(error) => Err(format!("sh: {}", reason(&error))),
        }
    }
}
