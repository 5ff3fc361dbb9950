//! Ingresses with a canary, for ingress-nginx or Higress, which use the same annotations.
//!
//! ```text
//! Ingresses → read (annotations, hosts, paths) → paths (locations, in the order of nginx)
//!           → canary (header, cookie, weight), affinity (cookies), beside (all other annotations)
//!           → tls (servers) → text: Gateway, VirtualService with weights, DestinationRules
//! ```
//!
//! The VirtualService is then converted like any other.

mod affinity;
mod beside;
mod canary;
mod paths;
mod pattern;
mod read;
mod text;
mod tls;

pub use pattern::anywhere;

use super::extra::{Extras, Known};
use super::gateway::DEFAULT;
use super::refusal::Refusal;
use super::rule::unique;
use crate::input::manifest::{Object, Objects};
use crate::input::sources::Source;
use crate::world::World;
use crate::world::labels::Labels;
use paths::Site;
use read::Ingress;
use std::collections::HashSet;
use std::rc::Rc;

/// A generated text that replaces Ingresses.
#[derive(Debug)]
pub struct Made {
    /// The Gateway, VirtualService and DestinationRules.
    pub source: Rc<Source>,
    /// The titles of the replaced Ingresses.
    pub instead_of: Vec<String>,
    /// The hosts that have to move to the new gateway.
    pub hosts: Vec<String>,
}

/// The result for all Ingresses.
#[derive(Debug, Default)]
pub struct Found {
    /// The generated texts.
    pub made: Vec<Made>,
    /// Settings for the VirtualServices in these texts.
    pub extras: Extras,
    /// Objects that could not be converted, with the reason.
    pub refused: Vec<Refusal>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// All Ingresses.
pub fn objects(objects: &Objects) -> Vec<Object> {
    let known = objects.unknown.iter().filter(|unknown| {
        let (group, kind) = unknown.kind();
        kind == "Ingress" && ["networking.k8s.io", "extensions"].contains(&group)
    });
    known.map(|unknown| unknown.object("Ingress")).collect()
}

/// Reads the Ingresses with a canary, and all others for the same hosts.
pub fn of(all: &[Object], world: &World, tag_headers: &[String]) -> Found {
    let mut found = Found::default();
    let ingresses: Vec<Ingress> = all.iter().map(Ingress::of).collect();
    let mut names = HashSet::new();
    for unit in read::units(&ingresses) {
        match read::checked(&unit).and_then(|()| paths::sites(&unit, world, &mut found.notes)) {
            Ok(sites) => {
                for site in &sites {
                    if let Err(refusal) = found.add(site, world, tag_headers, &mut names) {
                        found.refused.push(refusal);
                    }
                }
            }
            Err(refusal) => found.refused.push(refusal),
        }
    }
    found
}

/// The labels of the gateway's pods: from a given Gateway, otherwise those of `istioctl install`.
fn selector<'o>(site: &Site, world: &World<'o>, notes: &mut Vec<String>) -> Labels<'o> {
    let serving = site.hosts.iter().find_map(|host| Some((host, world.serving(host).next()?)));
    if let Some((host, gateway)) = serving {
        notes.push(format!(
            "{} serves {host} already: the Gateway that is made is for the same pods, so remove the host from one of the two",
            gateway.object.title()
        ));
    }
    let classic: Vec<_> = world.gateways.iter().filter(|gateway| !gateway.is_of_api()).collect();
    let only = || if let [only] = classic.as_slice() { Some(*only) } else { None };
    let given = serving.map(|(_, gateway)| gateway).or_else(only).filter(|gateway| !gateway.selector.is_empty());
    given.map_or_else(|| Labels::from_iter([DEFAULT]), |gateway| gateway.selector.clone())
}

impl Found {
    fn add(
        &mut self,
        site: &Site,
        world: &World,
        tag_headers: &[String],
        names: &mut HashSet<String>,
    ) -> Result<(), Refusal> {
        let Some(main) = site.locations.first().map(|location| location.ingress) else { return Ok(()) };
        let mut notes = Vec::new();
        beside::check(site, &mut notes)?;
        let name = unique(&main.object.name, |name| names.contains(&format!("{}/{name}", main.object.namespace)));
        let mut routes = Vec::new();
        let mut known = Vec::new();
        for location in &site.locations {
            let at = routes.len();
            let Some(canary) = &location.canary else {
                routes.push(text::Route { location, canary: None, tag: None });
                continue;
            };
            match canary::tag(canary, tag_headers)? {
                Some(tag) => {
                    routes.push(text::Route { location, canary: None, tag: Some((canary, tag)) });
                }
                None => {
                    let (weights, mut extra) = canary::of(canary, &mut notes)?;
                    affinity::of(location.ingress, canary, &mut extra, &mut notes)?;
                    routes.push(text::Route { location, canary: Some((canary, weights)), tag: None });
                    known.push((at, extra));
                }
            }
        }
        let servers = tls::servers(site, &mut notes)?;
        let rules = affinity::destination_rules(site, world, &mut notes);
        let file = format!("{name}.yaml");
        let selector = selector(site, world, &mut notes);
        let text = text::written(site, &name, &selector, &routes, &servers, &rules);
        names.insert(format!("{}/{name}", main.object.namespace));
        let instead_of = site.ingresses().iter().map(|ingress| ingress.object.title()).collect();
        let hosts = site.hosts.clone();
        self.made.push(Made { source: Rc::new(Source::new(file, text)), instead_of, hosts });
        self.extras.0.push(Known {
            service: (main.object.namespace.clone(), name),
            origin: Some(main.object.clone()),
            routes: known,
            ..Known::default()
        });
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(())
    }
}
