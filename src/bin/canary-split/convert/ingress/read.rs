//! Reads one Ingress, and groups those that belong together.

use super::super::owner;
use super::super::refusal::Refusal;
use crate::input::manifest::Object;
use crate::input::yaml::{Key, Node};

/// The prefixes of annotations: ingress-nginx's, which Higress reads too, and Higress's own.
const PREFIXES: [&str; 2] = ["nginx.ingress.kubernetes.io/", "higress.io/"];

/// The most characters of a value that a message shows.
const LONGEST: usize = 60;

#[derive(Debug)]
pub struct Ingress<'o> {
    /// The Ingress as it was read.
    pub object: &'o Object,
    /// Whether it is the canary of another Ingress.
    pub is_canary: bool,
}

/// An annotation.
#[derive(Clone, Copy, Debug)]
pub struct Said<'o> {
    /// The full name.
    pub key: &'o Key,
    /// The name without the prefix.
    pub name: &'o str,
    /// The value.
    pub node: &'o Node,
    /// The value as text; empty if it is not text.
    pub text: &'o str,
}

impl Said<'_> {
    /// Whether the value means true.
    pub fn is_true(&self) -> bool {
        ["true", "True", "TRUE", "1", "t", "T"].contains(&self.text)
    }

    /// The name and value for a message. The value is cut if it is long, and left out if it may be secret.
    fn shown(&self) -> String {
        let name = &self.key.name;
        // Snippets may contain passwords, and so may the values that headers are compared with.
        if name.ends_with("-snippet") || name.ends_with("-pattern") || name.ends_with("-value") {
            return name.to_string();
        }
        let text: String = self.text.chars().take(LONGEST).collect();
        let end = if text.len() < self.text.len() { "…" } else { "" };
        format!("{name} {:?}", format!("{text}{end}"))
    }

    /// Whether the value means false.
    pub fn is_false(&self) -> bool {
        ["false", "False", "FALSE", "0", "f", "F"].contains(&self.text)
    }
}

impl<'o> Ingress<'o> {
    /// Reads an Ingress.
    pub fn of(object: &'o Object) -> Ingress<'o> {
        let is_canary = said(object).find(|said| said.name == "canary").is_some_and(|said| said.is_true());
        Ingress { object, is_canary }
    }

    /// All annotations for the ingress controller.
    pub fn annotations(&self) -> impl Iterator<Item = Said<'o>> + use<'o> {
        said(self.object)
    }

    /// The annotation with this name, if its value is not empty.
    pub fn get(&self, name: &str) -> Option<Said<'o>> {
        self.annotations().find(|said| said.name == name && !said.text.is_empty())
    }

    /// Refuses the Ingress because of an annotation.
    pub fn refuse(&self, said: &Said, reason: &str) -> Refusal {
        let reason = format!("{}: {reason}", said.shown());
        Refusal::at_byte(self.object, said.key.span.start, reason)
    }

    /// `FILE:LINE: Ingress NAMESPACE/NAME: KEY "VALUE" SAYS`
    pub fn note(&self, said: &Said, says: &str) -> String {
        let (line, _) = self.object.source.position(said.key.span.start);
        let (file, title) = (&self.object.source.name, self.object.title());
        format!("{file}:{line}: {title}: {} {says}", said.shown())
    }

    /// Hosts with their entries in `spec.rules`; `*` is every host.
    pub fn rules(&self) -> Vec<(String, &'o Node)> {
        let rules = self.object.items(&["spec", "rules"]).iter();
        let host = |rule: &Node| {
            rule.get("host").and_then(Node::text).filter(|host| !host.is_empty()).unwrap_or("*").to_ascii_lowercase()
        };
        rules.map(|rule| (host(rule), rule)).collect()
    }

    /// All hosts. An Ingress with only a default backend has the host `*`.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.rules().into_iter().map(|(host, _)| host).collect();
        if hosts.is_empty() && self.object.at(&["spec", "defaultBackend"]).is_some() {
            hosts.push("*".to_owned());
        }
        hosts
    }
}

fn said(object: &Object) -> impl Iterator<Item = Said<'_>> + use<'_> {
    let all = object.at(&["metadata", "annotations"]).map_or(&[][..], Node::entries);
    all.iter().filter_map(|(key, node)| {
        let name = PREFIXES.iter().find_map(|prefix| key.name.strip_prefix(prefix))?;
        Some(Said { key, name, node, text: node.text().unwrap_or_default().trim() })
    })
}

/// Groups of Ingresses that share hosts. Groups without a canary are left out.
pub fn units<'i, 'o>(all: &'i [Ingress<'o>]) -> Vec<Vec<&'i Ingress<'o>>> {
    let mut units: Vec<Vec<&Ingress>> = Vec::new();
    for ingress in all {
        let hosts = ingress.hosts();
        let is_near =
            |unit: &Vec<&Ingress>| unit.iter().any(|other| other.hosts().iter().any(|host| hosts.contains(host)));
        let (near, mut others): (Vec<_>, Vec<_>) = units.into_iter().partition(is_near);
        let mut unit: Vec<&Ingress> = near.into_iter().flatten().collect();
        unit.push(ingress);
        others.push(unit);
        units = others;
    }
    units.retain(|unit| unit.iter().any(|ingress| ingress.is_canary));
    units
}

/// Refuses old API versions, canaries that a controller owns, and annotations that are not text.
pub fn checked(unit: &[&Ingress]) -> Result<(), Refusal> {
    for ingress in unit {
        let object = ingress.object;
        let version = object.at(&["apiVersion"]).unwrap_or(&object.node);
        if version.text() != Some("networking.k8s.io/v1") {
            let reason = format!("{} is no longer served; write it as networking.k8s.io/v1", version.to_json());
            return Err(Refusal::at(object, version, reason));
        }
        if let Some(owner) = owner::own_marks(object).filter(|_| ingress.is_canary) {
            let reason = format!(
                "{} owns this canary ({}), and would write its weight again; when it has left, remove that and convert again",
                owner.name, owner.by
            );
            return Err(Refusal::at(object, owner.node.unwrap_or(&object.node), reason));
        }
        if let Some(unquoted) = ingress.annotations().find(|said| said.node.text().is_none()) {
            let reason = format!("{} is no text, as annotations are; put it in quotes", unquoted.node.to_json());
            return Err(Refusal::at(object, unquoted.node, format!("{}: {reason}", unquoted.key.name)));
        }
    }
    Ok(())
}
