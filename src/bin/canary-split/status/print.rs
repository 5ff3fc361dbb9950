//! The state on a screen.

use super::shown::Shown;
use crate::cluster::health;
use crate::cluster::reading::{PluginReading, RuleReading, State, SubsetReading};
use crate::input::quoted::visible;
use crate::report::bars;
use crate::report::finding::Finding;
use crate::report::output::{Output, width};
use crate::report::wrap::wrapped;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// A picture that is refreshed in place.
#[derive(Default)]
pub struct Screen {
    /// The number of lines of the last picture.
    lines: usize,
}

impl Screen {
    /// Shows a picture in place of the previous one.
    pub fn show(&mut self, text: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        // Without a terminal each picture follows the previous one.
        if self.lines > 0 && stdout.is_terminal() {
            // Up to the beginning of the last one, which is erased.
            write!(stdout, "\x1b[{}A\x1b[J", self.lines)?;
        }
        stdout.write_all(text)?;
        self.lines = String::from_utf8_lossy(text).lines().map(rows).sum();
        stdout.flush()
    }
}

/// The number of screen rows that a line takes.
fn rows(line: &str) -> usize {
    // Colour codes take no room.
    let colours: usize = line.split("\x1b[").skip(1).filter_map(|rest| rest.find('m')).map(|end| end + 3).sum();
    line.chars().count().saturating_sub(colours).div_ceil(width().max(1)).max(1)
}

const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// A cell of a table, and whether something is wrong with it.
struct Cell {
    text: String,
    is_bad: bool,
}

fn cell(text: impl Into<String>) -> Cell {
    Cell { text: visible(&text.into()).into_owned(), is_bad: false }
}

/// Cells of a bar.
const BAR: usize = 40;

/// The state for programs.
pub fn json(shown: &Shown) -> Value {
    let findings: Vec<_> = shown.findings.iter().map(Finding::to_json).collect();
    serde_json::json!({"plugins": shown.reading.plugins, "findings": findings, "notes": shown.notes})
}

/// Prints the state.
pub fn print(shown: &Shown, output: Output, out: &mut impl Write) -> io::Result<()> {
    let Output::Text { is_colourful } = output else {
        return writeln!(out, "{:#}", json(shown));
    };
    if shown.reading.plugins.is_empty() {
        writeln!(out, "no WasmPlugin of this filter")?;
    }
    for (at, plugin) in shown.reading.plugins.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        print_plugin(plugin, is_colourful, out)?;
    }
    let (bold, red, plain) = if is_colourful { (BOLD, RED, PLAIN) } else { ("", "", "") };
    for finding in &shown.findings {
        let head = format!("{}[{}]", finding.code.severity, finding.code.name);
        let text = wrapped(&format!("{head}: "), &visible(&finding.message));
        writeln!(out, "\n{red}{head}{plain}{}", text.strip_prefix(&head).unwrap_or_default())?;
        let text = wrapped("  fix: ", finding.code.fix);
        writeln!(out, "  {bold}fix{plain}{}", text.strip_prefix("  fix").unwrap_or_default())?;
    }
    for note in &shown.notes {
        writeln!(out, "\n{}", wrapped("note: ", &visible(note)))?;
    }
    Ok(())
}

fn print_plugin(plugin: &PluginReading, is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    let total = plugin.gateways.len();
    let current = plugin.gateways.iter().filter(|gateway| gateway.current).count();
    let are_same = plugin.rules.iter().flat_map(|rule| &rule.subsets).all(|subset| {
        let mut weights = subset.in_force_by_gateway.values();
        let first = weights.next();
        weights.all(|weight| Some(weight) == first)
    });
    let same = match (total, are_same) {
        (0 | 1, _) => "",
        (_, true) => ", same weights in force",
        (_, false) => ", different weights in force",
    };
    writeln!(out, "{}/{}   {current} of {total} gateway pods have this config{same}", plugin.namespace, plugin.name)?;
    if let Some(manager) = plugin.managed_by {
        writeln!(out, "{}", wrapped("managed by ", manager.said()))?;
    }
    if plugin.rules.is_empty() {
        return writeln!(out, "no rules");
    }
    let has_other = plugin.rules.iter().flat_map(|rule| &rule.subsets).any(is_other);
    let wide = table(plugin, true, has_other);
    let widths = widths(&wide);
    let needed = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    let (rows, widths) = if needed <= width() {
        (wide, widths)
    } else {
        let narrow = table(plugin, false, has_other);
        let widths = self::widths(&narrow);
        (narrow, widths)
    };
    for row in rows {
        match row {
            Row::Cells(cells) => print_row(&cells, &widths, is_colourful, out)?,
            Row::Line(text) => writeln!(out, "{}", wrapped("  ", visible(&text).trim_start()))?,
            Row::Bar(rule) if is_colourful => print_bars(rule, out)?,
            Row::Bar(_) => {}
        }
    }
    Ok(())
}

enum Row<'r> {
    Cells(Vec<Cell>),
    Line(String),
    Bar(&'r RuleReading),
}

/// Whether something other than the config is in force.
fn is_other(subset: &SubsetReading) -> bool {
    let mut weights = subset.in_force_by_gateway.values();
    subset.weight.is_some_and(|weight| weights.any(|own| *own != u64::from(weight)))
}

