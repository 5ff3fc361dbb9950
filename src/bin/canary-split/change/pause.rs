//! Pauses and resumes a ramp.

use super::rule::Chosen;
use super::verdict::{self, check};
use super::{Change, Refusal};
use crate::edit::{Edit, fields};
use crate::input::manifest::PluginConfig;
use crate::report::plan;
use crate::report::time::{span, utc};
use canary_split::rollout::ramp::{Ramp, Second};

/// Pauses the ramp of a rule at this moment.
pub fn pause(config: &PluginConfig, rule: Chosen, now: Second) -> Result<Change, Refusal> {
    let (plan, name) = (found(config, rule)?, rule.name);
    if let Some(paused) = plan.paused_at {
        return Err(format!("rule {name}: its ramp is paused already, at {}", utc(paused)).into());
    }
    if plan.end() <= now {
        return Err(format!("rule {name}: its ramp has ended at {}; there is nothing to pause", utc(plan.end())).into());
    }
    let paused = utc(now);
    let said = format!("the ramp is paused at {paused}");
    change(config, rule, vec![Edit::set(fields(["ramp", "pausedAt"]), paused)], said)
}

/// Resumes the ramp of a rule.
pub fn resume(config: &PluginConfig, rule: Chosen, now: Second) -> Result<Change, Refusal> {
    let (plan, name) = (found(config, rule)?, rule.name);
    let Some(paused) = plan.paused_at else { return Err(format!("rule {name}: its ramp is not paused").into()) };
    let pause = now.0.saturating_sub(paused.0);
    let start = utc(Second(plan.start.0.saturating_add(pause)));
    let said = format!("the ramp continues after a pause of {}: it starts at {start} now", span(pause));
    let mut edits = Vec::new();
    if pause > 0 {
        edits.push(Edit::set(fields(["ramp", "start"]), start));
    }
    edits.push(Edit::remove(fields(["ramp", "pausedAt"])));
    change(config, rule, edits, said)
}

fn change(config: &PluginConfig, rule: Chosen, edits: Vec<Edit>, said: String) -> Result<Change, Refusal> {
    check(config, rule, &edits)?;
    let old = rule.present()?;
    let new = old.iter().map(|(subset, weight)| (subset.clone(), weight.unwrap_or_default())).collect();
    Ok(Change { rule: rule.name.to_owned(), index: rule.index, edits, said, notes: Vec::new(), old, new })
}

/// Why weights of a rule cannot be set now, if its ramp decides them.
pub fn why_not(config: &PluginConfig, rule: Chosen, now: Second) -> Option<String> {
    let split = verdict::split(config, rule.index)?;
    let plan = plan::ramp(&split)?;
    (plan.start <= now).then(|| {
        format!(
            "rule {}: its ramp decides the weights since {}, and those of split hold only before that; edit its steps, hold the weights of this moment with --pause, or remove ramp from the rule and set the weights then",
            rule.name,
            utc(plan.start)
        )
    })
}

/// The ramp of a rule.
fn found(config: &PluginConfig, rule: Chosen) -> Result<Ramp, String> {
    let name = rule.name;
    let without = || format!("rule {name} has no ramp");
    rule.node.get("ramp").filter(|fields| !fields.entries().is_empty()).ok_or_else(without)?;
    let split = verdict::split(config, rule.index)
        .ok_or_else(|| format!("rule {name} has a fault; fix it first, canary-split check says where"))?;
    plan::ramp(&split).cloned().ok_or_else(without)
}
