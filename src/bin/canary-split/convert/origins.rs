//! What has weights besides VirtualServices, read before these.

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

/// All of it.
#[derive(Debug, Default)]
pub struct Origins {
    /// Texts with VirtualServices.
    pub made: Vec<Made>,
    /// What is known of VirtualServices, those in the texts too.
    pub extras: Extras,
    /// Plugins that tag requests.
    pub tags: Vec<Tag>,
    /// What is not converted.
    pub refused: Vec<Refusal>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Reads it. `leave`: controllers go away, and the ramp begins then.
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
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.extras.0.is_empty() && self.tags.is_empty() && self.refused.is_empty()
    }

    /// The texts.
    pub fn sources(&self) -> Vec<Rc<Source>> {
        self.made.iter().map(|made| Rc::clone(&made.source)).collect()
    }
}
