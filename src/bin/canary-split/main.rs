//! `canary-split`: the command line tool next to the filter.
//!
//! ```text
//! input → world → one folder a command → report
//! ```
//!
//! Commands use `input`, `world` (how objects work together) and `report`. They do not use one another, except that `set` and `rollback` do a
//! `change`, which shows what `diff` finds, and that `convert` ends with what `check` finds.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod change;
mod check;
mod cluster;
mod convert;
mod diff;
mod edit;
mod explain;
mod input;
mod report;
mod rollback;
mod schema;
mod set;
mod simulate;
mod status;
mod world;

use clap::{ColorChoice, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use report::output::{Form, Output, print};
use std::process::ExitCode;

/// The tool beside the canary-split filter. It decides by the very code that runs in the gateway.
///
/// It ends with 0 if all is good, 1 if something was found, 2 if it was used wrongly or could not read what it was given.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// When to use colours; never if NO_COLOR is set, unless asked for
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check manifests before you apply them: what is wrong in each and between them
    #[command(
        after_help = "Examples:\n  canary-split check manifests\n  helm template shop | canary-split check -\n  canary-split check --explain ramp-ended"
    )]
    Check(check::Options),
    /// Compare two configs: who moves if one takes the place of the other, and which cookies lose their meaning
    ///
    /// It ends with 0 if nothing differs in effect, 1 if something does or a config has faults, 2 if it could not compare,
    /// or not all: what cannot be read is named, and the rest is compared.
    #[command(
        after_help = "Examples:\n  canary-split diff old.yaml new.yaml\n  kubectl -n istio-system get wasmplugin -o yaml | canary-split diff - manifests/overlays/sticky\n  canary-split diff old.yaml new.yaml --now 2026-12-01T12:00:00Z"
    )]
    Diff(diff::Options),
    /// Explain what the filter decides about a request, spelled as for curl, and why
    ///
    /// It ends with 0 if that is printed, 1 if it is printed and the config has faults, 2 if there is nothing to decide
    /// by, or if something next to it cannot be read.
    #[command(
        after_help = "Examples:\n  canary-split explain --config wasmplugin.yaml -H x-user:alice https://shop.example.com/cart\n  canary-split explain --config wasmplugin.yaml --now 2026-12-01T12:00:00Z shop.example.com"
    )]
    Explain(Box<explain::Options>),
    /// Set the weights of a rule, or pause a ramp and let it go on; print who moves
    ///
    /// Nothing else in the file changes. It ends with 0 if that was done, 1 if it was done and another rule of the config has faults,
    /// 2 if nothing was done.
    #[command(
        after_help = "Examples:\n  canary-split set v2=25% -f wasmplugin.yaml --dry-run\n  canary-split set shop v1=75 v2=25 -f wasmplugin.yaml\n  canary-split set shop 75/25 -f wasmplugin.yaml\n  canary-split set shop --pause -f wasmplugin.yaml\n  canary-split set shop --resume -f wasmplugin.yaml"
    )]
    Set(set::Options),
    /// Show what is in force on every gateway pod, what was decided, and what arrived
    ///
    /// It ends with 0 if all is well, 1 if something was found, 2 if the cluster cannot be read. Shares are of the requests
    /// between two looks.
    #[command(
        after_help = "Examples:\n  canary-split status\n  canary-split status shop --watch\n  canary-split status -n istio-system --output json"
    )]
    Status(status::Options),
    /// Roll back: set every canary of a rule to 0, whatever state the rule is in; print who moves
    ///
    /// A ramp is removed, and what makes the rule faulty too, if it can do without. It ends with 0 if that was done, 1 if a rule has
    /// a fault that has to be fixed first, 2 if nothing was done.
    #[command(
        after_help = "Examples:\n  canary-split rollback -f wasmplugin.yaml\n  canary-split rollback shop --evict -f wasmplugin.yaml\n  canary-split rollback --all -f wasmplugin.yaml"
    )]
    Rollback(rollback::Options),
    /// Convert VirtualServices with weights: the WasmPlugin that decides by the same weights, and routes that follow it
    ///
    /// It ends with 0 if all that has weights was converted, 1 if something was refused or is wrong with the result, 2 if nothing was
    /// done.
    #[command(
        after_help = "Examples:\n  canary-split convert virtualservice.yaml gateway.yaml --write converted\n  canary-split convert manifests --sticky header:x-user --sticky cookie\n  kubectl get -A -o yaml virtualservices,gateways.networking.istio.io,destinationrules | canary-split convert - --output json"
    )]
    Convert(convert::Options),
    /// Simulate who moves when weights are edited: next to other schemes, day by day, or by a ramp; and when a guard trips
    ///
    /// With --days visitors come for the first time evenly over the days, and each of them comes again on each later day with
    /// the return rate; nobody loses the cookie. The filter's own code decides each visit, by the weights of its day.
    #[command(
        after_help = "Examples:\n  canary-split simulate 80,20 50,50\n  canary-split simulate 100,0 95,5@3 50,50@10 --days 14 --form plot\n  canary-split simulate --config wasmplugin.yaml\n  canary-split simulate --guard --rate 50 --canary 10"
    )]
    Simulate(simulate::Options),
    /// Print the JSON Schema of a pluginConfig or a WasmPlugin, for editors
    Schema(schema::Options),
    /// Print the script that completes this command in a shell
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

/// Runs a command; the exit code.
fn run(command: &Command, output: Output, out: &mut Vec<u8>) -> Result<u8, String> {
    let is_good = match command {
        Command::Check(options) => return check::run(options, output, out),
        Command::Convert(options) => return convert::run(options, output, out),
        Command::Diff(options) => return diff::run(options, output, out),
        Command::Explain(options) => return explain::run(options, output, out),
        Command::Status(options) => return status::run(options, output, out),
        Command::Set(options) => return set::run(options, output, out),
        Command::Rollback(options) => return rollback::run(options, output, out),
        Command::Simulate(options) => return simulate::run(options, output, out),
        Command::Schema(options) => schema::run(options, out).map(|()| true),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "canary-split", out);
            Ok(true)
        }
    };
    is_good.map(|is_good| u8::from(!is_good))
}
