//! The difference that a config makes, by the names of the rules.

use super::in_force::{InForce, places};
use crate::config::fingerprint::fingerprint;
use crate::config::json::{Json, Text};
use crate::config::rule_name;
use std::fmt::Write;

/// The text for a config that changes nothing.
pub(super) const NOTHING: &str = "nothing changed";

/// The difference that a config makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// In one line, for the log.
    pub line: String,
    /// The weighted subsets that are no longer in force: `(rule, subset)`.
    pub gone: Vec<(String, String)>,
}

/// The part of a rule that is compared.
struct Outline {
    name: String,
    /// The same for two rules that say the same.
    content: u64,
    weighted: Vec<String>,
}

impl Outline {
    /// From the text of a rule that was good.
    fn of(text: Text) -> Option<Outline> {
        let json = text.tree().ok()?;
        let items = if let Some(Json::List(items)) = field(&json, "split") { &**items } else { &[] };
        let subset =
            |item| if let Some(Json::String(subset)) = field(item, "subset") { Some(subset.clone()) } else { None };
        Some(Outline {
            name: rule_name(&json)?.to_owned(),
            content: fingerprint(&json),
            weighted: items.iter().filter_map(subset).collect(),
        })
    }
}

fn field<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let Json::Object(fields) = json else { return None };
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The difference between two configs. Most of ten thousand rules are unchanged: a common beginning and a common end are
/// compared as text only.
pub(super) fn difference(before: &InForce, after: &InForce) -> Difference {
    let (old, new): (Vec<Text>, Vec<Text>) = (before.rules().collect(), after.rules().collect());
    let is_same = |(old, new): &(&Text, &Text)| old.as_str() == new.as_str();
    let begin = old.iter().zip(&new).take_while(is_same).count();
    let (old, new) = (old.get(begin..).unwrap_or_default(), new.get(begin..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(is_same).count();
    let outlines = |texts: &[Text]| -> Vec<Outline> {
        texts.iter().take(texts.len() - end).filter_map(|text| Outline::of(*text)).collect()
    };
    let (old, new) = (outlines(old), outlines(new));
    let (old_places, new_places) = (places(&mut names(&old)), places(&mut names(&new)));
    let old_of = |name: &str| old_places.get(name).and_then(|&at| old.get(at as usize));
    let new_of = |name: &str| new_places.get(name).and_then(|&at| new.get(at as usize));

    let few = |what: &str, rules: &[Outline], pick: &dyn Fn(&Outline) -> bool| {
        let mut line = String::new();
        let mut count = 0;
        for rule in rules.iter().filter(|rule| pick(rule)) {
            count += 1;
            if count <= 8 {
                line.push_str(if count == 1 { what } else { ", " });
                line.push_str(&rule.name);
            }
        }
        if count > 8 {
            let _ = write!(line, " and {} more", count - 8);
        }
        line
    };
    let mut parts = vec![
        few("new: ", &new, &|rule| old_of(&rule.name).is_none()),
        few("changed: ", &new, &|rule| old_of(&rule.name).is_some_and(|old| old.content != rule.content)),
        few("gone: ", &old, &|rule| new_of(&rule.name).is_none()),
    ];
    if before.headers.request != after.headers.request {
        parts.push(format!("header: {}", after.headers.request));
    }
    if before.headers.response != after.headers.response {
        parts.push(format!("responseHeader: {}", after.headers.response.as_deref().unwrap_or("none")));
    }
    if before.seal != after.seal {
        parts.push("seal".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        parts.push(if names(&old).eq(names(&new)) { NOTHING } else { "order of the rules" }.to_owned());
    }

    let mut gone = Vec::new();
    for rule in &old {
        let now = new_of(&rule.name).map_or(&[][..], |rule| &rule.weighted);
        let missing = rule.weighted.iter().filter(|subset| !now.contains(subset));
        gone.extend(missing.map(|subset| (rule.name.clone(), subset.clone())));
    }
    Difference { line: parts.join("; "), gone }
}

fn names(rules: &[Outline]) -> impl Iterator<Item = &str> {
    rules.iter().map(|rule| &*rule.name)
}
