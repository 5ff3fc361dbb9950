//! `--pause` and `--resume`: a ramp stays where it is, and goes on from there.

use super::splice::is_written_there;
use crate::input::manifest::{Objects, PluginConfig};
use crate::input::sources::{Source, Unit};
use crate::input::yaml::{self, Key, Node};
use crate::report::plan::ramp;
use crate::report::time::{span, utc};
use canary_split::config::General;
use canary_split::rollout::ramp::{Ramp, Second};
use canary_split::rule::{Rule, Target};
use std::ops::Range;
use std::rc::Rc;

/// A text with a ramp that is paused or goes on, and what was done in words.
pub struct Paused {
    /// All of it.
    pub text: String,
    /// As in `the ramp is paused at 2026-12-01T12:00:00Z`.
    pub said: String,
    /// Field by field.
    pub edits: Vec<serde_json::Value>,
}

/// Pauses the ramp of a rule at this moment.
pub fn pause(
    config: &PluginConfig,
    documents: &[Node],
    rule: &Node,
    name: &str,
    now: Second,
) -> Result<Paused, String> {
    let (fields, plan) = found(config, rule, name)?;
    if let Some(paused) = plan.paused_at {
        return Err(format!("rule {name}: its ramp is paused already, at {}", utc(paused)));
    }
    if plan.end() <= now {
        return Err(format!("rule {name}: its ramp has ended at {}; there is nothing to pause", utc(plan.end())));
    }
    let text = &config.source.text;
    let paused = utc(now);
    let (key, start) = entry(fields, "start").ok_or("the ramp has no start")?;
    check_written(config, documents, start)?;
    let edit = match entry(fields, "pausedAt") {
        // `pausedAt: null`
        Some((_, none)) => (none.span.clone(), paused.clone()),
        None => {
            let is_quoted = text.get(key.span.clone()).is_some_and(|key| key.starts_with('"'));
            let entry = if is_quoted { format!("\"pausedAt\": \"{paused}\"") } else { format!("pausedAt: {paused}") };
            let between = if is_flow(fields, text) {
                ", ".to_owned()
            } else {
                format!("{}{}", line_end(text), " ".repeat(key.span.start - line_start(text, key.span.start)))
            };
            (key.span.start..key.span.start, format!("{entry}{between}"))
        }
    };
    let line = config.source.position(key.span.start).0;
    let edits = vec![serde_json::json!({"field": "pausedAt", "old": null, "new": paused, "line": line})];
    let said = format!("the ramp is paused at {paused}");
    let expected = Ramp { paused_at: Some(now), ..plan };
    Ok(Paused { text: edited(config, documents, &[edit], name, &expected)?, said, edits })
}

/// Lets the ramp of a rule go on from where it is.
pub fn resume(
    config: &PluginConfig,
    documents: &[Node],
    rule: &Node,
    name: &str,
    now: Second,
) -> Result<Paused, String> {
    let (fields, plan) = found(config, rule, name)?;
    let Some(paused) = plan.paused_at else { return Err(format!("rule {name}: its ramp is not paused")) };
    let text = &config.source.text;
    let pause = now.0.saturating_sub(paused.0);
    let start = Second(plan.start.0.saturating_add(pause));
    let (_, node) = entry(fields, "start").ok_or("the ramp has no start")?;
    let (key, value) = entry(fields, "pausedAt").ok_or("the ramp has no pausedAt")?;
    check_written(config, documents, node)?;
    check_written(config, documents, value)?;
    let removed = removed(text, fields, key, value);
    let mut changes = vec![(removed, String::new())];
    let line = |node: &Node| config.source.position(node.span.start).0;
    let mut edits =
        vec![serde_json::json!({"field": "pausedAt", "old": utc(paused), "new": null, "line": line(value)})];
    if pause > 0 {
        let written = text.get(node.span.clone()).unwrap_or_default();
        let quote = written.chars().next().filter(|first| ['"', '\''].contains(first));
        let quote = quote.map(String::from).unwrap_or_default();
        changes.push((node.span.clone(), format!("{quote}{}{quote}", utc(start))));
        edits
            .push(serde_json::json!({"field": "start", "old": utc(plan.start), "new": utc(start), "line": line(node)}));
    }
    changes.sort_by_key(|(span, _)| span.start);
    let said = format!("the ramp goes on after a pause of {}: it starts at {} now", span(pause), utc(start));
    let expected = Ramp { paused_at: None, start, ..plan };
    Ok(Paused { text: edited(config, documents, &changes, name, &expected)?, said, edits })
}

/// Why weights of a rule cannot be set now, if its ramp decides them.
pub fn why_not(config: &PluginConfig, name: &str, now: Second) -> Option<String> {
    let Some(Rule { target: Target::Split(split), .. }) = parsed(config, name) else { return None };
    let plan = ramp(&split)?;
    (plan.start <= now).then(|| {
        format!(
            "rule {name}: its ramp decides the weights since {}, and those of split hold only before that; edit its steps, hold the weights of this moment with --pause, or take ramp out of the rule and set the weights then",
            utc(plan.start)
        )
    })
}

