//! Whether a route of stable for some paths comes before the route of the canary.

use super::rules::has_hosts_of;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::asked::Asked;
use crate::world::plugin::{Named, hosts};
use crate::world::routing::Destination;
use crate::world::site::{Class, Hosts, Site};
use crate::world::table::{Met, Table};
use crate::world::text::Taken;
use canary_split::rule::Rule;
use std::collections::HashSet;

const PATH_FIRST: Code = Code {
    name: "stable-path-first",
    severity: Severity::Warning,
    why: "the first route that matches decides: the canary's visitors get stable here, and the canary everywhere else",
    fix: "put a copy of this route before it, with the header and the canary, so that its other settings stay (in an HTTPRoute add a match of these paths with the header); or add a rule for these paths to the plugin if only stable serves them",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&PATH_FIRST];

/// Looks at the routes that requests for canaries meet.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    let all_hosts = Hosts::of(sites);
    for site in sites {
        let subsets = site.subsets();
        let Some(stable) = subsets.iter().find(|named| named.is_stable) else { continue };
        for table in &site.tables {
            let stables = site.stables(table, stable);
            let hosts = all_hosts.at(site.header, table);
            // Where routes for all hosts come before the canary's, those hide it, which is another finding.
            let is_hidden = |met: &Met, class: &Class| {
                let is_taken = |host: &&str| {
                    let host = Asked::host(host);
                    let taker =
                        table.taker(&[class.header(), Some(&host)].into_iter().flatten().collect::<Vec<_>>(), 0);
                    taker.is_some_and(|(_, step)| !step.asks_for(site.header))
                };
                met.entry.asked.iter().all(|asked| asked.is_about_host()) && hosts.iter().all(is_taken)
            };
            let mut seen = HashSet::new();
            for canary in subsets.iter().filter(|named| !named.is_stable && named.is_chosen) {
                for class in site.classes(&canary.subset.header_value) {
                    let known = class.known();
                    let is_wrong = |met: &&Met| {
                        site.is_early(table, met, &class)
                            && !is_hidden(met, &class)
                            && is_for(met, &stables)
                            && table.reaches(met, &known)
                            && !site.is_stables_alone(met, stable, &known)
                    };
                    for met in table.met(&known).iter().filter(is_wrong) {
                        if seen.insert(met.entry.node.span.start) {
                            let object = met.step.service.object;
                            let message = format!(
                                "{}: requests of subset {} get stable here, before the route for {}",
                                object.title(),
                                canary.subset.name,
                                site.header
                            );
                            findings.push(Finding::new(&PATH_FIRST, &object.source, &met.entry.node.span, message));
                        }
                    }
                }
            }
        }
    }
}

/// Whether a route leads to one of these places and nowhere else.
fn is_for(met: &Met, places: &[&Destination]) -> bool {
    let is_one = |destination: &Destination| places.iter().any(|place| place.is_same(destination));
    !met.step.route.destinations.is_empty() && met.step.route.destinations.iter().all(is_one)
}

impl<'w, 'o> Site<'w, 'o> {
    /// Whether an entry is for some paths, whoever asks, and the canary's route would have taken all that it takes, and more.
    fn is_early(&self, table: &Table, met: &Met, class: &Class) -> bool {
        // Who asks may well be stable's alone.
        let is_of_visitors = met.entry.asked.iter().any(|asked| asked.is_about_visitors());
        if met.entry.asked.is_empty() || is_of_visitors || met.entry.asks_for(self.header) {
            return false;
        }
        let known = class.known();
        let narrowed: Vec<_> = known.iter().chain(&met.entry.asked).copied().collect();
        let Some((_, later)) = table.taker(&narrowed, met.place + 1) else { return false };
        let is_wider = later.entries.iter().filter(|entry| entry.asks_for(self.header)).any(|entry| {
            let all: Vec<_> = class.header().into_iter().chain(entry.asked.iter().copied()).collect();
            entry.asked.iter().all(|asked| asked.taken_of(&narrowed) == Taken::All)
                && !met.entry.asked.iter().all(|asked| asked.taken_of(&all) == Taken::All)
        });
        is_wider && !is_for(met, &later.route.destinations.iter().collect::<Vec<_>>())
    }

    /// Whether an earlier rule decides all that an entry takes, and always for stable.
    fn is_stables_alone(&self, met: &Met, stable: &Named, known: &[&Asked]) -> bool {
        let known: Vec<_> = known.iter().chain(&met.entry.asked).copied().collect();
        self.is_decided_before(&known, |rule| {
            let subsets = self.plugin.subsets(rule);
            subsets.iter().filter(|named| named.is_chosen).all(|named| named.subset.name == stable.subset.name)
        })
    }

    /// Whether an earlier rule that counts decides all requests with these properties.
    fn is_decided_before(&self, known: &[&Asked], counts: impl Fn(&Rule) -> bool) -> bool {
        let takes = |rule: &Rule, known: &[&Asked]| {
            rule.matches.iter().any(|one| {
                let mut conditions = one.conditions.iter().map(Asked::of_rule);
                conditions.all(|asked| {
                    asked.is_some_and(|asked| !asked.is_about(self.header) && asked.taken_of(known) == Taken::All)
                })
            })
        };
        let paths = known.iter().filter_map(|asked| asked.below()).max_by_key(|path| path.len());
        let holds = |rule: &Rule| {
            // A rule says in two entries what PathPrefix is: the path, and all below it.
            let in_two = |path: &str| {
                let below = format!("{path}/");
                [Asked::uri(path), Asked::uri_prefix(&below)].iter().all(|half| {
                    let rest = known.iter().copied().filter(|asked| asked.below() != Some(path));
                    takes(rule, &rest.chain([half]).collect::<Vec<_>>())
                })
            };
            rule.forget.is_empty() && (takes(rule, known) || paths.is_some_and(in_two))
        };
        let earlier = self.plugin.rules.iter().map(|(_, rule)| rule).take_while(|rule| !std::ptr::eq(*rule, self.rule));
        earlier.into_iter().any(|rule| counts(rule) && self.is_under(rule, known) && holds(rule))
    }

    /// Whether another rule is for all hosts of this one that have these routes.
    fn is_under(&self, rule: &Rule, known: &[&Asked]) -> bool {
        has_hosts_of(rule, self.rule) || self.is_covered_by(&hosts(rule), known)
    }
}
