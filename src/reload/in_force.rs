//! A config in which everything is good, as text.

use crate::config::json::Text;
use crate::config::{General, Headers, rule_name};
use crate::rule::Rule;
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

/// What a config changes that changes nothing.
pub(super) const NOTHING: &str = "nothing changed";

/// The rules of a config that has none.
pub(super) const NO_RULES: &str = "[]";

/// A config in which everything is good.
#[derive(Debug, Default, PartialEq)]
pub(super) struct InForce {
    pub(super) headers: Headers,
    pub(super) seal: Option<String>,
    /// The rules as the configs gave them: a list in JSON. As text they take little, and are seldom needed.
    pub(super) rules: String,
}

impl InForce {
    pub(super) fn new(general: &General, rules: String) -> Rc<InForce> {
        Rc::new(InForce { headers: general.headers.clone(), seal: general.seal.clone(), rules })
    }

    /// Whether it is what this config says.
    pub(super) fn is(&self, general: &General) -> bool {
        self.headers == general.headers && self.seal == general.seal && self.rules == general.list().unwrap_or(NO_RULES)
    }

    fn rules(&self) -> impl Iterator<Item = Text<'_>> {
        Text::parse(self.rules.as_bytes()).into_iter().flat_map(Text::items)
    }

    /// The rules in their order, with their names.
    pub(super) fn named(&self) -> Vec<(String, Text<'_>)> {
        let named = |text: Text<'_>| Some(rule_name(&text.tree().ok()?)?.to_owned());
        self.rules().filter_map(|text| Some((named(text)?, text))).collect()
    }

    pub(super) fn restored(&self) -> impl Iterator<Item = Rule> {
        let general = General::of(self.headers.clone(), self.seal.clone());
        self.rules().enumerate().filter_map(move |(index, text)| general.restore_rule(text, index))
    }
}

/// Where each name stands.
pub(super) fn places(names: &mut dyn Iterator<Item = &str>) -> HashMap<String, u32> {
    names.map(str::to_owned).zip(0..).collect()
}

/// The names of these rules.
pub(super) fn names<'n>(named: &'n [(String, Text<'_>)]) -> impl Iterator<Item = &'n str> {
    named.iter().map(|(name, _)| &**name)
}

/// What is different, by the names of the rules.
pub(super) fn changes(before: &InForce, after: &InForce) -> String {
    let (old, new) = (before.named(), after.named());
    let (old_places, new_places) = (places(&mut names(&old)), places(&mut names(&new)));
    let old_of = |name: &str| old_places.get(name).and_then(|&at| old.get(at as usize));
    let is_changed = |name: &str, text: &Text| {
        old_of(name).is_some_and(|(_, old)| old.as_str() != text.as_str() && old.tree() != text.tree())
    };
    let few = |what: &str, rules: &[(String, Text)], pick: &dyn Fn(&str, &Text) -> bool| {
        let mut line = String::new();
        let mut count = 0;
        for (name, _) in rules.iter().filter(|(name, text)| pick(name, text)) {
            count += 1;
            if count <= 8 {
                line.push_str(if count == 1 { what } else { ", " });
                line.push_str(name);
            }
        }
        if count > 8 {
            let _ = write!(line, " and {} more", count - 8);
        }
        line
    };
    let mut parts = vec![
        few("new: ", &new, &|name, _| old_of(name).is_none()),
        few("changed: ", &new, &is_changed),
        few("gone: ", &old, &|name, _| !new_places.contains_key(name)),
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
    if parts.is_empty() && !names(&old).eq(names(&new)) {
        parts.push("order of the rules".to_owned());
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.is_empty() { NOTHING.to_owned() } else { parts.join("; ") }
}
