//! `remember`: the cookie, and which visitors are forgotten.

use super::context::Context;
use super::cookie::read_cookie;
use super::fields::{Errors, Place, known, list};
use super::json::Json;
use super::matches::read_entries;
use crate::rule::condition::Match;
use crate::rule::hosts::HostPattern;
use crate::subset::Subset;
use crate::visitor::remember::Remember;
use std::rc::Rc;

/// How a rule remembers its visitors, and which requests make it forget them.
pub(super) fn read_remember(
    json: &Json,
    subset: Option<&Subset>,
    rule: Option<&str>,
    hosts: &[HostPattern],
    place: &Place,
    context: &Context,
    errors: &mut Errors,
) -> Option<(Remember, Vec<Match>)> {
    let fields = known(json, place, &["cookie", "forget"], errors)?;
    let defaults = Json::Object(Vec::new());
    let cookie = fields.get("cookie").unwrap_or(&defaults);
    let cookie_place = place.field("cookie");
    if let Json::Object(fields) = cookie
        && fields.iter().any(|(name, value)| name == "draw" && *value != Json::Null)
    {
        errors.add(&cookie_place.field("draw"), "nothing is drawn here; leave it out");
    }
    let cookie = read_cookie(cookie, rule, hosts, &cookie_place, errors);
    let forget = fields.get("forget").map_or(Vec::new(), |forget| {
        const EMPTY: &str = "empty; leave forget out if nobody is to be forgotten";
        let place = place.field("forget");
        let items = list(forget, &place, errors).unwrap_or_default();
        if matches!(forget, Json::List(items) if items.is_empty()) {
            errors.add(&place, EMPTY);
        }
        read_entries(items, &place, EMPTY, context, errors)
    });
    Some((Remember::new(cookie?, Rc::clone(&subset?.name), context.seal, rule?), forget))
}
