//! What was done, in which order it is applied, and what is wrong.

use super::result::Converted;
use super::rule::Target;
use super::sticky::{self, Sticky};
use crate::report::finding::Finding;
use crate::report::wrap::wrapped;
use std::io::{self, Write};

/// All that is said besides the objects.
pub struct Said<'c> {
    /// What was converted, and what was not.
    pub converted: &'c Converted,
    /// By what it sticks.
    pub sticky: &'c [Sticky],
    /// What check finds in the result.
    pub findings: &'c [Finding],
    /// What is applied first and then: what each step is, or the command for it.
    pub apply: [Vec<String>; 2],
    /// The same back.
    pub back: [Vec<String>; 2],
    /// Whether the result is good, and so is written.
    pub is_good: bool,
}

/// Numbers steps, with a line behind the first one.
pub fn steps(out: &mut impl Write, steps: &[Vec<String>; 2], between: &str) -> io::Result<()> {
    for (number, step) in steps.iter().enumerate() {
        for line in step {
            writeln!(out, "  {}. {line}", number + 1)?;
        }
        if number == 0 && !between.is_empty() {
            writeln!(out, "  {between}")?;
        }
    }
    Ok(())
}

impl Said<'_> {
    /// For people.
    pub fn print(&self, out: &mut impl Write, is_colourful: bool) -> io::Result<()> {
        for (service, rules) in &self.converted.services {
            for rule in rules {
                match &rule.target {
                    Target::Split(split) => {
                        let weights: Vec<_> = split.iter().map(|(name, weight)| format!("{name} {weight}")).collect();
                        writeln!(
                            out,
                            "{service}: rule {}, {}, sticky by {}",
                            rule.name,
                            weights.join(", "),
                            sticky::kept(self.sticky)
                        )?;
                    }
                    Target::Adopted(_) => {}
                    Target::Subset(name) => {
                        writeln!(out, "{service}: rule {}, {name} alone, on the paths that only it has", rule.name)?;
                    }
                }
            }
        }
        if self.is_good && !self.converted.services.is_empty() {
            writeln!(out, "\nApply in this order; assignments change once, with the second:")?;
            steps(out, &self.apply, "   then wait until every gateway has it: canary-split status")?;
            writeln!(out, "\nThe way back:")?;
            steps(out, &self.back, "")?;
        }
        if !self.converted.notes.is_empty() {
            writeln!(out)?;
        }
        self.converted.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", note)))?;
        if !self.converted.services.is_empty() {
            writeln!(out)?;
            self.findings.iter().try_for_each(|finding| finding.print(out, is_colourful))?;
            let count = self.findings.len();
            writeln!(out, "check of the result: {count} finding{}", if count == 1 { "" } else { "s" })?;
        }
        Ok(())
    }
}
