//! JSON → rules: every check and every error text.
//!
//! A rule stands or falls alone, so that its errors do not take the others with them; what to do about a rule that has
//! fallen is decided in [`crate::reload`].

mod fields;
mod names;
mod sticky;

use crate::claim::ClaimPath;
use crate::hosts::HostIndex;
use crate::json::{Json, Text};
use crate::paths::PathIndex;
use crate::re2::Re2;
use crate::rule::{Condition, Match, Rule, StringMatch, Subset, Target, WeightedSubsets};
use crate::split::{MAX_SUBSETS, Salt, Split};
use crate::sticky::is_label;
use fields::{Errors, Place, few, filled_list, known, list, object, quoted, string};
pub use names::USED_HEADERS;
use names::{check_header, header_problem, is_token, label, read_hosts, why_no_token};
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// The request header that carries the subset unless the config says otherwise.
pub const DEFAULT_HEADER: &str = "x-canary-subset";

const MAX_ENTRIES: usize = 10_000;
const MAX_STRING: usize = 8192;
/// All regexes of a config together; about 100 MB. A VM that runs out of memory takes all requests in flight with it.
const MAX_STEPS: u32 = 1_000_000;

/// The rules that are in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The request header that carries the subset.
    pub header: String,
    /// The response header that names the subset.
    pub response_header: Option<String>,
    /// Tried in order; the first that matches decides.
    pub rules: Vec<Rule>,
    /// Which of them speak about a host.
    pub hosts: HostIndex,
    /// Which of them a path rules out.
    pub paths: PathIndex,
}

impl Config {
    /// The rules under these headers.
    pub fn new(headers: Headers, rules: Vec<Rule>) -> Config {
        let (hosts, paths) = (HostIndex::new(&rules), PathIndex::new(&rules));
        Config { header: headers.request, response_header: headers.response, rules, hosts, paths }
    }

    /// Without any rule.
    pub fn empty() -> Config {
        Config::new(Headers::default(), Vec::new())
    }

    /// The config of this text, if nothing at all is wrong with it.
    ///
    /// # Errors
    ///
    /// All errors, in the order of the text's rules.
    pub fn from_json(text: &[u8]) -> Result<Config, Vec<ConfigError>> {
        let (general, mut errors) = General::parse(text).map_err(|refused| refused.errors)?;
        let mut rules = Vec::new();
        for entry in general.rules() {
            match entry.rule {
                Ok(rule) => rules.push(rule),
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(Config::new(general.headers, rules)) } else { Err(errors) }
    }
}

/// The headers that the filter writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The request header that carries the subset.
    pub request: String,
    /// The response header that names it, if any.
    pub response: Option<String>,
}

impl Default for Headers {
    fn default() -> Self {
        Headers { request: DEFAULT_HEADER.to_owned(), response: None }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where in the config, as in `rules[1].split[0].weight`; empty: the whole of it.
    pub place: String,
    /// What is wrong: the value (secrets aside) and the limit.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.place, self.problem) }
    }
}

/// What a config says beside its rules.
#[derive(Clone, Debug)]
pub struct General<'t> {
    /// The headers that the filter writes.
    pub headers: Headers,
    /// The secret that is appended to the header's value.
    pub seal: Option<String>,
    rules: Option<Text<'t>>,
    /// What the regexes of good rules have taken of [`MAX_STEPS`].
    steps: Cell<u32>,
}

/// Why a whole config is refused.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// All that is wrong, in the rules too.
    pub errors: Vec<ConfigError>,
    /// The header, if at least that could be read.
    pub header: Option<String>,
}

/// One entry of `rules`.
#[derive(Clone, Debug)]
pub struct RuleEntry<'t> {
    /// Its name, if it has a valid one that no entry before it has.
    pub name: Option<String>,
    /// What the config says.
    pub text: Text<'t>,
    /// The rule, or all that is wrong with it.
    pub rule: Result<Rule, Vec<ConfigError>>,
}

