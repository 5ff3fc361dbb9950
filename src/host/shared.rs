//! What the VMs of a gateway share: the state and the trips of each plugin, and the list of live plugins.

use super::envoy::now;
use crate::reload::plugins::Plugins;
use crate::reload::trips::Trips;
use crate::reload::{Claim, Evaluation, Served, State};
use crate::rollout::failing::Visitors;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

// All WasmPlugins of a proxy share one namespace of shared data.
const STATE_KEY: &str = "canary-split/state/";
const PLUGINS_KEY: &str = "canary-split/plugins";

const TRIPS_KEY: &str = "canary-split/trips/";
/// Followed by the number of a set.
const VISITORS_KEY: &str = "canary-split/visitors/";

/// The counters that have been used.
pub(super) const COUNTERS: Noted = Noted { count: "canary-split/counters", known: "canary-split/counter/" };
/// `RULE SUBSET` of those whose visitors have failed.
pub(super) const FAILING: Noted = Noted { count: "canary-split/failing", known: "canary-split/failing/of/" };

/// Followed by what has been told.
const TOLD_KEY: &str = "canary-split/told/";

/// On an absent key any compare-and-swap succeeds; 0 would succeed on a present one too.
const ABSENT: u32 = u32::MAX;

/// How often to try again when another VM was faster.
const TRIES: usize = 64;

/// The result of a config that a VM receives.
pub(super) struct Effect {
    /// The shared state under which it was evaluated.
    pub(super) before: State,
    /// The state after it, if this VM is the first to receive it.
    pub(super) after: Option<State>,
    pub(super) evaluation: Evaluation,
    pub(super) served: Served,
    pub(super) generation: u64,
}

/// Evaluates a config; the first VM that receives a new one also stores what is now in force. `seen` is the generation of the
/// config that this VM received last.
///
/// The text is asked for on each try, so that no second copy exists while it is stored. Memory that a VM has needed once is
/// never given back.
pub(super) fn take_effect(plugin: &str, text: impl Fn() -> Vec<u8>, seen: u64) -> Effect {
    let mut tries = 0;
    loop {
        tries += 1;
        let (before, cas) = state(plugin);
        let (evaluation, served) = {
            let text = text();
            let evaluation = before.evaluate(&text);
            let served = before.served(&text, &evaluation);
            (evaluation, served)
        };
        let now = now();
        if let Claim::Known(generation) = before.claim(&served, seen, now) {
            return Effect { before, after: None, evaluation, served, generation };
        }
        let after = before.after(&served, now);
        if store(plugin, &after, cas) {
            let generation = after.generation;
            return Effect { before, after: Some(after), evaluation, served, generation };
        }
        if tries == TRIES {
            // The others kept changing the state; one of them reports.
            return Effect { before, after: None, evaluation, served, generation: seen };
        }
    }
}

/// The newest config of a plugin has ended, and this VM still serves an earlier one, which is in force again.
/// Returns the states before and after; only the latter if another VM was faster.
pub(super) fn go_back(plugin: &str, ended: Option<u64>, serving: &Served) -> Option<(Option<State>, State)> {
    for _ in 0..TRIES {
        let (before, cas) = state(plugin);
        if before.serves(serving) {
            return Some((None, before));
        }
        // Another config has come meanwhile; this VM will receive it.
        if ended.is_some_and(|ended| ended != before.generation) {
            return None;
        }
        let after = before.after(serving, now());
        if store(plugin, &after, cas) {
            return Some((Some(before), after));
        }
    }
    None
}

/// The state of a plugin, and the number to compare when it is swapped.
pub(super) fn state(plugin: &str) -> (State, u32) {
    let (bytes, cas) = shared(&format!("{STATE_KEY}{plugin}"));
    (bytes.map(State::from_bytes).unwrap_or_default(), cas)
}

/// Stores a new state; false if another VM has changed it meanwhile.
fn store(plugin: &str, state: &State, cas: u32) -> bool {
    let key = format!("{STATE_KEY}{plugin}");
    !matches!(hostcalls::set_shared_data(&key, Some(&state.to_bytes()), Some(cas)), Err(Status::CasMismatch))
}

/// The live plugins.
pub(super) fn plugins() -> Plugins {
    shared(PLUGINS_KEY).0.map(|bytes| Plugins::from_bytes(&bytes)).unwrap_or_default()
}

