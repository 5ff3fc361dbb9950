//! `--leave`: the filter takes over from Flagger or Argo Rollouts, as the Canary or Rollout says.

mod argo;
mod flagger;
mod ramp;
mod said;

use super::extra::Extras;
use super::refusal::Refusal;
use crate::input::manifest::Objects;
use crate::world::World;
use canary_split::rollout::ramp::Second;

/// The result for all Canaries and Rollouts.
#[derive(Debug, Default)]
pub struct Left {
    /// Settings for their VirtualServices.
    pub extras: Extras,
    /// Objects that could not be converted, with the reason.
    pub refused: Vec<Refusal>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Reads all Canaries and Rollouts. `start`: the start of their ramps; `None`: the ramps wait for `set --resume`.
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
