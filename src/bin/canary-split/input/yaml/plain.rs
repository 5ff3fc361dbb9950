//! Text without quotes → its value, by the rules of go-yaml 2.

use super::node::Value;

/// The value of a text that may have a tag.
pub fn tagged(text: String, is_plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let is_right: fn(&Value) -> bool = match tag {
        None if is_plain => |_| true,
        Some("!!int") => |value| matches!(value, Value::Number(text) if !text.contains(['.', 'e', 'E'])),
        Some("!!float") => |value| matches!(value, Value::Number(_)),
        Some("!!bool") => |value| matches!(value, Value::Bool(_)),
        Some("!!null") => |value| matches!(value, Value::Null),
        Some("!!binary") => {
            let bytes =
                base64(&text).ok_or_else(|| "a text that is not base64, although its tag says so".to_owned())?;
            return Ok(Value::String(String::from_utf8_lossy(&bytes).into()));
        }
        // A time is a string in JSON.
        _ => return Ok(Value::String(text.into())),
    };
    let value = plain(&text)?;
    if is_right(&value) { Ok(value) } else { Err("a value that does not fit its tag".to_owned()) }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: Vec<u8> = text.bytes().filter(|byte| !b"\r\n".contains(byte)).collect();
    let digits = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(&text);
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        bits = bits << 6 | u32::try_from(DIGITS.iter().position(|known| known == digit)?).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(bits >> count & 0xff));
        }
    }
    text.len().is_multiple_of(4).then_some(bytes)
}

fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => {
            return Err(format!("{text} is not a JSON number; quote it if it is a string"));
        }
        _ if matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") && text.len() <= 5 => {
            return Err(format!("{text} is not a JSON number; quote it if it is a string"));
        }
        _ => match number(text) {
            Some(number) => Value::Number(number.into()),
            None => Value::String(text.into()),
        },
    })
}

/// A number as JSON writes it: decimal integers of 64 bits, others by their base, and decimal fractions.
fn number(text: &str) -> Option<String> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let based = |base: u32, digits: &str| {
        let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base));
        u64::from_str_radix(digits, base).ok().filter(|_| is_number).map(|number| format!("{sign}{number}"))
    };
    for (prefixes, base) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix)) {
            return based(base, digits);
        }
    }
    let is_integer = digits.bytes().all(|digit| digit.is_ascii_digit());
    if let Some(octal) = digits.strip_prefix('0').filter(|octal| is_integer && !octal.is_empty()) {
        return based(8, octal).or_else(|| based(10, octal));
    }
    if is_integer {
        return Some(format!("{sign}{digits}"));
    }
    // JSON wants digits on both sides of the point.
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => digits.split_at_checked(at)?,
        None => (digits, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_decimal = [whole, fraction].iter().all(|part| part.bytes().all(|digit| digit.is_ascii_digit()));
    let power = exponent.strip_prefix(['e', 'E']).map(|power| power.strip_prefix(['+', '-']).unwrap_or(power));
    let is_power = power.is_none_or(|power| !power.is_empty() && power.bytes().all(|digit| digit.is_ascii_digit()));
    if !is_decimal || !is_power || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole.trim_start_matches('0') };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let number = format!("{sign}{whole}{point}{fraction}{exponent}");
    number.parse::<f64>().is_ok_and(f64::is_finite).then_some(number)
}
