//! `--now`: the given moment, or that of the clock.

use super::quoted::quoted;
use canary_split::rollout::ramp::Second;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An RFC 3339 time, or seconds since 1970.
pub fn read(text: &str) -> Result<Second, String> {
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        return text.parse().map(Second).map_err(|_| "too many seconds".to_owned());
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).ok();
    let second = time.and_then(|time| u64::try_from(time.unix_timestamp()).ok());
    second.map(Second).ok_or_else(|| "not an RFC 3339 time since 1970, such as 2026-12-01T09:00:00Z".to_owned())
}

/// The time that is given, or the clock's.
pub fn or_clock(given: Option<Second>) -> Second {
    given.unwrap_or_else(|| Second(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())))
}

/// A duration of at least a second, as in `5s` or `1m30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    match canary_split::config::seconds(text, "").map_err(|problem| format!("{} {problem}", quoted(text)))? {
        0 => Err(format!("{} is less than 1s", quoted(text))),
        seconds => Ok(Duration::from_secs(seconds.into())),
    }
}
