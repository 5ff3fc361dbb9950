//! A plugin receives its config.

use super::active::Active;
use super::envoy::{now, plugin_name};
use super::rollouts::end_trips_of_edited;
use super::shared::{Effect, go_back, is_first_to_tell, plugins, state, take_effect, update_plugins};
use super::stats::{
    count_errors, define_guarded, record_faulty, record_gone, record_in_force, record_no_health, record_no_weights,
    record_rules, record_weights, rules_in_force, take_over_counters,
};
use super::stream::Stream;
use super::vm::{Alive, Known, known, vm_id};
use crate::reload::plugins::{Plugins, Rival, Serving};
use crate::reload::{Counts, Evaluation, Fault};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// One config of one plugin.
pub(super) struct Plugin {
    /// Its root context.
    id: u32,
    /// `None`: it has not received its config yet.
    name: Option<String>,
    active: Rc<Active>,
    /// A newer config was in force when this one came to a new VM: it is late, or came back with a new build of the module.
    is_late: Cell<bool>,
    /// Since when another plugin, which may be on its way out, has had its header; in milliseconds since 1970.
    rival_since: Cell<Option<u64>>,
}

/// A plugin that is renamed lives on under its old name until its connections are drained: 45 s in Istio.
const LEAVING: u64 = 60_000;

/// How often ramps and guards are looked at.
const TICK: Duration = Duration::from_secs(1);

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, size: usize) -> bool {
        let text =
            || hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default();
        let name = plugin_name();
        let seen = known(&name, |known| known.seen);
        let Effect { before, after, evaluation, served, generation } = take_effect(&name, text, seen);
        let Evaluation { config, counts, faults, .. } = evaluation;
        let headers = config.request_headers().collect::<Vec<_>>().join(",");
        let alive = Alive { id: self.id, generation, headers, counts, served };
        known(&name, |known| {
            known.seen = generation;
            known.alive.retain(|other| other.id != alive.id);
            known.alive.push(alive.clone());
        });
        let active = Rc::new(Active::new(config));
        let rules = &active.config.rules;
        if after.is_some() {
            end_trips_of_edited(&name, || before.rules().collect(), rules);
        }
        known(&name, |known| known.rollouts.configure(&name, self.id, &active));
        let was_alive = plugins().contains(&name);
        let others = insert(&name, &alive);
        let difference = after.map(|after| before.difference(&after));
        if let Some(difference) = &difference {
            record_gone(&difference.gone);
        }
        // Statistics end with the last VM that knows them, so a new VM records them again: the earlier VMs may belong to an old module.
        // A plugin that was removed and comes back unchanged is no news, but its gauges are at 0.
        if difference.is_some() || seen == 0 || !was_alive {
            record_in_force(&name, &before.health, rules, &alive.served.health, generation);
            define_guarded(rules);
            record_rules();
            count_errors(0);
        }
        if seen == 0 {
            take_over_counters();
        }
        let rival = others.and_then(|plugins| plugins.rival(&name, now()));
        let doubtful = rival.as_ref().is_some_and(|rival| rival.may_be_leaving);
        if let Some(difference) = difference {
            report(counts, &faults, &difference.line);
            if let Some(rival) = rival.filter(|_| !doubtful) {
                report_rival(&rival);
            }
        }
        self.rival_since.set(doubtful.then(now));
        self.is_late.set(seen == 0 && generation < before.generation);
        if active.moves() {
            let _ = hostcalls::set_tick_period(TICK);
        }
        self.active = active;
        self.name = Some(name);
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        if self.rival_since.get().is_some_and(|since| now() > since + LEAVING) {
            self.tell_rival();
        }
        // If it were late, the newer one would have come before any request.
        if self.is_late.take() {
            self.insist();
        }
        Some(Box::new(Stream::new(&self.active)))
    }

    fn on_tick(&mut self) {
        let Some(name) = &self.name else { return };
        // An older config keeps ticking while it has a stream.
        let newest = |known: &Known| known.alive.iter().max_by_key(|alive| alive.generation).map(|alive| alive.id);
        known(name, |known| {
            if newest(known) == Some(self.id) {
                known.rollouts.tick(name, self.id, &self.active);
            }
        });
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let (ended, serving) = known(&name, |known| {
            let (ended, rest): (Vec<Alive>, Vec<Alive>) = known.alive.drain(..).partition(|alive| alive.id == self.id);
            let serving = rest.iter().max_by_key(|alive| alive.generation).cloned();
            known.alive = rest;
            (ended.into_iter().next(), serving)
        });
        match (ended, serving) {
            (_, None) => self.end(&name),
            (Some(ended), Some(serving)) if serving.generation < ended.generation => {
                restore(&name, Some(ended.generation), serving)
            }
            _ => {}
        }
    }
}

