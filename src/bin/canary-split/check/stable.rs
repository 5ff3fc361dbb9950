//! Whether those who are not the canary's get to stable, and to nobody else's pods.

use super::order::{covers_entry, takes_all_of, takes_everything};
use super::world::labels::Labels;
use super::world::plugin::Named;
use super::world::routing::{Destination, Route, VirtualService, condition, is_taken, leads_alike};
use super::world::{Site, World};
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};

const TAKES_ALL: Code = Code {
    name: "route-takes-all",
    severity: Severity::Error,
    why: "the filter writes the header for stable too, and one entry of match is enough: those who should see stable see the canary",
    fix: "match the canary's value by exact, and put what must hold together into one entry of match",
};

const WITHOUT_SUBSET: Code = Code {
    name: "default-without-subset",
    severity: Severity::Error,
    why: "a destination without a subset is all pods of the Service, the canary's too: those who should see stable see both",
    fix: "name stable's subset in the default route",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&TAKES_ALL, &WITHOUT_SUBSET];

/// Looks at the routes that requests of every rule meet.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    for site in sites {
        let subsets = site.plugin.subsets(site.rule);
        for stable in subsets.iter().filter(|named| named.is_stable && named.is_chosen) {
            // In which order Istio puts the routes of several is not known.
            if let [service] = site.services.as_slice() {
                site.taken(service, stable, findings);
                site.shared(world, service, stable, findings);
            }
        }
    }
}

impl Site<'_, '_> {
    /// Routes of other subsets that take stable's requests.
    fn taken(&self, service: &VirtualService, stable: &Named, findings: &mut Vec<Finding>) {
        for (place, route) in service.routes.iter().enumerate() {
            if !self.leads_away(route, stable) {
                continue;
            }
            let is_left_out = |later: &&Route| !self.leads_away(later, stable) && leads_alike(later, route);
            let left_out = || service.routes.iter().skip(place + 1).filter(is_left_out).collect::<Vec<_>>();
            let is_canarys = route.conditions(self.header).next().is_some();
            for entry in route.matches.iter().flatten().filter(|entry| entry.get("withoutHeaders").is_none()) {
                let node = match condition(entry, self.header) {
                    Some((_, asked)) if asked.get("exact").is_none() => {
                        Some(asked).filter(|asked| is_taken(asked, &stable.subset.header_value))
                    }
                    None if is_canarys && takes_all_of(entry, &left_out(), self.header) => Some(*entry),
                    _ => None,
                };
                let is_there = || service.routes.iter().take(place).all(|earlier| self.passes(earlier, stable, entry));
                let Some(node) = node.filter(|_| is_there()) else { continue };
                let message = format!(
                    "{}: the canary's route takes requests of subset {} too",
                    service.object.title(),
                    stable.subset.name
                );
                findings.push(Finding::new(&TAKES_ALL, &service.object.source, &node.span, message));
            }
        }
    }

    /// Whether all destinations of a route are another subset of the rule.
    fn leads_away(&self, route: &Route, stable: &Named) -> bool {
        let subsets = self.plugin.subsets(self.rule);
        let is_other = |destination: &Destination| {
            let mut others = subsets.iter().filter(|named| named.subset.name != stable.subset.name);
            others.any(|named| destination.is_subset(&named.subset.name))
        };
        !route.destinations.is_empty() && route.destinations.iter().all(is_other)
    }

    /// Whether a route surely leaves requests of stable's to an entry after it: it is for other paths, or for other subsets.
    fn passes(&self, route: &Route, stable: &Named, entry: &Node) -> bool {
        let is_for_others = |earlier: &Node| {
            let is_narrow = ["prefix", "exact"].iter().any(|key| earlier.at(&["uri", key]).is_some());
            condition(earlier, self.header).is_some() || is_narrow && !covers_entry(earlier, Some(entry), self.header)
        };
        !self.may_be_stables(route, stable)
            && route.matches.as_ref().is_some_and(|all| all.iter().all(|one| is_for_others(one)))
    }

    /// Whether a route is, or may be, for stable's value of the header.
    fn may_be_stables(&self, route: &Route, stable: &Named) -> bool {
        route.takes(self.header, &stable.subset.header_value) || route.shuns(self.header)
    }

    /// A default route to all pods of a Service of which a subset is the canary.
    fn shared(&self, world: &World, service: &VirtualService, stable: &Named, findings: &mut Vec<Finding>) {
        let is_default = |route: &Route| takes_everything(route, self.header);
        let Some(place) = service.routes.iter().position(is_default) else { return };
        let earlier = || service.routes.iter().take(place);
        let is_stables = |route: &Route| route.is_delegated() || self.may_be_stables(route, stable);
        let Some(default) = service.routes.get(place).filter(|_| !earlier().any(is_stables)) else { return };
        let canaries = earlier().filter(|route| route.conditions(self.header).next().is_some());
        let canaries: Vec<_> = canaries.flat_map(|route| &route.destinations).collect();
        for destination in default.destinations.iter().filter(|destination| !destination.has_subset()) {
            let is_mixed = |canary: &&&Destination| {
                canary.is_with(destination)
                    && labels_of(world, canary).is_some_and(|labels| may_be_behind(world, destination, &labels))
            };
            let Some((_, subset)) = canaries.iter().find(is_mixed).and_then(|canary| canary.subset) else { continue };
            let (node, host) = destination.host;
            let message = format!("the default route leads to all pods of {host}, those of subset {subset} too");
            findings.push(Finding::new(&WITHOUT_SUBSET, &service.object.source, &node.span, message));
        }
    }
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
