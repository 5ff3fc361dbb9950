//! All that was converted, and what was not.

use super::gateway;
use super::plan::{self, Plan};
use super::plugin::Plugins;
use super::refusal::Refusal;
use super::rule::Rule;
use super::sticky::{self, Sticky};
use super::texts::Texts;
use super::unit;
use super::weighted;
use crate::cluster::manager::Manager;
use crate::input::manifest::{Object, Objects};
use crate::world::World;
use crate::world::routing::VirtualService;
use std::collections::HashMap;

/// What became of all VirtualServices.
#[derive(Debug)]
pub struct Converted {
    /// The plugins, one for each gateway.
    pub plugins: Plugins,
    /// What was converted, and by which rules it goes now.
    pub services: Vec<(String, Vec<Rule>)>,
    /// The texts with the routes.
    pub texts: Texts,
    /// What was not.
    pub refused: Vec<Refusal>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Converts all that can be converted.
pub fn of(objects: &Objects, stable: Option<&str>, sticky: &[Sticky]) -> Converted {
    let world = World::of(objects);
    let mut done = Converted {
        plugins: Plugins::default(),
        services: Vec::new(),
        texts: Texts::of(objects),
        refused: Vec::new(),
        notes: Vec::new(),
    };
    let (units, orphans) = unit::all(&world);
    for service in orphans {
        done.refuse_orphan(service);
    }
    let twice = twice(objects);
    for unit in units {
        let again = unit.members().find_map(|service| Some((service, *twice.get(&service.object.identity())?)));
        let planned = match again {
            Some((service, first)) => {
                let reason = format!("it is there twice, first at {}; convert one version at a time", first.place());
                Err(Refusal::at(service.object, &service.object.node, reason))
            }
            None => plan::of(objects, &world, unit, stable),
        };
        match planned.and_then(|plan| plan.map_or(Ok(()), |plan| done.add(objects, &world, plan))) {
            Ok(()) => {}
            Err(refusal) => done.refused.push(refusal),
        }
    }
    if !done.services.is_empty() {
        done.notes.extend(sticky::notes(sticky));
        let rendered = done.texts.edited().filter_map(|text| text.old.rendered_from.as_ref());
        let rendered = rendered.map(|folder| {
            let folder = folder.display();
            format!("the routes are rendered from {folder}: edit them where that has them from, or they are undone with its next apply")
        });
        let rendered: Vec<String> = rendered.collect();
        done.notes.extend(rendered);
    }
    done
}

impl Converted {
    fn add(&mut self, objects: &Objects, world: &World, plan: Plan) -> Result<(), Refusal> {
        let Some(root) = plan.unit.roots.first().map(|root| root.object) else { return Ok(()) };
        let mut texts = self.texts.clone();
        texts.convert(objects, &plan)?;
        let mut notes = Vec::new();
        let homes = gateway::homes(world, &plan.unit, &mut notes);
        let rules = self.plugins.add(&homes, plan.rules, &root.namespace);
        let rules =
            rules.map_err(|reason| Refusal::at(root, root.at(&["spec", "hosts"]).unwrap_or(&root.node), reason))?;
        self.texts = texts;
        notes.extend(plan.notes);
        for (service, _) in &plan.routes {
            self.services.push((service.object.title(), rules.clone()));
            notes.extend(managed(service.object));
        }
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(())
    }

    /// A VirtualService that is a part of one that is not given.
    fn refuse_orphan(&mut self, service: &VirtualService) {
        let reason = "it has no hosts, and no VirtualService that delegates to it is given";
        match weighted::of(service.object) {
            Ok(found) if found.routes.is_empty() => {}
            Ok(found) => {
                let node = found.routes.first().map_or(&service.object.node, |route| route.node);
                self.refused.push(Refusal::at(service.object, node, reason));
            }
            Err(refusal) => self.refused.push(refusal),
        }
    }
}

/// The first version of each VirtualService that is given more than once.
fn twice(objects: &Objects) -> HashMap<(&str, &str, &str), &Object> {
    let mut first = HashMap::new();
    let mut twice = HashMap::new();
    for object in objects.of_kind("VirtualService") {
        if let Some(first) = first.insert(object.identity(), object) {
            twice.insert(object.identity(), first);
        }
    }
    twice
}

/// Who applies it, and would take an edit back that is made elsewhere.
fn managed(object: &Object) -> Option<String> {
    let value = serde_json::from_str(&object.node.to_json()).ok()?;
    let manager = Manager::of(&value)?;
    Some(format!(
        "{} is applied by {}: edit it where that has it from",
        object.title(),
        match manager {
            Manager::ArgoCd => "Argo CD",
            Manager::Flux => "Flux",
            Manager::Helm => "Helm",
        }
    ))
}
