//! The results day by day: as a table, as CSV, as a plot, as JSON.

use super::simulation::{Day, Simulation, Tally, is_kept, name};
use crate::report::bars::{cells, painted};
use crate::report::output::{Output, width};
use crate::report::table::Table;
use crate::simulate::options::{Form, Options};
use crate::simulate::weights::{share, slashed};
use std::io::{self, Write};

/// How many characters wide a plot is, unless the screen is narrower.
const WIDTH: usize = 80;

impl Simulation {
    /// Prints the results in the requested form.
    pub fn print(&self, options: &Options, output: Output, out: &mut impl Write) -> io::Result<()> {
        match (output, options.form) {
            (Output::Json, _) => writeln!(out, "{:#}", self.to_json(options)),
            (_, Form::Csv) => self.print_csv(out),
            (_, Form::Table | Form::Markdown) => {
                self.print_title(options, out)?;
                self.print_table(options, out)?;
                self.print_changes(options, out)
            }
            (Output::Text { is_colourful }, Form::Plot) => {
                self.print_title(options, out)?;
                self.print_plot(is_colourful, out)?;
                self.print_changes(options, out)
            }
        }
    }

    fn print_title(&self, options: &Options, out: &mut impl Write) -> io::Result<()> {
        let Options { visitors, return_rate, seed, .. } = options;
        let on_weight_change = options.on_weight_change.name();
        writeln!(
            out,
            "{visitors} visitors in {} days; return rate {return_rate}, {on_weight_change}, seed {seed}:\n",
            self.days.len()
        )
    }

    /// The subsets of the whole plan.
    fn subsets(&self) -> std::ops::Range<usize> {
        0..self.days.first().map_or(0, |day| day.subsets.len())
    }

    fn print_table(&self, options: &Options, out: &mut impl Write) -> io::Result<()> {
        let is_kept = is_kept(options);
        let table = Table::default().number("day").text("weights").number("visits").number("first ones");
        let table = self.subsets().fold(table, |table, at| table.number(format!("{} (by weight)", name(at))));
        let mut table = table.number("changed subset");
        if is_kept {
            table = table.number("in a subset of weight 0");
        }
        for (day, number) in self.days.iter().zip(1..) {
            let (number, visits, new) = (number.to_string(), day.visits().to_string(), day.new.to_string());
            let mut cells = vec![number, slashed(&day.weights), visits, new];
            let shares = self.subsets().map(|at| (day.share(at) * 100.0, share(&day.weights, at) * 100.0));
            cells.extend(shares.map(|(share, weight)| format!("{share:.1} % ({weight:.1} %)")));
            cells.push(day.sum(|tally| tally.came).to_string());
            cells.extend(is_kept.then(|| day.sum(|tally| tally.draining).to_string()));
            table.row(cells);
        }
        table.print(options.form.look(), out)
    }

    fn print_changes(&self, options: &Options, out: &mut impl Write) -> io::Result<()> {
        let [never, once, more] = self.changed.map(|count| count as f64 * 100.0 / f64::from(options.visitors));
        writeln!(
            out,
            "\nChanges of subset: none for {never:.1} %, one for {once:.1} %, more for {more:.1} % of all;\n{:.3} for each on average.",
            self.mean(options)
        )
    }

    fn mean(&self, options: &Options) -> f64 {
        self.changes as f64 / f64::from(options.visitors)
    }

    fn print_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "day,subset,weight,configured,visits,share,came,draining")?;
        for (day, number) in self.days.iter().zip(1..) {
            for (tally, at) in day.subsets.iter().zip(0..) {
                let weight = day.weights.get(at).map(u32::to_string).unwrap_or_default();
                let (configured, share) = (share(&day.weights, at), day.share(at));
                let (visits, came, draining) = (tally.visits, tally.came, tally.draining);
                writeln!(out, "{number},{},{weight},{configured:.6},{visits},{share:.6},{came},{draining}", name(at))?;
            }
        }
        Ok(())
    }

    fn print_plot(&self, is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
        let wide = self.days.iter().map(|day| slashed(&day.weights).len()).max().unwrap_or(0).max("weights".len());
        let bounds = self.subsets().len().saturating_sub(1);
        let width = WIDTH.min(width()).saturating_sub(wide + bounds + 7).max(20);
        let legend: Vec<String> =
            self.subsets().map(|at| format!("{} {}", painted(at, is_colourful), name(at))).collect();
        writeln!(out, "day  {:wide$}  {}; | by weight", "weights", legend.join(", "))?;
        for (day, number) in self.days.iter().zip(1..) {
            let parts: Vec<(usize, u64)> = day.subsets.iter().map(|tally| tally.visits).enumerate().collect();
            let bar = if day.visits() > 0 { cells(&parts, width) } else { Vec::new() };
            let mut text = String::new();
            for (cell, owner) in bar.iter().map(Some).chain([None]).enumerate() {
                let here = day.bounds(width).filter(|&bound| bound == cell).count();
                text.push_str(&"|".repeat(here));
                text.extend(owner.map(|&owner| painted(owner, is_colourful)));
            }
            writeln!(out, "{number:>3}  {:wide$}  {}", slashed(&day.weights), text)?;
        }
        Ok(())
    }

    /// All of it as one object.
    fn to_json(&self, options: &Options) -> serde_json::Value {
        let days: Vec<_> = self.days.iter().zip(1..).map(|(day, number)| day.to_json(number)).collect();
        let [never, once, more] = self.changed;
        serde_json::json!({
            "visitors": options.visitors,
            "seed": options.seed,
            "returnRate": options.return_rate,
            "onWeightChange": options.on_weight_change.name(),
            "days": days,
            "visitorsWhoChanged": {"never": never, "once": once, "moreOften": more},
            "changesOfAVisitor": self.mean(options),
        })
    }
}

impl Day {
    fn visits(&self) -> u64 {
        self.sum(|tally| tally.visits)
    }

    /// The share of the day's visits that a subset had; 0 on a day without visits.
    fn share(&self, at: usize) -> f64 {
        let visits = self.subsets.get(at).map_or(0, |tally| tally.visits);
        visits as f64 / self.visits().max(1) as f64
    }

    /// The end of each subset except the last of the plan by weight, in a bar of this width.
    fn bounds(&self, width: usize) -> impl Iterator<Item = usize> {
        let mut end = 0.0;
        (1..self.subsets.len()).map(move |next| {
            end += share(&self.weights, next - 1);
            (end * width as f64).round() as usize
        })
    }

    fn to_json(&self, number: u32) -> serde_json::Value {
        let subset = |(at, tally): (usize, &Tally)| {
            serde_json::json!({
                "subset": name(at),
                "weight": self.weights.get(at),
                "configured": share(&self.weights, at),
                "visits": tally.visits,
                "share": self.share(at),
                "came": tally.came,
                "draining": tally.draining,
            })
        };
        let subsets: Vec<_> = self.subsets.iter().enumerate().map(subset).collect();
        serde_json::json!({
            "day": number, "visits": self.visits(), "firstVisits": self.new,
            "changed": self.sum(|tally| tally.came), "subsets": subsets,
        })
    }
}
