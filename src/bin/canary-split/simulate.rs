//! Who moves when weights are edited.

use crate::schemes::{self, NAMES};
use canary_split::split::Draw;
use std::io::{self, Write};

/// Edits that people make, for the table without arguments.
const EDITS: [(&str, &str, &str); 10] = [
    ("a canary starts", "100,0", "99,1"),
    ("it grows", "95,5", "75,25"),
    ("all go over", "75,25", "0,100"),
    ("rolled back", "75,25", "100,0"),
    ("weights of another sum", "95,5", "90,20"),
    ("a second canary is added", "80,20", "70,20,10"),
    ("one of two grows", "80,10,10", "60,20,20"),
    ("one shrinks, one grows", "50,30,20", "50,20,30"),
    ("a third canary is added", "75,10,10", "70,10,10,5"),
    ("one outgrows its lane", "40,30,20,10", "10,60,20,10"),
];

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Weights before and after, stable first, as in `80,20 50,50`; without them a table of usual edits
    #[arg(num_args = 2, value_names = ["OLD", "NEW"])]
    edit: Vec<String>,
    /// How many visitors are simulated
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    visitors: u32,
    /// The seed of the visitors' draws
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Prints the table.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), String> {
    let edits = match options.edit.as_slice() {
        [old, new] => vec![("", weights(old)?, weights(new)?)],
        _ => EDITS
            .iter()
            .map(|(what, old, new)| Ok((*what, weights(old)?, weights(new)?)))
            .collect::<Result<_, String>>()?,
    };
    let mut rows = Vec::new();
    for (what, old, new) in &edits {
        rows.push(row(what, old, new, options)?);
    }
    print(&rows, options, out).map_err(|error| error.to_string())
}

struct Row {
    what: String,
    edit: String,
    /// The least share of the visitors that any scheme has to move.
    least: f64,
    /// The share that each scheme moves.
    moved: [f64; NAMES.len()],
}

fn row(what: &str, old: &[u32], new: &[u32], options: &Options) -> Result<Row, String> {
    let longest = old.len().max(new.len());
    let (before, after) = (schemes::all(old)?, schemes::all(new)?);
    let mut moved = [0_u32; NAMES.len()];
    for draw in draws(options) {
        for (moved, (before, after)) in moved.iter_mut().zip(before.iter().zip(&after)) {
            *moved += u32::from(before.pick(draw) != after.pick(draw));
        }
    }
    let share = |weights: &[u32], subset: usize| {
        let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        f64::from(weights.get(subset).copied().unwrap_or(0)) / sum as f64
    };
    Ok(Row {
        what: what.to_owned(),
        edit: format!("{} → {}", slashed(old), slashed(new)),
        least: (0..longest).map(|subset| (share(new, subset) - share(old, subset)).max(0.0)).sum(),
        moved: moved.map(|moved| f64::from(moved) / f64::from(options.visitors)),
    })
}

/// The visitors' draws: a Weyl sequence through xxHash64, the same for every scheme and edit.
fn draws(options: &Options) -> impl Iterator<Item = Draw> {
    let seed = options.seed;
    (0..options.visitors).map(move |visitor| Draw(xxhash_rust::xxh64::xxh64(&visitor.to_le_bytes(), seed) as u32))
}

fn print(rows: &[Row], options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Visitors who change their subset when weights are edited ({} visitors, seed {}):\n",
        options.visitors, options.seed
    )?;
    writeln!(out, "| edit | weights | least possible | {} |", NAMES.join(" | "))?;
    writeln!(out, "|---|---|--:|{}", "--:|".repeat(NAMES.len()))?;
    for row in rows {
        write!(out, "| {} | {} | {:.1} % |", row.what, row.edit, row.least * 100.0)?;
        for moved in row.moved {
            write!(out, " {:.1} % |", moved * 100.0)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn weights(text: &str) -> Result<Vec<u32>, String> {
    text.split(',')
        .map(|w| w.trim().parse().map_err(|_| format!("{text:?}: {w:?} is no weight of 0 to {}", u32::MAX)))
        .collect()
}

fn slashed(weights: &[u32]) -> String {
    weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/")
}
