//! Durations as Go writes them.

/// Browsers keep no cookie longer than 400 days (RFC 6265bis); no other duration may be longer either.
const MAX: u64 = 400 * 86_400;

/// A Go duration in whole seconds, at most 400 days. The error continues a sentence that begins with the value; `why` is
/// appended where the limit is named.
pub fn seconds(text: &str, why: &str) -> Result<u32, String> {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1_000_000),
        ("us", 1_000),
        ("µs", 1_000),
        ("ns", 1),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    let wrong = || "is not a duration; write numbers with the units h, m and s, such as 5s, 1h30m or 720h".to_owned();
    if text == "0" {
        return Ok(0);
    }
    if text.starts_with('-') {
        return Err("is less than 0s".to_owned());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let (unit, nanoseconds) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(wrong());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
        total = total.saturating_add(whole.saturating_mul(*nanoseconds));
        let mut digit_worth = *nanoseconds;
        for digit in fraction.bytes() {
            // A fraction finer than a nanosecond adds nothing, as in Go.
            digit_worth /= 10;
            total = total.saturating_add(u64::from(digit - b'0') * digit_worth);
        }
        rest = tail.strip_prefix(unit).ok_or_else(wrong)?;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    let seconds = total / 1_000_000_000;
    if seconds > MAX {
        return Err(format!("is more than 9600h (400 days){why}"));
    }
    if !total.is_multiple_of(1_000_000_000) {
        return Err("is not a whole number of seconds".to_owned());
    }
    Ok(seconds as u32)
}
