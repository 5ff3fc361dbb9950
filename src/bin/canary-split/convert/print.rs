//! The report of `convert`: what was done, how to apply it, and the findings.

use super::result::Converted;
use super::rule::Target;
use super::steps::Steps as Ramp;
use super::sticky::{self, Sticky};
use crate::input::quoted::visible;
use crate::report::finding::Finding;
use crate::report::time::utc;
use crate::report::wrap::wrapped;
use serde_json::Value;
use std::io::{self, Write};

/// Everything that is printed in addition to the objects.
pub struct Said<'c> {
    /// The result of the conversion, refusals included.
    pub converted: &'c Converted,
    /// How visitors are recognised.
    pub sticky: &'c [Sticky],
    /// The findings of `check` in the result.
    pub findings: &'c [Finding],
    /// A URL, and what `explain` says about a first visit to it.
    pub visit: Option<&'c (String, String)>,
    /// How to apply the result, and how to go back.
    pub steps: Steps,
    /// Whether the result has no errors. Only then is it written.
    pub is_good: bool,
}

/// The steps to apply the result, and those to go back: each a sentence or a command.
#[derive(Debug, Default)]
pub struct Steps {
    /// Apply the plugins.
    pub plugins: Vec<String>,
    /// Stop the old tool: traffic-tag, Flagger or Argo Rollouts.
    pub leave: Vec<String>,
    /// Apply the routes that follow the plugins.
    pub routes: Vec<String>,
    /// Send visitors to another gateway.
    pub visitors: Vec<String>,
    /// Undo `plugins`.
    pub back_plugins: Vec<String>,
    /// Undo `leave`.
    pub back_leave: Vec<String>,
    /// Undo `routes`.
    pub back_routes: Vec<String>,
    /// Undo `visitors`.
    pub back_visitors: Vec<String>,
}

impl Steps {
    /// The groups of steps in order, without empty groups.
    pub fn apply(&self) -> Vec<&[String]> {
        let all: [&[String]; 4] = [&self.plugins, &self.leave, &self.routes, &self.visitors];
        all.into_iter().filter(|steps| !steps.is_empty()).collect()
    }

    /// The groups of steps to go back, in order.
    pub fn back(&self) -> Vec<&[String]> {
        let all: [&[String]; 4] = [&self.back_visitors, &self.back_routes, &self.back_leave, &self.back_plugins];
        all.into_iter().filter(|steps| !steps.is_empty()).collect()
    }

    /// The heading of the steps.
    fn order(&self) -> &'static str {
        if !self.visitors.is_empty() {
            "Apply in this order; visitors come with the last:"
        } else if !self.leave.is_empty() {
            "Apply in this order; only the last step changes who sees which version:"
        } else {
            "Apply in this order; only the second step changes who sees which version:"
        }
    }
}

/// Prints numbered steps, with the line `between` after the first one.
pub fn steps(out: &mut impl Write, steps: &[impl AsRef<[String]>], between: &str) -> io::Result<()> {
    for (number, step) in steps.iter().enumerate() {
        for line in step.as_ref() {
            writeln!(out, "  {}. {line}", number + 1)?;
        }
        if number == 0 && !between.is_empty() {
            writeln!(out, "  {between}")?;
        }
    }
    Ok(())
}

/// Describes the sticky keys of a rule that has its own.
fn keys(keys: &[Value]) -> String {
    let one = |key: &Value| {
        let (kind, name) = key.as_object()?.iter().next()?;
        Some(format!("{kind} {}", name.as_str()?))
    };
    keys.iter().filter_map(one).collect::<Vec<_>>().join(", else ")
}

/// Describes the ramp, if one exists.
fn ahead(ramp: Option<&Ramp>) -> String {
    match ramp {
        None => String::new(),
        Some(ramp) if ramp.is_paused => ", with a ramp that waits for canary-split set --resume".to_owned(),
        Some(ramp) => format!(", with a ramp from {} on", utc(ramp.start)),
    }
}

impl Said<'_> {
    /// Prints the report as text.
    pub fn print(&self, out: &mut impl Write, is_colourful: bool) -> io::Result<()> {
        for (service, rules) in &self.converted.services {
            for rule in rules {
                match &rule.target {
                    Target::Split(split) => {
                        let weights: Vec<_> =
                            split.weights.iter().map(|(name, weight)| format!("{name} {weight}")).collect();
                        writeln!(
                            out,
                            "{}: rule {}, {}, sticky by {}{}",
                            visible(service),
                            rule.name,
                            weights.join(", "),
                            if split.extra.keys.is_empty() {
                                sticky::kept(self.sticky)
                            } else {
                                keys(&split.extra.keys)
                            },
                            ahead(split.extra.ramp.as_ref())
                        )?;
                    }
                    Target::Adopted(_) => {}
                    Target::Asked(name) => {
                        writeln!(out, "{}: rule {}, {name} for requests that match", visible(service), rule.name)?;
                    }
                    Target::Subset(name) => {
                        writeln!(
                            out,
                            "{}: rule {}, always {name}, on paths that are routed to {name} only",
                            visible(service),
                            rule.name
                        )?;
                    }
                }
            }
        }
        if self.is_good && !self.converted.services.is_empty() {
            writeln!(out, "\n{}", self.steps.order())?;
            steps(out, &self.steps.apply(), "   then wait until every gateway has it: canary-split status")?;
            writeln!(out, "\nThe way back:")?;
            steps(out, &self.steps.back(), "")?;
        }
        if !self.converted.notes.is_empty() {
            writeln!(out)?;
        }
        self.converted.notes.iter().try_for_each(|note| writeln!(out, "{}", wrapped("note: ", &visible(note))))?;
        if !self.converted.services.is_empty() {
            writeln!(out)?;
            self.findings.iter().try_for_each(|finding| finding.print(out, is_colourful))?;
            let count = self.findings.len();
            writeln!(out, "check of the result: {count} finding{}", if count == 1 { "" } else { "s" })?;
            if let Some((url, text)) = self.visit {
                write!(out, "\nexplain of the result, for a first visit to {url}\n{text}")?;
            }
        }
        Ok(())
    }
}
