//! Whether requests that differ in nothing but their subset part where no version was chosen between: one is served and the other is
//! not, or one takes a route that is for everybody.

use super::header::NO_ROUTE;
use super::stable::has_canary;
use super::walks::{Walked, Walks};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::plugin::Named;
use crate::world::routing::{Destination, Route};
use crate::world::site::Site;
use crate::world::table::{Entry, Step};
use crate::world::witness::Way;
use canary_split::rule::Target;
use std::collections::HashSet;

const NO_REST: Code = Code {
    name: "no-default-route",
    severity: Severity::Error,
    why: "the gateway answers 404 to visitors of this subset, while those of another one are served at the same address",
    fix: "put the route to this subset at the end, with the same paths and without the header; or limit the rule to what only the others serve",
};

const CANARY_FIRST: Code = Code {
    name: "canary-path-first",
    severity: Severity::Warning,
    why: "the first route that matches decides: the canary's visitors do not get the answer that these paths have for all others",
    fix: "move the canary's route directly before the route that it copies, after those of other paths",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&NO_REST, &CANARY_FIRST];

/// Looks at the ways of requests that splits decide.
pub fn check<'w, 'o>(
    world: &'w World<'o>,
    sites: &[Site<'w, 'o>],
    findings: &mut Vec<Finding>,
    notes: &mut Vec<String>,
) {
    let mut walks: Option<Walks> = None;
    for site in sites.iter().filter(|site| matches!(site.rule.target, Target::Split(_))) {
        if !walks.as_ref().is_some_and(|walks| walks.is_of(site.plugin)) {
            walks = Walks::of(world, site.plugin);
        }
        let Some(walks) = &mut walks else { continue };
        let unmet = walks.unmet(site);
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let (mut bypassed, mut note): (Vec<Bypassed>, _) = (Vec::new(), None);
        walks.each(site, |walked| {
            // What is not known may be right.
            if walked.ways.iter().any(|(_, way)| matches!(way, Way::Unclear)) {
                return;
            }
            let narrow = site.narrow(walked);
            let unmet = narrow.as_ref().and_then(|one| one.finding(&unmet));
            // A canary at some paths alone may well be meant.
            let partial = narrow.filter(|_| unmet.is_none()).map(|one| one.note());
            let mut unserved = site.unserved(walked);
            // A gateway that is not given may have more routes.
            let open = unserved.take_if(|_| !walked.reached.is_given).map(|finding| finding.message);
            note = note.take().or(open).or(partial);
            let all = unserved.into_iter().chain(unmet);
            found.extend(all.filter(|finding| seen.insert((finding.code.name, finding.span.start))));
            site.bypassed(world, walked, &mut bypassed);
        });
        findings.append(&mut found);
        notes.extend(note);
        findings.extend(bypassed.into_iter().map(Bypassed::finding));
    }
}

/// Routes for everybody that a canary's route comes before.
struct Bypassed {
    finding: Finding,
    canary: String,
    /// Their places in the texts.
    routes: HashSet<usize>,
}

impl Bypassed {
    fn finding(mut self) -> Finding {
        match self.routes.len() {
            0 | 1 => {}
            2 => self.finding.message.push_str("; so it is at another route"),
            more @ ..10 => self.finding.message.push_str(&format!("; so it is at {} other routes", more - 1)),
            // Not all are tried.
            _ => self.finding.message.push_str("; so it is at many other routes"),
        }
        self.finding
    }
}

/// A canary's route that takes only a part of what it copies.
struct Narrow<'t, 'w, 'o> {
    site: &'t Site<'w, 'o>,
    /// A request that it does not take.
    title: String,
    canary: Named<'w>,
    step: &'t Step<'w, 'o>,
    entry: &'t Entry<'w, 'o>,
    /// The route that takes it.
    rest: &'t Step<'w, 'o>,
}

