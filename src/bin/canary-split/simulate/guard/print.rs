//! The results: as two tables, as JSON.

use super::cell::{Cell, FAILING, LIMIT};
use crate::report::output::Output;
use crate::report::table::Table;
use crate::simulate::options::Options;
use std::io::{self, Write};

/// Prints the results in the requested form.
pub fn print(cells: &[Cell], days: u32, options: &Options, output: Output, out: &mut impl Write) -> io::Result<()> {
    match output {
        Output::Json => writeln!(out, "{:#}", to_json(cells, days, options)),
        Output::Text { .. } => print_tables(cells, days, options, out),
    }
}

fn print_tables(cells: &[Cell], days: u32, options: &Options, out: &mut impl Write) -> io::Result<()> {
    let Options { guard, seed, form, .. } = options;
    let (runs, margin, every, visit) = (guard.runs, &guard.margin, time(guard.every.into()), time(guard.visit.into()));
    let number = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    writeln!(out, "The guard of one gateway: {number} and {runs} runs of each; margin {margin};")?;
    writeln!(out, "a visitor sends a request every {every} for {visit}; seed {seed}.\n")?;
    writeln!(out, "Trips without a cause, where 1 % of the requests of both versions fail:\n")?;
    let table = Table::default().number("requests/s").number("canary").number("errors by chance");
    let mut table = table.number("errors of few visitors").number("outage of both: 30 % for 5 min");
    for Cell { rate, canary, false_trips: [independent, clustered], outages, .. } in cells {
        let trips = [independent, clustered].map(|trips| format!("{trips} in {number}"));
        let cells = [rate.to_string(), format!("{canary} %")].into_iter().chain(trips);
        table.row(cells.chain([format!("{outages} of {runs}")]).collect());
    }
    table.print(form.look(), out)?;
    writeln!(out, "\nHow soon the guard trips (median), where the canary begins to fail:\n")?;
    let table = Table::default().number("requests/s").number("canary");
    let mut table =
        FAILING.into_iter().fold(table, |table, failing| table.number(format!("1 % → {} %", failing * 100.0)));
    for Cell { rate, canary, times, .. } in cells {
        let times = times.map(|median| median.map_or_else(|| format!("> {}", time(LIMIT)), time));
        table.row([rate.to_string(), format!("{canary} %")].into_iter().chain(times).collect());
    }
    table.print(form.look(), out)
}

/// As in `56 s`, `4 min`, `8.5 h`.
fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0).replace(".0 h", " h"),
    }
}

fn to_json(cells: &[Cell], days: u32, options: &Options) -> serde_json::Value {
    let Options { guard, seed, .. } = options;
    let cells: Vec<_> = cells
        .iter()
        .map(|Cell { rate, canary, false_trips: [independent, clustered], outages, times }| {
            let times: Vec<_> = FAILING
                .iter()
                .zip(times)
                .map(|(failing, median)| serde_json::json!({"failing": failing, "medianSeconds": median}))
                .collect();
            serde_json::json!({
                "requestsPerSecond": rate, "canaryPercent": canary,
                "falseTrips": {"independent": independent, "clustered": clustered}, "outagesTripped": outages,
                "timeToTrip": times,
            })
        })
        .collect();
    serde_json::json!({
        "days": days, "runs": guard.runs, "seed": seed, "margin": guard.margin, "every": guard.every, "visit": guard.visit,
        "cells": cells,
    })
}
