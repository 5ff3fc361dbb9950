//! What this VM knows across configs; it serves one thread.

use super::rollouts::Rollouts;
use crate::reload::{Counts, Served};
use crate::split::Draw;
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    /// RandomState takes its keys from the host's random source; fastrand alone would be seeded by the clock.
    static RANDOM: RefCell<fastrand::Rng> =
        RefCell::new(fastrand::Rng::with_seed(RandomState::new().build_hasher().finish()));

    /// What outlives configs: a VM serves one thread.
    static VM: RefCell<Vm> = RefCell::default();
}

#[derive(Default)]
struct Vm {
    id: Option<u64>,
    plugins: Vec<Known>,
}

/// What a VM knows about a plugin.
#[derive(Default)]
pub(super) struct Known {
    name: String,
    /// The generation of the config that this VM received last; 0: none yet.
    pub(super) seen: u64,
    /// Its configs that are alive here; an old one ends with its last request.
    pub(super) alive: Vec<Alive>,
    /// What changes the weights of the newest one.
    pub(super) rollouts: Rollouts,
}

/// A config that is alive.
#[derive(Clone)]
pub(super) struct Alive {
    /// Its root context.
    pub(super) id: u32,
    pub(super) generation: u64,
    pub(super) headers: String,
    pub(super) counts: Counts,
    /// Kept while the config lives, so that it can be served again.
    pub(super) served: Served,
}

/// Reads or changes what this VM knows about a plugin.
pub(super) fn known<T: Default>(plugin: &str, change: impl FnOnce(&mut Known) -> T) -> T {
    VM.with_borrow_mut(|vm| {
        if !vm.plugins.iter().any(|known| known.name == plugin) {
            vm.plugins.push(Known { name: plugin.to_owned(), ..Known::default() });
        }
        vm.plugins.iter_mut().find(|known| known.name == plugin).map(change).unwrap_or_default()
    })
}

/// A number by which this VM recognises its own entries.
pub(super) fn vm_id() -> u64 {
    VM.with_borrow_mut(|vm| *vm.id.get_or_insert_with(|| RANDOM.with_borrow_mut(|random| random.u64(..))))
}

/// A random draw.
pub(super) fn fresh() -> Draw {
    Draw(RANDOM.with_borrow_mut(|random| random.u32(..)))
}
