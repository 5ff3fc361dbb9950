//! A config as a whole: its settings outside the rules, and its rules one at a time.

use super::adopt::position_header;
use super::context::Context;
use super::fields::{ConfigError, Errors, Place, few, list, object, quoted, string};
use super::headers::{DEFAULT_HEADER, Headers, check_header, header_problem};
use super::json::{Json, Text};
use super::regex_costs::RegexCosts;
use super::rule::read_rule;
use super::shared_cookies::SharedCookies;
use crate::rule::Rule;
use crate::rule::re2::Effort;
use crate::subset::is_label;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// The settings of a config outside its rules.
#[derive(Clone, Debug)]
pub struct General<'t> {
    /// The headers that the filter writes.
    pub headers: Headers,
    /// The secret that is appended to the header's value.
    pub seal: Option<String>,
    rules: Option<Text<'t>>,
    /// The number of rules, good or bad.
    pub count: usize,
    /// How much of [`MAX_STEPS`] the regexes of good rules have used.
    steps: Cell<u32>,
    effort: Effort,
    /// The cookies of good rules, filled while rules are read.
    cookies: RefCell<SharedCookies>,
    /// The regex costs of good rules, filled while rules are read.
    costs: RefCell<RegexCosts>,
}

/// Why a whole config is refused.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// All errors, including those in the rules.
    pub errors: Vec<ConfigError>,
    /// The header, if it could be read.
    pub header: Option<String>,
    /// The headers that its rules write positions into.
    pub position_headers: Vec<String>,
}

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct RuleEntry<'t> {
    /// Its name, if it has a valid one that no entry before it has.
    pub name: Option<String>,
    /// Whether its last good version may take its place.
    pub may_be_restored: bool,
    /// What the config says.
    pub text: Text<'t>,
    /// The rule, or all its errors.
    pub rule: Result<Rule, Vec<ConfigError>>,
}

impl<'t> General<'t> {
    /// What is needed to read rules, without any rules.
    pub fn of(headers: Headers, seal: Option<String>) -> General<'t> {
        General {
            headers,
            seal,
            rules: None,
            count: 0,
            steps: Cell::default(),
            effort: Effort::default(),
            cookies: RefCell::default(),
            costs: RefCell::default(),
        }
    }

    /// Reads the settings outside the rules, and the errors that refuse nothing (unknown fields). An empty text is an
    /// empty config.
    ///
    /// # Errors
    ///
    /// If the config cannot be used at all.
    pub fn parse(text: &'t [u8]) -> Result<(General<'t>, Vec<ConfigError>), Refused> {
        const NAMES: [&str; 4] = ["header", "responseHeader", "seal", "rules"];
        let mut errors = Errors::default();
        let place = Place::Root;
        let (json, mut rules) = match read(text) {
            Ok(parts) => parts,
            Err(problem) => {
                errors.add(&place, problem);
                return Err(Refused { errors: errors.0, ..Refused::default() });
            }
        };
        if json == Json::Null {
            return Ok((General::of(Headers::default(), None), Vec::new()));
        }
        let header = json_header(&json);
        let refused = |errors: Errors, header, position_headers| Refused { errors: errors.0, header, position_headers };
        let Some(fields) = object(&json, &place, &mut errors) else {
            return Err(refused(errors, header, Vec::new()));
        };
        let mut unknown = Errors::default();
        fields.check_unknown(&NAMES, &place, &mut unknown);
        fields.check_twice(&NAMES, &place, &mut errors);
        let seal = fields.get("seal").and_then(|seal| check_seal(seal, &place.field("seal"), &mut errors));
        if let Some(header) = fields.get("header") {
            check_header(header, &place.field("header"), &mut errors);
        }
        let response = fields.get("responseHeader").and_then(|header| {
            check_header(header, &place.field("responseHeader"), &mut errors);
            if let Json::String(header) = header { Some(header.clone()) } else { None }
        });
        // Counting them reads every byte.
        let count = rules.map_or(0, |rules| rules.items().count());
        match fields.get("rules") {
            Some(json) => {
                let place = place.field("rules");
                list(json, &place, &mut errors);
                rules = rules.filter(|_| few(count, "entries", &place, &mut errors));
            }
            None if fields.is_empty() => {}
            None => errors.add(&place.field("rules"), "missing; write rules: [] for none"),
        }
        let request = header.clone().unwrap_or_else(|| DEFAULT_HEADER.to_owned());
        let general = General { rules, count, ..General::of(Headers { request, response }, seal) };
        if errors.0.is_empty() {
            return Ok((general, unknown.0));
        }
        errors.0.extend(unknown.0);
        let mut position_headers = Vec::new();
        for entry in general.rules() {
            position_headers.extend(position_header(entry.text));
            errors.0.extend(entry.rule.err().into_iter().flatten());
        }
        Err(refused(errors, header, position_headers))
    }

    /// The list of the rules as the config gives it, if it does.
    pub fn list(&self) -> Option<&'t str> {
        self.rules.map(Text::as_str)
    }

    /// All rules, good or bad, in the order of the list, one at a time.
    pub fn rules(&self) -> impl Iterator<Item = RuleEntry<'t>> {
        let mut seen = HashMap::new();
        let rules = self.rules.into_iter().flat_map(Text::items).enumerate().map(move |(index, text)| {
            let (root, mut errors) = (Place::Root, Errors::default());
            let rules = root.field("rules");
            let place = rules.index(index);
            let json = match text.tree() {
                Ok(json) => json,
                Err(problem) => {
                    errors.add(&place, format_args!("not JSON: {problem} of this rule"));
                    return RuleEntry { name: None, may_be_restored: false, text, rule: Err(errors.0) };
                }
            };
            let mut name = rule_name(&json).map(str::to_owned);
            if let Some(known) = &name {
                match seen.get(known.as_str()) {
                    Some(first) => {
                        errors.add(
                            &place.field("name"),
                            format_args!("{} is already the name of rules[{first}]", quoted(known)),
                        );
                        name = None;
                    }
                    None => {
                        seen.insert(known.clone(), index as u32);
                    }
                }
            }
            let mut may_be_restored = name.is_some();
            let rule = match self.rule(&json, &place, Some(&self.headers.request)) {
                Ok(rule) if errors.0.is_empty() => {
                    if !self.may_cost_that(&rule, &place, &mut errors) {
                        Err(errors.0)
                    } else if self.may_have_its_cookie(index, &rule, &place, &mut errors) {
                        Ok(rule)
                    } else {
                        // Its last good version might not have the cookie either.
                        may_be_restored = false;
                        Err(errors.0)
                    }
                }
                Ok(_) => Err(errors.0),
                Err(more) => {
                    errors.0.extend(more);
                    Err(errors.0)
                }
            };
            RuleEntry { name, may_be_restored, text, rule }
        });
        // Free what is no longer needed before building anything else.
        rules.chain(std::iter::from_fn(|| {
            self.cookies.take();
            self.costs.take();
            None
        }))
    }

    /// One rule, or all its errors.
    fn rule(&self, json: &Json, place: &Place, header: Option<&str>) -> Result<Rule, Vec<ConfigError>> {
        let mut errors = Errors::default();
        let steps = self.steps.get();
        let context = Context { header, seal: self.seal.as_deref(), steps: &self.steps, effort: &self.effort };
        match read_rule(json, place, &context, &mut errors) {
            Some(rule) if errors.0.is_empty() => Ok(rule),
            _ => {
                self.steps.set(steps);
                Err(errors.0)
            }
        }
    }

    fn may_cost_that(&self, rule: &Rule, place: &Place, errors: &mut Errors) -> bool {
        let mut costs = self.costs.take();
        let may = costs.add(rule, place, errors);
        self.costs.replace(costs);
        may
    }

    fn may_have_its_cookie(&self, index: usize, rule: &Rule, place: &Place, errors: &mut Errors) -> bool {
        let mut cookies = self.cookies.take();
        let may = cookies.add(index, rule, place, errors);
        self.cookies.replace(cookies);
        may
    }

    /// A rule that was good, under this or another header and seal, in this place of the list.
    pub fn restore_rule(&self, text: Text, index: usize) -> Option<Rule> {
        let rule = self.rule(&text.tree().ok()?, &Place::Root, None).ok()?;
        let (place, mut errors) = (Place::Root, Errors::default());
        let may = self.may_cost_that(&rule, &place, &mut errors)
            && self.may_have_its_cookie(index, &rule, &place, &mut errors);
        may.then_some(rule)
    }
}

