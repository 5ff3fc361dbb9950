//! Weights to come, as a controller has them in its steps, and as a ramp has them.

use crate::edit::flow;
use crate::report::time::{span, utc};
use canary_split::rollout::ramp::Second;
use serde_json::json;

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
    /// The ramp of a rule, whose destinations have these names; in each step they are in another order, stable first.
    pub fn lines(&self, names: &[String], order: &[(String, u32)]) -> Vec<String> {
        let start = utc(self.start);
        let mut lines = vec![format!("start: {start}")];
        if self.is_paused {
            lines.push(format!("pausedAt: {start}"));
        }
        lines.push("steps:".to_owned());
        for (after, weights) in &self.steps {
            let weight = |name: &String| names.iter().zip(weights).find(|(own, _)| *own == name);
            let weights = order.iter().filter_map(|(name, _)| weight(name));
            let weights: Vec<_> =
                weights.map(|(name, weight)| format!("{}: {weight}", flow(&json!(name), false))).collect();
            lines.push(format!("- {{after: {}, weights: {{{}}}}}", span(*after), weights.join(", ")));
        }
        lines
    }
}
