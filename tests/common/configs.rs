//! Configs at the limits of the parser.

use canary_split::visitor::cookie::Secure;

/// A config of one rule, of which this is the rest.
pub fn rule(rest: &str) -> String {
    format!(r#"{{"rules":[{{"name":"t",{rest}}}]}}"#)
}

/// A config of one rule whose cookie has these fields.
pub fn cookie(fields: &str) -> String {
    rule(&format!(r#""split":[{{"subset":"v1","weight":1}}],"sticky":{{"cookie":{{{fields}}}}}"#))
}

fn repeat(what: &str, times: usize) -> String {
    vec![what; times].join(",")
}

/// The text of a config with so much of something.
pub type Make = fn(usize) -> String;
/// What, the config with so much of it, the most that may be, and what is said of one more.
pub const LIMITS: &[(&str, Make, usize, &str)] = &[
    ("name", |n| format!(r#"{{"rules":[{{"name":"{}","subset":"v1"}}]}}"#, "a".repeat(n)), 63, "is not a DNS label"),
    ("subset", |n| rule(&format!(r#""subset":"{}""#, "a".repeat(n))), 63, "is not a DNS label"),
    ("header", |n| format!(r#"{{"header":"{}","rules":[]}}"#, "a".repeat(n)), 64, "has 65 bytes, more than 64"),
    (
        "seal",
        |n| format!(r#"{{"seal":"{}","rules":[]}}"#, "a".repeat(n)),
        128,
        "a seal of 129 bytes; it needs 16 to 128",
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
        "a salt of 254 bytes; it needs 1 to 253",
    ),
    ("cookie name", |n| cookie(&format!(r#""name":"{}""#, "a".repeat(n))), 64, "has 65 bytes, more than 64"),
    ("cookie path", |n| cookie(&format!(r#""path":"/{}""#, "a".repeat(n - 1))), 8192, "8193 bytes are more than 8192"),
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
        "steps",
        |n| {
            let step = |i| format!(r#"{{"after":"{i}s","weights":{{"v1":1}}}}"#);
            let steps: Vec<String> = (0..n).map(step).collect();
            let ramp = format!(r#"{{"start":"2026-12-01T09:00:00Z","steps":[{}]}}"#, steps.join(","));
            rule(&format!(r#""split":[{{"subset":"v1","weight":1}}],"ramp":{ramp}"#))
        },
        1000,
        "1001 steps; a ramp has 1 to 1000",
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
    (
        "remoteIpBlocks",
        |n| rule(&format!(r#""subset":"v1","match":[{{"remoteIpBlocks":[{}]}}]"#, repeat(r#""::1""#, n))),
        10_000,
        "10001 entries are more than 10000",
    ),
];
/// Durations, and what they are in seconds.
pub const TTLS: &[(&str, Option<u32>)] = &[
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

/// Fields of a cookie, and when it is `Secure`.
pub const SECURE: &[(&str, Secure)] = &[
    ("", Secure::WhenHttps),
    (r#""secure":true"#, Secure::Always),
    (r#""secure":false"#, Secure::Never),
    (r#""sameSite":"None""#, Secure::Always),
    (r#""partitioned":true"#, Secure::Always),
    (r#""name":"__Host-a""#, Secure::Always),
    (r#""name":"__secure-a""#, Secure::Always),
    (r#""name":"__Hosta""#, Secure::WhenHttps),
];

/// Headers that the filter must not write.
pub const USED: &[&str] = &[
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

/// Headers that it may.
pub const UNUSED: &[&str] = &["x-canary-subset", "x-version", "canary", "x-te", "hosts", "x-content-a"];
