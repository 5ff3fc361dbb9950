//! What the streams of a config share: its rules, and the counters of each subset.

use super::stats::counter;
use crate::config::Config;
use crate::decide::Source;
use crate::metrics::{self, CodeClass};
use crate::rollout::Rollout;
use crate::rule::Target;
use proxy_wasm::hostcalls;
use std::cell::{Cell, OnceCell};

/// What the streams of a config share.
pub(super) struct Active {
    pub(super) config: Config,
    /// The index of each rule's first counter.
    first: Vec<usize>,
    /// The ids of each subset's counters, from its first request on.
    counters: Box<[OnceCell<Box<Counters>>]>,
}

/// Counters of one subset: requests by source, responses by class, failures, failing visitors.
const SOURCES: [Source; 6] =
    [Source::Fixed, Source::Fresh, Source::Key, Source::Cookie, Source::Kept, Source::Remembered];
const PER_SUBSET: usize = SOURCES.len() + CodeClass::COUNT + 2;

type Counters = [Cell<u32>; PER_SUBSET];

/// No id of a stat.
const NONE: u32 = u32::MAX;

/// What is counted.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Request(Option<Source>),
    Response(CodeClass),
    Failure,
    FailingVisitor,
}

impl Default for Active {
    fn default() -> Self {
        Active::new(Config::empty())
    }
}

impl Active {
    pub(super) fn new(config: Config) -> Self {
        // The first place is for requests without a rule.
        let mut subsets = 1;
        let first = config
            .rules
            .iter()
            .map(|rule| {
                let first = subsets;
                subsets += match &rule.target {
                    Target::Fixed(_) | Target::Adopted(_) => 1,
                    Target::Split(split) => split.subsets.len(),
                };
                first
            })
            .collect();
        Active { config, first, counters: (0..subsets).map(|_| OnceCell::new()).collect() }
    }

    /// Counts a request or response of a decision (`(rule, subset)` by their places).
    pub(super) fn count(&self, decided: Option<(usize, usize)>, what: Counted) {
        let subset = decided.map_or(0, |(rule, subset)| self.first.get(rule).map_or(0, |first| first + subset));
        let offset = match what {
            Counted::Request(source) => SOURCES.iter().position(|&s| Some(s) == source).unwrap_or(0),
            Counted::Response(class) => SOURCES.len() + class.index(),
            Counted::Failure => SOURCES.len() + CodeClass::COUNT,
            Counted::FailingVisitor => SOURCES.len() + CodeClass::COUNT + 1,
        };
        let Some(counters) = self.counters.get(subset) else { return };
        let counters = counters.get_or_init(|| Box::<Counters>::new([const { Cell::new(NONE) }; PER_SUBSET]));
        let Some(id) = counters.get(offset) else { return };
        if id.get() == NONE {
            id.set(counter(&self.stat_name(decided, what)).unwrap_or(NONE));
        }
        if id.get() != NONE {
            let _ = hostcalls::increment_metric(id.get(), 1);
        }
    }

    /// The name of the rule of a decision.
    pub(super) fn rule(&self, (rule, _): (usize, usize)) -> Option<&str> {
        self.config.rules.get(rule).map(|rule| &*rule.name)
    }

    /// The name of a subset by the places of its rule and its own; `None` where somebody else decides.
    pub(super) fn subset(&self, (rule, subset): (usize, usize)) -> Option<&str> {
        let subset = match &self.config.rules.get(rule)?.target {
            Target::Fixed(fixed) => fixed,
            Target::Split(split) => split.subsets.get(subset)?,
            Target::Adopted(_) => return None,
        };
        Some(&subset.name)
    }

    /// Whether any rule's weights may change by themselves.
    pub(super) fn moves(&self) -> bool {
        (0..self.config.rules.len()).any(|rule| self.rollout(rule).is_some())
    }

    /// What changes the weights of the rule at this place, if anything does.
    pub(super) fn rollout(&self, rule: usize) -> Option<&Rollout> {
        match &self.config.rules.get(rule)?.target {
            Target::Split(split) => split.rollout.as_deref(),
            Target::Fixed(_) | Target::Adopted(_) => None,
        }
    }

    fn stat_name(&self, decided: Option<(usize, usize)>, what: Counted) -> String {
        let rule = decided.and_then(|decided| self.rule(decided)).unwrap_or_default();
        let subset = decided.and_then(|decided| self.subset(decided)).unwrap_or_default();
        match what {
            Counted::Request(source) => metrics::requests(rule, subset, source),
            Counted::Response(class) => metrics::responses(rule, subset, class),
            Counted::Failure => metrics::failures(rule, subset),
            Counted::FailingVisitor => metrics::failing_visitors(rule, subset),
        }
    }
}
