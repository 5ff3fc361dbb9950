//! `sticky`: the keys, the cookie, the salt, and the effect of a change of weights.

use super::context::Context;
use super::cookie::read_cookie;
use super::fields::{Errors, Place, boolean, known, list, quoted, string};
use super::json::Json;
use super::names::{claim_path, is_token, why_no_token};
use crate::rule::hosts::HostPattern;
use crate::split::Salt;
use crate::visitor::Sticky;
use crate::visitor::keep::Keep;
use crate::visitor::keys::Key;

const MAX_SALT: usize = 253;

pub(super) fn read_sticky(
    json: &Json,
    rule: Option<&str>,
    hosts: &[HostPattern],
    place: &Place,
    context: &Context,
    errors: &mut Errors,
) -> (Salt, Option<Sticky>) {
    let name = rule.unwrap_or_default();
    let by_name = Salt::new(name.as_bytes());
    let Some(fields) = known(json, place, &["keys", "cookie", "salt", "onWeightChange"], errors) else {
        return (by_name, None);
    };
    let salt = fields.get("salt").and_then(|salt| {
        let place = place.field("salt");
        let salt = string(salt, &place, errors)?;
        if salt.is_empty() || salt.len() > MAX_SALT {
            errors.add(&place, format_args!("a salt of {} bytes; it needs 1 to {MAX_SALT}", salt.len()));
        }
        Some(salt.as_bytes())
    });
    let salt = salt.unwrap_or(name.as_bytes());
    let keys = fields.get("keys").map(|keys| read_keys(keys, &place.field("keys"), context, errors));
    let cookie = fields.get("cookie").map(|cookie| read_cookie(cookie, rule, hosts, &place.field("cookie"), errors));
    if keys.is_none() && cookie.is_none() {
        errors.add(place, "needs keys or a cookie; write cookie: {} for one with the defaults");
    }
    let keep = fields.get("onWeightChange").and_then(|json| {
        let place = place.field("onWeightChange");
        match string(json, &place, errors)? {
            "rebalance" => None,
            "keep" => {
                if cookie.is_none() {
                    errors.add(&place, "keep, but only a cookie can keep; add cookie: {}");
                }
                Some(Keep::new(context.seal, salt, name))
            }
            other => {
                errors.add(&place, format_args!("{} is not one of rebalance, keep", quoted(other)));
                None
            }
        }
    });
    let cookie = match cookie {
        Some(None) => return (Salt::new(salt), None),
        Some(cookie) => cookie,
        None => None,
    };
    if let Some(Key::Cookie(_)) = keys
        .iter()
        .flatten()
        .find(|key| matches!((key, &cookie), (Key::Cookie(name), Some(ours)) if *name == ours.name))
    {
        errors.add(&place.field("keys"), "the cookie of this rule cannot be its key");
    }
    (Salt::new(salt), Some(Sticky { keys: keys.unwrap_or_default(), cookie, keep }))
}

fn read_keys(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Vec<Key> {
    const KINDS: [&str; 5] = ["header", "claim", "queryParam", "cookie", "remoteIp"];
    let Some(items) = list(json, place, errors) else { return Vec::new() };
    if items.is_empty() {
        errors.add(place, "empty; leave it out if only the cookie is meant");
    }
    let mut keys: Vec<Key> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = place.index(index);
        let Some(fields) = known(item, &place, &KINDS, errors) else { continue };
        let mut given = fields.given();
        let (Some((kind, json)), None) = (given.next(), given.next()) else {
            errors.add(&place, format_args!("one of {} in each entry", KINDS.join(", ")));
            continue;
        };
        let Some(key) = read_key(kind, json, &place.field(kind), context, errors) else { continue };
        if let Some(first) = keys.iter().position(|known| *known == key) {
            errors.add(&place, format_args!("the same as keys[{first}]"));
        }
        keys.push(key);
    }
    keys
}

fn read_key(kind: &str, json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Option<Key> {
    if kind == "remoteIp" {
        if !boolean(json, place, errors)? {
            errors.add(place, "false; leave it out");
        }
        return Some(Key::RemoteIp);
    }
    let text = string(json, place, errors)?;
    match kind {
        "claim" => claim_path(text, place, errors).map(Key::Claim),
        "queryParam" => {
            if text.is_empty() {
                errors.add(place, "a query parameter needs a name");
            }
            Some(Key::QueryParam(text.to_owned()))
        }
        _ if !is_token(text) => {
            errors.add(place, format_args!("{} is not a {kind} name: {}", quoted(text), why_no_token(text)));
            None
        }
        "header" => {
            let name = text.to_ascii_lowercase();
            if context.header == Some(&*name) {
                errors.add(place, "the header that this filter writes says nothing about a request");
            }
            Some(Key::Header(name))
        }
        _ => Some(Key::Cookie(text.to_owned())),
    }
}
