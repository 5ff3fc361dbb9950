//! Rules that replace weights.

use super::extra::{Extra, pairs};
use super::refusal::Refusal;
use super::weighted::Weighted;
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use serde_json::{Map, Value};

/// A rule for the requests of a weighted route.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: String,
    /// The hosts; empty: every host.
    pub hosts: Vec<String>,
    /// The match entries; empty: every request.
    pub matches: Vec<Value>,
    pub target: Target,
}

/// The decision of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Split by weights.
    Split(Split),
    /// Always this subset: the paths have no other.
    Subset(String),
    /// Always this subset: the request's own header, cookie or parameter selects it, or a default does.
    Asked(String),
    /// Write the visitor's position into this header; the weights stay in the route, with their owner.
    Adopted(String),
}

/// A split with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Weights by subset, stable first.
    pub weights: Vec<(String, u32)>,
    /// The subsets in the order of the route's destinations.
    pub names: Vec<String>,
    /// Settings from another tool.
    pub extra: Extra,
}

/// The rules of a route: first the overrides, then the split.
///
/// # Errors
///
/// An override contradicts the match of the route.
pub fn of_route(
    name: &str,
    hosts: &[String],
    matches: &[Value],
    route: &Weighted,
    weights: Vec<(String, u32)>,
) -> Result<Vec<Rule>, String> {
    let names = route.names();
    let rule = |name: String, matches: Vec<Value>, target| Rule { name, hosts: hosts.to_vec(), matches, target };
    let mut rules = Vec::new();
    for other in &route.extra.overrides {
        let matches = pairs(matches, &other.matches).ok_or_else(|| {
            format!("its rule {name}-{} would ask for one thing in two ways; write that rule by hand", other.suffix)
        })?;
        let to = names.get(other.to).cloned().unwrap_or_default();
        rules.push(rule(format!("{name}-{}", other.suffix), matches, Target::Asked(to)));
    }
    let split = Split { weights, names, extra: route.extra.clone() };
    rules.push(rule(name.to_owned(), matches.to_vec(), Target::Split(split)));
    Ok(rules)
}

/// The match fields that a rule has too.
const CONDITIONS: [&str; 5] = ["uri", "method", "headers", "withoutHeaders", "queryParams"];

/// The match of a route as the match of a rule. `shares` is only for the reason of a refusal.
pub fn conditions(object: &Object, entries: &[Node], shares: &str) -> Result<Vec<Value>, Refusal> {
    let reason = |what: &str| {
        format!(
            "other shares than on other routes ({shares}), and a rule cannot ask for {what}; give all routes the same shares"
        )
    };
    let of_entry = |entry: &Node| {
        let mut conditions = Map::new();
        for (key, value) in entry.entries() {
            if *key.name == *"name" {
                continue;
            }
            if !CONDITIONS.contains(&&*key.name) {
                return Err(Refusal::at_byte(object, key.span.start, reason(&key.name)));
            }
            // Names with `@` or `:` are Istio's own (claims, for example), not headers.
            let names = value.entries().iter().map(|(name, _)| name).filter(|_| key.name.ends_with("eaders"));
            if let Some(name) = names.into_iter().find(|name| name.name.starts_with(['@', ':'])) {
                return Err(Refusal::at_byte(object, name.span.start, reason(&name.name)));
            }
            conditions.insert(key.name.to_string(), serde_json::from_str(&value.to_json()).unwrap_or_default());
        }
        Ok(Value::Object(conditions))
    };
    entries.iter().map(of_entry).collect()
}

/// Makes a valid rule name from text: lower-case letters, digits and `-`.
pub fn name(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let text: String = text.trim_matches('-').chars().take(50).collect();
    let text = text.trim_end_matches('-');
    if text.is_empty() { "canary".to_owned() } else { text.to_owned() }
}

/// The name itself if it is free, otherwise the name with a number.
pub fn unique(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let others = (2..).map(|number: usize| format!("{name}-{number}"));
    [name.to_owned()].into_iter().chain(others).find(|name| !is_taken(name)).unwrap_or_default()
}

/// The base with the first path of a match, so that the name shows what the rule is for.
pub fn path_name(base: &str, matches: &[Value]) -> String {
    let paths = matches.iter().filter_map(|entry| entry.get("uri")?.as_object()?.values().next()?.as_str());
    let path = paths.map(|path| path.trim_matches(|c: char| !c.is_ascii_alphanumeric())).find(|path| !path.is_empty());
    path.map_or_else(|| base.to_owned(), |path| name(&format!("{base}-{path}")))
}

#[cfg(test)]
mod tests {
    use super::{name, unique};

    #[test]
    fn a_rule_gets_a_name_that_it_may_have() {
        for (text, expected) in
            [("shop", "shop"), ("shop.example.com", "shop-example-com"), ("-A_b-", "a-b"), ("", "canary")]
        {
            assert_eq!(name(text), expected);
        }
        assert_eq!(name(&format!("{}-b", "a".repeat(49))).len(), 49);
        assert_eq!(unique("a", |name| ["a", "a-2"].contains(&name)), "a-3");
    }
}
