//! `canary-split`: the tool beside the filter.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod schemes;
mod simulate;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The tool beside the canary-split filter. It decides by the very code that runs in the gateway.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Who moves when weights are edited: this split beside others, as a table
    Simulate(simulate::Options),
}

fn main() -> ExitCode {
    let Command::Simulate(options) = Cli::parse().command;
    match simulate::run(&options, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canary-split: {error}");
            ExitCode::from(2)
        }
    }
}
