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
