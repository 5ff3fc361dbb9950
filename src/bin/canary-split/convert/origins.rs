//! Other sources of weights, read before the VirtualServices: Ingresses, traffic-tag plugins, Canaries and Rollouts.

use super::extra::Extras;
use super::higress::{self, Tag};
use super::ingress::{self, Made};
use super::leaving;
use super::refusal::Refusal;
use crate::input::manifest::Objects;
use crate::input::sources::Source;
use crate::world::World;
use canary_split::rollout::ramp::Second;
use std::rc::Rc;

/// The result of reading these sources.
#[derive(Debug, Default)]
pub struct Origins {
    /// Generated texts with VirtualServices, which replace Ingresses.
    pub made: Vec<Made>,
    /// Settings for VirtualServices, given or generated.
    pub extras: Extras,
    /// The traffic-tag plugins.
    pub tags: Vec<Tag>,
    /// Objects that could not be converted, with the reason.
    pub refused: Vec<Refusal>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Reads all sources. Canaries and Rollouts count only if `leave` is set; it holds the start of their ramps, if known.
pub fn of(objects: &Objects, leave: Option<Option<Second>>) -> Origins {
    let world = World::of(objects);
    let mut origins = Origins::default();
    for tag in higress::of(objects) {
        match tag {
            Ok(tag) => origins.tags.push(tag),
            Err(refusal) => origins.refused.push(refusal),
        }
    }
    let headers: Vec<String> = origins.tags.iter().map(|tag| tag.header.clone()).collect();
    let ingresses = ingress::of(&ingress::objects(objects), &world, &headers);
    origins.made = ingresses.made;
    origins.extras = ingresses.extras;
    origins.refused.extend(ingresses.refused);
    origins.notes.extend(ingresses.notes);
    if let Some(start) = leave {
        let left = leaving::of(objects, &world, start);
        origins.extras.0.extend(left.extras.0);
        origins.refused.extend(left.refused);
        origins.notes.extend(left.notes);
    }
    origins
}

impl Origins {
    /// Whether no such source was found.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.extras.0.is_empty() && self.tags.is_empty() && self.refused.is_empty()
    }

    /// The generated texts.
    pub fn sources(&self) -> Vec<Rc<Source>> {
        self.made.iter().map(|made| Rc::clone(&made.source)).collect()
    }
}
