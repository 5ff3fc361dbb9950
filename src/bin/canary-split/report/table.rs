//! Tables: for the width of a screen, or as Markdown.

use std::io::{self, Write};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// In columns, within this many characters if cells can be broken between words.
    Columns(usize),
    /// As Markdown.
    Markdown,
}

/// Rows below a head. Numbers are aligned right, text left.
#[derive(Debug, Default)]
pub struct Table {
    heads: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "  ";

impl Table {
    /// One more column of text.
    pub fn text(mut self, head: impl Into<String>) -> Table {
        self.heads.push((head.into(), false));
        self
    }

    /// One more column of numbers.
    pub fn number(mut self, head: impl Into<String>) -> Table {
        self.heads.push((head.into(), true));
        self
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes it.
    pub fn print(&self, look: Look, out: &mut impl Write) -> io::Result<()> {
        match look {
            Look::Markdown => self.print_markdown(out),
            Look::Columns(width) => self.print_columns(width, out),
        }
    }

    fn print_markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let line = |cells: Vec<&str>| format!("| {} |", cells.join(" | "));
        writeln!(out, "{}", line(self.heads.iter().map(|(head, _)| head.as_str()).collect()))?;
        let rule: String = self.heads.iter().map(|(_, is_number)| if *is_number { "--:|" } else { "---|" }).collect();
        writeln!(out, "|{rule}")?;
        self.rows.iter().try_for_each(|row| writeln!(out, "{}", line(row.iter().map(String::as_str).collect())))
    }

    fn print_columns(&self, width: usize, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths(width);
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        for (number, row) in std::iter::once(&heads).chain(&self.rows).enumerate() {
            let cells: Vec<Vec<String>> = row
                .iter()
                .zip(self.heads.iter().zip(&widths))
                .map(|(cell, ((_, is_number), width))| wrapped(cell, *width, *is_number && number > 0))
                .collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let part = |(cell, ((_, is_number), width)): (&Vec<String>, (&(String, bool), &usize))| {
                    // Heads are aligned to the bottom.
                    let skipped = if number == 0 { height - cell.len() } else { 0 };
                    let text = line.checked_sub(skipped).and_then(|at| cell.get(at)).map_or("", String::as_str);
                    let pad = " ".repeat(width.saturating_sub(length(text)));
                    if *is_number { format!("{pad}{text}") } else { format!("{text}{pad}") }
                };
                let parts: Vec<String> = cells.iter().zip(self.heads.iter().zip(&widths)).map(part).collect();
                writeln!(out, "{}", parts.join(GAP).trim_end())?;
            }
        }
        Ok(())
    }

    /// As wide as their cells, or as narrow as their words allow, the widest first.
    fn widths(&self, most: usize) -> Vec<usize> {
        let column = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let longest = |text: &str| text.split(' ').map(length).max().unwrap_or(0);
        let (mut widths, least): (Vec<usize>, Vec<usize>) = self
            .heads
            .iter()
            .enumerate()
            .map(|(at, (head, is_number))| {
                let natural = column(at).map(|cell| length(cell)).max().unwrap_or(0);
                // A number and its unit stay together.
                let words = if *is_number { natural } else { column(at).map(|cell| longest(cell)).max().unwrap_or(0) };
                (natural.max(length(head)), words.max(longest(head)))
            })
            .unzip();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > most {
            let spare = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
            match spare.max_by_key(|(width, _)| **width) {
                Some((width, _)) => *width -= 1,
                None => break,
            }
        }
        widths
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The lines of a cell.
fn wrapped(text: &str, width: usize, is_whole: bool) -> Vec<String> {
    if is_whole || length(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Look, Table};

    fn shown(look: Look) -> String {
        let mut table = Table::default().text("what is done").number("how many of them").text("why");
        table.row(["a canary grows", "5 %", ""].map(str::to_owned).to_vec());
        table.row(["it is rolled back", "12.5 %", "x"].map(str::to_owned).to_vec());
        let mut out = Vec::new();
        table.print(look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_as_wide_as_it_has_to_be_or_as_it_may_be() {
        for (look, expected) in [
            (
                Look::Columns(usize::MAX),
                "what is done       how many of them  why\na canary grows                  5 %\nit is rolled back            12.5 %  x\n",
            ),
            (
                Look::Columns(30),
                "              how many of\nwhat is done         them  why\na canary              5 %\ngrows\nit is rolled       12.5 %  x\nback\n",
            ),
            // A word is not broken.
            (
                Look::Columns(1),
                "           how\nwhat      many\nis          of\ndone      them  why\na          5 %\ncanary\ngrows\nit is   12.5 %  x\nrolled\nback\n",
            ),
            (
                Look::Markdown,
                "| what is done | how many of them | why |\n|---|--:|---|\n| a canary grows | 5 % |  |\n| it is rolled back | 12.5 % | x |\n",
            ),
        ] {
            assert_eq!(shown(look), expected, "{look:?}");
        }
    }
}
