//! The plan of a controller as a ramp: weights by the clock, with the canary at 100 in the end.

use super::super::steps::Steps;
use canary_split::rollout::ramp::Second;

/// The plan of a controller.
#[derive(Debug, Default)]
pub struct Plan {
    /// Seconds after the start, and the canary's weight in percent from then on.
    pub steps: Vec<(u64, u32)>,
    /// The length of the plan in seconds.
    pub length: u64,
    /// Whether the plan ends with a pause without an end.
    pub waits: bool,
}

impl Plan {
    /// Sets the weight from the present end of the plan on.
    pub fn set(&mut self, weight: u32) {
        match self.steps.last_mut().filter(|(after, _)| *after == self.length) {
            Some((_, known)) => *known = weight,
            None => self.steps.push((self.length, weight)),
        }
    }

    /// The ramp for a route whose canary has the weight `now`; `None`: no step is left.
    pub fn ramp(&self, now: u32, stable: usize, count: usize, start: Option<Second>, clock: Second) -> Option<Steps> {
        let mut steps = self.steps.clone();
        if !self.waits && !steps.is_empty() && steps.last().is_some_and(|(_, weight)| *weight < 100) {
            steps.push((self.length, 100));
        }
        // Steps up to the weight that the canary has already are dropped.
        let done = steps.iter().position(|(_, weight)| *weight > now)?;
        let begin = if done == 0 { 0 } else { steps.get(done - 1).map_or(0, |(after, _)| *after) };
        let is_paused = start.is_none();
        let weights = |weight: u32| (0..count).map(|at| if at == stable { 100 - weight } else { weight }).collect();
        let mut steps: Vec<(u64, Vec<u32>)> = steps
            .iter()
            .skip(done)
            .map(|(after, weight)| (after.saturating_sub(begin), weights((*weight).min(100))))
            .collect();
        // A paused ramp is at second 0, where the weights of the split must still hold.
        if let Some((after, _)) = steps.first_mut().filter(|_| is_paused) {
            *after = (*after).max(1);
        }
        Some(Steps { start: start.unwrap_or(clock), is_paused, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, Second};

    #[test]
    fn what_is_reached_is_no_step_any_more() {
        let plan = Plan { steps: vec![(0, 10), (60, 50)], length: 120, waits: false };
        let steps = |now, start| plan.ramp(now, 0, 2, start, Second(7)).map(|ramp| ramp.steps);
        let (start, at) = (Some(Second(9)), |after, weight: u32| (after, vec![100 - weight, weight]));
        assert_eq!(steps(0, start), Some(vec![at(0, 10), at(60, 50), at(120, 100)]));
        assert_eq!(steps(0, None), Some(vec![at(1, 10), at(60, 50), at(120, 100)]));
        assert_eq!(steps(10, start), Some(vec![at(60, 50), at(120, 100)]));
        assert_eq!(steps(50, start), Some(vec![at(60, 100)]));
        assert_eq!(steps(100, start), None);
    }
}
