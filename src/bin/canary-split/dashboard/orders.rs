//! Changes that the page asks for: the code of `set` and `rollback`.

use super::source::Source;
use crate::change::file::Target;
use crate::change::living::{self, Plan};
use crate::change::rule::Chosen;
use crate::change::{Change, Refusal, pause, rollback, weights};
use crate::cluster::access::Access;
use crate::cluster::inventory::Inventory;
use crate::cluster::patch::Refused;
use crate::cluster::rollout::{self, Reached};
use crate::input::manifest::PluginConfig;
use crate::input::time;
use crate::world::plugin::Plugin;
use canary_split::rollout::ramp::Second;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a change is awaited.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two questions to an Envoy.
const PAUSE: Duration = Duration::from_millis(100);

/// A change of a rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// `NAMESPACE/NAME`
    pub plugin: String,
    /// Its name.
    pub rule: String,
    /// What to do.
    pub what: What,
    /// For `set`: as in `v2=25%`.
    #[serde(default)]
    pub weights: Vec<String>,
    /// The weights before and after, as they were shown to whoever has agreed.
    #[serde(default)]
    pub agreed: Option<Agreed>,
}

/// What to do to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Sets weights.
    Set,
    /// Pauses the ramp.
    Pause,
    /// Resumes it.
    Resume,
    /// Sets every canary to 0.
    Rollback,
}

/// What somebody has agreed to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    old: Map<String, Value>,
    new: Map<String, Value>,
}

impl Order {
    fn change(&self, config: &PluginConfig, rule: Chosen, now: Second) -> Result<Change, Refusal> {
        match self.what {
            What::Set => weights::change(config, rule, &self.weights, now),
            What::Pause => pause::pause(config, rule, now),
            What::Resume => pause::resume(config, rule, now),
            What::Rollback => rollback::change(config, rule, false),
        }
    }

    fn target(&self, file: Option<PathBuf>) -> Target {
        let access = Access { namespace: None, context: None, kubeconfig: None };
        Target::elsewhere(access, file, self.plugin.clone(), PATIENCE)
    }

    /// Who would move; nothing is written.
    pub fn preview(&self, inventory: &Inventory) -> Result<Value, String> {
        Ok(self.plan(inventory)?.shown(&self.target(None)))
    }

    fn plan(&self, inventory: &Inventory) -> Result<Plan, String> {
        let now = time::or_clock(None);
        let job = |config: &PluginConfig, rule: Chosen| self.change(config, rule, now);
        living::plan(inventory, &self.target(None), &self.rule, &job)
    }

    /// Writes it, and waits until every gateway has it.
    pub async fn carry_out(&self, source: &Source) -> Result<Value, String> {
        let inventory = source.inventory().await?;
        let (plan, target) = (self.plan(&inventory)?, self.target(None));
        let shown = plan.shown(&target);
        let is_same = |agreed: &Agreed| {
            let is = |key: &str, own: &Map<String, Value>| shown.get(key).and_then(Value::as_object) == Some(own);
            is("old", &agreed.old) && is("new", &agreed.new)
        };
        if !self.agreed.as_ref().is_some_and(is_same) {
            return Err(Refused::Changed.said());
        }
        match source {
            Source::Cluster { client, .. } => plan.carry_out(client, &inventory, &target).await,
            Source::Envoys { file, .. } => {
                let begun = Instant::now();
                let written = self.edit(file)?;
                let reached = wait(source, &written).await?;
                Ok(plan.done(&target, &reached, begun))
            }
        }
    }

    /// Edits the file; whoever runs the Envoys brings it there.
    fn edit(&self, file: &Path) -> Result<PluginConfig, String> {
        let target = self.target(Some(file.to_owned()));
        let mut edited = target.open()?;
        let now = time::or_clock(None);
        let changed = edited.change(&self.rule, |config, rule| self.change(config, rule, now));
        changed.map_err(|refusal| refusal.text().to_owned())?;
        edited.write()?;
        Ok(edited.config)
    }
}

/// Waits until every Envoy has a config, or the time is over.
async fn wait(source: &Source, config: &PluginConfig) -> Result<Reached, String> {
    let plugin = Plugin::new(config.clone());
    let begun = Instant::now();
    loop {
        let inventory = source.inventory().await?;
        let mut looks = source.looks(&inventory).await?;
        let answers = inventory.pods.iter().filter_map(|pod| Some((pod, looks.remove(&pod.title())?)));
        let (reached, _) = rollout::reached(&plugin, config, answers);
        if reached.behind.is_empty() || begun.elapsed() >= PATIENCE {
            return Ok(reached);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
