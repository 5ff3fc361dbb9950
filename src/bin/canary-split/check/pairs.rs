//! The canary's routes, and what stable gets in their place.

use super::same::setting;
use crate::world::asked::Asked;
use crate::world::plugin::Named;
use crate::world::routing::Destination;
use crate::world::site::Site;
use crate::world::table::{Step, Table};
use crate::world::text::Taken;
use std::collections::HashSet;

impl<'w, 'o> Site<'w, 'o> {
    /// The routes by the header for other subsets than stable, each with the one that takes stable's requests in its place.
    pub fn pairs<'t>(&self, table: &'t Table<'w, 'o>, stable: &Named<'w>) -> Vec<(&'t Step<'w, 'o>, &'t Step<'w, 'o>)> {
        let (own, subsets) = (&*stable.subset.header_value, self.subsets());
        let others: Vec<&str> =
            subsets.iter().map(|named| &*named.subset.header_value).filter(|value| *value != own).collect();
        let classes = self.classes(own);
        let mut pairs = Vec::new();
        for (place, step) in table.steps.iter().enumerate() {
            let is_canarys = others.iter().any(|value| step.takes(self.header, value));
            for entry in step.entries.iter().filter(|entry| is_canarys && entry.asks_for(self.header)) {
                for class in &classes {
                    let known = class.known();
                    if entry.without(self.header).any(|asked| asked.taken_of(&known) == Taken::None) {
                        continue;
                    }
                    let narrowed: Vec<_> = known.into_iter().chain(entry.without(self.header)).collect();
                    let without = class.without_header();
                    let rest: Vec<_> = without.into_iter().chain(entry.without(self.header)).collect();
                    if self.is_taken_before(table, (place, step), &others, &rest) {
                        continue;
                    }
                    let taker = table.taker(&narrowed, 0).filter(|(_, taker)| !std::ptr::eq(*taker, step));
                    pairs.extend(taker.map(|(_, taker)| (step, taker)));
                }
            }
        }
        pairs
    }

    /// Whether an earlier route for the same subsets, one for more specific paths, takes all requests with these properties.
    fn is_taken_before(&self, table: &Table, (place, step): (usize, &Step), values: &[&str], rest: &[&Asked]) -> bool {
        let mut own = values.iter().filter(|value| step.takes(self.header, value)).peekable();
        let is_taken = |value: &&str| {
            let header = Asked::header(self.header, value);
            let known: Vec<_> = rest.iter().copied().chain([&header]).collect();
            table.taker(&known, 0).is_some_and(|(earlier, taker)| earlier < place && taker.asks_for(self.header))
        };
        own.peek().is_some() && own.all(is_taken)
    }

    /// Where stable's requests go instead of to a canary, each place once.
    pub fn stables<'t>(&self, table: &'t Table<'w, 'o>, stable: &Named<'w>) -> Vec<&'t Destination<'o>> {
        let others: Vec<_> =
            self.subsets().into_iter().filter(|named| named.subset.name != stable.subset.name).collect();
        let is_canarys = |step: &&Step| others.iter().any(|named| step.takes(self.header, &named.subset.header_value));
        let mut seen = HashSet::new();
        let canaries = table.steps.iter().filter(is_canarys).flat_map(|step| &step.route.destinations);
        let canaries: Vec<_> = canaries.filter(|canary| seen.insert(canary.place())).collect();
        // All pods of the canary's Service are not stable's.
        let is_whole = |destination: &Destination| {
            !destination.has_subset() && canaries.iter().any(|canary| canary.is_with(destination))
        };
        let is_named = |destination: &&Destination| {
            destination.is_subset(&stable.subset.name) && canaries.iter().any(|canary| canary.is_with(destination))
        };
        let takers = self.pairs(table, stable).into_iter().flat_map(|(_, taker)| &taker.route.destinations);
        let named = table.steps.iter().flat_map(|step| &step.route.destinations).filter(is_named);
        let mut seen = HashSet::new();
        let all = takers.filter(|destination| !is_whole(destination)).chain(named);
        all.filter(|destination| seen.insert(destination.place())).collect()
    }

    /// The canary's routes that take some of the requests of stable's routes with a setting, each next to such a route.
    pub fn answered<'t>(
        &self,
        table: &'t Table<'w, 'o>,
        stable: &Named<'w>,
        key: &str,
    ) -> Vec<(&'t Step<'w, 'o>, &'t Step<'w, 'o>)> {
        if !table.steps.iter().any(|step| setting(step, key).is_some()) {
            return Vec::new();
        }
        let subsets = self.subsets();
        let stables = self.stables(table, stable);
        let is_stables = |destination: &Destination| stables.iter().any(|stable| stable.is_same(destination));
        let mut answered = Vec::new();
        for canary in subsets.iter().filter(|named| !named.is_stable) {
            for class in self.classes(&canary.subset.header_value) {
                for step in table.steps.iter().filter(|step| setting(step, key).is_some()) {
                    if !step.route.destinations.iter().all(is_stables) {
                        continue;
                    }
                    for entry in step.entries.iter().filter(|entry| !entry.asks_for(self.header)) {
                        let known: Vec<_> = class.known().into_iter().chain(entry.asked.iter().copied()).collect();
                        let taker = table.taker(&known, 0).map(|(_, taker)| taker);
                        let is_canarys = |taker: &&Step| taker.takes(self.header, &canary.subset.header_value);
                        answered.extend(taker.filter(is_canarys).map(|taker| (taker, step)));
                    }
                }
            }
        }
        answered
    }
}
