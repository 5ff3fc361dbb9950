//! The highest cost of a regex, for any value: all its states are visited before it is accepted.

use super::dfa::{Dfa, FRESH, Step, To};
use super::places::most_visits;
use super::program::Program;
use super::together::most_visits_together;
use std::cell::{Cell, RefCell};

/// The longest value: Envoy takes 60 KB of headers.
const LONGEST: u64 = 60 << 10;
/// The most that one value may cost, and also all regexes that one request may meet.
pub const MAX_COST: u32 = 20_000_000;

// About nanoseconds in the module.
/// A byte by a known step; an ASCII byte costs half of it.
const READ: u64 = 4;
/// A character if states are not kept, in addition to its visits.
const SIMULATED: u64 = 40;
/// An unknown step, in addition to its visits.
const COMPUTED: u64 = 150;
/// An unknown state.
const STATE: u64 = 300;
/// A visit to an instruction.
const VISIT: u64 = 6;
/// A regex without a state.
const AFRESH: u64 = 3_000;

/// The most bytes that the states of one regex may take, if all of them are known to fit.
const MANY: usize = 2 << 20;
/// The most if they may not fit.
const FEW: usize = 1 << 20;
/// What a visit of all states may cost: for a mere better figure, and for a regex that is refused without it.
const SHORT_LOOK: u64 = 5_000_000;
const LONG_LOOK: u64 = MAX_COST as u64;
/// The cost from which on the result of a look is kept.
const KEPT_LOOK: u64 = 300_000;
/// What the looks at all regexes of a config may cost: half a second, since a look keeps less than a request does.
const ALL_LOOKS: u64 = 1_000_000_000;

/// The same in messages.
pub fn milliseconds(cost: u32) -> u32 {
    cost / 1_000_000
}

/// The cost that is left for looks at the states of regexes.
#[derive(Clone, Debug)]
pub struct Effort {
    left: Cell<u64>,
    /// Results that took long to find, so that the same regex in many rules is looked at once.
    found: RefCell<Vec<(String, Cost)>>,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { left: Cell::new(ALL_LOOKS), found: RefCell::default() }
    }
}

/// What is known about a regex's cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// About nanoseconds, for the worst value.
    pub(super) most: u32,
    /// The most bytes that its states may take.
    pub(super) memory: usize,
}

impl Cost {
    pub(super) fn of(pattern: &str, program: &Program, effort: &Effort) -> Cost {
        let known = effort.found.take();
        let found = known.iter().find(|(known, _)| known == pattern).map(|&(_, cost)| cost);
        effort.found.replace(known);
        found.unwrap_or_else(|| Cost::find(pattern, program, effort))
    }

    fn find(pattern: &str, program: &Program, effort: &Effort) -> Cost {
        let mut unknown = kept_by_nobody(LONGEST, most_visits(program).into());
        let left = effort.left.get();
        let mut look = Look::at(program, SHORT_LOOK.min(left));
        let mut spent = look.effort;
        if !look.is_whole && unknown > MAX_COST.into() {
            let fewer = most_visits_together(program).map(|visits| kept_by_nobody(LONGEST, visits.into()));
            unknown = fewer.unwrap_or(unknown).min(unknown);
        }
        if !look.is_whole && unknown > MAX_COST.into() {
            look = Look::at(program, LONG_LOOK.min(left.saturating_sub(spent)));
            spent += look.effort;
        }
        effort.left.set(left.saturating_sub(spent));
        let (most, memory) = match look {
            Look { is_whole: false, .. } => (unknown, FEW),
            Look { memory: MANY.., .. } => (kept_by_nobody(look.longest(), look.widest), FEW),
            _ => {
                let on_the_way = look.longest() * (COMPUTED + STATE + VISIT * look.widest);
                (look.longest() * READ + look.cost().min(on_the_way), usize::MAX)
            }
        };
        let cost = Cost { most: u32::try_from(most + AFRESH).unwrap_or(u32::MAX), memory };
        if spent > KEPT_LOOK {
            let mut found = effort.found.take();
            found.push((pattern.to_owned(), cost));
            effort.found.replace(found);
        }
        cost
    }
}

