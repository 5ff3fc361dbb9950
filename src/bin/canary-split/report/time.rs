//! Moments and durations as the config writes them.

use canary_split::rollout::ramp::Second;
use time::OffsetDateTime;

/// As in `2026-12-01T09:00:00Z`.
pub fn utc(second: Second) -> String {
    let time = i64::try_from(second.0).ok().and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
    let Some(time) = time else { return format!("second {}", second.0) };
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}

/// As in `1h30m`; `0s` is nothing.
pub fn span(seconds: u64) -> String {
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Second, span, utc};

    #[test]
    fn moments_and_durations_are_written_as_in_the_config() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_796_115_600, "2026-12-01T09:00:00Z"),
            (4_294_967_296, "2106-02-07T06:28:16Z"),
            (u64::MAX, "second 18446744073709551615"),
        ] {
            assert_eq!(utc(Second(second)), text);
        }
        for (seconds, text) in [(0, "0s"), (59, "59s"), (1800, "30m"), (5400, "1h30m"), (86_401, "24h1s")] {
            assert_eq!(span(seconds), text);
        }
    }
}
