//! One look at every gateway pod that a plugin is on.

use super::inventory::Inventory;
use super::look::{self, Look, Question, Silence};
use super::pods::{self, Pod};
use crate::world::World;
use kube::Client;
use std::collections::HashMap;

/// The answers of the gateway pods, by `NAMESPACE/NAME`.
pub type Looks = HashMap<String, Result<Look, Silence>>;

/// Looks at all of them.
///
/// # Errors
///
/// If the user may not ask them.
pub async fn take(client: &Client, inventory: &Inventory) -> Result<Looks, Silence> {
    let world = World::of(&inventory.objects);
    let pods = gateway_pods(&world, inventory);
    let mut looks = Looks::new();
    for (pod, look) in pods.iter().zip(look::at_all(client, &pods, Question::Arrived).await) {
        match look {
            Err(forbidden @ Silence::Forbidden(_)) => return Err(forbidden),
            Err(Silence::Gone) => {}
            look => {
                looks.insert(pod.title(), look);
            }
        }
    }
    Ok(looks)
}

/// The pods that the plugins are on, each once.
fn gateway_pods<'i>(world: &World, inventory: &'i Inventory) -> Vec<&'i Pod> {
    let mut all: Vec<&Pod> =
        world.plugins.iter().flat_map(|plugin| pods::of_plugin(plugin, world, &inventory.pods)).collect();
    all.sort_by_key(|pod| pod.title());
    all.dedup_by_key(|pod| pod.title());
    all
}
