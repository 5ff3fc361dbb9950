//! `split` and `subset`: subsets by name, and their weights.

use super::context::Context;
use super::fields::{Errors, Place, known, list, quoted, string};
use super::json::Json;
use super::names::label;
use crate::split::{MAX_SUBSETS, Split};
use crate::subset::Subset;
use std::rc::Rc;

/// The subset of this name.
pub(super) fn read_subset(json: &Json, place: &Place, context: &Context, errors: &mut Errors) -> Option<Subset> {
    let name = string(json, place, errors)?;
    let name = label(name, place, errors)?;
    let name = Rc::from(name);
    let header_value = match context.seal {
        Some(seal) => format!("{name}.{seal}").into(),
        None => Rc::clone(&name),
    };
    Some(Subset { name, header_value })
}

pub(super) fn read_split(
    json: &Json,
    place: &Place,
    context: &Context,
    errors: &mut Errors,
) -> Option<(Vec<Subset>, Vec<u32>, Split)> {
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
                if let Some(subset) = read_subset(subset, &place.field("subset"), context, errors) {
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

pub(super) fn read_weight(json: &Json, place: &Place, errors: &mut Errors) -> Option<u32> {
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
    // An exponent that does not fit is far from any weight; its digits no longer matter.
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
    let point = exponent.saturating_add(before.len() as i64);
    if (0_i64..).zip(digits()).any(|(at, digit)| at >= point && digit != b'0') {
        return Err("is not an integer".to_owned());
    }
    let mut places = digits().chain(std::iter::repeat(b'0')).take(usize::try_from(point).unwrap_or(usize::MAX));
    let append = |value: u32, digit| value.checked_mul(10)?.checked_add(u32::from(digit - b'0'));
    places.try_fold(0, append).ok_or_else(|| format!("is more than {}", u32::MAX))
}