impl Plugin {
    /// In this root context.
    pub(super) fn new(id: u32) -> Plugin {
        Plugin { id, name: None, active: Rc::default(), is_late: Cell::default(), rival_since: Cell::default() }
    }

    /// A config that seemed late is the one that is served.
    #[cold]
    fn insist(&self) {
        let Some(name) = &self.name else { return };
        let serving = known(name, |known| known.alive.iter().max_by_key(|alive| alive.generation).cloned());
        if let Some(serving) = serving.filter(|serving| serving.id == self.id) {
            restore(name, None, serving);
        }
    }

    /// A plugin that could have been on its way out still exists.
    #[cold]
    fn tell_rival(&self) {
        self.rival_since.take();
        let Some(name) = &self.name else { return };
        if let Some(rival) = plugins().rival(name, now())
            && is_first_to_tell(&format!("{name}/{}", rival.name))
        {
            report_rival(&rival);
        }
    }

    /// A plugin whose last config has ended no longer writes its header.
    fn end(&self, name: &str) {
        let mut was_alive = false;
        let others = update_plugins(|plugins| {
            was_alive = plugins.remove(name, vm_id());
            was_alive
        });
        if !was_alive {
            return;
        }
        let rules = &self.active.config.rules;
        record_no_weights(rules);
        record_no_health(name, &state(name).0.health);
        end_trips_of_edited(name, Vec::new, &[]);
        // A plugin of another name may have replaced it, with rules of the same names.
        for other in others.iter().flat_map(|plugins| plugins.names()) {
            let (state, _) = state(other);
            record_weights(rules_in_force(other, &state));
            record_faulty(&state.health);
        }
        record_rules();
    }
}

/// A config (by default the newest) has ended before an older one, which is served again: while some worker still holds the
/// older one, Envoy goes back to it without handing it out again.
fn restore(name: &str, ended: Option<u64>, mut serving: Alive) {
    let Some((before, after)) = go_back(name, ended, &serving.served) else { return };
    serving.generation = after.generation;
    known(name, |known| {
        known.seen = after.generation;
        known.alive.retain(|other| other.id != serving.id);
        known.alive.push(serving.clone());
    });
    insert(name, &serving);
    if let Some(before) = before {
        let rules: Vec<_> = rules_in_force(name, &after).collect();
        end_trips_of_edited(name, || before.rules().collect(), &rules);
        let difference = before.difference(&after);
        record_gone(&difference.gone);
        record_in_force(name, &before.health, &rules, &after.health, after.generation);
        record_rules();
        log::info!("canary-split: back to an earlier config; {}", difference.line);
    }
}

/// Notes what this VM serves in the list of live plugins.
fn insert(name: &str, alive: &Alive) -> Option<Plugins> {
    let (by, now) = (vm_id(), now());
    let Alive { generation, headers, counts, served, .. } = alive;
    let serving = Serving { generation: *generation, config: served.hash, headers, counts: *counts };
    update_plugins(|plugins| plugins.insert(name, serving, by, now))
}

/// Logs that two plugins write one header.
fn report_rival(Rival { name: other, header, .. }: &Rival) {
    log::error!(
        "another plugin, {other}, writes {header} too: the later one undoes what the earlier one decides; give each its own header"
    );
}

/// Logs and counts the result of a new config.
fn report(counts: Counts, faults: &[Fault], changes: &str) {
    let Counts { active, last_good, off } = counts;
    log::info!(
        "canary-split {}: {active} rules active, {last_good} on their last good version, {off} off; {changes}",
        env!("CARGO_PKG_VERSION"),
    );
    for fault in faults {
        log::error!("{fault}");
    }
    count_errors(faults.len());
}
