//! Moments, as RFC 3339 writes them.

use super::fields::{Errors, Place, quoted, string};
use super::json::Json;
use crate::rollout::ramp::Second;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time of 1970 or later; a fraction of a second is dropped.
pub(super) fn read_time(json: &Json, place: &Place, errors: &mut Errors) -> Option<Second> {
    let text = string(json, place, errors)?;
    let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) else {
        errors.add(place, format_args!("{} is not an RFC 3339 time such as 2026-12-01T09:00:00Z", quoted(text)));
        return None;
    };
    let second = u64::try_from(time.unix_timestamp()).ok();
    if second.is_none() {
        errors.add(place, format_args!("{} is before 1970", quoted(text)));
    }
    second.map(Second)
}
