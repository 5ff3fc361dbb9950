//! The gateway that a plugin is for: pods by labels and namespace, or a target in the Gateway API.

use super::unit::Unit;
use crate::world::World;
use crate::world::api_match::Precedence;
use crate::world::labels::Labels;
use crate::world::namespace::ROOT_NAMESPACE;

/// The place of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The namespace of the plugin.
    pub namespace: String,
    /// The labels of the gateway's pods.
    pub labels: Vec<(String, String)>,
    /// The plugin's target in the Gateway API, instead of labels.
    pub aim: Option<Aim>,
}

/// A plugin's target in the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The controller that runs the target.
    pub controller: Controller,
    /// `Gateway` or `Service`.
    pub kind: &'static str,
    pub name: String,
    /// The listeners of a Gateway that all routes name; empty: all of them.
    pub listeners: Vec<String>,
}

/// A gateway controller that can run the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Controller {
    /// Istio, with a WasmPlugin.
    Istio,
    /// Envoy Gateway, with an EnvoyExtensionPolicy.
    EnvoyGateway,
}

impl Controller {
    /// How it orders routes of the Gateway API.
    pub fn precedence(self) -> Precedence {
        match self {
            Controller::Istio => Precedence::Istio,
            Controller::EnvoyGateway => Precedence::EnvoyGateway,
        }
    }
}

impl Home {
    /// The place of a plugin whose target is in its own namespace.
    pub fn aimed(namespace: &str, aim: Aim) -> Home {
        Home { namespace: namespace.to_owned(), labels: Vec::new(), aim: Some(aim) }
    }

    /// Whether one plugin is for both, whichever listeners they are about.
    pub fn is_of(&self, other: &Home) -> bool {
        let target = |home: &Home| home.aim.as_ref().map(|aim| (aim.controller, aim.kind, aim.name.clone()));
        self.namespace == other.namespace && self.labels == other.labels && target(self) == target(other)
    }

    /// Takes the listeners of another one in.
    pub fn widen(&mut self, other: &Home) {
        let (Some(own), Some(theirs)) = (&mut self.aim, &other.aim) else { return };
        if own.listeners.is_empty() || theirs.listeners.is_empty() {
            own.listeners.clear();
            return;
        }
        for listener in &theirs.listeners {
            if !own.listeners.contains(listener) {
                own.listeners.push(listener.clone());
            }
        }
    }

    /// Adds it to others, or to the one of them that is the same.
    pub fn join(&self, homes: &mut Vec<Home>) {
        match homes.iter_mut().find(|home| home.is_of(self)) {
            Some(home) => home.widen(self),
            None => homes.push(self.clone()),
        }
    }
}

/// The label of the gateway pods that `istioctl install` makes.
pub const DEFAULT: (&str, &str) = ("istio", "ingressgateway");

/// The places for the plugins of a unit, one for each gateway. Notes say what was assumed.
pub fn homes(world: &World, unit: &Unit, notes: &mut Vec<String>) -> Vec<Home> {
    let mut homes: Vec<Home> = Vec::new();
    for root in &unit.roots {
        let (gateways, _) = world.gateways_of(root);
        let title = root.object.title();
        let mut add = |labels: &Labels| {
            let home = home(world, labels, notes);
            if !homes.contains(&home) {
                homes.push(home);
            }
        };
        for gateway in gateways.iter().filter(|gateway| !gateway.selector.is_empty()) {
            add(&gateway.selector);
        }
        let missing =
            root.parents.iter().find(|named| !world.has_gateway(named)).map(|named| (named.namespace, named.name));
        if missing.is_none() && gateways.iter().all(|gateway| !gateway.selector.is_empty()) {
            continue;
        }
        add(&Labels::from_iter([DEFAULT]));
        let why = match missing {
            Some((namespace, name)) => {
                let slash = if namespace.is_empty() { "" } else { "/" };
                format!("Gateway {namespace}{slash}{name} of {title} is not given")
            }
            None => format!("a Gateway of {title} has no selector"),
        };
        notes.push(format!(
            "{why}: the plugin is for pods with {}: {}; change spec.selector if that is not the gateway",
            DEFAULT.0, DEFAULT.1
        ));
    }
    homes
}

/// The place of a plugin for pods with these labels: their namespace, as far as pods or Services show it.
/// Otherwise the root namespace, whose plugins reach pods in every namespace.
fn home(world: &World, labels: &Labels, notes: &mut Vec<String>) -> Home {
    let pods = world.workloads.iter().filter(|pods| labels.selects(&pods.labels)).map(|pods| &*pods.object.namespace);
    let is_its = |own: &Labels| labels.selects(own);
    let services = world.services.iter().filter(|service| service.selector.as_ref().is_some_and(is_its));
    let mut known = pods.chain(services.map(|service| &*service.object.namespace)).filter(|name| !name.is_empty());
    let first = known.next();
    let namespace = match first.filter(|first| known.all(|other| other == *first)) {
        Some(namespace) => namespace,
        None => {
            let note = format!(
                "no gateway pods or Service ({labels}) were given, so the plugin goes into {ROOT_NAMESPACE}, where it applies to matching pods in every namespace; change metadata.namespace if the mesh has another root namespace"
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
            ROOT_NAMESPACE
        }
    };
    let labels = labels.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Home { namespace: namespace.to_owned(), labels, aim: None }
}
