//! The limits of the config, at the limit and just beyond it. What else can be wrong stands in `tests/cases/errors.yaml`.

use canary_split::config::Config;
use canary_split::sticky::Secure;

#[track_caller]
fn errors(text: &str) -> Vec<String> {
    Config::from_json(text.as_bytes()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// A config of one rule, of which this is the rest.
fn rule(rest: &str) -> String {
    format!(r#"{{"rules":[{{"name":"t",{rest}}}]}}"#)
}

fn cookie(fields: &str) -> String {
    rule(&format!(r#""split":[{{"subset":"v1","weight":1}}],"sticky":{{"cookie":{{{fields}}}}}"#))
}

fn repeat(what: &str, times: usize) -> String {
    vec![what; times].join(",")
}

#[test]
fn a_limit_is_allowed_and_one_more_is_not() {
    type Make = fn(usize) -> String;
    let table: &[(&str, Make, usize, &str)] = &[
        ("name", |n| format!(r#"{{"rules":[{{"name":"{}","subset":"v1"}}]}}"#, "a".repeat(n)), 63, "is no DNS label"),
        ("subset", |n| rule(&format!(r#""subset":"{}""#, "a".repeat(n))), 63, "is no DNS label"),
        ("header", |n| format!(r#"{{"header":"{}","rules":[]}}"#, "a".repeat(n)), 64, "has 65 bytes, more than 64"),
        (
            "seal",
            |n| format!(r#"{{"seal":"{}","rules":[]}}"#, "a".repeat(n)),
            128,
            "a seal of 129 bytes; it has 16 to 128",
        ),
        (
            "salt",
            |n| {
                rule(&format!(
                    r#""split":[{{"subset":"v1","weight":1}}],"sticky":{{"salt":"{}","cookie":{{}}}}"#,
                    "a".repeat(n)
                ))
            },
            253,
            "a salt of 254 bytes; it has 1 to 253",
        ),
        ("cookie name", |n| cookie(&format!(r#""name":"{}""#, "a".repeat(n))), 64, "has 65 bytes, more than 64"),
        (
            "cookie path",
            |n| cookie(&format!(r#""path":"/{}""#, "a".repeat(n - 1))),
            1024,
            "1025 bytes are more than 1024",
        ),
        (
            "host",
            |n| rule(&format!(r#""subset":"v1","hosts":["{}{}"]"#, "a.".repeat((n - 1) / 2), "a".repeat(2 - n % 2))),
            253,
            "has 254 bytes, more than 253",
        ),
        (
            "string",
            |n| rule(&format!(r#""subset":"v1","match":[{{"uri":{{"exact":"{}"}}}}]"#, "a".repeat(n))),
            8192,
            "8193 bytes are more than 8192",
        ),
        (
            "subsets",
            |n| {
                let subsets: Vec<String> = (0..n).map(|i| format!(r#"{{"subset":"v{i}","weight":1}}"#)).collect();
                rule(&format!(r#""split":[{}]"#, subsets.join(",")))
            },
            64,
            "65 subsets; a split has 1 to 64",
        ),
        (
            "rules",
            |n| {
                let rules: Vec<String> = (0..n).map(|i| format!(r#"{{"name":"r{i}","subset":"v1"}}"#)).collect();
                format!(r#"{{"rules":[{}]}}"#, rules.join(","))
            },
            10_000,
            "10001 entries are more than 10000",
        ),
        (
            "hosts",
            |n| rule(&format!(r#""subset":"v1","hosts":[{}]"#, repeat(r#""a""#, n))),
            10_000,
            "10001 entries are more than 10000",
        ),
        (
            "match",
            |n| rule(&format!(r#""subset":"v1","match":[{}]"#, repeat(r#"{"uri":{"exact":"/"}}"#, n))),
            10_000,
            "10001 entries are more than 10000",
        ),
    ];
    for (what, make, limit, problem) in table {
        assert_eq!(errors(&make(*limit)), [""; 0], "{what} at the limit");
        let beyond = errors(&make(limit + 1));
        assert!(beyond.len() == 1 && beyond[0].contains(problem), "{what} beyond the limit: {beyond:?}");
    }
    assert_eq!(errors(r#"{"seal":"aaaaaaaaaaaaaaa","rules":[]}"#), ["seal: a seal of 15 bytes; it has 16 to 128"]);
    assert_eq!(errors(r#"{"seal":"aaaaaaaaaaaaaaa.","rules":[]}"#), ["seal: a seal has letters, digits, _ and - only"]);
}

#[test]
fn ttls_are_go_durations_in_whole_seconds() {
    let table = [
        ("0s", Some(0)),
        ("0", Some(0)),
        ("15m", Some(900)),
        ("1h30m", Some(5400)),
        ("1.5h", Some(5400)),
        (".5m", Some(30)),
        ("1000ms", Some(1)),
        ("720h", Some(2_592_000)),
        ("9600h", Some(34_560_000)),
        ("9600h1s", None),
        ("99999999999999999999h", None),
        ("1500ms", None),
        ("30d", None),
        ("1w", None),
        ("", None),
        ("h", None),
        (".h", None),
        ("1", None),
        ("1 h", None),
        ("1h ", None),
        ("+1h", None),
        ("-1h", None),
        ("1.2.3h", None),
        ("é", None),
    ];
    for (text, seconds) in table {
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
    let table = [
        ("", Secure::WhenHttps),
        (r#""secure":true"#, Secure::Always),
        (r#""secure":false"#, Secure::Never),
        (r#""sameSite":"None""#, Secure::Always),
        (r#""partitioned":true"#, Secure::Always),
        (r#""name":"__Host-a""#, Secure::Always),
        (r#""name":"__secure-a""#, Secure::Always),
        (r#""name":"__Hosta""#, Secure::WhenHttps),
    ];
    for (fields, secure) in table {
        let config = Config::from_json(cookie(fields).as_bytes()).unwrap();
        let canary_split::rule::Target::Split(split) = &config.rules[0].target else { unreachable!() };
        assert_eq!(split.sticky.as_ref().unwrap().cookie.as_ref().unwrap().secure, secure, "{fields}");
    }
}

#[test]
fn headers_with_a_meaning_of_their_own_are_refused() {
    let used = [
        "host",
        "cookie",
        "set-cookie",
        "authorization",
        "connection",
        "content-type",
        "content-length",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-envoy-original-url",
        "x-istio-attributes",
        "x-request-id",
        "user-agent",
        "accept",
        "origin",
        "referer",
        "keep-alive",
        "proxy-authorization",
        "traceparent",
        "grpc-timeout",
        "sec-fetch-site",
        "access-control-request-method",
        ":path",
        "",
        "a b",
        "a_b",
        "A",
        "a:b",
        "ä",
        "a\\n",
    ];
    for header in used {
        let errors = errors(&format!(r#"{{"header":"{header}","rules":[]}}"#));
        assert!(errors.len() == 1 && errors[0].starts_with("header: "), "{header:?}: {errors:?}");
    }
    for header in ["x-canary-subset", "x-version", "canary", "x-te", "hosts", "x-content-a"] {
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
