//! `guard`: removes a failing canary from the split.

use super::duration::seconds;
use super::fields::{Errors, Place, known, quoted, string};
use super::json::Json;
use crate::rollout::guard::{Action, Guard, Margin};

pub(super) fn read_guard(json: &Json, place: &Place, errors: &mut Errors) -> Option<Guard> {
    let fields = known(json, place, &["margin", "holdFor", "action"], errors)?;
    let margin = fields.get("margin").map_or(Some(Margin::default()), |json| {
        let place = place.field("margin");
        let text = string(json, &place, errors)?;
        margin(text).map_err(|problem| errors.add(&place, format_args!("{} {problem}", quoted(text)))).ok()
    });
    let hold_for = fields.get("holdFor").map(|json| {
        let place = place.field("holdFor");
        let text = string(json, &place, errors)?;
        let held =
            seconds(text, "").and_then(|held| if held == 0 { Err("is less than 1s".to_owned()) } else { Ok(held) });
        held.map_err(|problem| errors.add(&place, format_args!("{} {problem}", quoted(text)))).ok()
    });
    let action = fields.get("action").map_or(Some(Action::Rollback), |json| {
        let place = place.field("action");
        match string(json, &place, errors)? {
            "rollback" => Some(Action::Rollback),
            "observe" => Some(Action::Observe),
            other => {
                errors.add(&place, format_args!("{} is not one of rollback, observe", quoted(other)));
                None
            }
        }
    });
    let hold_for = match hold_for {
        Some(held) => Some(held?),
        None => None,
    };
    Some(Guard { margin: margin?, hold_for, action: action? })
}

/// A percentage from 0% to 100% with at most two decimals.
fn margin(text: &str) -> Result<Margin, &'static str> {
    const WRONG: &str = "is not a percentage such as 1% or 0.25%";
    let number = text.strip_suffix('%').ok_or(WRONG)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) {
        return Err(WRONG);
    }
    if decimals.len() > 2 {
        return Err("has more than two decimals");
    }
    let hundredths = format!("{whole}{decimals:0<2}").parse().ok().filter(|&hundredths| hundredths <= 10_000);
    hundredths.map(Margin).ok_or("is more than 100%")
}
