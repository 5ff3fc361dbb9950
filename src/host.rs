//! The only module that talks to Envoy.
//!
//! Rules of this file: nothing may panic (a trap kills the VM of this worker and every request in flight there); values
//! are read as bytes; request headers are touched in the request phase only, response headers in the response phase only
//! (the SDK panics on the host's refusal); `on_configure` is always true, or Envoy would answer 500 to everything.

use crate::claim::ClaimPath;
use crate::config::Config;
use crate::decide::{Decision, NewCookie, Source, decide};
use crate::metrics::{self, CodeClass, RuleState};
use crate::plugins::Plugins;
use crate::reload::{Claim, Evaluation, State};
use crate::rule::{Request, Target};
use crate::split::Draw;
use crate::sticky::{Minutes, may_set_cookie};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, MetricType, Status};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::time::UNIX_EPOCH;

/// All WasmPlugins of a proxy share one namespace of shared data.
const STATE_KEY: &str = "canary-split/state/";
const PLUGINS_KEY: &str = "canary-split/plugins";

/// On an absent key any compare-and-swap succeeds, but 0 would do so on a present one too.
const ABSENT: u32 = u32::MAX;

/// How often to try again when another VM was faster.
const TRIES: usize = 64;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

thread_local! {
    /// RandomState takes its keys from the host's random source; fastrand by itself would be seeded by the clock.
    static RANDOM: RefCell<fastrand::Rng> =
        RefCell::new(fastrand::Rng::with_seed(RandomState::new().build_hasher().finish()));

    /// What outlives configs: a VM serves one thread.
    static VM: RefCell<Vm> = RefCell::default();
}

#[derive(Default)]
struct Vm {
    id: Option<u64>,
    /// Stats by name; each `define_metric` would make a new id.
    stats: HashMap<String, u32>,
    plugins: Vec<Known>,
}

/// What a VM knows of a plugin.
struct Known {
    name: String,
    /// The generation of the config that this VM was given last.
    seen: u64,
    /// How many of its configs are alive here; an old one ends with its last request.
    alive: usize,
}

impl Vm {
    fn plugin(&mut self, name: &str) -> Option<&mut Known> {
        if !self.plugins.iter().any(|known| known.name == name) {
            self.plugins.push(Known { name: name.to_owned(), seen: 0, alive: 0 });
        }
        self.plugins.iter_mut().find(|known| known.name == name)
    }
}

/// Looks up or changes what this VM knows of a plugin.
fn known<T: Default>(plugin: &str, change: impl FnOnce(&mut Known) -> T) -> T {
    VM.with_borrow_mut(|vm| vm.plugin(plugin).map(change).unwrap_or_default())
}

/// One config of one plugin.
#[derive(Default)]
struct Plugin {
    name: Option<String>,
    active: Rc<Active>,
}

/// What the streams of a config share.
struct Active {
    config: Config,
    /// Where each rule's counters begin.
    first: Vec<usize>,
    /// Of each subset the ids of its counters, once there was a request.
    counters: Box<[OnceCell<Box<Counters>>]>,
}

/// Counters of one subset: requests by source, responses by class.
const SOURCES: [Source; 5] = [Source::Fixed, Source::Fresh, Source::Key, Source::Cookie, Source::Kept];
const PER_SUBSET: usize = SOURCES.len() + CodeClass::COUNT;

type Counters = [Cell<u32>; PER_SUBSET];

/// No id of a stat.
const NONE: u32 = u32::MAX;

/// What a counter counts.
#[derive(Clone, Copy)]
enum Counted {
    Request(Option<Source>),
    Response(CodeClass),
}

impl Default for Active {
    fn default() -> Self {
        Active::new(Config::empty())
    }
}

impl Active {
    fn new(config: Config) -> Self {
        // The first place is for requests without a rule.
        let mut subsets = 1;
        let first = config
            .rules
            .iter()
            .map(|rule| {
                let first = subsets;
                subsets += match &rule.target {
                    Target::Fixed(_) => 1,
                    Target::Split(split) => split.subsets.len(),
                };
                first
            })
            .collect();
        Active { config, first, counters: (0..subsets).map(|_| OnceCell::new()).collect() }
    }