/// The cost of a value of this length if there are too many states to keep, including the cost until that is noticed.
fn kept_by_nobody(length: u64, visits: u64) -> u64 {
    let kept = FRESH * (STATE + COMPUTED + VISIT * visits);
    length * (SIMULATED + VISIT * visits) + kept
}

/// All states, as far as they have been looked at.
#[derive(Default)]
struct Look {
    is_whole: bool,
    states: u64,
    /// The cost of every step once.
    cost: u64,
    /// The cost of the look.
    effort: u64,
    /// The most visits of one step.
    widest: u64,
    memory: usize,
    /// Whether a step leads to a state that was found before: if none does, values are no longer than the number of states.
    turns_back: bool,
}

impl Look {
    fn at(program: &Program, most: u64) -> Look {
        let mut dfa = Dfa::new(program, usize::MAX);
        let mut look = Look { is_whole: true, ..Look::default() };
        while (look.states as usize) < dfa.len() && look.is_whole {
            let state = look.states as usize;
            if let Some(set) = dfa.only_set(program, state) {
                // Every character that it takes leads to one state.
                let ranges = program.ranges(set);
                if let Some(&(class, _)) = ranges.first() {
                    let step = dfa.step(program, state, class);
                    look.add(state, &step, 2 * ranges.len() as u64 + 1);
                }
            } else {
                let mut class = 0;
                while usize::from(class) < program.alphabet.len() {
                    let step = dfa.step(program, state, class);
                    look.add(state, &step, 1);
                    class = step.last + 1;
                }
            }
            look.states += 1;
            look.effort += STATE;
            look.is_whole = look.effort <= most && dfa.memory() <= 2 * MANY;
        }
        Look { memory: dfa.memory_of_all(), ..look }
    }

    fn add(&mut self, state: usize, step: &Step, times: u64) {
        let visits = u64::from(step.visits);
        self.effort += COMPUTED + visits * VISIT;
        self.cost += times * (COMPUTED + visits * VISIT);
        self.widest = self.widest.max(visits);
        self.turns_back |= matches!(step.to, To::State(to) if to <= state);
    }

    /// With the states.
    fn cost(&self) -> u64 {
        self.cost + self.states * STATE
    }

    /// The longest value that is read to its end.
    fn longest(&self) -> u64 {
        if self.turns_back { LONGEST } else { self.states.min(LONGEST) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    #[test]
    fn no_step_visits_more_than_the_bounds_say() {
        const PARTS: [&str; 12] =
            ["a", "b", ".*", "[ab]{0,3}", "a{3}", "(?:a|b)*", ".{2}", r"\b", "(?:ab|a)+", "[^a]?", "c", "(?:a.)*"];
        let mut chance = fastrand::Rng::with_seed(8);
        for _ in 0..3000 {
            let pattern: String = (0..chance.usize(1..7)).map(|_| PARTS[chance.usize(..PARTS.len())]).collect();
            let program = scan(&pattern).unwrap().0;
            let look = Look::at(&program, LONG_LOOK);
            let together = most_visits_together(&program).unwrap();
            assert!(look.widest <= together.into(), "{pattern}: {} visits, not {together}", look.widest);
            assert!(look.widest <= most_visits(&program).into(), "{pattern}");
        }
        let visits = |pattern: &str| most_visits_together(&scan(pattern).unwrap().0);
        // At most one of three places.
        assert!(visits(".*id=.{36}").is_some_and(|visits| (26..40).contains(&visits)));
        assert!(visits(".*a.{36}").is_some_and(|visits| visits > 70));
        assert_eq!(visits("a{200}"), None);
    }
}
