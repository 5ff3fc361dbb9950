//! A number by which two configs that say the same are known to be the same, however they are written.

use super::json::Json;
use std::fmt::Write;
use xxhash_rust::xxh64::xxh64;

/// xxHash64 (seed 0) of a value's canonical text: no white space, names sorted, each number in one form.
pub fn fingerprint(json: &Json) -> u64 {
    let mut text = String::new();
    write(json, &mut text);
    xxh64(text.as_bytes(), 0)
}

fn write(json: &Json, text: &mut String) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => write_number(number, text),
        Json::String(string) => write_string(string, text),
        Json::List(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Json::Object(fields) => {
            text.push('{');
            for (name, value) in fields {
                write_string(name, text);
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// Its length, then its bytes: nothing has to be escaped.
fn write_string(string: &str, text: &mut String) {
    let _ = write!(text, "{}:{string}", string.len());
}

/// `-DIGITSeEXPONENT`, without zeros at either end of the digits: 80, 80.0 and 8e1 are `8e1`.
fn write_number(number: &str, text: &mut String) {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    let significant = digits.trim_end_matches('0');
    let zeros = (digits.len() - significant.len()) as i64 - after.len() as i64;
    let significant = significant.trim_start_matches('0');
    match exponent.parse::<i64>() {
        _ if significant.is_empty() => text.push('0'),
        Ok(exponent) => {
            let _ = write!(text, "{sign}{significant}e{}", exponent.saturating_add(zeros));
        }
        // So far from any number that is used that its form does not matter.
        Err(_) => text.push_str(number),
    }
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use crate::config::json::Text;

    fn of(text: &str) -> u64 {
        fingerprint(&Text::parse(text.as_bytes()).unwrap().tree().unwrap())
    }

    #[test]
    fn what_says_the_same_has_the_same_fingerprint() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, " { \"b\" : [ true , null ],\n\"a\" : 1 } "),
            ("80", "80.0"),
            ("80", "8e1"),
            ("0.5", "5E-1"),
            ("-0.50", "-5e-1"),
            ("0", "-0.0"),
            ("1000", "1e+3"),
            (r#""\u00e9""#, r#""é""#),
        ] {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
    }

    #[test]
    fn what_says_something_else_has_another() {
        let texts = [
            "1",
            "10",
            "0.1",
            "-1",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[1,1]",
            "[]",
            "{}",
            "null",
            "true",
            "false",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a1":{}}"#,
            r#"["a","b"]"#,
            r#"["b","a"]"#,
            r#"["a,b"]"#,
            r#"["ab"]"#,
            "1e400",
            "1e401",
        ];
        for (at, one) in texts.iter().enumerate() {
            for other in &texts[at + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn the_fingerprint_is_a_stable_format() {
        assert_eq!(of("{}"), xxhash_rust::xxh64::xxh64(b"{}", 0));
        assert_eq!(of(r#"{"b":[80.0,"x"],"a":true}"#), xxhash_rust::xxh64::xxh64(b"{1:atrue,1:b[8e1,1:x,],}", 0));
    }
}
