//! `adopt`: the header that carries visitors' positions where somebody else owns the weights.

use super::context::Context;
use super::fields::{Errors, Place, known, quoted};
use super::headers::{check_header, header_problem};
use super::json::{Json, Text};

/// The request header that carries a visitor's position unless the rule says otherwise.
pub const DEFAULT_POSITION_HEADER: &str = "x-canary-draw";

/// The header, if it can be one.
pub(super) fn read_adopt(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Option<String> {
    let fields = known(json, place, &["header"], errors)?;
    let place = place.field("header");
    if let Some(header) = fields.get("header") {
        check_header(header, &place, errors);
    }
    let header = header(json)?;
    if context.header == Some(header) {
        errors.add(&place, format_args!("{} carries the subsets of other rules; give adopt its own", quoted(header)));
    }
    Some(header.to_owned())
}

/// The header that a rule writes positions into, whether or not the rule is good; the default one if it cannot be read.
pub fn position_header(rule: Text) -> Option<String> {
    let Json::Object(fields) = rule.tree().ok()? else { return None };
    let (_, adopt) = fields.iter().find(|(name, value)| name == "adopt" && *value != Json::Null)?;
    Some(header(adopt).unwrap_or(DEFAULT_POSITION_HEADER).to_owned())
}

fn header(adopt: &Json) -> Option<&str> {
    let Json::Object(fields) = adopt else { return None };
    match fields.iter().find(|(name, value)| name == "header" && *value != Json::Null) {
        None => Some(DEFAULT_POSITION_HEADER),
        Some((_, Json::String(header))) if header_problem(header).is_none() => Some(header),
        Some(_) => None,
    }
}
