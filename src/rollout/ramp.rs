//! Ramp: which weights does the plan have at this second?
//!
//! A pure function of the plan and the clock, so that all workers and gateways agree without talking to each other.

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Second(pub u64);

/// A plan of weights over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// When it begins. Before that the weights of the split hold.
    pub start: Second,
    /// By time, ascending; at least one.
    pub steps: Box<[Step]>,
    /// How the weights go from one step to the next.
    pub between: Between,
    /// The weights of this moment stay.
    pub paused_at: Option<Second>,
}

/// Weights from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Seconds after the start.
    pub after: u32,
    /// The weight of each subset, in the order of the split.
    pub weights: Box<[u32]>,
}

/// How weights go from one step to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// At once.
    Step,
    /// By equal parts each second.
    Linear,
}

/// The position of a ramp. While it stays the same, so do the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// No step is reached.
    Ahead,
    /// At the step of this place.
    At(usize),
    /// On the way to the step of this place.
    Towards {
        /// Its place.
        step: usize,
        /// The seconds of the way that have passed.
        passed: u32,
        /// All seconds of the way.
        of: u32,
    },
}

impl Ramp {
    /// Its position at this second.
    pub fn moment(&self, now: Second) -> Moment {
        let now = self.paused_at.map_or(now, |paused| paused.min(now));
        let Some(elapsed) = now.0.checked_sub(self.start.0) else { return Moment::Ahead };
        let reached = self.steps.partition_point(|step| u64::from(step.after) <= elapsed);
        let before = reached.checked_sub(1);
        let still = before.map_or(Moment::Ahead, Moment::At);
        match (self.between, self.steps.get(reached)) {
            (Between::Linear, Some(next)) => {
                let from = before.and_then(|at| self.steps.get(at)).map_or(0, |step| step.after);
                match (elapsed - u64::from(from)) as u32 {
                    0 => still,
                    passed => Moment::Towards { step: reached, passed, of: next.after - from },
                }
            }
            _ => still,
        }
    }

    /// The exact weights of a moment. They may have any sum, between steps even more than `u32::MAX`. `split` holds before the
    /// first step.
    pub fn weights(&self, split: &[u32], moment: Moment) -> Vec<u64> {
        let step = |at: Option<usize>| at.and_then(|at| self.steps.get(at)).map_or(split, |step| &step.weights);
        let exact = |weights: &[u32]| weights.iter().map(|&weight| u64::from(weight)).collect();
        match moment {
            Moment::Ahead => exact(split),
            Moment::At(at) => exact(step(Some(at))),
            Moment::Towards { step: to, passed, of } => {
                let (from, to) = (step(to.checked_sub(1)), step(Some(to)));
                let mix = |(&from, &to): (&u32, &u32)| {
                    u64::from(from) * u64::from(of - passed) + u64::from(to) * u64::from(passed)
                };
                from.iter().zip(to).map(mix).collect()
            }
        }
    }

    /// The factor by which the weights of a moment are larger than the configured ones: the parts of a way between steps.
    pub fn scale(moment: Moment) -> u64 {
        if let Moment::Towards { of, .. } = moment { u64::from(of) } else { 1 }
    }

    /// When the last step is reached.
    pub fn end(&self) -> Second {
        Second(self.start.0.saturating_add(self.steps.last().map_or(0, |step| u64::from(step.after))))
    }

    /// Whether the weights may still change by themselves, now or once the pause ends.
    pub fn is_ahead(&self, now: Second) -> bool {
        self.paused_at.map_or(now, |paused| paused.min(now)) < self.end()
    }
}
