//! Whether pods listen where a port of their Service leads to.

use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::labels::Labels;
use crate::world::routing::Destination;
use crate::world::service::{Service, Target, Workload};

const NOBODY: Code = Code {
    name: "nobody-listens",
    severity: Severity::Error,
    why: "a port of a Service lists all of its pods, whether or not they listen there; visitors of the subset get 503",
    fix: "name the port of the Service that leads to the port of the subset's pods",
};

const SOME: Code = Code {
    name: "not-all-listen",
    severity: Severity::Warning,
    why: "a port of a Service lists all of its pods, whether or not they listen there: requests that get to the others fail with 503",
    fix: "let all pods that the Service or the subset selects listen at this port, or select fewer of them",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&NOBODY, &SOME];

/// Whether the pods listen where the port leads to.
pub fn check(
    world: &World,
    routing: &Object,
    (node, number): (&Node, u32),
    target: Target,
    destination: &Destination,
    service: &Service,
    findings: &mut Vec<Finding>,
) {
    let rules = world.rules_of(destination);
    let labels = match destination.subset {
        Some((_, name)) => {
            let subsets: Vec<_> = rules.iter().filter_map(|rule| rule.subset(name)).collect();
            let [subset] = subsets.as_slice() else { return };
            let Some(labels) = subset.get("labels").and_then(Labels::of) else { return };
            labels
        }
        // Versions that are told apart may well listen at ports of their own.
        None if destination.has_subset() || rules.iter().any(|rule| rule.subsets().next().is_some()) => return,
        None => Labels::default(),
    };
    let Some(all) = world.pods_of(service, &labels) else { return };
    let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|pods| labels.selects(&pods.labels));
    // A container may listen at ports that it does not declare. That is unlikely at a port that another subset declares.
    let may_listen = |pods: &Workload, others: &[&Workload]| match target {
        _ if pods.declares(target) => true,
        Target::Number(port) => pods.may_listen(port) || !others.iter().any(|other| other.declares(target)),
        Target::Name(_) => false,
    };
    let port = match target {
        Target::Number(port) => port.to_string(),
        Target::Name(name) => name.to_owned(),
    };
    let finding = |code, title: &str, pods: &[&Workload]| {
        let ports: Vec<_> = pods.iter().flat_map(|pods| pods.ports()).map(|(port, _)| port.to_string()).collect();
        let has = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
        let message = format!("port {number} leads to port {port} of pods, and those of {title} have {has}");
        Finding::new(code, &routing.source, &node.span, message)
    };
    if own.is_empty() {
        return;
    }
    if !own.iter().any(|pods| may_listen(pods, &others)) {
        let title = destination.subset.map(|(_, name)| format!("subset {name}"));
        findings.extend(title.map(|title| finding(&NOBODY, &title, &own)));
    } else if let Target::Number(_) = target {
        // Of those without a port of this name no Service lists any.
        let mut deaf = own.iter().copied().filter(|pods| pods.is_serving() && !may_listen(pods, &own));
        findings.extend(deaf.next().map(|deaf| finding(&SOME, &deaf.object.title(), &[deaf])));
    }
}
