//! Waiting until every gateway pod has a config.

use super::admin::Unknown;
use super::inventory::{Inventory, list_pods};
use super::look::{self, Look, Question, Silence};
use super::pods::{self, Pod};
use super::reading::FINGERPRINT;
use super::routes;
use crate::input::manifest::PluginConfig;
use crate::world::World;
use crate::world::plugin::Plugin;
use canary_split::config::fingerprint;
use canary_split::metrics;
use indicatif::{ProgressBar, ProgressStyle};
use kube::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The time between two questions: a gateway answers only when it is asked.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the list of pods counts as current.
const FRESH: Duration = Duration::from_secs(2);

/// The gateway pods that have a config.
pub struct Reached {
    /// The number of pods that have it.
    pub current: usize,
    /// The number of all pods.
    pub total: usize,
    /// The other pods, each with the reason.
    pub behind: Vec<String>,
}

impl Reached {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({"current": self.current, "total": self.total, "behind": self.behind})
    }
}

/// Which canaries of a plugin are tripped on any of its gateways that answer: `(RULE, SUBSET)`.
pub async fn tripped(client: &Client, inventory: &Inventory, config: &PluginConfig) -> Vec<(String, String)> {
    let plugin = Plugin::new(config.clone());
    let pods = pods::of_plugin(&plugin, &World::of(&inventory.objects), &inventory.pods);
    let mut tripped = Vec::new();
    for look in look::at_all(client, &pods, Question::InForce).await.into_iter().flatten() {
        for (_, rule) in &plugin.rules {
            for named in plugin.subsets(rule) {
                let name = (rule.name.to_string(), named.subset.name.to_string());
                let is_tripped = look.statistics.value(&metrics::tripped(&name.0, &name.1)) == Some(1.0);
                if is_tripped && !tripped.contains(&name) {
                    tripped.push(name);
                }
            }
        }
    }
    tripped
}

/// Waits until every gateway pod of a plugin has this config, or the time is over.
pub async fn wait(client: &Client, inventory: &Inventory, config: &PluginConfig, timeout: Duration) -> Reached {
    let plugin = Plugin::new(config.clone());
    let begun = Instant::now();
    let mut pods: Vec<Pod> =
        pods::of_plugin(&plugin, &World::of(&inventory.objects), &inventory.pods).into_iter().cloned().collect();
    let mut listed = Instant::now();
    let bar = ProgressBar::new(pods.len() as u64);
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {pos} of {len} gateway pods have it in force ({elapsed})")
    {
        bar.set_style(style);
    }
    loop {
        let (reached, may_ask) = look(client, &plugin, config, &pods).await;
        bar.set_length(reached.total as u64);
        bar.set_position(reached.current as u64);
        if reached.behind.is_empty() || !may_ask || begun.elapsed() >= timeout {
            bar.finish_and_clear();
            return reached;
        }
        tokio::time::sleep(PAUSE).await;
        if listed.elapsed() > FRESH {
            let namespace = plugin.object().map(|object| object.namespace.as_str());
            // If the list cannot be read now, the earlier one is the best known.
            if let Ok(all) = list_pods(client, &inventory.versions, namespace).await {
                let all: Vec<Pod> = all.iter().map(Pod::of).collect();
                pods = pods::of_plugin(&plugin, &World::of(&inventory.objects), &all).into_iter().cloned().collect();
            }
            listed = Instant::now();
        }
    }
}

/// Waits until every gateway pod of a plugin has the current routes of a VirtualService or an HTTPRoute.
pub async fn wait_for_routes(
    client: &Client,
    inventory: &Inventory,
    config: &PluginConfig,
    object: &Value,
    timeout: Duration,
) -> Result<Reached, Unknown> {
    let plugin = Plugin::new(config.clone());
    let header = plugin.header.clone().unwrap_or_default();
    let wanted = routes::of_object(object, &header);
    let pods = pods::of_plugin(&plugin, &World::of(&inventory.objects), &inventory.pods);
    let begun = Instant::now();
    loop {
        let mut behind = Vec::new();
        let asked = pods.iter().map(|pod| routes::of_gateway(client, pod, object, &header));
        for (pod, asked) in pods.iter().zip(futures::future::join_all(asked).await) {
            if asked?.is_some_and(|asked| asked != wanted) {
                behind.push(format!("{} has other routes", pod.title()));
            }
        }
        if behind.is_empty() || begun.elapsed() >= timeout {
            return Ok(Reached { current: pods.len() - behind.len(), total: pods.len(), behind });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The pods that have it, and whether they may be asked.
async fn look(client: &Client, plugin: &Plugin, config: &PluginConfig, pods: &[Pod]) -> (Reached, bool) {
    let looks = look::at_all(client, &pods.iter().collect::<Vec<_>>(), Question::InForce).await;
    reached(plugin, config, pods.iter().zip(looks))
}

/// The pods that have a config, by their answers, and whether they may be asked.
pub fn reached<'p>(
    plugin: &Plugin,
    config: &PluginConfig,
    answers: impl Iterator<Item = (&'p Pod, Result<Look, Silence>)>,
) -> (Reached, bool) {
    if plugin.object().is_none() {
        return (Reached { current: 0, total: 0, behind: Vec::new() }, true);
    }
    let called = pods::called(plugin);
    let wanted = f64::from(fingerprint::of_text(config.json().as_bytes()));
    let mut total = 0;
    let (mut behind, mut may_ask) = (Vec::new(), true);
    for (pod, look) in answers {
        total += 1;
        match look {
            Ok(look) if look.statistics.of_plugin(FINGERPRINT, &called) == Some(wanted) => {}
            Ok(look) if !look.statistics.has_filter() => {
                behind.push(format!("{} does not run the filter", pod.title()))
            }
            Ok(_) => behind.push(format!("{} has another config", pod.title())),
            Err(Silence::Forbidden(why)) => {
                may_ask = false;
                behind.push(format!("{} may not be asked: {why}", pod.title()));
            }
            Err(Silence::Gone) => behind.push(format!("{} has ended", pod.title())),
            Err(Silence::Silent(why)) => behind.push(format!("{} does not answer: {why}", pod.title())),
        }
    }
    (Reached { current: total - behind.len(), total, behind }, may_ask)
}
