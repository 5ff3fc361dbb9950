//! The report of `adopt`: what was done, how to apply it, and the findings.

use super::adopted::{Adopted, Service};
use crate::convert::print::steps;
use crate::convert::sticky::{self, Sticky};
use crate::input::quoted::visible;
use crate::report::finding::Finding;
use crate::report::wrap::wrapped;
use std::io::{self, Write};

/// Everything that is printed in addition to the objects.
pub struct Said<'a> {
    /// The result, refusals included.
    pub adopted: &'a Adopted,
    /// How visitors are recognised.
    pub sticky: &'a [Sticky],
    /// The findings of `check` in the result.
    pub findings: &'a [Finding],
    /// The two steps to apply the result.
    pub apply: [Vec<String>; 2],
    /// The two steps to go back.
    pub back: [Vec<String>; 2],
    /// Whether the result has no errors. Only then is it written.
    pub is_good: bool,
}

impl Said<'_> {
    /// Prints the report as text.
    pub fn print(&self, out: &mut impl Write, is_colourful: bool) -> io::Result<()> {
        for Service { title, owner, rule, routes } in &self.adopted.services {
            let whose = owner.map(|owner| format!(", whose weights {owner} writes")).unwrap_or_default();
            let (name, kept) = (&rule.name, sticky::kept(self.sticky));
            let routes: Vec<_> = routes.iter().map(|route| visible(route)).collect();
            let routes = routes.join(", ");
            let title = visible(title);
            writeln!(out, "{title}: rule {name} adopts {routes}{whose}; sticky by {kept}")?;
        }
        if self.is_good {
            writeln!(out, "\nApply in this order; only the second step changes who sees which version:")?;
            steps(out, &self.apply, "   then wait until every gateway has it: canary-split status")?;
            writeln!(out, "\nThe way back:")?;
            steps(out, &self.back, "")?;
        }
        if !self.adopted.notes.is_empty() {
            writeln!(out)?;
        }
        self.adopted.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", &visible(note))))?;
        if !self.adopted.services.is_empty() {
            writeln!(out)?;
            self.findings.iter().try_for_each(|finding| finding.print(out, is_colourful))?;
            let count = self.findings.len();
            writeln!(out, "check of the result: {count} finding{}", if count == 1 { "" } else { "s" })?;
        }
        Ok(())
    }
}