    /// Counts one request or response of a decision (`(rule, subset)` by their places).
    fn count(&self, decided: Option<(usize, usize)>, what: Counted) {
        let subset = decided.map_or(0, |(rule, subset)| self.first.get(rule).map_or(0, |first| first + subset));
        let offset = match what {
            Counted::Request(source) => SOURCES.iter().position(|&s| Some(s) == source).unwrap_or(0),
            Counted::Response(class) => SOURCES.len() + class.index(),
        };
        let Some(counters) = self.counters.get(subset) else { return };
        let counters = counters.get_or_init(|| Box::<Counters>::new([const { Cell::new(NONE) }; PER_SUBSET]));
        let Some(id) = counters.get(offset) else { return };
        if id.get() == NONE {
            id.set(stat(MetricType::Counter, &self.stat_name(decided, what)).unwrap_or(NONE));
        }
        if id.get() != NONE {
            let _ = hostcalls::increment_metric(id.get(), 1);
        }
    }

    /// The names of a rule and a subset by their places.
    fn names(&self, (rule, subset): (usize, usize)) -> Option<(&str, &str)> {
        let rule = self.config.rules.get(rule)?;
        let subset = match &rule.target {
            Target::Fixed(fixed) => fixed,
            Target::Split(split) => split.subsets.get(subset)?,
        };
        Some((&rule.name, &subset.name))
    }

    fn stat_name(&self, decided: Option<(usize, usize)>, what: Counted) -> String {
        let (rule, subset) = decided.and_then(|decided| self.names(decided)).unwrap_or_default();
        match what {
            Counted::Request(source) => metrics::requests(rule, subset, source),
            Counted::Response(class) => metrics::responses(rule, subset, class),
        }
    }
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default();
        let name = plugin_name();
        let Effect { before, after, evaluation, generation } = take_effect(&name, &text);
        drop(text);
        if self.name.is_none() {
            known(&name, |known| known.alive += 1);
        }
        let mut was_alive = true;
        let others = update_plugins(|plugins| {
            was_alive = plugins.contains(&name);
            plugins.insert(&name, generation, &evaluation.config.header, evaluation.counts, vm_id())
        });
        // One that was taken away and comes back as it was is no news, but its gauges are at 0.
        if after.is_some() || !was_alive {
            for (rule, subset) in before.gone(&evaluation.config.rules) {
                record(&metrics::config_weight(&rule, &subset), 0);
            }
            record_weights(&evaluation.config, u64::from);
            record_rules();
        }
        if let Some(after) = after {
            report(&evaluation, &before.changes(&after));
            if let Some(other) = others.and_then(|plugins| plugins.rival(&name)) {
                log::error!(
                    "another plugin, {other}, writes {} too: the later one undoes what the earlier one decides; give each its own header",
                    evaluation.config.header
                );
            }
        }
        self.active = Rc::new(Active::new(evaluation.config));
        self.name = Some(name);
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { active: Rc::clone(&self.active), decided: None, counts: false, cookie: None }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A plugin whose last config has ended no longer writes its header.
impl Drop for Plugin {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let last = known(&name, |known| {
            known.alive = known.alive.saturating_sub(1);
            known.alive == 0
        });
        let mut was_alive = false;
        if last {
            update_plugins(|plugins| {
                was_alive = plugins.remove(&name, vm_id());
                was_alive
            });
        }
        if was_alive {
            record_weights(&self.active.config, |_| 0);
            record_rules();
        }
    }
}

/// What a config that a VM is given comes to.
struct Effect {
    /// The shared state that it was evaluated with.
    before: State,
    /// The state that it leaves behind, if this VM is the first to be given it.
    after: Option<State>,
    evaluation: Evaluation,
    generation: u64,
}

