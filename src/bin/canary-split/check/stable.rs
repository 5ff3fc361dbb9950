//! Whether those who are not the canary's get to stable, and to nobody else's pods.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::labels::Labels;
use crate::world::plugin::Named;
use crate::world::pods::{Common, in_common};
use crate::world::routing::{Destination, Route, leads_alike};
use crate::world::site::Site;
use crate::world::table::{Met, Step, Table};
use std::collections::{HashMap, HashSet};

const TAKES_ALL: Code = Code {
    name: "route-takes-all",
    severity: Severity::Error,
    why: "the filter writes the header for stable too, and one entry of match is enough: stable's visitors see the canary",
    fix: "match the canary's value with exact, and put conditions that must hold together into one entry of match",
};

const WITHOUT_SUBSET: Code = Code {
    name: "default-without-subset",
    severity: Severity::Error,
    why: "a destination without a subset means all pods of the Service, including the canary's: stable's visitors see both",
    fix: "name stable's subset in the default route, or lead it to a Service whose selector leaves out the canary's pods",
};

const PATH_WITHOUT_SUBSET: Code = Code {
    name: "path-without-subset",
    severity: Severity::Warning,
    why: "a destination without a subset means all pods of the Service, including the canary's: on these paths stable's visitors see both",
    fix: "name stable's subset in this route, or put it before the canary's if it is for everybody",
};

/// The codes of this file.
pub const CODES: [&Code; 3] = [&TAKES_ALL, &WITHOUT_SUBSET, &PATH_WITHOUT_SUBSET];

/// Looks at the routes that requests of every rule meet.
pub fn check<'o>(world: &World<'o>, sites: &[Site<'_, 'o>], findings: &mut Vec<Finding>) {
    for site in sites {
        let subsets = site.subsets();
        for stable in subsets.iter().filter(|named| named.is_stable && named.is_chosen) {
            for table in &site.tables {
                site.taken(table, stable, findings);
                let known = site.shared(world, table, stable, findings);
                site.shared_on_path(world, table, stable, &known, findings);
            }
        }
    }
}

impl<'w, 'o> Site<'w, 'o> {
    /// Routes of other subsets that take stable's requests.
    fn taken(&self, table: &Table<'w, 'o>, stable: &Named<'w>, findings: &mut Vec<Finding>) {
        // Of the Gateway API each entry of a rule is a route of its own.
        let asking = table.steps.iter().filter(|step| step.asks_for(self.header));
        let asking: HashSet<_> = asking.map(|step| std::ptr::from_ref(step.route.node)).collect();
        for class in self.classes(&stable.subset.header_value) {
            let known = class.known();
            let rest = table.taker(&known, 0).map(|(_, rest)| rest.route);
            for met in table.met(&known).iter().filter(|met| self.leads_away(met.step.route, stable, rest)) {
                let entry = met.entry.node;
                let is_canarys = asking.contains(&std::ptr::from_ref(met.step.route.node));
                let node = match met.entry.condition(self.header) {
                    Some((asked, written)) => {
                        Some(written.node).filter(|_| asked.takes_unnamed(&stable.subset.header_value))
                    }
                    None if is_canarys && self.is_slip(table, met) => Some(entry),
                    None => None,
                };
                let Some(node) = node.filter(|_| self.gets_to(table, met, &class)) else { continue };
                let object = met.step.service.object;
                let message = format!(
                    "{}: the canary's route takes requests of subset {} too",
                    object.title(),
                    stable.subset.name
                );
                findings.push(Finding::new(&TAKES_ALL, &object.source, &node.span, message));
            }
        }
    }

    /// Whether an entry of the canary's route that does not ask for the header was meant to hold together with one that does: it
    /// is not about who asks, or a later route takes back what it is about.
    fn is_slip(&self, table: &Table<'w, 'o>, met: &Met) -> bool {
        let is_of_visitors = met.entry.asked.iter().any(|asked| asked.is_about_visitors());
        let is_excused = met.entry.asked.iter().any(|asked| asked.is_about(self.header));
        let is_taken_back = || {
            let later = table.taker(&met.entry.asked, met.place + 1);
            later.is_some_and(|(_, step)| {
                !step.entries.iter().any(|entry| entry.asked.is_empty()) && leads_alike(step.route, met.step.route)
            })
        };
        !is_excused && (!is_of_visitors || is_taken_back())
    }

    /// Whether all destinations of a route are another subset of the rule, by its name or because the route asks for its header
    /// and the rest goes elsewhere.
    fn leads_away(&self, route: &Route, stable: &Named, rest: Option<&Route>) -> bool {
        let subsets = self.subsets();
        let others = || subsets.iter().filter(|named| named.subset.name != stable.subset.name);
        let is_named = |destination: &Destination| others().any(|named| destination.is_version(&named.subset.name));
        let asks = || {
            let mut values = route.exact_values(self.header);
            values.any(|(_, value)| others().any(|named| *named.subset.header_value == *value))
        };
        let is_elsewhere = |destination: &Destination| {
            !destination.is_called(&stable.subset.name)
                && rest.is_some_and(|rest| !rest.destinations.iter().any(|rest| rest.is_same(destination)))
        };
        let all = &route.destinations;
        !all.is_empty() && (all.iter().all(is_named) || asks() && all.iter().all(is_elsewhere))
    }

