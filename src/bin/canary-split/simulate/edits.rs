//! Who moves when weights are edited once, compared with other schemes.

use super::options::Options;
use super::schemes::{self, NAMES};
use super::visitors::draws;
use super::weights::{least, slashed};
use crate::input::weights::list;
use crate::report::table::Table;
use std::io::{self, Write};

/// Edits that people make, for the table without arguments.
const EDITS: [(&str, &str, &str); 10] = [
    ("a canary starts", "100/0", "99/1"),
    ("it grows", "95/5", "75/25"),
    ("all go over", "75/25", "0/100"),
    ("rolled back", "75/25", "100/0"),
    ("weights of another sum", "95/5", "90/20"),
    ("a second canary is added", "80/20", "70/20/10"),
    ("both grow", "80/10/10", "60/20/20"),
    ("one shrinks, one grows", "50/30/20", "50/20/30"),
    ("a third canary is added", "75/10/10", "70/10/10/5"),
    ("one outgrows its lane", "40/30/20/10", "10/60/20/10"),
];

/// The effect of an edit.
pub struct Row {
    what: String,
    old: Vec<u32>,
    new: Vec<u32>,
    /// The least share of the visitors that any scheme has to move.
    least: f64,
    /// The share that each scheme moves.
    moved: [f64; NAMES.len()],
}

/// The usual edits.
pub fn usual(options: &Options) -> Result<Vec<Row>, String> {
    EDITS.into_iter().map(|(what, old, new)| row(what, &list(old)?, &list(new)?, options)).collect()
}

/// One edit with every scheme.
pub fn row(what: &str, old: &[u32], new: &[u32], options: &Options) -> Result<Row, String> {
    let (before, after) = (schemes::all(old)?, schemes::all(new)?);
    let mut moved = [0_u32; NAMES.len()];
    for draw in draws(options) {
        for (moved, (before, after)) in moved.iter_mut().zip(before.iter().zip(&after)) {
            *moved += u32::from(before.pick(draw) != after.pick(draw));
        }
    }
    Ok(Row {
        what: what.to_owned(),
        old: old.to_vec(),
        new: new.to_vec(),
        least: least(old, new),
        moved: moved.map(|moved| f64::from(moved) / f64::from(options.visitors)),
    })
}

impl Row {
    /// As an entry of a list in JSON; in shares of the visitors.
    pub fn to_json(&self) -> serde_json::Value {
        let schemes: Vec<_> = NAMES
            .into_iter()
            .zip(self.moved)
            .map(|(name, moved)| serde_json::json!({"scheme": name, "moved": moved}))
            .collect();
        let Row { what, old, new, least, .. } = self;
        serde_json::json!({"edit": what, "old": old, "new": new, "leastPossible": least, "schemes": schemes})
    }
}

/// Prints the table.
pub fn print(rows: &[Row], options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Visitors whose subset changes when weights do ({} visitors, seed {}):\n",
        options.visitors, options.seed
    )?;
    let table = Table::default().text("edit").text("weights").number("least possible");
    let mut table = NAMES.into_iter().fold(table, Table::number);
    for row in rows {
        let weights = format!("{} → {}", slashed(&row.old), slashed(&row.new));
        let shares = [row.least].into_iter().chain(row.moved).map(|share| format!("{:.1} %", share * 100.0));
        table.row([row.what.clone(), weights].into_iter().chain(shares).collect());
    }
    table.print(options.form.look(), out)
}
