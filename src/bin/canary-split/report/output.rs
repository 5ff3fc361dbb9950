//! The form of results: for people or programs, with or without colours.

use clap::{ColorChoice, ValueEnum};
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
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}
