//! The form of results: for people or programs, with or without colours.

use crate::input::quoted::is_unseen;
use crate::input::reason::reason;
use clap::{ColorChoice, ValueEnum};
use serde::de::IgnoredAny;
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
    let is_json = out.starts_with(b"{") || out.starts_with(b"[");
    let json = std::str::from_utf8(out).ok().filter(|_| is_json && serde_json::from_slice::<IgnoredAny>(out).is_ok());
    let shown = json.map_or_else(|| harmless(out), |json| Cow::Owned(spelled_out(json).into_bytes()));
    match stdout.write_all(&shown).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {}", reason(&error))),
        _ => Ok(()),
    }
}

/// JSON of the same meaning, with whatever a terminal obeys or nobody sees by its number.
fn spelled_out(json: &str) -> String {
    let mut spelled = String::with_capacity(json.len());
    for each in json.chars() {
        // Between strings JSON has these as they are, and within them never.
        if is_unseen(each) && !matches!(each, '\t' | '\n' | '\r') {
            let units = each.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            spelled.push_str(&units);
        } else {
            spelled.push(each);
        }
    }
    spelled
}

/// Without what a terminal obeys, except for tabs, line ends and colours: no YAML has any of it in its text.
pub fn harmless(out: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(out);
    // NEL ends a line in YAML.
    let is_obeyed = |(at, each): (usize, char)| match each {
        '\t' | '\n' | '\u{85}' => false,
        '\r' => !text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n')),
        '\x1b' => !text.get(at + 1..).is_some_and(is_colour),
        each => each.is_control(),
    };
    if !text.char_indices().any(is_obeyed) {
        return Cow::Borrowed(out);
    }
    let mut shown = String::with_capacity(text.len());
    for (at, each) in text.char_indices() {
        if is_obeyed((at, each)) {
            shown.push_str(&format!("\\x{:02x}", u32::from(each)));
        } else {
            shown.push(each);
        }
    }
    Cow::Owned(shown.into_bytes())
}

/// Whether a colour begins here, after ESC: `[1;31m`.
fn is_colour(rest: &str) -> bool {
    let numbers =
        rest.strip_prefix('[').map(|rest| rest.trim_start_matches(|each: char| each.is_ascii_digit() || each == ';'));
    numbers.is_some_and(|end| end.starts_with('m'))
}

#[cfg(test)]
mod tests {
    use super::{harmless, spelled_out};

    #[test]
    fn json_says_the_same_with_what_nobody_sees_by_its_number() {
        let value = serde_json::json!({"a": "\u{9b}2J\u{202e}\u{e0041}\u{7f}ü"});
        let spelled = spelled_out(&format!("{value:#}\n"));
        assert_eq!(spelled, "{\n  \"a\": \"\\u009b2J\\u202e\\udb40\\udc41\\u007fü\"\n}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&spelled).unwrap(), value);
    }

    #[test]
    fn a_terminal_obeys_colours_and_nothing_else() {
        for (text, shown) in [
            ("\x1b[1;31mred\x1b[0m\tgr\u{fc}n\r\n", "\x1b[1;31mred\x1b[0m\tgr\u{fc}n\r\n"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\x1b]0;title\x07b\x1b", "a\\x1b]0;title\\x07b\\x1b"),
            ("over\rwritten\x00", "over\\x0dwritten\\x00"),
            ("a\u{9b}2Jb\x7f\u{85}", "a\\x9b2Jb\\x7f\u{85}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&harmless(text.as_bytes())), shown);
        }
    }
}
