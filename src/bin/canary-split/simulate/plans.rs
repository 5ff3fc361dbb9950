//! Visitors who all return after each step of a plan, compared with other schemes.

use super::options::Options;
use super::schemes::{self, NAMES};
use super::visitors::draws;
use super::weights::least;
use crate::input::weights::list;
use crate::report::table::Table;
use std::io::{self, Write};

/// Plans that people follow, and one that nobody would.
const PLANS: [(&str, &str); 4] = [
    ("a ramp", "100/0 99/1 95/5 75/25 50/50 0/100"),
    ("a ramp that is taken back", "100/0 95/5 75/25 50/50 75/25 95/5 100/0"),
    ("a second canary next to the first", "80/20 70/20/10 60/20/20 70/10/20 80/0/20 50/0/50"),
    ("twenty edits at random, two to five subsets", ""),
];

/// The effect of a plan on its visitors, who all return after each step; in numbers of changes.
#[derive(Clone, Copy, Default)]
struct Walk {
    /// Changes of subset.
    moved: u64,
    /// Changes to a subset that the visitor had left before.
    back: u64,
    /// Changes from one canary to another.
    across: u64,
}

/// The name of the last row.
const KEEP: &str = "canary-split, keep";

/// The rows of a plan: every scheme, then this filter under `keep`; and the least that any scheme has to move.
pub struct Plan {
    what: String,
    steps: Vec<Vec<u32>>,
    rows: [Walk; NAMES.len() + 1],
    least: f64,
}

/// The usual plans.
pub fn usual(options: &Options) -> Result<Vec<Plan>, String> {
    let steps = |text: &str| match text {
        "" => Ok(random_plan(options.seed)),
        _ => text.split(' ').map(list).collect(),
    };
    PLANS.into_iter().map(|(what, text)| walk(what, &steps(text)?, options)).collect()
}

/// Walks one plan with every scheme.
pub fn walk(what: &str, plan: &[Vec<u32>], options: &Options) -> Result<Plan, String> {
    let steps = plan.iter().map(|weights| schemes::all(weights)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = [Walk::default(); NAMES.len() + 1];
    for draw in draws(options) {
        for (scheme, row) in rows.iter_mut().enumerate() {
            let mut home = None;
            let mut left = [false; schemes::MAX_SUBSETS];
            for (step, weights) in steps.iter().zip(plan) {
                // The last row keeps visitors of subsets that still exist.
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
    Ok(Plan { what: what.to_owned(), steps: plan.to_vec(), rows, least })
}

/// Each step has the first two to five subsets, with weights from 0 to 9, stable at least 1.
fn random_plan(seed: u64) -> Vec<Vec<u32>> {
    let number = |step: u64, at: u64| xxhash_rust::xxh64::xxh64(&[step.to_le_bytes(), at.to_le_bytes()].concat(), seed);
    let subsets = |step| if step == 0 { 5 } else { 2 + number(step, 0) % 4 };
    let weights = |step| (0..subsets(step)).map(move |at| (number(step, at + 1) % 10) as u32);
    (0..=20)
        .map(|step| weights(step).enumerate().map(|(at, weight)| weight.max(u32::from(at == 0))).collect())
        .collect()
}

impl Plan {
    /// The rows by name.
    fn named(&self) -> impl Iterator<Item = (&'static str, &Walk)> {
        NAMES.into_iter().chain([KEEP]).zip(&self.rows)
    }

    /// As an entry of a list in JSON; in changes for each visitor.
    pub fn to_json(&self, options: &Options) -> serde_json::Value {
        let each = |changes: u64| changes as f64 / f64::from(options.visitors);
        let schemes: Vec<_> = self
            .named()
            .map(|(name, row)| {
                let (moved, back, across) = (each(row.moved), each(row.back), each(row.across));
                serde_json::json!({"scheme": name, "moved": moved, "back": back, "canaryToCanary": across})
            })
            .collect();
        serde_json::json!({"plan": self.what, "weights": self.steps, "leastPossible": self.least, "schemes": schemes})
    }
}

/// Prints the table.
pub fn print(plans: &[Plan], options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Over a whole plan, in changes of subset for each 100 of them:\n")?;
    let table = Table::default().text("plan").text("scheme").number("moved").number("least possible");
    let mut table = table.number("back to where they were").number("canary to canary");
    for plan in plans {
        for (number, (name, row)) in plan.named().enumerate() {
            let per_hundred = |changes: u64| changes as f64 * 100.0 / f64::from(options.visitors);
            let what = if number == 0 { &plan.what } else { "" };
            let figures = [per_hundred(row.moved), plan.least * 100.0, per_hundred(row.back), per_hundred(row.across)];
            let figures = figures.map(|figure| format!("{figure:.1}"));
            table.row([what.to_owned(), name.to_owned()].into_iter().chain(figures).collect());
        }
    }
    table.print(options.form.look(), out)
}
