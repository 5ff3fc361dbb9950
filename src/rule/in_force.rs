//! The weights in force: those of the config, or of its ramp at this second, without the canaries that the guard has removed.

use super::rule::WeightedSubsets;
use crate::rollout::ramp::{Moment, Ramp, Second};
use crate::split::{Draw, Split};

impl WeightedSubsets {
    /// The place in the list of the subset that a draw belongs to. `now` is called only for a ramp.
    pub fn pick(&self, draw: Draw, now: impl FnOnce() -> Second) -> usize {
        let position = self.salt.position(draw);
        self.or_stable(self.with_layout(now, |split| split.pick(position)))
    }

    /// The subset at this place, or stable if the guard has removed it.
    pub fn or_stable(&self, at: usize) -> usize {
        let is_out = self.rollout.as_ref().is_some_and(|rollout| rollout.is_tripped(at));
        if is_out { 0 } else { at }
    }

    /// Whether one subset has all the weight, and no ramp will change that. A trip does not count: it may end.
    pub fn is_settled(&self, now: impl FnOnce() -> Second) -> bool {
        match self.ramp() {
            None => self.split.is_undivided(),
            Some(ramp) => {
                let now = now();
                !ramp.is_ahead(now) && self.with_layout(|| now, Split::is_undivided)
            }
        }
    }

    /// The layout of the weights of this second, regardless of the guard.
    pub fn with_layout<T>(&self, now: impl FnOnce() -> Second, look: impl FnOnce(&Split) -> T) -> T {
        match &self.rollout {
            None => look(&self.split),
            Some(rollout) => rollout.with_layout(&self.weights, &self.split, now, look),
        }
    }

    /// The position of its ramp.
    pub fn moment(&self, now: Second) -> Moment {
        self.ramp().map_or(Moment::Ahead, |ramp| ramp.moment(now))
    }

    /// The exact weights of a moment, with those of tripped canaries added to stable's: `(weights, scale)`. They are the config's
    /// times `scale`.
    pub fn weights_in_force(&self, moment: Moment) -> (Vec<u64>, u64) {
        let (mut weights, scale) = self.planned_weights(moment);
        let mut to_stable = 0;
        for (at, weight) in weights.iter_mut().enumerate() {
            if self.or_stable(at) != at {
                to_stable += std::mem::take(weight);
            }
        }
        if let Some(stable) = weights.first_mut() {
            *stable += to_stable;
        }
        (weights, scale)
    }

    /// The same regardless of trips.
    pub fn planned_weights(&self, moment: Moment) -> (Vec<u64>, u64) {
        match self.ramp() {
            None => (self.weights.iter().map(|&weight| u64::from(weight)).collect(), 1),
            Some(ramp) => (ramp.weights(&self.weights, moment), Ramp::scale(moment)),
        }
    }

    fn ramp(&self) -> Option<&Ramp> {
        self.rollout.as_ref()?.ramp.as_ref()
    }
}
