//! Carries out a plan in the cluster: step by step, each awaited on every gateway.

use super::plan::{self, Plan, Stage};
use super::print::{Way, Written, say, to_json};
use super::target::Target;
use crate::change::Refusal;
use crate::change::living::{agrees, can_be_asked};
use crate::cluster::admin::Unknown;
use crate::cluster::inventory::{Extent, Inventory};
use crate::cluster::patch::{self as write, Refused};
use crate::cluster::rollout::{self, Reached};
use crate::edit::{self, Test, differing, patch};
use crate::input::manifest::{Object, Objects, PluginConfig};
use crate::input::stderr;
use crate::report::output::{Output, print};
use kube::Client;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Instant;

/// Carries out the plan; the exit code.
pub fn run(
    target: &Target,
    plan: impl FnOnce(&Objects) -> Result<Plan, Refusal>,
    output: Output,
) -> Result<u8, String> {
    can_be_asked(target.yes || target.dry_run)?;
    target.access.run_without_files(|client| finish(client, target, plan, output))
}

async fn finish(
    client: Client,
    target: &Target,
    plan: impl FnOnce(&Objects) -> Result<Plan, Refusal>,
    output: Output,
) -> Result<u8, String> {
    let begun = Instant::now();
    let inventory = Inventory::read(&client, target.access.namespace.as_deref(), Extent::All).await?;
    let plan = match plan(&inventory.objects) {
        Ok(plan) => plan,
        Err(Refusal::Wrong(why)) => return Err(why),
        Err(Refusal::Fault(why)) => {
            stderr::say(why);
            return Ok(1);
        }
    };
    let written = differences(&plan)?;
    let mut way = Way { is_dry: target.dry_run, is_written: false, took_ms: 0, gateways: None };
    if let Output::Text { .. } = output {
        let mut out = Vec::new();
        say(&plan, &written, &way, &mut out).map_err(|error| error.to_string())?;
        print(&out)?;
    }
    let mut is_good = true;
    if !target.dry_run && !plan.stages.is_empty() {
        if !target.yes && !agrees(plan.stages.iter().map(|stage| stage.object.title()))? {
            return Err("nothing was written".to_owned());
        }
        let mut versions = HashMap::new();
        let mut configs = inventory.objects.configs();
        let mut config = configs.find(|config| config.title() == plan.plugin).ok_or("the plugin is gone")?;
        for (number, stage) in plan.stages.iter().enumerate() {
            let step = number + 1;
            let object = match write::patch(&client, &inventory.versions, &stage.object, &guarded(stage, &versions))
                .await
            {
                Ok(object) => object,
                Err(Refused::Changed) => {
                    let title = stage.object.title();
                    stderr::say(format!(
                        "step {step}: {title} was changed by somebody else meanwhile; it and what follows was not written: look again"
                    ));
                    return Ok(1);
                }
                Err(Refused::Said(why)) => {
                    return Err(format!("step {step}: {why}; it and what follows was not written"));
                }
            };
            way.is_written = true;
            let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
            versions.insert(stage.object.title(), version.to_owned());
            let reached = match PluginConfig::living(&object) {
                Some(now) => {
                    config = now;
                    rollout::wait(&client, &inventory, &config, target.timeout).await
                }
                None if ["VirtualService", "HTTPRoute", "GRPCRoute"].contains(&stage.object.kind) => {
                    match rollout::wait_for_routes(&client, &inventory, &config, &object, target.timeout).await {
                        Ok(reached) => reached,
                        Err(Unknown(why)) => {
                            stderr::say(format!(
                                "step {step} is written; whether the gateways have the routes is not known, so what follows was not written: {why}"
                            ));
                            is_good = false;
                            break;
                        }
                    }
                }
                None => continue,
            };
            let Reached { current, total, behind } = reached;
            way.gateways = Some(json!({"current": current, "total": total, "behind": behind}));
            if !behind.is_empty() {
                // The next steps rely on it.
                let seconds = target.timeout.as_secs();
                stderr::say(format!(
                    "step {step} is in force on {current} of {total} gateway pods after {seconds} s; what follows was not written. Not on:"
                ));
                behind.iter().for_each(|pod| eprintln!("  {pod}"));
                is_good = false;
                break;
            }
        }
    }
    way.took_ms = begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    match output {
        Output::Json => print(format!("{:#}\n", to_json(&plan, &written, &way)).as_bytes())?,
        Output::Text { .. } if plan.stages.is_empty() => {}
        Output::Text { .. } if target.dry_run => print(b"nothing is written\n")?,
        Output::Text { .. } if is_good => {
            print(format!("done after {:.1} s\n", way.took_ms as f64 / 1000.0).as_bytes())?
        }
        Output::Text { .. } => {}
    }
    Ok(u8::from(!is_good))
}

/// The changes of each step in its object, after the steps before it.
fn differences(plan: &Plan) -> Result<Vec<Written>, String> {
    let mut now: HashMap<String, Value> = HashMap::new();
    let difference = |stage: &Stage| {
        let title = stage.object.title();
        let value = now.entry(title.clone()).or_insert_with(|| plan::json(&stage.object));
        let before = format!("{value:#}\n");
        patch::apply(value, &stage.edits)?;
        let diff = differing::unified(&title, &before, &format!("{value:#}\n"));
        Ok(Written { file: title, line: None, diff })
    };
    plan.stages.iter().map(difference).collect()
}

/// The request to the API server, which counts only if the object is unchanged.
fn guarded(stage: &Stage, versions: &HashMap<String, String>) -> Value {
    let version = |object: &Object| object.text(&["metadata", "resourceVersion"]).map(str::to_owned);
    let version = versions.get(&stage.object.title()).cloned().or_else(|| version(&stage.object)).unwrap_or_default();
    let test = Test { path: edit::fields(["metadata", "resourceVersion"]), value: version.into() };
    patch::of(&[test], &stage.edits)
}
