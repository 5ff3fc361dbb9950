//! `--leave`: Flagger or Argo Rollouts goes away, and the filter does what its Canary or Rollout said of weights.

mod argo;
mod flagger;
mod ramp;
mod said;

use super::extra::Extras;
use super::refusal::Refusal;
use crate::input::manifest::Objects;
use crate::world::World;
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
