//! Who moves when weights are edited, once and over a whole plan.

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
    ("both grow", "80,10,10", "60,20,20"),
    ("one shrinks, one grows", "50,30,20", "50,20,30"),
    ("a third canary is added", "75,10,10", "70,10,10,5"),
    ("one outgrows its lane", "40,30,20,10", "10,60,20,10"),
];

/// Plans that people follow, and one that nobody would.
const PLANS: [(&str, &str); 4] = [
    ("a ramp", "100,0 99,1 95,5 75,25 50,50 0,100"),
    ("a ramp that is taken back", "100,0 95,5 75,25 50,50 75,25 95,5 100,0"),
    ("a second canary beside the first", "80,20 70,20,10 60,20,20 70,10,20 80,0,20 50,0,50"),
    ("twenty edits at random, two to five subsets", ""),
];

/// What to simulate.
#[derive(clap::Args)]
pub struct Options {
    /// Weights, stable first, as in `80,20 50,50`; more of them are a plan; without any: tables of usual edits and plans
    #[arg(num_args = 2.., value_name = "WEIGHTS")]
    plan: Vec<String>,
    /// How many visitors are simulated
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    visitors: u32,
    /// The seed of the visitors' draws
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Prints the tables.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), String> {
    let given = options.plan.iter().map(|step| weights(step)).collect::<Result<Vec<_>, _>>()?;
    let (mut edits, mut plans) = (Vec::new(), Vec::new());
    match given.as_slice() {
        [] => {
            for (what, old, new) in EDITS {
                edits.push(row(what, &weights(old)?, &weights(new)?, options)?);
            }
            for (what, steps) in PLANS {
                let steps = match steps {
                    "" => random_plan(options.seed),
                    _ => steps.split(' ').map(weights).collect::<Result<_, _>>()?,
                };
                plans.push((what, walk(&steps, options)?));
            }
        }
        [old, new] => edits.push(row("", old, new, options)?),
        _ => plans.push(("", walk(&given, options)?)),
    }
    print_tables(&edits, &plans, options, out).map_err(|error| error.to_string())
}

fn print_tables(edits: &[Row], plans: &[(&str, Plan)], options: &Options, out: &mut impl Write) -> io::Result<()> {
    if !edits.is_empty() {
        print_edits(edits, options, out)?;
    }
    if !edits.is_empty() && !plans.is_empty() {
        writeln!(out)?;
    }
    if plans.is_empty() { Ok(()) } else { print_plans(plans, options, out) }
}

/// What a plan does to its visitors, who all come back after each step; in numbers of changes.
#[derive(Clone, Copy, Default)]
struct Walk {
    /// Changes of subset.
    moved: u64,
    /// Changes to a subset that the visitor had left before.
    back: u64,
    /// Changes from one canary to another.
    across: u64,
}

/// The rows of a plan: every scheme, then this filter under `keep`; and the least that any scheme has to move.
struct Plan {
    rows: [Walk; NAMES.len() + 1],
    least: f64,
}

fn walk(plan: &[Vec<u32>], options: &Options) -> Result<Plan, String> {
    let steps = plan.iter().map(|weights| schemes::all(weights)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = [Walk::default(); NAMES.len() + 1];
    for draw in draws(options) {
        for (scheme, row) in rows.iter_mut().enumerate() {
            let mut home = None;
            let mut left = [false; schemes::MAX_SUBSETS];
            for (step, weights) in steps.iter().zip(plan) {
                // The last row keeps whoever is in a subset that is still there.
                let kept = home.filter(|&home| scheme == NAMES.len() && home < weights.len());
                let pick = |scheme: usize| step.get(scheme).map_or(0, |scheme| scheme.pick(draw));
                let now = kept.unwrap_or_else(|| pick(if scheme == NAMES.len() { 0 } else { scheme }));
                if let Some(before) = home.filter(|&before| before != now) {
                    row.moved += 1;
                    row.across += u64::from(before > 0 && now > 0);
                    row.back += u64::from(left.get(now).is_some_and(|&left| left));
                    if let Some(left) = left.get_mut(before) {
                        *left = true;
                    }
                }
                home = Some(now);
            }
        }
    }
    let least = plan.iter().zip(plan.iter().skip(1)).map(|(old, new)| least(old, new)).sum();
    Ok(Plan { rows, least })
}

/// Each step has two to five subsets, the first five, with weights of 0 to 9, stable at least 1.
fn random_plan(seed: u64) -> Vec<Vec<u32>> {
    let number = |step: u64, at: u64| xxhash_rust::xxh64::xxh64(&[step.to_le_bytes(), at.to_le_bytes()].concat(), seed);
    let subsets = |step| if step == 0 { 5 } else { 2 + number(step, 0) % 4 };
    let weights = |step| (0..subsets(step)).map(move |at| (number(step, at + 1) % 10) as u32);
    (0..=20)
        .map(|step| weights(step).enumerate().map(|(at, weight)| weight.max(u32::from(at == 0))).collect())
        .collect()
}

fn print_plans(plans: &[(&str, Plan)], options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Over a whole plan, in changes of subset for each 100 of them:\n")?;
    writeln!(out, "| plan | scheme | moved | least possible | back to where they were | canary to canary |")?;
    writeln!(out, "|---|---|--:|--:|--:|--:|")?;
    for (what, plan) in plans {
        let names = NAMES.into_iter().chain(["canary-split, keep"]);
        for (number, (name, row)) in names.zip(&plan.rows).enumerate() {
            let per_hundred = |changes: u64| changes as f64 * 100.0 / f64::from(options.visitors);
            writeln!(
                out,
                "| {} | {name} | {:.1} | {:.1} | {:.1} | {:.1} |",
                if number == 0 { what } else { "" },
                per_hundred(row.moved),
                plan.least * 100.0,
                per_hundred(row.back),
                per_hundred(row.across)
            )?;
        }
    }
    Ok(())
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
    let (before, after) = (schemes::all(old)?, schemes::all(new)?);
    let mut moved = [0_u32; NAMES.len()];
    for draw in draws(options) {
        for (moved, (before, after)) in moved.iter_mut().zip(before.iter().zip(&after)) {
            *moved += u32::from(before.pick(draw) != after.pick(draw));
        }
    }
    Ok(Row {
        what: what.to_owned(),
        edit: format!("{} → {}", slashed(old), slashed(new)),
        least: least(old, new),
        moved: moved.map(|moved| f64::from(moved) / f64::from(options.visitors)),
    })
}

/// The share of the visitors that any scheme has to move: what the subsets gain.
fn least(old: &[u32], new: &[u32]) -> f64 {
    let share = |weights: &[u32], subset: usize| {
        let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        f64::from(weights.get(subset).copied().unwrap_or(0)) / sum as f64
    };
    (0..old.len().max(new.len())).map(|subset| (share(new, subset) - share(old, subset)).max(0.0)).sum()
}

/// The visitors' draws: a Weyl sequence through xxHash64, the same for every scheme and edit.
fn draws(options: &Options) -> impl Iterator<Item = Draw> {
    let seed = options.seed;
    (0..options.visitors).map(move |visitor| Draw(xxhash_rust::xxh64::xxh64(&visitor.to_le_bytes(), seed) as u32))
}

fn print_edits(rows: &[Row], options: &Options, out: &mut impl Write) -> io::Result<()> {
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
