//! Which rule of a config is meant.

use super::title;
use crate::input::manifest::PluginConfig;
use crate::input::quoted::quoted;
use crate::input::weights::Present;
use crate::input::yaml::{Node, Value};

/// A rule with a split.
#[derive(Clone, Copy)]
pub struct Chosen<'c> {
    /// Its name.
    pub name: &'c str,
    /// Its place in `rules`.
    pub index: usize,
    /// All of it.
    pub node: &'c Node,
}

/// The rule of this name; without a name, the only one with a split.
pub fn choose<'c>(config: &'c PluginConfig, name: Option<&str>) -> Result<Chosen<'c>, String> {
    let Some(name) = name else {
        let all = all(config);
        return match all.as_slice() {
            [one] => Ok(*one),
            [] => Err(format!("{} has no rule with a split", title(config))),
            _ => {
                let names: Vec<&str> = all.iter().map(|rule| rule.name).collect();
                Err(format!("{} has several rules with a split; name one of them: {}", title(config), names.join(", ")))
            }
        };
    };
    let named = || named(config);
    let Some(rule) = named().find(|rule| rule.name == name) else {
        let names: Vec<&str> = named().map(|rule| rule.name).collect();
        let others =
            if names.is_empty() { "it has no rules".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(format!("{} has no rule {}; {others}", title(config), quoted(name)));
    };
    match (rule.node.get("split"), rule.node.get("subset").and_then(Node::text)) {
        (None, Some(subset)) => Err(format!(
            "rule {name} has the fixed subset {subset} and no weights; remove the rule, or change its subset"
        )),
        (None, None) if rule.node.get("adopt").is_some() => {
            Err(format!("rule {name} adopts the weights of a route; their owner moves them, and rolls back"))
        }
        (None, None) => Err(format!("rule {name} has no split")),
        _ => Ok(rule),
    }
}

/// All rules with a split.
pub fn all(config: &PluginConfig) -> Vec<Chosen<'_>> {
    named(config).filter(|rule| rule.node.get("split").is_some()).collect()
}

/// The names of all rules.
pub fn names(config: &PluginConfig) -> impl Iterator<Item = &str> {
    named(config).map(|rule| rule.name)
}

fn named(config: &PluginConfig) -> impl Iterator<Item = Chosen<'_>> {
    let rules = config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
    let chosen = |(index, node)| Some(Chosen { name: Node::get(node, "name").and_then(Node::text)?, index, node });
    rules.iter().enumerate().filter_map(chosen)
}

impl Chosen<'_> {
    /// Its subsets with their weights as they are written.
    pub fn present(&self) -> Result<Vec<Present>, String> {
        let present = |item: &Node| {
            let subset = item.get("subset").and_then(Node::text);
            let subset = subset.ok_or_else(|| format!("rule {} has a subset without a name", self.name))?;
            Ok((subset.to_owned(), item.get("weight").and_then(weight)))
        };
        self.node.get("split").map_or(&[][..], Node::items).iter().map(present).collect()
    }
}

/// The weight of a number.
fn weight(node: &Node) -> Option<u32> {
    let Value::Number(text) = &node.value else { return None };
    // A double holds every weight, however it is written.
    let number: f64 = text.parse().ok()?;
    let weight = number as u32;
    (f64::from(weight) == number).then_some(weight)
}