impl<'t> General<'t> {
    /// What rules are read by, without any rules.
    pub fn of(headers: Headers, seal: Option<String>) -> General<'t> {
        General { headers, seal, rules: None, steps: Cell::new(0) }
    }

    /// Reads what a config says beside its rules, and the errors that refuse nothing (unknown fields). An empty text is an
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
                return Err(Refused { errors: errors.0, header: None });
            }
        };
        if json == Json::Null {
            return Ok((General::of(Headers::default(), None), Vec::new()));
        }
        let header = json_header(&json);
        let refused = |errors: Errors, header| Refused { errors: errors.0, header };
        let Some(fields) = object(&json, &place, &mut errors) else { return Err(refused(errors, header)) };
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
        match fields.get("rules") {
            Some(json) => {
                let place = place.field("rules");
                list(json, &place, &mut errors);
                rules = rules.filter(|rules| few(rules.items().count(), "entries", &place, &mut errors));
            }
            None if fields.is_empty() => {}
            None => errors.add(&place.field("rules"), "missing; write rules: [] for none"),
        }
        let request = header.clone().unwrap_or_else(|| DEFAULT_HEADER.to_owned());
        let general = General { headers: Headers { request, response }, seal, rules, steps: Cell::new(0) };
        if errors.0.is_empty() {
            return Ok((general, unknown.0));
        }
        errors.0.extend(unknown.0);
        errors.0.extend(general.rules().filter_map(|entry| entry.rule.err()).flatten());
        Err(refused(errors, header))
    }

    /// The list of the rules as the config gives it, if it does.
    pub fn list(&self) -> Option<&'t str> {
        self.rules.map(Text::as_str)
    }

    /// How many rules there are, good or bad.
    pub fn count(&self) -> usize {
        self.rules.map_or(0, |rules| rules.items().count())
    }

    /// All rules, good or bad, in the order of the list, one at a time.
    pub fn rules(&self) -> impl Iterator<Item = RuleEntry<'t>> {
        let mut seen = HashMap::new();
        self.rules.into_iter().flat_map(Text::items).enumerate().map(move |(index, text)| {
            let (root, mut errors) = (Place::Root, Errors::default());
            let rules = root.field("rules");
            let place = rules.index(index);
            let json = match text.tree() {
                Ok(json) => json,
                Err(problem) => {
                    errors.add(&place, format_args!("not JSON: {problem} of this rule"));
                    return RuleEntry { name: None, text, rule: Err(errors.0) };
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
            let rule = match self.rule(&json, &place) {
                Ok(rule) if errors.0.is_empty() => Ok(rule),
                Ok(_) => Err(errors.0),
                Err(more) => {
                    errors.0.extend(more);
                    Err(errors.0)
                }
            };
            RuleEntry { name, text, rule }
        })
    }

    /// One rule; all that is wrong with it, if anything is.
    fn rule(&self, json: &Json, place: &Place) -> Result<Rule, Vec<ConfigError>> {
        let mut errors = Errors::default();
        let steps = self.steps.get();
        match self.read_rule(json, place, &mut errors) {
            Some(rule) if errors.0.is_empty() => Ok(rule),
            _ => {
                self.steps.set(steps);
                Err(errors.0)
            }
        }
    }

    /// A rule that was good under this header and seal or others.
    pub fn restore_rule(&self, text: Text) -> Option<Rule> {
        self.rule(&text.tree().ok()?, &Place::Root).ok()
    }

    fn read_rule(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<Rule> {
        let fields = known(json, place, &["name", "hosts", "match", "subset", "split", "sticky"], errors)?;
        let name = match fields.get("name") {
            Some(name) => {
                string(name, &place.field("name"), errors).and_then(|name| label(name, &place.field("name"), errors))
            }
            None => {
                errors.add(&place.field("name"), "missing");
                None
            }
        };
        let hosts = fields.get("hosts").map_or(Vec::new(), |hosts| read_hosts(hosts, &place.field("hosts"), errors));
        let matches =
            fields.get("match").map_or(Vec::new(), |matches| self.read_matches(matches, &place.field("match"), errors));
        let sticky = fields.get("sticky");
        let target = match (fields.get("subset"), fields.get("split")) {
            (Some(_), Some(_)) => {
                errors.add(place, "subset and split exclude each other");
                None
            }
            (None, None) => {
                errors.add(place, "neither subset nor split is given");
                None
            }
            (Some(subset), None) => {
                if sticky.is_some() {
                    errors.add(&place.field("sticky"), "needs a split; a fixed subset draws nothing");
                }
                self.subset(subset, &place.field("subset"), errors).map(Target::Fixed)
            }
            (None, Some(split)) => {
                let split = self.read_split(split, &place.field("split"), errors);
                let sticky = sticky.map(|sticky| self.read_sticky(sticky, name, &place.field("sticky"), errors));
                split.map(|(subsets, weights, split)| {
                    let (salt, sticky) = match sticky {
                        Some((salt, sticky)) => (salt, sticky),
                        None => (Salt::new(name.unwrap_or_default().as_bytes()), None),
                    };
                    let (subsets, weights) = (subsets.into(), weights.into());
                    Target::Split(WeightedSubsets { subsets, weights, split, salt, sticky: sticky.map(Box::new) })
                })
            }
        };
        Some(Rule { name: name?.to_owned(), hosts: hosts.into(), matches: matches.into(), target: target? })
    }

    fn subset(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<Subset> {
        let name = string(json, place, errors)?;
        let name = label(name, place, errors)?;
        let name = Rc::from(name);
        let header_value = match &self.seal {
            Some(seal) => format!("{name}.{seal}").into(),
            None => Rc::clone(&name),
        };
        Some(Subset { name, header_value })
    }

    fn read_split(&self, json: &Json, place: &Place, errors: &mut Errors) -> Option<(Vec<Subset>, Vec<u32>, Split)> {
        let items = list(json, place, errors)?;
        if items.is_empty() || items.len() > MAX_SUBSETS {
            errors.add(place, format_args!("{} subsets; a split has 1 to {MAX_SUBSETS}", items.len()));
            return None;
        }
        let mut subsets: Vec<Subset> = Vec::new();
        let mut weights = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = place.index(index);
            let Some(fields) = known(item, &place, &["subset", "weight"], errors) else { continue };
            match fields.get("subset") {
                Some(subset) => {
                    if let Some(subset) = self.subset(subset, &place.field("subset"), errors) {
                        if subsets.iter().any(|other| other.name == subset.name) {
                            errors.add(
                                &place.field("subset"),
                                format_args!("{} is in this split already", quoted(&subset.name)),
                            );
                        }
                        subsets.push(subset);
                    }
                }
                None => errors.add(&place.field("subset"), "missing"),
            }
            match fields.get("weight") {
                Some(weight) => weights.extend(read_weight(weight, &place.field("weight"), errors)),
                None => errors.add(&place.field("weight"), "missing"),
            }
        }
        if weights.len() != items.len() || subsets.len() != items.len() {
            return None;
        }
        let split = Split::new(&weights).map_err(|error| errors.add(place, error.to_string())).ok()?;
        Some((subsets, weights, split))
    }

    fn read_matches(&self, json: &Json, place: &Place, errors: &mut Errors) -> Vec<Match> {
        let Some(items) = filled_list(json, place, errors) else { return Vec::new() };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let place = place.index(index);
                let fields = known(
                    item,
                    &place,
                    &["uri", "method", "headers", "withoutHeaders", "queryParams", "cookies", "claims"],
                    errors,
                )?;
                if fields.is_empty() {
                    errors.add(&place, "empty; leave match out if every request is meant");
                }
                let mut conditions = Vec::new();
                if let Some(json) = fields.get("method") {
                    conditions.extend(
                        self.read_string_match(json, &place.field("method"), false, errors).map(Condition::Method),
                    );
                }
                if let Some(json) = fields.get("uri") {
                    conditions
                        .extend(self.read_string_match(json, &place.field("uri"), false, errors).map(Condition::Uri));
                }
                type Make = fn(String, StringMatch) -> Condition;
                let maps: [(&str, Make); 4] = [
                    ("headers", Condition::Header),
                    ("withoutHeaders", Condition::WithoutHeader),
                    ("queryParams", Condition::QueryParam),
                    ("cookies", Condition::Cookie),
                ];
                for (field, make) in maps {
                    if let Some(json) = fields.get(field) {
                        let matches = self.read_match_map(json, &place.field(field), field, errors);
                        conditions.extend(matches.into_iter().map(|(name, m)| make(name, m)));
                    }
                }
                if let Some(json) = fields.get("claims") {
                    conditions.extend(self.read_claims(json, &place.field("claims"), errors));
                }
                Some(Match { conditions: conditions.into() })
            })
            .collect()
    }

    /// `{CLAIM: {exact: …}}`
    fn read_claims(&self, json: &Json, place: &Place, errors: &mut Errors) -> Vec<Condition> {
        let Some(fields) = object(json, place, errors) else { return Vec::new() };
        if fields.is_empty() {
            errors.add(place, "empty; leave it out");
        }
        let mut conditions: Vec<Condition> = Vec::new();
        for (text, json) in fields.given() {
            let place = place.field(text);
            let path = claim_path(text, &place, errors);
            let value = self.read_string_match(json, &place, true, errors);
            let (Some(path), Some(value)) = (path, value) else { continue };
            if conditions.iter().any(|known| matches!(known, Condition::Claim(other, _) if *other == path)) {
                errors.add(&place, "given twice");
            }
            conditions.push(Condition::Claim(path, value));
        }
        conditions
    }

    /// One of `exact`, `prefix`, `regex`; or `{}` where presence can be asked for. The value is not shown: it may be a secret.
    fn read_string_match(
        &self,
        json: &Json,
        place: &Place,
        presence: bool,
        errors: &mut Errors,
    ) -> Option<StringMatch> {
        let fields = known(json, place, &["exact", "prefix", "regex"], errors)?;
        let mut given = fields.given();
        let (Some((kind, value)), more) = (given.next(), given.next()) else {
            if presence {
                return Some(StringMatch::Present);
            }
            errors.add(place, "empty; write one of exact, prefix, regex");
            return None;
        };
        if more.is_some() {
            errors.add(place, "more than one of exact, prefix, regex");
            return None;
        }
        let place = place.field(kind);
        let value = string(value, &place, errors)?;
        match kind {
            "exact" => Some(StringMatch::Exact(value.to_owned())),
            "prefix" if value.is_empty() => {
                errors.add(&place, "an empty prefix; leave the match out or write {}");
                None
            }
            "prefix" => Some(StringMatch::Prefix(value.to_owned())),
            _ => {
                let regex = Re2::new(value).map_err(|problem| errors.add(&place, problem)).ok()?;
                let (own, steps) = (regex.steps(), self.steps.get().saturating_add(regex.steps()));
                if steps > MAX_STEPS {
                    errors.add(
                        &place,
                        format_args!(
                            "takes {own} steps, together with the regexes before it {steps}: more than {MAX_STEPS}"
                        ),
                    );
                    return None;
                }
                self.steps.set(steps);
                Some(StringMatch::Regex(Box::new(regex)))
            }
        }
    }

    /// `{NAME: {exact: …}}`, where what names are allowed depends on the field.
    fn read_match_map(
        &self,
        json: &Json,
        place: &Place,
        field: &str,
        errors: &mut Errors,
    ) -> Vec<(String, StringMatch)> {
        let Some(fields) = object(json, place, errors) else { return Vec::new() };
        if fields.is_empty() {
            errors.add(place, "empty; leave it out");
        }
        let is_header = matches!(field, "headers" | "withoutHeaders");
        let mut seen = HashMap::new();
        let mut matches = Vec::new();
        for (name, json) in fields.given() {
            let place = place.field(name);
            let name = if is_header { name.to_ascii_lowercase() } else { name.to_owned() };
            if name.len() > MAX_STRING {
                errors.add(&place, format_args!("a name of {} bytes is more than {MAX_STRING}", name.len()));
            } else if field == "queryParams" {
                if name.is_empty() {
                    errors.add(&place, "a query parameter needs a name");
                }
            } else if !is_token(&name) {
                let what = if is_header { "a header name" } else { "a cookie name" };
                errors.add(&place, format_args!("not {what}: {}", why_no_token(&name)));
            } else if is_header && name == self.headers.request {
                errors.add(&place, "the header that this filter writes says nothing about a request");
            }
            let times = seen.entry(name.clone()).or_insert(0_u32);
            *times += 1;
            if *times > 1 {
                errors.add(&place, "given twice");
            }
            matches.extend(self.read_string_match(json, &place, true, errors).map(|m| (name, m)));
        }
        matches
    }
}

