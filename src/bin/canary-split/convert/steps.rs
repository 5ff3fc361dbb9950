//! Weights to come, as a controller has them in its steps, and as a ramp has them.

use crate::edit::flow;
use crate::report::time::{span, utc};
use canary_split::rollout::ramp::Second;
use serde_json::{Value, json};

/// Weights over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// When they begin.
    pub start: Second,
    /// Whether they wait for somebody to resume them.
    pub is_paused: bool,
    /// After so many seconds these weights, in the order of the route's destinations.
    pub steps: Vec<(u64, Vec<u32>)>,
}

impl Steps {
    /// The ramp of a rule, whose destinations have these names.
    pub fn lines(&self, names: &[String]) -> Vec<String> {
        let start = utc(self.start);
        let mut lines = vec![format!("start: {start}")];
        if self.is_paused {
            lines.push(format!("pausedAt: {start}"));
        }
        lines.push("steps:".to_owned());
        for (after, weights) in &self.steps {
            let weights: Value =
                names.iter().zip(weights).map(|(name, weight)| (name.clone(), json!(weight))).collect();
            lines.push(format!("- {{after: {}, weights: {}}}", span(*after), flow(&weights, false)));
        }
        lines
    }
}