/// The rows of a plugin; `is_wide`: rule and host are columns of their own.
fn table(plugin: &PluginReading, is_wide: bool, has_other: bool) -> Vec<Row<'_>> {
    let mut heads = if is_wide { vec!["RULE", "HOST", "SUBSET", "WEIGHT"] } else { vec!["SUBSET", "WEIGHT"] };
    heads.extend(has_other.then_some("IN FORCE"));
    heads.extend(["DECIDED", "ARRIVED", "5xx", "PODS", "ROUTE"]);
    let mut rows = vec![Row::Cells(heads.into_iter().map(cell).collect())];
    for rule in &plugin.rules {
        let hosts = if rule.hosts.is_empty() { "*".to_owned() } else { rule.hosts.join(",") };
        if !is_wide {
            rows.push(Row::Line(format!("{}  {hosts}", rule.name)));
        }
        for (at, subset) in rule.subsets.iter().enumerate() {
            let mut cells = Vec::new();
            if is_wide {
                let (name, hosts) = if at == 0 { (rule.name.clone(), hosts.clone()) } else { Default::default() };
                cells.extend([cell(name), cell(hosts)]);
            }
            cells.extend(row(rule, subset, has_other));
            rows.push(Row::Cells(cells));
        }
        if rule.subsets.len() > 1 {
            rows.push(Row::Bar(rule));
        }
        match rule.state {
            State::Active => {}
            State::LastGood => {
                rows.push(Row::Line(format!("  {}: has a fault; its last good version is in force", rule.name)))
            }
            State::Off => rows.push(Row::Line(format!("  {}: has a fault and is off", rule.name))),
        }
        let adopts =
            |header: &String| format!("  {}: somebody else owns the weights; Envoy picks by {header}", rule.name);
        rows.extend(rule.adopts.iter().map(|header| Row::Line(adopts(header))));
        rows.extend(rule.ramp.iter().map(|ramp| Row::Line(format!("  {}: the ramp {}", rule.name, ramp.said()))));
    }
    rows
}

fn row(rule: &RuleReading, subset: &SubsetReading, has_other: bool) -> Vec<Cell> {
    let is_astray = health::is_astray(rule, subset);
    let name = if subset.stable { format!("{} stable", subset.name) } else { subset.name.clone() };
    let mut cells = vec![cell(name), cell(subset.weight.map_or("-".to_owned(), |weight| weight.to_string()))];
    if has_other {
        let in_force = match (subset.in_force, subset.in_force_by_gateway.len()) {
            (Some(weight), _) => weight.to_string(),
            (None, 0) => "-".to_owned(),
            (None, _) => "differs".to_owned(),
        };
        let in_force = if subset.tripped { format!("{in_force} tripped") } else { in_force };
        cells.push(Cell { text: in_force, is_bad: is_other(subset) });
    }
    let pods = subset.pods.map_or("-".to_owned(), |pods| format!("{}/{}", pods.ready, pods.total));
    cells.extend([
        Cell { text: percent(subset.decided, 1), is_bad: is_astray },
        Cell { text: percent(subset.arrived, 1), is_bad: is_astray },
        cell(percent(subset.errors, 2)),
        Cell { text: pods, is_bad: subset.pods.is_some_and(|pods| pods.ready == 0) },
        cell(subset.route.clone().unwrap_or("-".to_owned())),
    ]);
    cells
}

fn percent(share: Option<f64>, digits: usize) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.digits$} %", share * 100.0))
}

fn widths(rows: &[Row]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        let Row::Cells(cells) = row else { continue };
        widths.resize(cells.len(), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    widths
}

fn print_row(cells: &[Cell], widths: &[usize], is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let is_last = at + 1 == cells.len();
        let padding = if is_last { 0 } else { width.saturating_sub(cell.text.chars().count()) + 2 };
        let text = if cell.is_bad && is_colourful { format!("{RED}{}{PLAIN}", cell.text) } else { cell.text.clone() };
        line.push_str(&text);
        line.push_str(&" ".repeat(padding));
    }
    writeln!(out, "{}", line.trim_end())
}

/// The parts of the subsets: of the weights in force, of what was decided, of what arrived.
fn print_bars(rule: &RuleReading, out: &mut impl Write) -> io::Result<()> {
    let whole = 1_000_000.0;
    let share = |part: &dyn Fn(&SubsetReading) -> Option<f64>| -> Option<Vec<(usize, u64)>> {
        let parts = rule.subsets.iter().enumerate().map(|(at, subset)| Some((at, (part(subset)? * whole) as u64)));
        parts.collect::<Option<Vec<_>>>().filter(|parts| parts.iter().any(|(_, amount)| *amount > 0))
    };
    let sum: u64 = rule.subsets.iter().filter_map(|subset| subset.in_force).sum();
    let in_force = share(&|subset| Some(subset.in_force? as f64 / sum.max(1) as f64));
    for (what, parts) in [
        ("weights", in_force),
        ("decided", share(&|subset| subset.decided)),
        ("arrived", share(&|subset| subset.arrived)),
    ] {
        let Some(parts) = parts else { continue };
        let bar: String = bars::cells(&parts, BAR).into_iter().map(|owner| bars::painted(owner, true)).collect();
        writeln!(out, "  {what}  {bar}")?;
    }
    let legend: Vec<String> = rule
        .subsets
        .iter()
        .enumerate()
        .map(|(at, subset)| format!("{} {}", bars::painted(at, true), subset.name))
        .collect();
    writeln!(out, "           {}", legend.join("  "))
}