/// Evaluates a config; the first VM that is given a new one also stores what is now in force.
fn take_effect(name: &str, text: &[u8]) -> Effect {
    let key = format!("{STATE_KEY}{name}");
    let seen = known(name, |known| known.seen);
    let mut tries = 0;
    let effect = loop {
        tries += 1;
        let (state, cas) = shared(&key);
        let state = state.map(State::from_bytes).unwrap_or_default();
        let evaluation = state.evaluate(text);
        match state.claim(text, seen) {
            Claim::Known(generation) => break Effect { before: state, after: None, evaluation, generation },
            Claim::New => {
                let after = state.after(text, &evaluation);
                match hostcalls::set_shared_data(&key, Some(&after.to_bytes()), Some(cas)) {
                    Err(Status::CasMismatch) if tries < TRIES => {}
                    // The others have kept on changing the state; one of them reports.
                    Err(Status::CasMismatch) => {
                        break Effect { before: state, after: None, evaluation, generation: seen };
                    }
                    _ => {
                        let generation = after.generation;
                        break Effect { before: state, after: Some(after), evaluation, generation };
                    }
                }
            }
        }
    };
    known(name, |known| known.seen = effect.generation);
    effect
}

/// Logs and counts what a new config comes to.
fn report(evaluation: &Evaluation, changes: &str) {
    let counts = evaluation.counts;
    log::info!(
        "canary-split {}: {} rules active, {} on their last good version, {} off; {}",
        env!("CARGO_PKG_VERSION"),
        counts.active,
        counts.last_good,
        counts.off,
        changes
    );
    for fault in &evaluation.faults {
        log::error!("{fault}");
    }
    // Defined in any case, so that an alert finds a 0.
    if let Some(id) = stat(MetricType::Counter, metrics::CONFIG_ERRORS)
        && !evaluation.faults.is_empty()
    {
        let _ = hostcalls::increment_metric(id, evaluation.faults.len() as i64);
    }
}

/// Says what the weights of a config's rules are.
fn record_weights(config: &Config, value: impl Fn(u32) -> u64) {
    for rule in &config.rules {
        let Target::Split(split) = &rule.target else { continue };
        for (subset, &weight) in split.subsets.iter().zip(&split.weights) {
            record(&metrics::config_weight(&rule.name, &subset.name), value(weight));
        }
    }
}

/// Says how the rules of all live plugins are. Another VM may change the list meanwhile: who comes last has seen all of it.
fn record_rules() {
    let live = || shared(PLUGINS_KEY).0.map(|bytes| Plugins::from_bytes(&bytes)).unwrap_or_default().counts();
    let mut counts = live();
    for _ in 0..TRIES {
        record(&metrics::config_rules(RuleState::Active), counts.active as u64);
        record(&metrics::config_rules(RuleState::LastGood), counts.last_good as u64);
        record(&metrics::config_rules(RuleState::Off), counts.off as u64);
        let now = live();
        if now == counts {
            return;
        }
        counts = now;
    }
}

/// Sets a gauge.
fn record(gauge: &str, value: u64) {
    if let Some(id) = stat(MetricType::Gauge, gauge) {
        let _ = hostcalls::record_metric(id, value);
    }
}

/// The id of a stat, which is defined at first use.
fn stat(kind: MetricType, name: &str) -> Option<u32> {
    VM.with_borrow_mut(|vm| {
        if let Some(&id) = vm.stats.get(name) {
            return Some(id);
        }
        let id = hostcalls::define_metric(kind, name).ok()?;
        vm.stats.insert(name.to_owned(), id);
        Some(id)
    })
}

/// A shared value and what to compare with when it is swapped.
fn shared(key: &str) -> (Option<Vec<u8>>, u32) {
    match hostcalls::get_shared_data(key) {
        // An empty value comes as none.
        Ok((value, cas)) => (value, cas.unwrap_or(ABSENT)),
        Err(_) => (None, ABSENT),
    }
}

