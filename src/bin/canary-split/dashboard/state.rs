//! The state as the page gets it: `status -o json`, and what that lacks.

use super::history::{History, Point};
use super::memory::Memory;
use super::rule;
use super::verdict::{self, Level};
use super::visitors::Visitors;
use crate::cluster::inventory::Inventory;
use crate::status::print;
use crate::status::shown::Shown;
use crate::world::World;
use canary_split::rollout::ramp::Second;
use serde_json::{Map, Value, json};

/// The state after a look.
#[derive(Clone, Default)]
pub struct State {
    /// All but the history.
    fields: Map<String, Value>,
    /// The newest point of each rule.
    latest: Map<String, Value>,
}

impl State {
    /// Of a look, which is added to the history.
    pub fn of(
        shown: &Shown,
        inventory: &Inventory,
        memory: &Memory,
        history: &mut History,
        visitors: &mut Visitors,
        now: Second,
    ) -> State {
        let world = World::of(&inventory.objects);
        let mut latest = Map::new();
        let mut views = Vec::new();
        for (view, reading) in rule::all(&world, &shown.reading.plugins, memory, now) {
            let point = Point::of(reading, now.0);
            latest.insert(view.key.clone(), serde_json::to_value(&point).unwrap_or_default());
            history.add(&view.key, point);
            views.push(view);
        }
        let dots = visitors.read(&world, &shown.reading.plugins, now.0);
        let fields = json!({
            "at": now.0,
            "status": print::json(shown),
            "rules": views,
            "gone": memory.gone(),
            "events": memory.events(),
            "visitors": dots.as_ref().ok(),
            "visitorsUnknown": dots.as_ref().err(),
            "lost": null,
        });
        State { fields: fields.as_object().cloned().unwrap_or_default(), latest }
    }

    /// The same, if nothing newer could be read since.
    pub fn lost(&self, why: &str, since: Second, memory: &Memory) -> State {
        let mut lost = self.clone();
        if self.lost_since().is_none() {
            lost.fields.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten().for_each(age);
        }
        lost.fields.insert("lost".to_owned(), json!({"why": why, "since": since.0}));
        lost.fields.insert("events".to_owned(), json!(memory.events()));
        // No look, no point.
        lost.latest = Map::new();
        lost
    }

    /// Since when nothing newer could be read.
    pub fn lost_since(&self) -> Option<Second> {
        self.fields.get("lost")?.get("since")?.as_u64().map(Second)
    }

    /// With what stays the same.
    pub fn with(mut self, said: &Map<String, Value>) -> State {
        self.fields.extend(said.clone());
        self
    }

    /// For a page that has seen the state before.
    pub fn news(&self) -> String {
        json!({"state": self.fields, "latest": self.latest}).to_string()
    }

    /// For a page that begins.
    pub fn whole(&self, history: &History) -> String {
        json!({"state": self.fields, "history": history}).to_string()
    }
}

/// Nobody knows how a rule is now, however well it was.
fn age(rule: &mut Value) {
    let name = verdict::short(rule.get("rule").and_then(Value::as_str).unwrap_or_default());
    if let Some(verdict) = rule.get_mut("verdict") {
        let text = verdict.get("text").and_then(Value::as_str).unwrap_or_default();
        let last = text.strip_prefix(&*name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(text);
        let text = format!("{name}: nothing can be read now; the last was: {last}");
        *verdict = json!({"level": Level::Bad, "text": text});
    }
}