impl Narrow<'_, '_, '_> {
    /// Whether no request meets it.
    fn is_unmet(&self, unmet: &HashSet<*const Node>) -> bool {
        let value = &self.canary.subset.header_value;
        let entries = self.site.steps().flat_map(|step| &step.entries);
        let mut own = entries.filter(|entry| entry.asked.iter().any(|asked| asked.takes(self.site.header, value)));
        own.all(|entry| unmet.contains(&std::ptr::from_ref(entry.node)))
    }

    fn finding(&self, unmet: &HashSet<*const Node>) -> Option<Finding> {
        let message = format!(
            "{}: the route for {}: {} is where no request comes in, and {} gets to {}",
            self.step.service.object.title(),
            self.site.header,
            self.canary.subset.name,
            self.title,
            there(self.rest.route)
        );
        let (source, span) = (&self.step.service.object.source, &self.entry.node.span);
        self.is_unmet(unmet).then(|| Finding::new(&NO_ROUTE, source, span, message))
    }

    fn note(&self) -> String {
        format!(
            "{}: {} of subset {} gets to {}, since its own route takes only a part of what rule {} decides; if that is not meant, give the rule the same match",
            self.step.title(),
            self.title,
            self.canary.subset.name,
            there(self.rest.route),
            self.site.rule.name
        )
    }
}

impl<'w, 'o> Site<'w, 'o> {
    /// A subset whose request no route takes, while one for the header takes the same of another subset.
    fn unserved(&self, walked: &Walked<'_, 'w, 'o>) -> Option<Finding> {
        let table = &walked.reached.table;
        let is_unserved = |named: &Named| {
            let value = &*named.subset.header_value;
            let known = walked.witness.known(self.header, value);
            // That no route asks for the canary is another finding.
            let is_meant = named.is_stable || self.steps().any(|step| step.takes(self.header, value));
            named.is_chosen && is_meant && !table.may_take(&known.iter().collect::<Vec<_>>(), |_| true)
        };
        let is_nowhere = |(named, way): &&(Named, Way)| matches!(way, Way::Nowhere) && is_unserved(named);
        let (named, _) = walked.ways.iter().find(is_nowhere)?;
        let (other, step, entry) = walked.ways.iter().find_map(|(other, way)| match way {
            Way::Route(step, entry) if entry.asks_for(self.header) && !step.route.destinations.is_empty() => {
                Some((other, *step, *entry))
            }
            _ => None,
        })?;
        let message = format!(
            "{}: no {}route takes {} of subset {}, and that of {} gets to {}",
            step.service.object.title(),
            if walked.reached.is_given { "" } else { "given " },
            walked.witness.title(),
            named.subset.name,
            other.subset.name,
            there(step.route)
        );
        Some(Finding::new(&NO_REST, &step.service.object.source, &entry.node.span, message))
    }

    /// Routes for the header that take requests which all other subsets have one route for, and that is for no version.
    fn bypassed(&self, world: &World<'o>, walked: &Walked<'_, 'w, 'o>, found: &mut Vec<Bypassed>) {
        let is_own = |way: &Way| matches!(way, Way::Route(_, entry) if entry.asks_for_value(self.header));
        let mut rest = walked.ways.iter().filter(|(_, way)| !is_own(way));
        let Some((stable, Way::Route(open, _))) = rest.next().filter(|(named, _)| named.is_stable) else { return };
        if !rest.all(|(_, way)| matches!(way, Way::Route(step, _) if std::ptr::eq(step.route, open.route))) {
            return;
        }
        for (canary, way) in walked.ways.iter().filter(|(named, _)| named.is_chosen && !named.is_stable) {
            let Way::Route(step, entry) = way else { continue };
            let is_early = is_own(way)
                && !step.route.destinations.is_empty()
                && !is_for_https(open.route, walked)
                && self.copied(walked, stable, entry).is_some_and(|copied| {
                    !std::ptr::eq(copied.route, open.route)
                        && !copied.route.destinations.is_empty()
                        && !self.is_of_versions(world, open.route, &[step.route, copied.route])
                });
            if !is_early {
                continue;
            }
            let span = &entry.node.span;
            let is_same = |known: &&mut Bypassed| known.finding.span == *span && *known.canary == *canary.subset.name;
            if let Some(known) = found.iter_mut().find(is_same) {
                known.routes.insert(open.route.node.span.start);
                continue;
            }
            let message = format!(
                "{}: {} of subset {} gets to {}, and that of {} {}",
                step.service.object.title(),
                walked.witness.title(),
                canary.subset.name,
                there(step.route),
                stable.subset.name,
                outcome(open)
            );
            found.push(Bypassed {
                finding: Finding::new(&CANARY_FIRST, &step.service.object.source, span, message),
                canary: canary.subset.name.to_string(),
                routes: [open.route.node.span.start].into(),
            });
        }
    }

