//! The limits of the config, at the limit and just beyond it. What else can be wrong stands in `tests/cases/errors.yaml`.

#[path = "common/configs.rs"]
mod configs;

use canary_split::config::Config;
use configs::{LIMITS, SECURE, TTLS, UNUSED, USED, cookie, rule};

#[track_caller]
fn errors(text: &str) -> Vec<String> {
    Config::from_json(text.as_bytes()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_limit_is_allowed_and_one_more_is_not() {
    for (what, make, limit, problem) in LIMITS {
        assert_eq!(errors(&make(*limit)), [""; 0], "{what} at the limit");
        let beyond = errors(&make(limit + 1));
        assert!(beyond.len() == 1 && beyond[0].contains(problem), "{what} beyond the limit: {beyond:?}");
    }
    assert_eq!(errors(r#"{"seal":"aaaaaaaaaaaaaaa","rules":[]}"#), ["seal: a seal of 15 bytes; it has 16 to 128"]);
    assert_eq!(errors(r#"{"seal":"aaaaaaaaaaaaaaa.","rules":[]}"#), ["seal: a seal has letters, digits, _ and - only"]);
}

#[test]
fn the_name_of_what_is_matched_is_no_longer_than_any_string() {
    for field in ["queryParams", "headers", "cookies", "claims"] {
        let text = |length: usize| {
            let name = "a".repeat(length);
            rule(&format!(r#""subset":"v1","match":[{{"{field}":{{"{name}":{{}}}}}}]"#))
        };
        assert_eq!(errors(&text(8192)), [""; 0], "{field}");
        let beyond = errors(&text(8193));
        assert!(beyond.len() == 1 && beyond[0].ends_with(": a name of 8193 bytes is more than 8192"), "{beyond:?}");
    }
}

#[test]
fn regexes_take_a_million_steps_together_and_those_of_a_bad_rule_do_not_count() {
    // A class counts its characters, each as often as it is repeated: 3937 * 254 + 2 = 1,000,000.
    let million = format!("[{}]{{253}}", "a".repeat(3935));
    let rule = |name: &str, subset: &str, regex: &str| {
        format!(r#"{{"name":"{name}","subset":"{subset}","match":[{{"uri":{{"regex":"{regex}"}}}}]}}"#)
    };
    let list = |rules: &[String]| errors(&format!(r#"{{"rules":[{}]}}"#, rules.join(",")));
    assert_eq!(list(&[rule("a", "v1", &million)]), [""; 0]);
    let problem = "takes 1000001 steps, together with the regexes before it 1000001: more than 1000000";
    assert_eq!(list(&[rule("a", "v1", &format!("{million}a"))]), [format!("rules[0].match[0].uri.regex: {problem}")]);
    let problem = "takes 2 steps, together with the regexes before it 1000002: more than 1000000";
    let both = [rule("a", "v1", &million), rule("b", "v1", "a")];
    assert_eq!(list(&both), [format!("rules[1].match[0].uri.regex: {problem}")]);
    let after_a_bad_one = list(&[rule("a", "V1", &million), rule("b", "v1", "a")]);
    assert!(after_a_bad_one.len() == 1 && after_a_bad_one[0].starts_with("rules[0].subset: "), "{after_a_bad_one:?}");
}

#[test]
fn a_weight_with_an_exponent_beyond_all_numbers_is_read_by_its_sign() {
    let error = |weight: &str| errors(&rule(&format!(r#""split":[{{"subset":"v1","weight":{weight}}}]"#))).join("\n");
    assert!(error("1e99999999999999999999").ends_with(" is more than 4294967295"));
    assert!(error("1e-99999999999999999999").ends_with(" is not an integer"));
}

#[test]
fn brackets_quotes_and_separators_within_strings_are_text() {
    for value in [r"[", r"]", r"{", r"}", r#"\""#, r#"\"]"#, r"\\", r"\\\\", r#"\\\""#, ",", ":", r#"},{\",[:"#] {
        let rule =
            |name: &str| format!(r#"{{"name":"{name}","match":[{{"uri":{{"exact":"{value}"}}}}],"subset":"v1"}}"#);
        let text = format!(r#"{{"rules":[{},{}],"header":"x-a"}}"#, rule("a"), rule("b"));
        let config = Config::from_json(text.as_bytes()).unwrap_or_else(|errors| panic!("{value}: {errors:?}"));
        assert_eq!(config.rules.iter().map(|rule| &*rule.name).collect::<String>(), "ab", "{value}");
        let text = format!(r#"{{"{value}":1,"rules":[]}}"#);
        assert!(matches!(&errors(&text)[..], [error] if error.ends_with("seal, rules")), "{value}");
    }
}

#[test]
fn a_field_is_shown_as_it_is_if_its_name_is_plain_and_quoted_if_not() {
    let longest = "a".repeat(64);
    for (name, shown) in [
        ("a-b_C1", "a-b_C1"),
        (&longest, &longest),
        (&format!("{longest}a"), &format!(r#"["{longest}"…]"#)),
        ("", r#"[""]"#),
        ("a b", r#"["a b"]"#),
        (r#"a\"b\\"#, r#"["a\"b\\"]"#),
        ("é~", r#"["\u{e9}~"]"#),
    ] {
        let problem = "unknown field; known are header, responseHeader, seal, rules";
        assert_eq!(errors(&format!(r#"{{"{name}":1,"rules":[]}}"#)), [format!("{shown}: {problem}")]);
    }
}

#[test]
fn ttls_are_go_durations_in_whole_seconds() {
    for &(text, seconds) in TTLS {
        let config = Config::from_json(cookie(&format!(r#""ttl":"{text}""#)).as_bytes());
        let ttl = config.ok().map(|config| match &config.rules[0].target {
            canary_split::rule::Target::Split(split) => split.sticky.as_ref().unwrap().cookie.as_ref().unwrap().ttl,
            canary_split::rule::Target::Fixed(_) => unreachable!(),
        });
        assert_eq!(ttl, seconds, "{text:?}");
    }
}

#[test]
fn secure_is_set_where_browsers_need_it() {
    for &(fields, secure) in SECURE {
        let config = Config::from_json(cookie(fields).as_bytes()).unwrap();
        let canary_split::rule::Target::Split(split) = &config.rules[0].target else { unreachable!() };
        assert_eq!(split.sticky.as_ref().unwrap().cookie.as_ref().unwrap().secure, secure, "{fields}");
    }
}

#[test]
fn headers_with_a_meaning_of_their_own_are_refused() {
    for header in USED {
        let errors = errors(&format!(r#"{{"header":"{header}","rules":[]}}"#));
        assert!(errors.len() == 1 && errors[0].starts_with("header: "), "{header:?}: {errors:?}");
    }
    for header in UNUSED {
        assert_eq!(errors(&format!(r#"{{"header":"{header}","rules":[]}}"#)), [""; 0], "{header:?}");
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let seeds = [
        rule(r#""hosts":["*.a.b"],"match":[{"uri":{"regex":"/[a-c]{2,3}(x|y)*"},"headers":{"x-a":{}}}],"subset":"v1""#),
        cookie(r#""name":"__Host-a","ttl":"1h30m","path":"/","sameSite":"None","secure":true,"partitioned":true"#),
        r#"{"header":"x-v","seal":"0123456789abcdef","rules":[{"name":"a","split":[{"subset":"v1","weight":4294967295}]}]}"#.to_owned(),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..30_000 {
        let mut text = seeds[random.usize(..seeds.len())].clone().into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..text.len());
            match random.u8(..4) {
                0 => text[at] = random.u8(..),
                1 => drop(text.remove(at)),
                2 => text.insert(at, b"\"{}[]:,0-e.*\\"[random.usize(..13)]),
                _ => {
                    let piece = text[at..(at + random.usize(..20)).min(text.len())].to_vec();
                    let to = random.usize(..text.len());
                    text.splice(to..to, piece);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        let _ = Config::from_json(&text);
    }
    for deep in ["[".repeat(100_000), r#"{"rules":"#.repeat(100_000)] {
        assert!(Config::from_json(deep.as_bytes()).is_err());
    }
}
