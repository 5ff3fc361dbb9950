//! Faults of a config, and their places.

use crate::input::manifest::PluginConfig;
use crate::input::secret::Secret;
use crate::input::secrets::{self, CONDITIONS};
use crate::input::stderr;
use crate::input::told::Told;
use canary_split::reload::Fault;
use serde::Serialize;
use std::cell::OnceCell;
use std::ops::Range;

/// A fault of a config, and its place.
#[derive(Debug, Serialize)]
pub struct FaultAt {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    place: String,
    problem: String,
    consequence: String,
}

/// `FILE:LINE:COLUMN: PLACE: PROBLEM (CONSEQUENCE)`
impl std::fmt::Display for FaultAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let FaultAt { file, line, column, place, problem, consequence } = self;
        let colon = if place.is_empty() { "" } else { ": " };
        match (line, column) {
            (Some(line), Some(column)) => write!(f, "{file}:{line}:{column}: ")?,
            _ => write!(f, "{file}: ")?,
        }
        write!(f, "{place}{colon}{problem} ({consequence})")
    }
}

impl FaultAt {
    /// The faults of this config.
    pub fn all(config: &PluginConfig, faults: &[Fault]) -> Vec<FaultAt> {
        let locator = config.locator();
        let hidden = OnceCell::new();
        let at = |fault: &Fault| {
            let span = locator.locate(&fault.error.place, false);
            // Objects in the cluster have no lines.
            let position = (!config.source.is_living).then(|| config.source.position(span.start));
            let (line, column) = position.unzip();
            let may_name_one = may_name_one(&fault.error.place);
            let hidden = may_name_one.then(|| hidden.get_or_init(|| Hidden::of(config)));
            let (place, problem) = match hidden {
                Some(hidden) => (hidden.told.hidden_in(&fault.error.place), hidden.within(&span, &fault.error.problem)),
                None => (fault.error.place.clone(), fault.error.problem.clone()),
            };
            let (file, consequence) = (config.source.name.clone(), fault.consequence.clone());
            FaultAt { file, line, column, place, problem, consequence }
        };
        faults.iter().map(at).collect()
    }
}

/// Whether an error at a place may show a secret.
fn may_name_one(place: &str) -> bool {
    let mut steps = place.split(['.', '[']);
    place.is_empty() || steps.any(|step| CONDITIONS.contains(&step) || ["seal", "match", "forget"].contains(&step))
}

/// The secrets of a config.
struct Hidden {
    /// By their places.
    secrets: Vec<Secret>,
    told: Told,
}

impl Hidden {
    fn of(config: &PluginConfig) -> Hidden {
        let mut hidden = Hidden { secrets: Vec::new(), told: Told::default() };
        if let Some(node) = &config.node {
            secrets::of_config(node, &mut hidden.secrets);
        }
        hidden.secrets.iter().for_each(|secret| hidden.told.add(&secret.text));
        hidden.secrets.sort_by_key(|secret| secret.span.start);
        hidden
    }

    /// The problem at a place, without its secrets.
    fn within(&self, span: &Range<usize>, problem: &str) -> String {
        let first = self.secrets.partition_point(|secret| secret.span.start < span.start);
        let there = self.secrets.iter().skip(first).take_while(|secret| secret.span.start < span.end);
        there.fold(problem.to_owned(), |problem, secret| secret.hidden_in(&problem))
    }
}

/// Prints the faults to standard error.
pub fn warn(faults: &[FaultAt]) {
    for fault in faults {
        stderr::say(format!("warning: {fault}"));
    }
}
