//! What is wrong with a config, and where.

use crate::input::manifest::PluginConfig;
use canary_split::reload::Fault;
use serde::Serialize;

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
        let (line, column) = config.source.position(config.locate(&fault.error.place, false).start);
        FaultAt {
            file: config.source.name.clone(),
            line,
            column,
            place: fault.error.place.clone(),
            problem: fault.error.problem.clone(),
            consequence: fault.consequence.clone(),
        }
    }
}

/// Says on the standard error what is wrong.
pub fn warn(faults: &[FaultAt]) {
    for fault in faults {
        eprintln!("canary-split: warning: {fault}");
    }
}
