//! `--leave`: Flagger or Argo Rollouts goes away, and the filter does what its Canary or Rollout said of weights.

mod argo;
mod flagger;
mod ramp;

use super::extra::Extras;
use super::refusal::Refusal;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::{Key, Node};
use crate::world::World;
use crate::world::namespace::is_same_namespace;
use crate::world::routing::VirtualService;
use canary_split::rollout::ramp::Second;

/// What is left.
#[derive(Debug, Default)]
pub struct Left {
    /// What is known of their VirtualServices.
    pub extras: Extras,
    /// What is not converted.
    pub refused: Vec<Refusal>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Reads all Canaries and Rollouts; `start`: when their plans begin.
pub fn of(objects: &Objects, world: &World, start: Option<Second>) -> Left {
    let mut left = Left::default();
    let canaries = objects.unknown.iter().filter(|unknown| unknown.kind() == ("flagger.app", "Canary"));
    for canary in canaries.map(|unknown| unknown.object("Canary")) {
        let mut notes = Vec::new();
        match flagger::of(&canary, world, start, &mut notes) {
            Ok(known) => {
                left.extras.0.push(known);
                left.notes.extend(notes);
            }
            Err(refusal) => left.refused.push(refusal),
        }
    }
    for rollout in objects.of_kind("Rollout") {
        let mut notes = Vec::new();
        match argo::of(rollout, world, start, &mut notes) {
            Ok(known) => {
                left.extras.0.extend(known);
                left.notes.extend(notes);
            }
            Err(refusal) => left.refused.push(refusal),
        }
    }
    left
}

/// A VirtualService by its name.
fn named<'w, 'o>(world: &'w World<'o>, namespace: &str, name: &str) -> Option<&'w VirtualService<'o>> {
    world
        .virtual_services
        .iter()
        .find(|service| service.object.name == name && is_same_namespace(&service.object.namespace, namespace))
}

/// `FILE:LINE: OBJECT: WHAT SAYS`
fn note(object: &Object, at: usize, says: &str) -> String {
    let (line, _) = object.source.position(at);
    format!("{}:{line}: {}: {says}", object.source.name, object.title())
}

/// Notes what these fields say and nothing will do.
fn lost(object: &Object, node: &Node, table: &[(&str, &str)], notes: &mut Vec<String>) {
    let said = |name: &str| node.entries().iter().find(|(key, _)| *key.name == *name);
    for (name, says) in table {
        let Some((Key { span, .. }, _)) = said(name) else { continue };
        notes.push(note(object, span.start, &format!("{name} is not converted: {says}")));
    }
}

/// A number, also one that is written as text.
fn whole(node: &Node) -> Option<u32> {
    node.number().or_else(|| node.text()?.parse().ok())
}
