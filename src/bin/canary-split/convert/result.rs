//! All that was converted, and what was not.

use super::around;
use super::extra::{Extras, Leave};
use super::gateway::{self, Controller, Home};
use super::gateway_api::{self, Edited, Planned, attached::Gateways, read};
use super::higress::Tag;
use super::origins::Origins;
use super::others;
use super::plan::{self, Plan};
use super::plugin::Plugins;
use super::refusal::Refusal;
use super::rule::Rule;
use super::sticky::{self, Sticky};
use super::texts::Texts;
use super::unit;
use super::weighted;
use crate::cluster::manager::Manager;
use crate::input::manifest::{Identity, Object, Objects};
use crate::world::World;
use crate::world::routing::VirtualService;
use std::collections::HashMap;
use std::rc::Rc;

/// What became of all routes.
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
    /// What has to leave before the routes are applied, and how it comes back.
    pub leaves: Vec<Leave>,
}

/// Converts all that can be converted.
pub fn of(
    objects: &Objects,
    origins: &Origins,
    stable: Option<&str>,
    sticky: &[Sticky],
    controller: Option<Controller>,
) -> Converted {
    let world = World::of(objects);
    let extras = &origins.extras;
    let mut done = Converted {
        plugins: Plugins::default(),
        services: Vec::new(),
        texts: Texts::of(objects, &origins.made),
        refused: origins.refused.clone(),
        notes: origins.notes.clone(),
        leaves: Vec::new(),
    };
    let (units, orphans) = unit::all(&world);
    for service in orphans {
        done.refuse_orphan(service);
    }
    let twice = twice(objects);
    for unit in units {
        let origin = unit.roots.iter().find_map(|root| extras.of(root.object)?.origin.as_ref());
        let again = unit.members().find_map(|service| Some((service, *twice.get(&service.object.identity())?)));
        let planned = match again {
            Some((service, first)) => Err(Refusal::at(service.object, &service.object.node, twice_reason(first))),
            None => plan::of(objects, &world, unit, stable, extras),
        };
        match planned.and_then(|plan| plan.map_or(Ok(()), |plan| done.add(objects, &world, plan, extras))) {
            Ok(()) => {}
            Err(refusal) => done.refused.push(match origin {
                Some(origin) => refusal.of(origin),
                None => refusal,
            }),
        }
    }
    done.add_routes(objects, stable, sticky, controller);
    done.keep_whole(origins);
    for tag in &origins.tags {
        done.add_tag(tag, &world, origins.made.is_empty());
    }
    if !done.services.is_empty() {
        let around: Vec<String> =
            done.plugins.0.iter().flat_map(|plugin| around::notes(objects, &world, plugin)).collect();
        done.note(around);
        done.notes.extend(done.plugins.0.iter().map(others::replaced));
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
    fn add(&mut self, objects: &Objects, world: &World, plan: Plan, extras: &Extras) -> Result<(), Refusal> {
        let Some(root) = plan.unit.roots.first().map(|root| root.object) else { return Ok(()) };
        let mut texts = self.texts.clone();
        texts.convert(objects, &plan, extras)?;
        let mut notes = Vec::new();
        let homes = gateway::homes(world, &plan.unit, &mut notes);
        let rules = self.plugins.add(&homes, plan.rules, &root.namespace);
        let rules =
            rules.map_err(|reason| Refusal::at(root, root.at(&["spec", "hosts"]).unwrap_or(&root.node), reason))?;
        self.texts = texts;
        notes.extend(plan.notes);
        for (service, _) in &plan.routes {
            let known = extras.of(service.object);
            let origin = known.and_then(|known| known.origin.as_ref()).unwrap_or(service.object);
            self.services.push((origin.title(), rules.clone()));
            notes.extend(managed(service.object));
            self.leaves.extend(known.and_then(|known| known.leaves.clone()));
        }
        self.note(notes);
        Ok(())
    }

    /// The routes of the Gateway API.
    fn add_routes(
        &mut self,
        objects: &Objects,
        stable: Option<&str>,
        sticky: &[Sticky],
        controller: Option<Controller>,
    ) {
        let given = read::objects(objects);
        let mut routes = Vec::new();
        for (at, object) in given.iter().enumerate() {
            match given.iter().take(at).find(|earlier| earlier.identity() == object.identity()) {
                None => routes.push(read::Route::of(object)),
                Some(first) => self.refused.push(Refusal::at(object, &object.node, twice_reason(first))),
            }
        }
        let (units, refused) = gateway_api::all(routes, &Gateways::of(objects, controller));
        self.refused.extend(refused);
        for unit in units {
            let planned = gateway_api::plan(objects, &unit, stable);
            let done = planned
                .and_then(|planned| planned.map_or(Ok(()), |planned| self.add_planned(objects, planned, sticky)));
            self.refused.extend(done.err());
        }
    }

    fn add_planned(&mut self, objects: &Objects, planned: Planned, sticky: &[Sticky]) -> Result<(), Refusal> {
        let Some(Edited { object: first, .. }) = planned.routes.first() else { return Ok(()) };
        let mut texts = self.texts.clone();
        for Edited { object, edits, .. } in &planned.routes {
            texts.edit(objects, object, edits)?;
        }
        let rules = self.plugins.add(&planned.homes, planned.rules, &first.namespace);
        let hosts = first.at(&["spec", "hostnames"]).unwrap_or(&first.node);
        let rules = rules.map_err(|reason| Refusal::at(first, hosts, reason))?;
        self.texts = texts;
        let mut notes = planned.notes;
        for Edited { object, rules: own, .. } in &planned.routes {
            let own = own.iter().filter_map(|at| rules.get(*at).cloned());
            self.services.push((object.title(), own.collect()));
            notes.extend(managed(object));
        }
        let is_in_mesh = |home: &Home| home.aim.as_ref().is_some_and(|aim| aim.kind == "Service");
        if planned.homes.iter().any(is_in_mesh) {
            notes.extend(sticky::without_cookies(sticky, "callers inside the mesh"));
        } else if planned.routes.iter().any(|route| route.object.kind == "GRPCRoute") {
            notes.extend(sticky::without_cookies(sticky, "gRPC clients"));
        }
        self.note(notes);
        Ok(())
    }

    /// Texts that were made, and in which nothing has weights, are a part of the result as they are.
    fn keep_whole(&mut self, origins: &Origins) {
        for (made, known) in origins.made.iter().zip(&origins.extras.0).filter(|(_, known)| known.routes.is_empty()) {
            let Some(origin) = &known.origin else { continue };
            let text = self.texts.0.iter_mut().find(|text| Rc::ptr_eq(&text.old, &made.source));
            if let Some(text) = text {
                let slash = if known.service.0.is_empty() { "" } else { "/" };
                text.edited.push(format!("VirtualService {}{slash}{}", known.service.0, known.service.1));
                self.services.push((origin.title(), Vec::new()));
            }
        }
    }

    /// The rules of a plugin that tagged requests; its routes stay as they are.
    fn add_tag(&mut self, tag: &Tag, world: &World, is_here: bool) {
        let mut notes = tag.notes.clone();
        let homes = tag.homes(world, &mut notes);
        match self.plugins.add_with(&homes, &tag.header, &tag.rules) {
            Ok(()) => self.services.push((tag.title(), tag.rules.clone())),
            Err(reason) => return self.refused.push(Refusal::at(&tag.object, &tag.object.node, reason)),
        }
        self.note(notes);
        // At the old gateway it goes on.
        if is_here {
            self.leaves.push(tag.leaves());
        }
    }

    fn note(&mut self, notes: Vec<String>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// A VirtualService that is a part of one that is not given.
    fn refuse_orphan(&mut self, service: &VirtualService) {
        let reason = "it has no hosts, and no VirtualService that delegates to it is given";
        match weighted::of(service.object, None) {
            Ok(found) if found.routes.is_empty() => {}
            Ok(found) => {
                let node = found.routes.first().map_or(&service.object.node, |route| route.node);
                self.refused.push(Refusal::at(service.object, node, reason));
            }
            Err(refusal) => self.refused.push(refusal),
        }
    }
}

fn twice_reason(first: &Object) -> String {
    format!("it is there twice, first at {}; convert one version at a time", first.place())
}

/// The first version of each VirtualService that is given more than once.
fn twice(objects: &Objects) -> HashMap<Identity<'_>, &Object> {
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