/// Changes the list of live plugins, if `change` says that it did; returns the list as it is then.
fn update_plugins(mut change: impl FnMut(&mut Plugins) -> bool) -> Option<Plugins> {
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

/// A number by which this VM knows its own entries again.
fn vm_id() -> u64 {
    VM.with_borrow_mut(|vm| *vm.id.get_or_insert_with(|| RANDOM.with_borrow_mut(|random| random.u64(..))))
}

/// What Envoy calls this plugin; the same in all VMs and over all configs.
fn plugin_name() -> String {
    let named = |name: &str| property(vec![name]).unwrap_or_default();
    let (name, root) = (named("plugin_name"), named("plugin_root_id"));
    // In the list of plugins it is a line's end.
    format!("{}/{}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&root)).replace(char::is_control, " ")
}

/// One request and its response.
struct Stream {
    active: Rc<Active>,
    /// The places of the rule and the subset; request headers cannot be read again when the response comes.
    decided: Option<(usize, usize)>,
    /// Whether the request was seen, so that its response counts.
    counts: bool,
    cookie: Option<NewCookie>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let active = Rc::clone(&self.active);
        let mut request = Asked::default();
        let decision = decide(&active.config, &mut request, fresh, now);
        // Exactly one write on every request, so that no client says what the subset is. It also makes Envoy choose the
        // route again: Envoy does so by itself for plugins of this ABI (0.2.1), not for those of a newer one.
        let value = decision.as_ref().map(|decision| &*decision.subset.header_value);
        let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, &active.config.header, value);
        let source = decision.as_ref().map(|decision| decision.source);
        if let Some(Decision { rule_at, subset_at, cookie, .. }) = decision {
            self.decided = Some((rule_at, subset_at));
            self.cookie = cookie;
        }
        self.counts = true;
        active.count(self.decided, Counted::Request(source));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.counts {
            let status = response_header(":status").as_deref().and_then(number).unwrap_or(0);
            self.active.count(self.decided, Counted::Response(CodeClass::of(status)));
            if let Some(cookie) = self.cookie.take()
                && may_set_cookie(status, cookie.https, cookie.keeps, || response_header("location"))
            {
                // `add`: `set` would destroy the application's cookies.
                let _ = hostcalls::add_map_value(MapType::HttpResponseHeaders, "set-cookie", &cookie.header);
            }
            if let Some(header) = &self.active.config.response_header
                && let Some((_, subset)) = self.decided.and_then(|decided| self.active.names(decided))
            {
                // `set`: an application's own would say something else.
                let _ = hostcalls::set_map_value(MapType::HttpResponseHeaders, header, Some(subset));
            }
        }
        Action::Continue
    }
}

/// What the request says, each thing asked for at most once: a value costs ten times as much as anything that we do with it.
#[derive(Default)]
struct Asked<'c> {
    headers: Vec<(&'c str, Option<Vec<u8>>)>,
    claims: Vec<(&'c ClaimPath, Option<Vec<u8>>)>,
    client_address: Option<Option<Vec<u8>>>,
}

impl<'c> Request<'c> for Asked<'c> {
    fn header(&mut self, name: &'c str) -> Option<&[u8]> {
        once(
            &mut self.headers,
            name,
            |a, b| std::ptr::eq(*a, *b) || a == b,
            || hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten(),
        )
    }

    fn claim(&mut self, path: &'c ClaimPath) -> Option<&[u8]> {
        // Where Istio's RequestAuthentication lets Envoy leave the claims of a token that it has verified.
        const PAYLOAD: [&str; 4] = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "payload"];
        once(&mut self.claims, path, PartialEq::eq, || property(PAYLOAD.into_iter().chain(path.names()).collect()))
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        self.client_address.get_or_insert_with(|| property(vec!["source", "address"])).as_deref()
    }
}

/// What was answered to this question, which is asked if it was not before.
fn once<Q>(
    asked: &mut Vec<(Q, Option<Vec<u8>>)>,
    question: Q,
    is_same: impl Fn(&Q, &Q) -> bool,
    ask: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<&[u8]> {
    let at = asked.iter().position(|(known, _)| is_same(known, &question)).unwrap_or_else(|| {
        asked.push((question, ask()));
        asked.len() - 1
    });
    asked.get(at).and_then(|(_, answer)| answer.as_deref())
}

fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}

fn response_header(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten()
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn fresh() -> Draw {
    Draw(RANDOM.with_borrow_mut(|random| random.u32(..)))
}

fn now() -> Minutes {
    let time = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Minutes::of_seconds(time.map_or(0, |time| time.as_secs()))
}
