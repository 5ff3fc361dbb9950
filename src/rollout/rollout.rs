//! What changes a rule's weights without an edit: its ramp and its guard.

use super::guard::Guard;
use super::ramp::{Moment, Ramp, Second};
use crate::split::Split;
use std::cell::{Cell, RefCell};

/// What changes a rule's weights without an edit.
#[derive(Debug)]
pub struct Rollout {
    /// The plan of its weights.
    pub ramp: Option<Ramp>,
    /// What removes a failing canary from the split.
    pub guard: Option<Guard>,
    /// A hash of what the config says about the rule: any edit changes it.
    pub version: u64,
    /// The canaries that are out, a bit for each place in the split.
    tripped: Cell<u64>,
    /// The number under which failing visitors are noted, and since when; 0: nothing is judged.
    watch: Cell<(u64, Second)>,
    /// The layout of the last moment in use.
    layout: RefCell<Option<(Moment, Split)>>,
}

impl Clone for Rollout {
    fn clone(&self) -> Rollout {
        let Rollout { ramp, guard, version, tripped, .. } = self;
        Rollout::new(ramp.clone(), guard.clone(), *version).with_tripped(tripped.get())
    }
}

impl Rollout {
    /// One that nothing has tripped yet.
    pub fn new(ramp: Option<Ramp>, guard: Option<Guard>, version: u64) -> Rollout {
        Rollout { ramp, guard, version, tripped: Cell::new(0), watch: Cell::default(), layout: RefCell::default() }
    }

    fn with_tripped(self, tripped: u64) -> Rollout {
        self.tripped.set(tripped);
        self
    }

    /// Begins to judge, or stops with 0. Under a new number nobody has failed yet.
    pub fn watch_under(&self, number: u64, since: Second) {
        self.watch.set((number, since));
    }

    /// The number under which failing visitors are noted, and since when; `None`: nothing is judged since the rule was edited.
    pub fn watch(&self) -> Option<(u64, Second)> {
        Some(self.watch.get()).filter(|&(number, _)| number > 0)
    }

    /// The canaries that are out, a bit for each place in the split.
    pub fn tripped(&self) -> u64 {
        self.tripped.get()
    }

    /// Sets which canaries are out. Stable never is.
    pub fn trip(&self, places: u64) {
        self.tripped.set(places & !1);
    }

    /// Whether a canary is out.
    pub fn is_tripped(&self, at: usize) -> bool {
        self.tripped() >> at & 1 == 1
    }

    /// Reads the layout of this moment; `split` is the layout of the weights without a ramp.
    pub(crate) fn with_layout<T>(
        &self,
        weights: &[u32],
        split: &Split,
        now: impl FnOnce() -> Second,
        look: impl FnOnce(&Split) -> T,
    ) -> T {
        let Some(ramp) = &self.ramp else { return look(split) };
        let moment = ramp.moment(now());
        if moment == Moment::Ahead {
            return look(split);
        }
        let layout = match self.layout.take() {
            Some((known, layout)) if known == moment => layout,
            // Every step has weights that make a split.
            _ => Split::exact(&ramp.weights(weights, moment)).unwrap_or_else(|_| split.clone()),
        };
        let found = look(&layout);
        self.layout.replace(Some((moment, layout)));
        found
    }
}