    /// A route of stable that takes requests of a canary, whose own route takes only a part of what it copies.
    fn narrow<'t>(&'t self, walked: &Walked<'t, 'w, 'o>) -> Option<Narrow<'t, 'w, 'o>> {
        let table = &walked.reached.table;
        let (stable, Way::Route(rest, entry)) = walked.ways.iter().find(|(named, _)| named.is_stable)? else {
            return None;
        };
        if entry.asks_for_value(self.header) || rest.route.destinations.is_empty() {
            return None;
        }
        let gets_there = |way: &Way| matches!(way, Way::Route(step, _) if std::ptr::eq(step.route, rest.route));
        let canaries = walked.ways.iter().filter(|(named, way)| named.is_chosen && !named.is_stable && gets_there(way));
        canaries.into_iter().find_map(|(canary, _)| {
            let value = &*canary.subset.header_value;
            let known = walked.witness.known(self.header, value);
            let is_canarys = |entry: &Entry| entry.asked.iter().any(|asked| asked.takes(self.header, value));
            // Who sends another header may well get there.
            if table.may_take(&known.iter().collect::<Vec<_>>(), is_canarys) {
                return None;
            }
            let is_here = |step: &&Step| table.steps.iter().any(|own| std::ptr::eq(own.service, step.service));
            let own = self.steps().filter(is_here).filter(|step| !step.route.destinations.is_empty());
            let mut own = own.flat_map(|step| step.entries.iter().map(move |entry| (step, entry)));
            let (step, entry) = own.find(|(step, entry)| {
                let leads_there = |end: &Destination| step.route.destinations.iter().any(|own| own.is_same(end));
                let is_copied = |copied: &Step| std::ptr::eq(copied.route, rest.route);
                is_canarys(entry)
                    && !rest.route.destinations.iter().any(leads_there)
                    && self.copied(walked, stable, entry).is_some_and(is_copied)
            })?;
            Some(Narrow { site: self, title: walked.witness.title(), canary: *canary, step, entry, rest })
        })
    }

    /// The route that takes, of stable, all that an entry takes of a canary.
    fn copied<'t>(&self, walked: &Walked<'t, 'w, 'o>, stable: &Named, entry: &Entry) -> Option<&'t Step<'w, 'o>> {
        let header = Asked::header(self.header, &stable.subset.header_value);
        let known: Vec<&Asked> = entry.without(self.header).chain([&header]).collect();
        walked.reached.table.taker(&known, 0).map(|(_, step)| step)
    }

    /// Whether a route leads to a version that the rule chooses from, or to the Service of one.
    fn is_of_versions(&self, world: &World<'o>, route: &Route<'o>, versions: &[&Route<'o>]) -> bool {
        let subsets = self.subsets();
        let is_one = |end: &Destination<'o>| {
            let mut known = versions.iter().flat_map(|version| &version.destinations);
            known.any(|known| known.is_with(end) || has_canary(world, end, known))
                || end.subset.is_none() && subsets.iter().any(|named| end.is_called(&named.subset.name))
        };
        route.destinations.iter().any(is_one)
    }
}

/// Whether a route sends to https what is not.
fn is_for_https(route: &Route, walked: &Walked) -> bool {
    let scheme = route.setting("redirect").and_then(|redirect| redirect.get("scheme")).and_then(Node::text);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) && !walked.witness.is_https()
}

/// Where a route leads.
fn there(route: &Route) -> String {
    let one = |end: &Destination| match end.subset {
        Some((_, subset)) => format!("subset {subset} of {}", end.host.1),
        None => end.host.1.to_owned(),
    };
    route.destinations.iter().map(one).collect::<Vec<_>>().join(" or ")
}

/// What happens to a request at a route.
fn outcome(step: &Step) -> String {
    let path = step.path();
    match step.route.answer() {
        Some("redirect") => format!("is redirected by {path}"),
        Some(_) => {
            let status = step.route.setting("directResponse").and_then(|answer| answer.get("status"));
            let status = status.map(|status| format!(" with {}", status.to_json())).unwrap_or_default();
            format!("is answered{status} by {path}")
        }
        None => format!("to {} by {path}", there(step.route)),
    }
}
