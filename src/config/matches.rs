//! `match`: its entries, their conditions, and how values are matched.

use super::blocks::read_blocks;
use super::context::{Context, MAX_STEPS};
use super::fields::{Errors, MAX_STRING, Place, filled_list, known, object, quoted, string};
use super::json::Json;
use super::names::{claim_path, is_token, why_no_token};
use crate::rule::condition::{Condition, Match, StringMatch};
use crate::rule::re2::Re2;
use std::collections::HashMap;

pub(super) fn read_matches(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Vec<Match> {
    let Some(items) = filled_list(json, place, errors) else { return Vec::new() };
    read_entries(items, place, "empty; leave match out if every request is meant", context, errors)
}

/// The entries of a list of matches; `empty` is the error for an empty list.
pub(super) fn read_entries(
    items: &[Json],
    place: &Place,
    empty: &str,
    context: &Context,
    errors: &mut Errors,
) -> Vec<Match> {
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let place = place.index(index);
            let fields = known(
                item,
                &place,
                &["uri", "method", "headers", "withoutHeaders", "queryParams", "cookies", "remoteIpBlocks", "claims"],
                errors,
            )?;
            if fields.is_empty() {
                errors.add(&place, empty);
            }
            let mut conditions = Vec::new();
            if let Some(json) = fields.get("method") {
                conditions.extend(
                    read_string_match(json, &place.field("method"), false, context, errors).map(Condition::Method),
                );
            }
            if let Some(json) = fields.get("uri") {
                conditions
                    .extend(read_string_match(json, &place.field("uri"), false, context, errors).map(Condition::Uri));
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
                    let matches = read_match_map(json, &place.field(field), field, context, errors);
                    conditions.extend(matches.into_iter().map(|(name, m)| make(name, m)));
                }
            }
            if let Some(json) = fields.get("remoteIpBlocks") {
                conditions
                    .extend(read_blocks(json, &place.field("remoteIpBlocks"), errors).map(Condition::RemoteIpBlocks));
            }
            if let Some(json) = fields.get("claims") {
                conditions.extend(read_claims(json, &place.field("claims"), context, errors));
            }
            Some(Match { conditions: conditions.into() })
        })
        .collect()
}

/// `{CLAIM: {exact: …}}`
fn read_claims(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Vec<Condition> {
    let Some(fields) = object(json, place, errors) else { return Vec::new() };
    if fields.is_empty() {
        errors.add(place, "empty; leave it out");
    }
    let mut conditions: Vec<Condition> = Vec::new();
    for (text, json) in fields.given() {
        let place = place.field(text);
        let path = claim_path(text, &place, errors);
        let value = read_string_match(json, &place, true, context, errors);
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
    json: &Json,
    place: &Place,
    presence: bool,
    context: &Context,
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
            let problem = |problem| match place.is_secret() {
                true => errors.add(&place, problem),
                false => errors.add(&place, format_args!("{}: {problem}", quoted(value))),
            };
            let regex = Re2::with(value, context.effort).map_err(problem).ok()?;
            let (own, steps) = (regex.steps(), context.steps.get().saturating_add(regex.steps()));
            if steps > MAX_STEPS {
                errors.add(
                    &place,
                    format_args!(
                        "takes {own} steps, together with the regexes before it {steps}: more than {MAX_STEPS}"
                    ),
                );
                return None;
            }
            context.steps.set(steps);
            Some(StringMatch::Regex(Box::new(regex)))
        }
    }
}

/// `{NAME: {exact: …}}`; which names are allowed depends on the field.
fn read_match_map(
    json: &Json,
    place: &Place,
    field: &str,
    context: &Context,
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
        } else if is_header && context.header == Some(&*name) {
            errors.add(&place, "the header that this filter writes says nothing about a request");
        }
        let times = seen.entry(name.clone()).or_insert(0_u32);
        *times += 1;
        if *times > 1 {
            errors.add(&place, "given twice");
        }
        matches.extend(read_string_match(json, &place, true, context, errors).map(|m| (name, m)));
    }
    matches
}
