//! On which gateway a plugin has to be: the labels of its pods and their namespace, or a Gateway of the Gateway API.

use super::unit::Unit;
use crate::world::World;
use crate::world::labels::Labels;
use crate::world::namespace::ROOT_NAMESPACE;

/// Where a plugin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The namespace of the gateway's pods.
    pub namespace: String,
    /// Their labels.
    pub labels: Vec<(String, String)>,
    /// What the plugin aims at instead of labels.
    pub aim: Option<Aim>,
}

/// What a plugin aims at in the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Who runs it.
    pub controller: Controller,
    /// `Gateway` or `Service`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// A controller of gateways that runs the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Controller {
    /// By a WasmPlugin.
    Istio,
    /// By an EnvoyExtensionPolicy.
    EnvoyGateway,
}

impl Home {
    /// Of a plugin that aims at something in its namespace.
    pub fn aimed(namespace: &str, aim: Aim) -> Home {
        Home { namespace: namespace.to_owned(), labels: Vec::new(), aim: Some(aim) }
    }
}

/// The label of the gateway that `istioctl install` makes.
pub const DEFAULT: (&str, &str) = ("istio", "ingressgateway");

/// The gateways of a unit.
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

/// The namespace of pods with these labels, if pods or a Service tell it; else the root namespace, whose plugins are on pods anywhere.
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
                "the plugin is in {ROOT_NAMESPACE}, from where it is on gateway pods ({labels}) of every namespace; change metadata.namespace if the mesh has another root namespace"
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
