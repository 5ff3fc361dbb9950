//! Whether the canary has a route at some paths only, while the rule decides for others too.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::asked::Asked;
use crate::world::plugin::Named;
use crate::world::routing::Destination;
use crate::world::site::{Class, Site};
use crate::world::table::{Step, Table};
use crate::world::text::Taken;
use std::collections::HashSet;

const SOME_PATHS: Code = Code {
    name: "canary-on-some-paths",
    severity: Severity::Warning,
    why: "the rule decides for all of its paths, and the canary has a route at others only: here its visitors get stable, and what they see counts for the canary",
    fix: "add a route for the header at this path, or limit the rule to the canary's paths: match: [{uri: {exact: /api}}, {uri: {prefix: /api/}}]",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&SOME_PATHS];

/// Looks at the routes that requests for canaries meet.
pub fn check(sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let subsets = site.subsets();
        let Some(stable) = subsets.iter().find(|named| named.is_stable) else { continue };
        for table in &site.tables {
            let mut seen = HashSet::new();
            for canary in subsets.iter().filter(|named| !named.is_stable && named.is_chosen) {
                for (step, path) in site.left_out(table, stable, canary) {
                    if seen.insert(std::ptr::from_ref(step.route.node)) {
                        let (object, subset, header) = (step.service.object, &canary.subset.name, site.header);
                        let message = format!(
                            "{}: requests of subset {subset} get stable at {path}, the routes for {header} are at other paths",
                            object.title()
                        );
                        findings.push(Finding::new(&SOME_PATHS, &object.source, &step.route.node.span, message));
                    }
                }
            }
        }
    }
}

impl<'w, 'o> Site<'w, 'o> {
    /// The routes of stable's application that requests for a canary get to, since the canary's are not at a path of the rule, each
    /// with such a path.
    fn left_out<'t>(
        &self,
        table: &'t Table<'w, 'o>,
        stable: &Named<'w>,
        canary: &Named<'w>,
    ) -> Vec<(&'t Step<'w, 'o>, String)> {
        let value = &*canary.subset.header_value;
        let canarys: Vec<&Step> = table.steps.iter().filter(|step| step.takes(self.header, value)).collect();
        let stables = self.versions(table, stable, canary);
        let is_stables = |one: &Destination| stables.iter().any(|stable| stable.is_same(one));
        let may_take = |known: &[&Asked]| canarys.iter().any(|step| step.may_take(self.header, known));
        let (classes, mut found) = (self.classes(value), Vec::new());
        // Where the canary has no route at any path of the rule, its routes may be about something else. A rule that cannot be limited to
        // what they ask for has to be wider.
        let mut asked = canarys.iter().flat_map(|step| &step.entries).flat_map(|entry| entry.without(self.header));
        if !classes.iter().any(|class| may_take(&class.known())) || !asked.all(Asked::can_be_of_rule) {
            return found;
        }
        for class in &classes {
            for met in table.met(&class.known()) {
                let (entry, all) = (met.entry, &met.step.route.destinations);
                let is_open = entry.asked.iter().all(|asked| asked.is_about_path() || asked.is_about_host());
                if !is_open || all.is_empty() || !all.iter().all(is_stables) {
                    continue;
                }
                let gets_there = |path: &str| {
                    let (uri, header) = (Asked::uri(path), Asked::header(self.header, value));
                    let rest = class.without_header();
                    // The rule is for this path, the canary's routes are not, and this one takes it.
                    let is_of_rule = || {
                        let mut uris = rest.iter().filter(|asked| asked.is_about_path());
                        uris.all(|asked| asked.taken_of(&[&uri]) == Taken::All)
                    };
                    let rest = rest.iter().copied().filter(|asked| !asked.is_about_path());
                    let anywhere: Vec<_> = rest.clone().chain([&header]).collect();
                    let known: Vec<_> = rest.chain([&uri, &header]).collect();
                    is_of_rule()
                        && may_take(&anywhere)
                        && !may_take(&known)
                        && table.taker(&known, 0).is_some_and(|(place, _)| place == met.place)
                        && !self.is_decided_before(&known, |_| true)
                };
                if let Some(path) = paths(class, &entry.asked).filter(|all| all.iter().all(|path| gets_there(path))) {
                    found.extend(path.into_iter().next().map(|path| (met.step, path)));
                }
            }
        }
        found
    }

    /// Where stable's requests go instead of to a canary, if that is the same application, each place once.
    fn versions<'t>(
        &self,
        table: &'t Table<'w, 'o>,
        stable: &Named<'w>,
        canary: &Named<'w>,
    ) -> Vec<&'t Destination<'o>> {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        let pairs = self.pairs(table, stable).into_iter();
        for (own, taker) in pairs.filter(|(own, _)| own.takes(self.header, &canary.subset.header_value)) {
            let is_version = |one: &&Destination<'o>| {
                let mut all = own.route.destinations.iter();
                // All pods of the canary's Service are not stable's.
                let is_whole = !one.has_subset() && own.route.destinations.iter().any(|own| own.is_with(one));
                !is_whole
                    && all.any(|own| is_of_one_application((one, &stable.subset.name), (own, &canary.subset.name)))
            };
            let own = taker.route.destinations.iter().filter(is_version);
            found.extend(own.filter(|one| seen.insert(one.place())));
        }
        found
    }
}

/// Paths at which requests of a class meet an entry: of the longer of both prefixes with and without a slash at the end.
fn paths(class: &Class, entry: &[&Asked]) -> Option<Vec<String>> {
    let of_class = class.without_header().into_iter().find(|asked| asked.is_about_path());
    let of_entry = entry.iter().copied().find(|asked| asked.is_about_path());
    let all: Vec<(&str, bool)> = match (of_class, of_entry) {
        // A pattern may be tried with the other's path.
        (Some(class), Some(entry)) => class.path().into_iter().chain(entry.path()).collect(),
        (Some(one), None) => one.path().into_iter().chain([("/", true)]).collect(),
        (None, Some(one)) => vec![one.path()?],
        (None, None) => vec![("/", true)],
    };
    let (path, is_prefix) = all.into_iter().max_by_key(|(path, is_prefix)| (path.len(), !is_prefix))?;
    let path = if path.is_empty() { "/" } else { path };
    let slashed = Some(format!("{path}/")).filter(|_| is_prefix && !path.ends_with('/'));
    Some([Some(path.to_owned()), slashed].into_iter().flatten().collect())
}

/// Whether two destinations are versions of one application: subsets of one host, or Services that are called alike but for the names
/// of the versions.
fn is_of_one_application((one, version): (&Destination, &str), (other, other_version): (&Destination, &str)) -> bool {
    let stem = |destination: &Destination<'_>, version: &str| {
        let service = destination.service()?;
        let stem = service.name.strip_suffix(version).and_then(|rest| rest.strip_suffix('-')).unwrap_or(service.name);
        Some((service.namespace.to_owned(), stem.to_owned()))
    };
    let own = stem(one, version);
    one.is_with(other) || own.is_some() && own == stem(other, other_version)
}
