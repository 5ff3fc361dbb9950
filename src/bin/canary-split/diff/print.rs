//! A difference as people read it.

use super::config::PluginDiff;
use super::moves::Carried;
use super::note::Note;
use super::rule::{Change, Owned, RuleDiff, VisitorsDiff};
use crate::report::bars::{cells, painted};
use crate::report::share::Share;
use crate::report::wrap::wrapped;
use std::io::{self, Write};

/// The width of the picture in characters.
const WIDTH: usize = 64;

/// Prints the difference; names the plugins if there are several.
pub fn print(plugins: &[PluginDiff], is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    for (number, plugin) in plugins.iter().enumerate() {
        if plugins.len() > 1 {
            if number > 0 {
                writeln!(out)?;
            }
            writeln!(out, "plugin {}{}", plugin.plugin, suffix(plugin.change))?;
        }
        print_notes(&plugin.notes, "", out)?;
        for (number, rule) in plugin.rules.iter().filter(|rule| rule.change != Change::Same).enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            print_rule(rule, is_colourful, out)?;
        }
        let same = plugin.rules.iter().filter(|rule| rule.change == Change::Same).count();
        let is_all = same == plugin.rules.len() && plugin.change == Change::Same;
        match same {
            _ if is_all => writeln!(out, "nothing differs in effect")?,
            0 => {}
            1 => writeln!(out, "1 other rule is as before")?,
            _ => writeln!(out, "{same} other rules are as before")?,
        }
    }
    Ok(())
}

fn suffix(change: Change) -> &'static str {
    match change {
        Change::New => ": new",
        Change::Gone => ": gone",
        Change::Changed | Change::Same => "",
    }
}

fn print_notes(notes: &[Note], indent: &str, out: &mut impl Write) -> io::Result<()> {
    for note in notes {
        writeln!(out, "{}", wrapped(&format!("{indent}note: "), &note.text))?;
        if let Some(help) = &note.help {
            writeln!(out, "{}", wrapped(&format!("{indent}help: "), help))?;
        }
    }
    Ok(())
}

fn print_rule(rule: &RuleDiff, is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "rule {}{}", rule.rule, suffix(rule.change))?;
    print_picture(rule, is_colourful, out)?;
    let shown = |owned: Option<Owned>| match owned {
        Some(owned) => owned.share.to_string(),
        None => "-".to_owned(),
    };
    let mut rows = vec![["subset".to_owned(), "old".to_owned(), "new".to_owned()]];
    rows.extend(rule.subsets.iter().map(|subset| [subset.subset.clone(), shown(subset.old), shown(subset.new)]));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (names, old, new) = (width(0), width(1), width(2));
    for (at, [name, was, is]) in rows.iter().enumerate() {
        let letter = at.checked_sub(1).map_or(" ".to_owned(), |owner| painted(owner, is_colourful));
        writeln!(out, "  {letter} {name:names$}  {was:>old$}  {is:>new$}")?;
    }
    for visitors in &rule.visitors {
        print_visitors(visitors, rule.visitors.len() > 1, out)?;
    }
    print_notes(&rule.notes, "  ", out)
}

fn print_picture(rule: &RuleDiff, is_colourful: bool, out: &mut impl Write) -> io::Result<()> {
    let bar = |cells: &[usize]| cells.iter().map(|&cell| painted(cell, is_colourful)).collect::<String>();
    let (old, new) = (cells(&rule.picture.old, WIDTH), cells(&rule.picture.new, WIDTH));
    if !rule.picture.old.is_empty() {
        writeln!(out, "  old  {}", bar(&old))?;
    }
    if !rule.picture.new.is_empty() {
        writeln!(out, "  new  {}", bar(&new))?;
    }
    if rule.picture.is_comparable {
        let marks: String = old.iter().zip(&new).map(|(old, new)| if old == new { ' ' } else { '^' }).collect();
        if marks.contains('^') {
            writeln!(out, "       {}", marks.trim_end())?;
        }
    }
    Ok(())
}

fn print_visitors(visitors: &VisitorsDiff, is_one_of_several: bool, out: &mut impl Write) -> io::Result<()> {
    if visitors.carried == Carried::Nothing {
        return writeln!(out, "  nobody has a subset to leave: every request is drawn afresh");
    }
    let moves: Vec<_> = visitors.moves.iter().filter(|one| one.is_move()).collect();
    let ways: Vec<String> = moves.iter().map(|one| format!("{} → {}", one.from, one.to)).collect();
    let shares: Vec<String> = moves.iter().map(|one| one.share.to_string()).collect();
    let wide = |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let (way_width, share_width) = (wide(&ways), wide(&shares));
    let who = if is_one_of_several { visitors.who.as_str() } else { "" };
    if !who.is_empty() {
        writeln!(out, "  {who}:")?;
    }
    for (way, share) in ways.iter().zip(&shares) {
        writeln!(out, "  {way:way_width$}  {share:>share_width$}")?;
    }
    let verdict = match (visitors.moved, visitors.least) {
        (Some(moved), _) if moved == Share::default() => "nobody moves".to_owned(),
        (Some(moved), Some(least)) if moved == least => format!("{moved} move, the least possible"),
        (Some(moved), Some(least)) => format!("{moved} move; the least possible are {least}"),
        _ => "how many move depends on the weights of the route, which somebody else owns".to_owned(),
    };
    writeln!(out, "  {verdict}")?;
    print_notes(&visitors.reasons, "  ", out)
}