/// The ramp of a rule: where it stands, and what it says.
fn found<'c>(config: &PluginConfig, rule: &'c Node, name: &str) -> Result<(&'c Node, Ramp), String> {
    let fields = rule.get("ramp").filter(|fields| !fields.entries().is_empty());
    let fields = fields.ok_or_else(|| format!("rule {name} has no ramp"))?;
    let rule = parsed(config, name);
    let Some(Rule { target: Target::Split(split), .. }) = rule else {
        return Err(format!("rule {name} has a fault; fix it first, canary-split check says where"));
    };
    ramp(&split).cloned().map(|plan| (fields, plan)).ok_or_else(|| format!("rule {name} has no ramp"))
}

fn parsed(config: &PluginConfig, name: &str) -> Option<Rule> {
    let text = config.json();
    let (general, _) = General::parse(text.as_bytes()).ok()?;
    let entry = general.rules().find(|entry| entry.name.as_deref() == Some(name))?;
    entry.rule.ok()
}

fn entry<'n>(fields: &'n Node, name: &str) -> Option<(&'n Key, &'n Node)> {
    fields.entries().iter().rfind(|(key, _)| &*key.name == name).map(|(key, value)| (key, value))
}

fn check_written(config: &PluginConfig, documents: &[Node], node: &Node) -> Result<(), String> {
    if is_written_there(documents, &node.span) {
        return Ok(());
    }
    let (line, column) = config.source.position(node.span.start);
    let name = &config.source.name;
    Err(format!(
        "{name}:{line}:{column}: the ramp stands in or behind an alias, and says something elsewhere too; edit it by hand"
    ))
}

fn is_flow(fields: &Node, text: &str) -> bool {
    text.get(fields.span.clone()).is_some_and(|text| text.starts_with('{'))
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The bytes of an entry with what divides it from the others: its line, or the comma next to it.
fn removed(text: &str, fields: &Node, key: &Key, value: &Node) -> Range<usize> {
    let rest = |from: usize| text.get(from..).unwrap_or_default();
    if is_flow(fields, text) {
        let after = rest(value.span.end);
        let comma = after.trim_start().strip_prefix(',').map(|tail| tail.trim_start_matches([' ', '\t']));
        if let Some(tail) = comma {
            return key.span.start..text.len() - tail.len();
        }
        let before = text.get(..key.span.start).unwrap_or_default().trim_end();
        return before.strip_suffix(',').map_or(key.span.start, str::len)..value.span.end;
    }
    let line = line_start(text, key.span.start);
    let is_alone = text.get(line..key.span.start).is_some_and(|before| before.trim().is_empty());
    let end = rest(value.span.end).find('\n').map_or(text.len(), |end| value.span.end + end + 1);
    if is_alone { line..end } else { key.span.start..value.span.end }
}

/// The text with these edits, if it says then what is expected and nothing else.
fn edited(
    config: &PluginConfig,
    documents: &[Node],
    edits: &[(Range<usize>, String)],
    name: &str,
    expected: &Ramp,
) -> Result<String, String> {
    let old = &config.source.text;
    let mut text = String::with_capacity(old.len() + 64);
    let mut end = 0;
    for (span, new) in edits {
        text.push_str(old.get(end..span.start).unwrap_or_default());
        text.push_str(new);
        end = span.end;
    }
    text.push_str(old.get(end..).unwrap_or_default());
    let others = |nodes: &[Node]| nodes.iter().map(|node| without_times(node, name, false)).collect::<Vec<_>>();
    let is_right = yaml::documents(&text).is_ok_and(|new| others(&new) == others(documents));
    if is_right && says(&text, config, name, expected) {
        return Ok(text);
    }
    Err(format!(
        "{}: the ramp of rule {name} cannot be edited without changing more; edit it by hand",
        config.source.name
    ))
}

/// Whether the ramp of the rule is this one then.
fn says(text: &str, config: &PluginConfig, name: &str, expected: &Ramp) -> bool {
    let source = Source::new(config.source.name.clone(), text);
    let unit = Unit { folder: String::new(), sources: vec![Rc::new(source)] };
    let Ok(objects) = Objects::of(&unit) else { return false };
    objects.configs().filter(|new| new.title() == config.title()).any(|new| {
        let Some(Rule { target: Target::Split(split), .. }) = parsed(&new, name) else { return false };
        ramp(&split) == Some(expected)
    })
}

/// What a document says but for when the ramp of this rule starts and is paused.
fn without_times(node: &Node, name: &str, is_its_ramp: bool) -> serde_json::Value {
    let is_rule = node.get("name").and_then(Node::text) == Some(name);
    if !node.entries().is_empty() {
        let kept =
            node.entries().iter().filter(|(key, _)| !(is_its_ramp && ["start", "pausedAt"].contains(&&*key.name)));
        let entry = |(key, value): &(Key, Node)| {
            serde_json::json!([&*key.name, without_times(value, name, is_rule && &*key.name == "ramp")])
        };
        return kept.map(entry).collect();
    }
    if !node.items().is_empty() {
        return node.items().iter().map(|item| without_times(item, name, false)).collect();
    }
    node.to_json().into()
}