/// Stores the list of live plugins if `change` has changed it; returns the list.
pub(super) fn update_plugins(mut change: impl FnMut(&mut Plugins) -> bool) -> Option<Plugins> {
    for _ in 0..TRIES {
        let (bytes, cas) = shared(PLUGINS_KEY);
        let mut plugins = bytes.map(|bytes| Plugins::from_bytes(&bytes)).unwrap_or_default();
        if !change(&mut plugins)
            || hostcalls::set_shared_data(PLUGINS_KEY, Some(&plugins.to_bytes()), Some(cas)).is_ok()
        {
            return Some(plugins);
        }
    }
    None
}

/// The trips of a plugin, and a number that tells whether they have changed.
pub(super) fn trips(plugin: &str) -> (Trips, u32) {
    let (bytes, cas) = shared(&format!("{TRIPS_KEY}{plugin}"));
    (bytes.map(|bytes| Trips::from_bytes(&bytes)).unwrap_or_default(), cas)
}

/// Changes the trips of a plugin, if `change` finds something; returns what it has found.
pub(super) fn update_trips<T>(plugin: &str, mut change: impl FnMut(&mut Trips) -> Option<T>) -> Option<T> {
    let key = format!("{TRIPS_KEY}{plugin}");
    for _ in 0..TRIES {
        let (mut trips, cas) = trips(plugin);
        let found = change(&mut trips)?;
        if hostcalls::set_shared_data(&key, Some(&trips.to_bytes()), Some(cas)).is_ok() {
            return Some(found);
        }
    }
    None
}

/// Changes a set of the failing visitors of all VMs; `change` says whether there is news. If other VMs are always faster, it
/// counts as news.
pub(super) fn change_visitors(set: usize, change: impl Fn(&mut Visitors) -> bool) -> bool {
    let key = format!("{VISITORS_KEY}{set}");
    for _ in 0..TRIES {
        let (bytes, cas) = shared(&key);
        let mut numbers = bytes.iter().flat_map(|bytes| bytes.chunks_exact(4)).filter_map(|four| four.first_chunk());
        let mut number = || numbers.next().map_or(0, |&four| u32::from_le_bytes(four));
        let mut visitors = Visitors::default().map(|_| (number(), number()));
        let is_news = change(&mut visitors);
        let bytes: Vec<u8> = visitors.iter().flat_map(|&(who, last)| [who, last]).flat_map(u32::to_le_bytes).collect();
        if hostcalls::set_shared_data(&key, Some(&bytes), Some(cas)).is_ok() {
            return is_news;
        }
    }
    true
}

/// A list of names that only grows.
pub(super) struct Noted {
    /// The number of names; followed by `/N`, the name of the Nth.
    count: &'static str,
    /// Followed by a name: the name is in the list.
    known: &'static str,
}

impl Noted {
    /// Adds a name, unless it is in the list.
    pub(super) fn note(&self, name: &str) {
        if !is_new(&format!("{}{name}", self.known)) {
            return;
        }
        let put = |key: &str, value: &[u8], cas| hostcalls::set_shared_data(key, Some(value), cas).is_ok();
        for _ in 0..TRIES {
            let (count, cas) = self.counted();
            if put(self.count, &(count + 1).to_le_bytes(), Some(cas)) {
                put(&format!("{}/{count}", self.count), name.as_bytes(), None);
                return;
            }
        }
    }

    /// The names from this place on; `None` where another VM is about to write one.
    pub(super) fn names(&self, from: u32) -> impl Iterator<Item = Option<String>> {
        (from..self.counted().0).map(|at| String::from_utf8(shared(&format!("{}/{at}", self.count)).0?).ok())
    }

    fn counted(&self) -> (u32, u32) {
        let (bytes, cas) = shared(self.count);
        (bytes.and_then(|bytes| Some(u32::from_le_bytes(*bytes.first_chunk()?))).unwrap_or(0), cas)
    }
}

/// Whether no VM has told this before.
pub(super) fn is_first_to_tell(what: &str) -> bool {
    is_new(&format!("{TOLD_KEY}{what}"))
}

/// Creates a key, unless it exists.
fn is_new(key: &str) -> bool {
    hostcalls::set_shared_data(key, Some(b"1"), Some(ABSENT)).is_ok()
}

/// A shared value, and the number to compare when it is swapped.
fn shared(key: &str) -> (Option<Vec<u8>>, u32) {
    match hostcalls::get_shared_data(key) {
        // An empty value arrives as none.
        Ok((value, cas)) => (value, cas.unwrap_or(ABSENT)),
        Err(_) => (None, ABSENT),
    }
}
