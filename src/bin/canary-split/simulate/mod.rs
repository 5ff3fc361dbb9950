//! `simulate`: who moves when weights are edited, once, over a whole plan, and day by day; the effects of a ramp and of
//! a guard.

mod days;
mod edits;
mod guard;
mod guard_options;
mod options;
mod plans;
mod ramps;
mod schemes;
mod visitors;
mod weights;

use crate::input::weights::list;
use crate::report::output::Output;
use std::io::Write;
use weights::slashed;

use options::Form;

pub use options::Options;

/// Prints the simulation; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    match &options.config {
        Some(path) => ramps::run(path, options, output, out),
        None => edits_or_more(options, output, out).map(|()| 0),
    }
}

fn edits_or_more(options: &Options, output: Output, out: &mut impl Write) -> Result<(), String> {
    let is_days = options.days.is_some() && !options.guard.guard;
    if !is_days && [Form::Csv, Form::Plot].contains(&options.form) {
        return Err("--form csv and --form plot need --days".to_owned());
    }
    if options.guard.guard {
        return guard::run(options, output, out);
    }
    if let Some(days) = options.days {
        return days::run(days, options, output, out);
    }
    let given = options.plan.iter().map(|step| list(step)).collect::<Result<Vec<_>, _>>()?;
    let (edits, plans) = match given.as_slice() {
        [] => (edits::usual(options)?, plans::usual(options)?),
        [one] => return Err(format!("{}: one step is not an edit; give a second one, or --days", slashed(one))),
        [old, new] => (vec![edits::row("", old, new, options)?], Vec::new()),
        _ => (Vec::new(), vec![plans::walk("", &given, options)?]),
    };
    let done = match output {
        Output::Json => {
            let edits: Vec<_> = edits.iter().map(edits::Row::to_json).collect();
            let plans: Vec<_> = plans.iter().map(|plan| plan.to_json(options)).collect();
            let (visitors, seed) = (options.visitors, options.seed);
            let json = serde_json::json!({"visitors": visitors, "seed": seed, "edits": edits, "plans": plans});
            writeln!(out, "{json:#}")
        }
        Output::Text { .. } => print_tables(&edits, &plans, options, out),
    };
    done.map_err(|error| error.to_string())
}

fn print_tables(
    edits: &[edits::Row],
    plans: &[plans::Plan],
    options: &Options,
    out: &mut impl Write,
) -> std::io::Result<()> {
    if !edits.is_empty() {
        edits::print(edits, options, out)?;
    }
    if !edits.is_empty() && !plans.is_empty() {
        writeln!(out)?;
    }
    if plans.is_empty() { Ok(()) } else { plans::print(plans, options, out) }
}