fn claim_path(text: &str, place: &Place, errors: &mut Errors) -> Option<ClaimPath> {
    if text.len() > MAX_STRING {
        errors.add(place, format_args!("a name of {} bytes is more than {MAX_STRING}", text.len()));
        return None;
    }
    ClaimPath::parse(text).map_err(|problem| errors.add(place, format_args!("{} {problem}", quoted(text)))).ok()
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

/// The name of a rule, if it is a valid one.
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
        errors.add(place, format_args!("a seal of {} bytes; it has 16 to 128", seal.len()));
        return None;
    }
    if !seal.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        errors.add(place, "a seal has letters, digits, _ and - only");
        return None;
    }
    Some(seal.to_owned())
}

fn read_weight(json: &Json, place: &Place, errors: &mut Errors) -> Option<u32> {
    let Json::Number(number) = json else {
        errors.kind(place, json, "a number");
        return None;
    };
    let problem = match whole(number) {
        Ok(weight) => return Some(weight),
        Err(problem) => problem,
    };
    errors.add(place, format_args!("{} {problem}", number.get(..64).unwrap_or(number)));
    None
}

/// The exact value of a JSON number, in whatever form it is written: `pluginConfig` is a protobuf Struct, whose numbers are doubles.
fn whole(number: &str) -> Result<u32, String> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || before.bytes().chain(after.bytes());
    if digits().all(|digit| digit == b'0') {
        return Ok(0);
    }
    if negative {
        return Err("is less than 0".to_owned());
    }
    // What does not fit is far from any weight; where its digits stand no longer matters.
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
    let point = exponent.saturating_add(before.len() as i64);
    if (0_i64..).zip(digits()).any(|(at, digit)| at >= point && digit != b'0') {
        return Err("is not an integer".to_owned());
    }
    let mut places = digits().chain(std::iter::repeat(b'0')).take(usize::try_from(point).unwrap_or(usize::MAX));
    let append = |value: u32, digit| value.checked_mul(10)?.checked_add(u32::from(digit - b'0'));
    places.try_fold(0, append).ok_or_else(|| format!("is more than {}", u32::MAX))
}
