//! A number that is the same for two configs that say the same, however they are written.

use super::json::{Json, Text};
use crate::order::sorted;
use xxhash_rust::xxh64::{Xxh64, xxh64};

/// xxHash64 (seed 0) of a value's canonical text: no white space, names sorted, each number in one form.
pub fn fingerprint(json: &Json) -> u64 {
    let mut text = Canonical::default();
    text.write(json);
    text.0.digest()
}

/// The lower 32 bits of a config's fingerprint, the value of the gauge `canary_config_fingerprint`. A text that is not JSON has
/// the hash of its bytes. An empty text and `null` are the empty config: Istio passes on nothing for an absent or empty
/// `pluginConfig`.
///
/// Istio reads numbers as doubles: round numbers of more than 15 digits before you compare its text with that of a manifest.
pub fn of_text(text: &[u8]) -> u32 {
    of_config(text).unwrap_or_else(|| xxh64(text, 0)) as u32
}

/// One rule at a time: ten thousand of them as one tree would take much memory.
fn of_config(text: &[u8]) -> Option<u64> {
    let text = Text::parse(if text.trim_ascii().is_empty() { b"{}" } else { text }).ok()?;
    let Some(fields) = text.fields() else {
        return Some(match text.tree().ok()? {
            Json::Null => fingerprint(&Json::Object(Vec::new())),
            json => fingerprint(&json),
        });
    };
    let name = |at: usize| fields.get(at).map(|(name, _)| name);
    let mut canonical = Canonical::default();
    canonical.push("{");
    for at in sorted(fields.len(), &|a, b| name(a).cmp(&name(b))) {
        let (name, value) = fields.get(at)?;
        canonical.write_string(name);
        if value.is_list() {
            canonical.push("[");
            for item in value.items() {
                canonical.write(&item.tree().ok()?);
                canonical.push(",");
            }
            canonical.push("]");
        } else {
            canonical.write(&value.tree().ok()?);
        }
        canonical.push(",");
    }
    canonical.push("}");
    Some(canonical.0.digest())
}

/// A canonical text, as far as it has been written.
struct Canonical(Xxh64);

impl Default for Canonical {
    fn default() -> Self {
        Canonical(Xxh64::new(0))
    }
}

impl Canonical {
    fn push(&mut self, text: &str) {
        self.0.update(text.as_bytes());
    }

    fn write(&mut self, json: &Json) {
        match json {
            Json::Null => self.push("null"),
            Json::Bool(value) => self.push(if *value { "true" } else { "false" }),
            Json::Number(number) => self.write_number(number),
            Json::String(string) => self.write_string(string),
            Json::List(items) => {
                self.push("[");
                for item in items {
                    self.write(item);
                    self.push(",");
                }
                self.push("]");
            }
            Json::Object(fields) => {
                self.push("{");
                for (name, value) in fields {
                    self.write_string(name);
                    self.write(value);
                    self.push(",");
                }
                self.push("}");
            }
        }
    }

    /// Its length, then its bytes: no escapes are needed.
    fn write_string(&mut self, string: &str) {
        self.push(&string.len().to_string());
        self.push(":");
        self.push(string);
    }

    /// `-DIGITSeEXPONENT`, without zeros at either end of the digits: 80, 80.0 and 8e1 are `8e1`.
    fn write_number(&mut self, number: &str) {
        let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{before}{after}");
        let significant = digits.trim_end_matches('0');
        let zeros = (digits.len() - significant.len()) as i64 - after.len() as i64;
        let significant = significant.trim_start_matches('0');
        match exponent.parse::<i64>() {
            _ if significant.is_empty() => self.push("0"),
            Ok(exponent) => self.push(&format!("{sign}{significant}e{}", exponent.saturating_add(zeros))),
            // Far from any number in use: its form does not matter.
            Err(_) => self.push(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, of_text};
    use crate::config::json::Text;
    use xxhash_rust::xxh64::xxh64;

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
        assert_eq!(of("{}"), xxh64(b"{}", 0));
        assert_eq!(of(r#"{"b":[80.0,"x"],"a":true}"#), xxh64(b"{1:atrue,1:b[8e1,1:x,],}", 0));
    }

    #[test]
    fn a_config_has_the_same_fingerprint_a_rule_at_a_time() {
        for text in [
            "{}",
            "[]",
            "[{}]",
            "7",
            r#"{"rules":[]}"#,
            r#" { "seal" : "0123456789abcdef", "rules" : [ {"b":1,"a":{"d":[1],"c":[]}} , [2.50] ], "header":"x-a" } "#,
            r#"{"rules":{"b":[1,2],"a":null},"rules":[1],"a":[[1],{}],"é\u0041":[]}"#,
        ] {
            assert_eq!(of_text(text.as_bytes()), of(text) as u32, "{text}");
        }
    }

    #[test]
    fn the_fingerprints_of_configs_are_kept() {
        let table: &[(&[u8], u32)] = &[
            (b"{}", 2_062_718_161),
            (b"", 2_062_718_161),
            (b" \n", 2_062_718_161),
            (b"null", 2_062_718_161),
            (br#"{"rules":[]}"#, 1_039_675_886),
            (br#"{"rules":null}"#, 3_205_722_617),
            (
                br#"{"rules":[{"name":"a","split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}]}]}"#,
                2_835_536_587,
            ),
            (
                br#"{"rules":[{"split":[{"weight":8e1,"subset":"v1"},{"weight":20.0,"subset":"v2"}],"name":"a"}]}"#,
                2_835_536_587,
            ),
            (br#"{"rules":[{"name":"a","subset":"V1"}]}"#, 3_272_423_614),
            (b"{", 2_694_116_873),
            (b"\xff", 2_785_768_772),
            (b"\"\\ud800\"", 776_391_152),
        ];
        for (text, expected) in table {
            assert_eq!(of_text(text), *expected, "{}", String::from_utf8_lossy(text));
        }
        for text in [&b"{"[..], b"\xff", b"\"\\ud800\""] {
            assert_eq!(of_text(text), xxh64(text, 0) as u32, "of its bytes");
        }
    }
}
