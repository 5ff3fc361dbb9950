//! A config in which everything is good, as text.

use crate::config::json::Text;
use crate::config::{General, Headers, rule_name};
use crate::rule::Rule;
use std::collections::HashMap;
use std::rc::Rc;

/// The rules of a config that has none.
pub(super) const NO_RULES: &str = "[]";

/// A config in which everything is good.
#[derive(Debug, Default, PartialEq)]
pub(super) struct InForce {
    pub(super) headers: Headers,
    pub(super) seal: Option<String>,
    /// The rules as the configs gave them: a list in JSON. As text they take little memory, and they are seldom needed.
    pub(super) rules: String,
}

impl InForce {
    pub(super) fn new(general: &General, rules: String) -> Rc<InForce> {
        Rc::new(InForce { headers: general.headers.clone(), seal: general.seal.clone(), rules })
    }

    /// Whether it is the same as this config.
    pub(super) fn is(&self, general: &General) -> bool {
        self.headers == general.headers && self.seal == general.seal && self.rules == general.list().unwrap_or(NO_RULES)
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = Text<'_>> {
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

/// The place of each name.
pub(super) fn places(names: &mut dyn Iterator<Item = &str>) -> HashMap<String, u32> {
    names.map(str::to_owned).zip(0..).collect()
}

/// The names of these rules.
pub(super) fn names<'n>(named: &'n [(String, Text<'_>)]) -> impl Iterator<Item = &'n str> {
    named.iter().map(|(name, _)| &**name)
}