    /// Default routes that lead stable's requests to all pods of a Service, of which some are the canary's. Answers the places that are
    /// found.
    fn shared(
        &self,
        world: &World<'o>,
        table: &Table<'w, 'o>,
        stable: &Named<'w>,
        findings: &mut Vec<Finding>,
    ) -> HashSet<usize> {
        let (mut seen, mut known) = (HashSet::new(), HashMap::new());
        for (canary, default) in self.pairs(table, stable) {
            let whole = default.route.destinations.iter().filter(|destination| !destination.has_subset());
            for destination in whole {
                let mut is_mixed = |canary: &&Destination<'o>| {
                    let ends = (destination.place(), canary.place());
                    *known.entry(ends).or_insert_with(|| has_canary(world, destination, canary))
                };
                let Some(canary) = canary.route.destinations.iter().find(&mut is_mixed) else { continue };
                if seen.insert(destination.host.0.span.start) {
                    findings.push(whole_service(&WITHOUT_SUBSET, "the default route", default, destination, canary));
                }
            }
        }
        seen
    }

    /// The same for routes of some paths or hosts, where the canary's requests have gone to its own route before.
    fn shared_on_path(
        &self,
        world: &World<'o>,
        table: &Table<'w, 'o>,
        stable: &Named<'w>,
        known: &HashSet<usize>,
        findings: &mut Vec<Finding>,
    ) {
        let is_whole =
            |destination: &&Destination| !destination.has_subset() && !known.contains(&destination.host.0.span.start);
        if !table.steps.iter().flat_map(|step| &step.route.destinations).any(|destination| is_whole(&destination)) {
            return;
        }
        let (subsets, mut seen) = (self.subsets(), HashSet::new());
        let canaries: Vec<_> = subsets.iter().filter(|named| !named.is_stable).collect();
        for class in self.classes(&stable.subset.header_value) {
            let of_rule = class.known();
            for met in table.met(&of_rule).iter().filter(|met| !met.entry.asks_for(self.header)) {
                for destination in met.step.route.destinations.iter().filter(is_whole) {
                    // A visitor who sends a header or a parameter to be led there wants it so.
                    if met.entry.asked.iter().any(|asked| asked.is_about_visitors()) || !table.reaches(met, &of_rule) {
                        continue;
                    }
                    let canary = canaries.iter().find_map(|canary| {
                        let header = Asked::header(self.header, &canary.subset.header_value);
                        let without = class.without_header();
                        let narrowed: Vec<_> =
                            without.into_iter().chain(met.entry.asked.iter().copied()).chain([&header]).collect();
                        let (_, taker) = table.taker(&narrowed, 0)?;
                        let mut ends = taker.route.destinations.iter();
                        ends.find(|end| taker.asks_for(self.header) && has_canary(world, destination, end))
                    });
                    if let Some(canary) = canary.filter(|_| seen.insert(destination.host.0.span.start)) {
                        let what = "a route for some of stable's requests";
                        findings.push(whole_service(&PATH_WITHOUT_SUBSET, what, met.step, destination, canary));
                    }
                }
            }
        }
    }
}

/// A route that leads to all pods of a Service, a canary's among them.
fn whole_service(
    code: &'static Code,
    what: &str,
    step: &Step,
    destination: &Destination,
    canary: &Destination,
) -> Finding {
    let (node, host) = destination.host;
    let title = match canary.subset {
        Some((_, subset)) if canary.is_with(destination) => format!("subset {subset}"),
        Some((_, subset)) => format!("subset {subset} of {}", canary.host.1),
        None => canary.host.1.to_owned(),
    };
    let message = format!("{what} leads to all pods of {host}, those of {title} too");
    Finding::new(code, &step.service.object.source, &node.span, message)
}

/// Whether all pods of a Service, the default, are also a canary's, or some of them.
pub fn has_canary<'o>(world: &World<'o>, whole: &Destination<'o>, canary: &Destination<'o>) -> bool {
    if canary.is_with(whole) {
        return labels_of(world, canary).is_some_and(|labels| may_be_behind(world, whole, &labels));
    }
    matches!(in_common(world, whole, canary), Common::First | Common::All)
}

/// The labels of a destination's subset.
fn labels_of<'o>(world: &World<'o>, destination: &Destination) -> Option<Labels<'o>> {
    let (_, name) = destination.subset?;
    let subset: &Node = world.rules_of(destination).iter().find_map(|rule| rule.subset(name))?;
    Labels::of(subset.get("labels")?).filter(|labels| !labels.is_empty())
}

/// Whether pods with these labels may be behind a destination: no Service that it may mean is known to have others.
fn may_be_behind(world: &World, destination: &Destination, labels: &Labels) -> bool {
    let selectors = world.services_of(destination).into_iter().filter_map(|service| service.selector.as_ref());
    selectors.into_iter().all(|selector| selector.contradiction(labels).is_none())
}
