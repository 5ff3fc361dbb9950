//! `canary-split`: the command line tool next to the filter.
//!
//! ```text
//! input → world → one folder a command → report
//! ```
//!
//! Commands use `input`, `world` (how objects work together), `cluster` (the live one) and `report`. They do not use one another,
//! with these exceptions: `set` and `rollback` make a `change`, which shows what `diff` finds; `finish` (`promote`, `remove`) shows
//! that nobody moves; `status`, `convert` and `adopt` show what `check` finds; `convert` shows what `explain` says; `adopt` makes its
//! plugin as `convert` does; `dashboard` shows what `status` and `explain` say, and makes a
//! `change`. `tests/layers.rs` checks this.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod adopt;
mod change;
mod check;
mod cluster;
mod convert;
mod dashboard;
mod diff;
mod edit;
mod examples;
mod explain;
mod finish;
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
use input::stderr;
use report::output::{Form, Output, print};
use std::process::ExitCode;

/// Watch, move and check the canaries of the canary-split filter.
///
/// The tool decides with the same code as the gateway. It exits with 0 if all is well, 1 if something was found, 2 if it was
/// used wrongly or could not read its input.
#[derive(Parser)]
#[command(version, max_term_width = WIDTH, subcommand_help_heading = "Commands", after_help = examples::ALL)]
struct Cli {
    /// Print for people or for programs
    #[arg(short, long, global = true, value_enum, value_name = "FORM", default_value_t = Form::Text, help_heading = "Output")]
    output: Form,
    /// Use colours; never if NO_COLOR is set, unless asked for
    #[arg(
        long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, help_heading = "Output"
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

/// The width of help texts.
const WIDTH: usize = 80;

#[derive(Subcommand)]
enum Command {
    /// Show what is in force on every gateway pod, and what arrives
    ///
    /// Shares are of the requests between two looks. It exits with 0 if all is well, 1 if something was found, 2 if the cluster
    /// cannot be read.
    #[command(after_help = examples::STATUS)]
    Status(status::Options),
    /// Look at the split in a browser, on this machine alone
    ///
    /// It serves a page with what status shows, and with the draws of each subset, the shares since the command was started, the
    /// plan of a ramp, the trips of a guard, and the answers of explain. It shows who would move; without --write it changes nothing.
    /// Its address has a token: whoever has that can look. It goes on until it is interrupted, and exits with 2 if it cannot begin.
    #[command(after_help = examples::DASHBOARD)]
    Dashboard(dashboard::Options),
    /// Set the weights of a rule, or pause its ramp; show who moves
    ///
    /// Nothing else changes. In the cluster it asks first, and waits until the change is in force on every gateway pod.
    ///
    /// It exits with 0 if that was done, 1 if it is not in force everywhere or another rule has faults, 2 if nothing was done.
    #[command(after_help = examples::SET)]
    Set(set::Options),
    /// Roll back: set every canary of a rule to 0
    ///
    /// It works in any state of the rule, and says what it does. It removes a ramp, and optional fields that make the rule faulty.
    /// In the cluster it asks first, and waits until the change is in force on every gateway pod.
    ///
    /// It exits with 0 if that was done, 1 if it is not in force everywhere or a fault has to be fixed first, 2 if nothing was done.
    #[command(after_help = examples::ROLLBACK)]
    Rollback(rollback::Options),
    /// Promote a canary to stable: nobody moves
    ///
    /// The subset must have all the weight. It becomes stable, and the default route leads to it. In the cluster it shows the steps,
    /// asks, and waits for the gateways between them. It exits with 0 if that was done, 1 if the state does not allow it or it is not
    /// in force everywhere, 2 if it was used wrongly.
    #[command(after_help = examples::PROMOTE)]
    Promote(finish::Promote),
    /// Remove a rule, then its routes and subsets
    ///
    /// Its stable must have all the weight. Subsets that another route uses stay. The order of the steps lets no request fail;
    /// workloads are not deleted. It exits with 0 if that was done, 1 if the state does not allow it or it is not in force
    /// everywhere, 2 if it was used wrongly.
    #[command(after_help = examples::REMOVE)]
    Remove(finish::Remove),
    /// Check manifests before you apply them
    ///
    /// It exits with 0 if nothing is wrong, 1 if something was found, 2 if something could not be read.
    #[command(after_help = examples::CHECK)]
    Check(check::Options),
    /// Convert weights, or a canary Ingress, to a plugin and routes
    ///
    /// It reads VirtualServices, HTTPRoutes and GRPCRoutes with weights, canaries of ingress-nginx and Higress, and with --leave what
    /// Flagger and Argo Rollouts say about a VirtualService. The plugin decides by the same weights. It exits with 0 if everything with weights was converted, 1 if
    /// something was refused or the result has an error, 2 if nothing was done.
    #[command(after_help = examples::CONVERT)]
    Convert(convert::Options),
    /// Adopt weights that a controller writes, so that they stick
    ///
    /// It prints a plugin, and an EnvoyFilter that lets Envoy pick by the plugin's header; the VirtualService stays as it is. It exits
    /// with 0 if all weights were adopted, 1 if something was refused or the result has an error, 2 if nothing was done.
    #[command(after_help = examples::ADOPT)]
    Adopt(adopt::Options),
    /// Explain what the filter decides about a request, and why
    ///
    /// Write the request as for curl. It exits with 0 if the answer is printed, 1 if the config also has faults, 2 if nothing can
    /// be decided or something next to the config cannot be read.
    #[command(after_help = examples::EXPLAIN)]
    Explain(Box<explain::Options>),
    /// Compare two configs: who moves, which cookies lose their meaning
    ///
    /// It exits with 0 if nothing differs in effect, 1 if something does or a config has faults, 2 if it could not compare everything:
    /// it names what it cannot read, and compares the rest.
    #[command(after_help = examples::DIFF)]
    Diff(diff::Options),
    /// Simulate a plan of weights, a ramp or a guard before you use it
    ///
    /// Without arguments it prints who moves in usual edits and plans, next to other schemes. With --days, first visits are spread
    /// evenly over the days, and each visitor returns on each later day with the return rate; nobody loses the cookie. The filter's
    /// own code decides each visit, by the weights of its day.
    #[command(after_help = examples::SIMULATE)]
    Simulate(simulate::Options),
    /// Print the JSON Schema of a pluginConfig or a WasmPlugin
    #[command(after_help = examples::SCHEMA)]
    Schema(schema::Options),
    /// Print the completion script for a shell
    #[command(after_help = examples::COMPLETION)]
    Completion {
        /// Name the shell
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
            stderr::say(error);
            ExitCode::from(2)
        }
    }
}

/// Runs a command; the exit code.
fn run(command: &Command, output: Output, out: &mut Vec<u8>) -> Result<u8, String> {
    let is_good = match command {
        Command::Check(options) => return check::run(options, output, out),
        Command::Convert(options) => return convert::run(options, output, out),
        Command::Adopt(options) => return adopt::run(options, output, out),
        Command::Diff(options) => return diff::run(options, output, out),
        Command::Explain(options) => return explain::run(options, output, out),
        Command::Status(options) => return status::run(options, output, out),
        Command::Dashboard(options) => return dashboard::run(options, output, out),
        Command::Set(options) => return set::run(options, output, out),
        Command::Rollback(options) => return rollback::run(options, output, out),
        Command::Promote(options) => return finish::promote(options, output, out),
        Command::Remove(options) => return finish::remove(options, output, out),
        Command::Simulate(options) => return simulate::run(options, output, out),
        Command::Schema(options) => schema::run(options, out).map(|()| true),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "canary-split", out);
            Ok(true)
        }
    };
    is_good.map(|is_good| u8::from(!is_good))
}
