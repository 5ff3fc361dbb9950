//! The form of results: for people or programs, with or without colours.

use crate::input::reason::reason;
use clap::{ColorChoice, ValueEnum};
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// The form that `--output` asks for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    // For people.
    Text,
    // For programs: one object.
    Json,
}

/// How results are printed.
#[derive(Clone, Copy)]
pub enum Output {
    /// For people.
    Text {
        /// Whether with colours.
        is_colourful: bool,
    },
    /// For programs.
    Json,
}

impl Output {
    /// The form that the command line asks for.
    pub fn new(form: Form, colours: ColorChoice) -> Output {
        match form {
            Form::Json => Output::Json,
            Form::Text => Output::Text { is_colourful: is_colourful(colours) },
        }
    }
}

fn is_colourful(choice: ColorChoice) -> bool {
    let is_given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_wanted = || is_given("NO_COLOR").is_none() && is_given("TERM").is_none_or(|terminal| terminal != "dumb");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => io::stdout().is_terminal() && is_wanted(),
    }
}

/// The columns of a line: those of the terminal, or $COLUMNS; elsewhere any number.
pub fn width() -> usize {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let is_terminal = io::stdout().is_terminal();
    let of_terminal = || terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| usize::from(width.0));
    given.or_else(of_terminal).filter(|columns| *columns > 0).unwrap_or(usize::MAX)
}

/// A reader who has stopped reading (`| head`) has seen enough.
pub fn print(out: &[u8]) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&harmless(out)).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {}", reason(&error))),
        _ => Ok(()),
    }
}

/// Without what a terminal obeys, except for tabs, line ends and colours: no YAML and no JSON has any of it in its text.
pub fn harmless(out: &[u8]) -> Cow<'_, [u8]> {
    let is_obeyed = |at: usize, byte: u8| match byte {
        b'\t' | b'\n' => false,
        b'\r' => out.get(at + 1) != Some(&b'\n'),
        0x1b => !out.get(at + 1..).is_some_and(is_colour),
        byte => byte < b' ',
    };
    if !out.iter().enumerate().any(|(at, &byte)| is_obeyed(at, byte)) {
        return Cow::Borrowed(out);
    }
    let mut shown = Vec::with_capacity(out.len());
    for (at, &byte) in out.iter().enumerate() {
        if is_obeyed(at, byte) {
            shown.extend(format!("\\x{byte:02x}").bytes());
        } else {
            shown.push(byte);
        }
    }
    Cow::Owned(shown)
}

/// Whether a colour begins here, after ESC: `[1;31m`.
fn is_colour(rest: &[u8]) -> bool {
    let end = rest.iter().skip(1).find(|byte| !matches!(byte, b'0'..=b'9' | b';'));
    rest.first() == Some(&b'[') && end == Some(&b'm')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_terminal_obeys_colours_and_nothing_else() {
        for (text, shown) in [
            ("\x1b[1;31mred\x1b[0m\tgr\u{fc}n\r\n", "\x1b[1;31mred\x1b[0m\tgr\u{fc}n\r\n"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\x1b]0;title\x07b\x1b", "a\\x1b]0;title\\x07b\\x1b"),
            ("over\rwritten\x00", "over\\x0dwritten\\x00"),
        ] {
            assert_eq!(String::from_utf8_lossy(&harmless(text.as_bytes())), shown);
        }
    }
}
