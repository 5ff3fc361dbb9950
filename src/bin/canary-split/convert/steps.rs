//! Planned weights, read from a controller's steps and written as a ramp.

use crate::edit::flow;
use crate::report::time::{span, utc};
use canary_split::rollout::ramp::Second;
use serde_json::json;

/// Planned weights over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// The start of the plan.
    pub start: Second,
    /// Whether the plan waits for `set --resume`.
    pub is_paused: bool,
    /// Seconds after the start, and the weights from then on, in the order of the route's destinations.
    pub steps: Vec<(u64, Vec<u32>)>,
}

impl Steps {
    /// The lines of a rule's ramp. `names` are the destinations in the order of the steps; `order` has stable first.
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
