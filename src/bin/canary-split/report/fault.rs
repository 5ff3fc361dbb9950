//! What is wrong with a config, and where.

use crate::input::manifest::PluginConfig;
use crate::input::secrets::{self, CONDITIONS};
use crate::input::told::Told;
use canary_split::reload::Fault;
use serde::Serialize;
use std::ops::Range;

/// Something wrong with a config, and where.
#[derive(Debug, Serialize)]
pub struct FaultAt {
    file: String,
    line: usize,
    column: usize,
    place: String,
    problem: String,
    consequence: String,
}

/// `FILE:LINE:COLUMN: PLACE: PROBLEM (CONSEQUENCE)`
impl std::fmt::Display for FaultAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let FaultAt { file, line, column, place, problem, consequence } = self;
        let colon = if place.is_empty() { "" } else { ": " };
        write!(f, "{file}:{line}:{column}: {place}{colon}{problem} ({consequence})")
    }
}

impl FaultAt {
    /// A fault of this config.
    pub fn new(config: &PluginConfig, fault: &Fault) -> FaultAt {
        let span = config.locate(&fault.error.place, false);
        let (line, column) = config.source.position(span.start);
        let (place, problem) = masked(config, fault, &span);
        FaultAt {
            file: config.source.name.clone(),
            line,
            column,
            place,
            problem,
            consequence: fault.consequence.clone(),
        }
    }
}

/// Where and what is wrong, without the secrets that are there.
fn masked(config: &PluginConfig, fault: &Fault, span: &Range<usize>) -> (String, String) {
    let steps = fault.error.place.split(['.', '[']);
    let may_name_one = fault.error.place.is_empty()
        || steps.into_iter().any(|step| CONDITIONS.contains(&step) || ["seal", "match", "forget"].contains(&step));
    let mut secrets = Vec::new();
    if let Some(node) = config.node.as_ref().filter(|_| may_name_one) {
        secrets::of_config(node, &mut secrets);
    }
    let there = secrets.iter().filter(|secret| span.contains(&secret.span.start));
    let problem = there.fold(fault.error.problem.clone(), |problem, secret| secret.hidden_in(&problem));
    let mut told = Told::default();
    secrets.iter().for_each(|secret| told.add(&secret.text));
    (told.hidden_in(&fault.error.place), problem)
}

/// Says on the standard error what is wrong.
pub fn warn(faults: &[FaultAt]) {
    for fault in faults {
        eprintln!("canary-split: warning: {fault}");
    }
}
