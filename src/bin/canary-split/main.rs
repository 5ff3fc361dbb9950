//! `canary-split`: the command line tool next to the filter.
//!
//! ```text
//! input → one folder a command → report
//! ```
//!
//! Commands use `input` and `report`. They do not use one another, except that `set` shows what `diff` finds.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod check;
mod diff;
mod explain;
mod input;
mod report;
mod schema;
mod set;
mod simulate;

use clap::{ColorChoice, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use report::output::{Form, Output};
use std::io::{self, Write};
use std::process::ExitCode;

/// The tool beside the canary-split filter. It decides by the very code that runs in the gateway.
///
/// It ends with 0 if all is good, 1 if something was found, 2 if it was used wrongly or could not read what it was given.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// When to use colours; never if NO_COLOR is set, unless asked for
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What is wrong with these manifests, in each and between them
    Check(check::Options),
    /// Who moves if one config takes the place of another, and which cookies lose their meaning
    ///
    /// It ends with 0 if nothing differs in effect, 1 if something does or a config has faults, 2 if it could not compare,
    /// or not all: what cannot be read is named, and the rest is compared.
    Diff(diff::Options),
    /// What the filter decides about a request, spelled as for curl, and why
    ///
    /// It ends with 0 if that is printed, 1 if it is printed and the config has faults, 2 if there is nothing to decide
    /// by, or if something next to it cannot be read.
    Explain(Box<explain::Options>),
    /// Other weights in a file, and nothing else; prints who moves
    ///
    /// It ends with 0 if that was done, 1 if it was done and another rule of the config has faults, 2 if nothing was done.
    /// Nothing is done if any document of the file cannot be read: it may hold the same rule, and the edit would be half of one.
    Set(set::Options),
    /// Who moves when weights are edited: beside other schemes, or day by day
    ///
    /// With --days visitors come for the first time evenly over the days, and each of them comes again on each later day with
    /// the return rate; nobody loses the cookie. The filter's own code decides each visit, by the weights of its day.
    Simulate(simulate::Options),
    /// The JSON Schema of a pluginConfig or a WasmPlugin, for editors
    Schema(schema::Options),
    /// The script that completes this command in a shell
    Completion {
        /// Which one
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.output, cli.color);
    let mut out = Vec::new();
    let done = run(&cli.command, output, &mut out).and_then(|code| print(&out).map(|()| code));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("canary-split: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whoever has stopped reading (`| head`) has seen enough.
fn print(out: &[u8]) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

/// Runs a command; the exit code.
fn run(command: &Command, output: Output, out: &mut Vec<u8>) -> Result<u8, String> {
    let is_good = match command {
        Command::Check(options) => return check::run(options, output, out),
        Command::Diff(options) => return diff::run(options, output, out),
        Command::Explain(options) => return explain::run(options, output, out),
        Command::Set(options) => set::run(options, output, out),
        Command::Simulate(options) => simulate::run(options, output, out).map(|()| true),
        Command::Schema(options) => schema::run(options, out).map(|()| true),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "canary-split", out);
            Ok(true)
        }
    };
    is_good.map(|is_good| u8::from(!is_good))
}
