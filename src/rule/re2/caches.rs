//! The states of all regexes of a VM, within one limit: the requests decide which regexes need them.

use super::dfa::Dfa;
use super::program::Program;
use std::cell::{Cell, RefCell};

/// The most bytes of all states together.
const MAX_MEMORY: usize = 8 << 20;
/// The most regexes that have states.
const MAX_REGEXES: usize = 2048;

thread_local! {
    static CACHES: RefCell<Caches> = RefCell::default();
}

/// The owner of these states, and their last place.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    number: u64,
    slot: Cell<usize>,
}

#[derive(Default)]
struct Caches {
    slots: Vec<Slot>,
    /// The number of owners so far.
    owners: u64,
    /// The bytes that all of them take.
    memory: usize,
    /// The next one to check when there is no room.
    hand: usize,
}

struct Slot {
    owner: u64,
    /// Used since the hand was last here.
    used: bool,
    memory: usize,
    dfa: Dfa,
}

impl Owner {
    pub(super) fn new() -> Owner {
        CACHES.with_borrow_mut(|caches| {
            caches.owners += 1;
            Owner { number: caches.owners, slot: Cell::new(usize::MAX) }
        })
    }

    /// Whether a value matches, with the states that exist.
    pub(super) fn is_match(&self, program: &Program, limit: usize, value: &[u8]) -> bool {
        CACHES.with_borrow_mut(|caches| caches.is_match(self, program, limit, value))
    }
}

impl Caches {
    fn is_match(&mut self, owner: &Owner, program: &Program, limit: usize, value: &[u8]) -> bool {
        let known = self.slots.get(owner.slot.get()).is_some_and(|slot| slot.owner == owner.number);
        if !known {
            owner.slot.set(self.insert(owner.number, Dfa::new(program, limit)));
        }
        let Some(slot) = self.slots.get_mut(owner.slot.get()) else { return false };
        slot.used = true;
        let matches = slot.dfa.is_match(program, value);
        let memory = slot.dfa.memory();
        self.memory = self.memory + memory - slot.memory;
        slot.memory = memory;
        if self.memory > MAX_MEMORY {
            self.make_room();
        }
        matches
    }

    fn insert(&mut self, owner: u64, dfa: Dfa) -> usize {
        let slot = Slot { owner, used: true, memory: 0, dfa };
        if self.slots.len() < MAX_REGEXES {
            self.slots.push(slot);
            return self.slots.len() - 1;
        }
        let at = self.unused();
        if let Some(old) = self.slots.get_mut(at) {
            self.memory -= old.memory;
            *old = slot;
        }
        at
    }

    /// The next one that has not been used since the hand was last there.
    fn unused(&mut self) -> usize {
        loop {
            let at = self.hand % self.slots.len().max(1);
            self.hand = at + 1;
            match self.slots.get_mut(at) {
                Some(slot) if slot.used => slot.used = false,
                _ => return at,
            }
        }
    }

    #[cold]
    fn make_room(&mut self) {
        while self.memory > MAX_MEMORY / 2 && !self.slots.is_empty() {
            let at = self.unused();
            self.memory -= self.slots.swap_remove(at).memory;
        }
    }
}