/// A config as a tree, with an empty list of rules, and the text of that list.
fn read(text: &[u8]) -> Result<(Json, Option<Text<'_>>), String> {
    if text.trim_ascii().is_empty() {
        return Ok((Json::Null, None));
    }
    let not_json = |problem| format!("not JSON: {problem}");
    let text = Text::parse(text).map_err(not_json)?;
    let Some(fields) = text.fields() else { return Ok((text.tree().map_err(not_json)?, None)) };
    let mut rules = None;
    let mut tree = Vec::new();
    for (name, value) in fields {
        let is_rules = name == "rules" && value.is_list();
        if is_rules {
            rules = Some(value);
        }
        let json = if is_rules { Json::List(Vec::new()) } else { value.tree().map_err(not_json)? };
        tree.push((name, json));
    }
    Ok((Json::object(tree), rules))
}

/// The name of a rule, if it is valid.
pub fn rule_name(json: &Json) -> Option<&str> {
    let Json::Object(fields) = json else { return None };
    match fields.iter().find(|(name, value)| name == "name" && *value != Json::Null) {
        Some((_, Json::String(name))) if is_label(name.as_bytes()) => Some(name),
        _ => None,
    }
}

/// The header that a config names, if it is valid and given once.
fn json_header(json: &Json) -> Option<String> {
    let Json::Object(fields) = json else { return None };
    let mut headers = fields.iter().filter(|(name, value)| name == "header" && *value != Json::Null);
    match (headers.next(), headers.next()) {
        (Some((_, Json::String(header))), None) if header_problem(header).is_none() => Some(header.clone()),
        _ => None,
    }
}

fn check_seal(json: &Json, place: &Place, errors: &mut Errors) -> Option<String> {
    let seal = string(json, place, errors)?;
    if !(16..=128).contains(&seal.len()) {
        errors.add(place, format_args!("a seal of {} bytes; it needs 16 to 128", seal.len()));
        return None;
    }
    if !seal.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        errors.add(place, "a seal may contain only letters, digits, _ and -");
        return None;
    }
    Some(seal.to_owned())
}
