//! Visitors who are remembered and clients by their address, as `explain`, `diff` and `check` tell of them.

use crate::{Temporary, ended, fed};
use serde_json::Value;

const NOW: &str = "1795449780"; // the minute 1c89b43

const CONFIG: &str = r#"
seal: 0123456789abcdef
rules:
- name: testers
  match:
  - queryParams: {canary: {exact: "3fb1"}}
  - remoteIpBlocks: [203.0.113.0/24, "2001:db8::/32"]
  subset: v2
  remember:
    cookie: {ttl: 24h}
    forget:
    - queryParams: {canary: {exact: "off"}}
- {name: rest, subset: v1}
"#;

/// Signed for rule testers and subset v2 in the minute 1c89b43.
const NOW_COOKIE: &str = "1.01c89b43.1c89b43.v2.63cd4859b3d36dc5";
const OLD_COOKIE: &str = "1.00000001.0000001.v2.f92c0ba2a5029576";

fn said(more: &[&str]) -> String {
    let fixed = ["explain", "--config", "-", "--now", NOW, "--client-ip", "198.51.100.7"];
    let (out, error, code) = ended(&fed(&[&fixed[..], more].concat(), CONFIG));
    assert_eq!((error.as_str(), code), ("", 0));
    out
}

#[test]
fn explain_says_who_is_remembered_and_why_somebody_is_not() {
    let cookie = |value: &str| format!("canary-testers={value}");
    assert_eq!(
        said(&["-b", &cookie(NOW_COOKIE), "https://a.test/"]),
        "rule testers decides
  standard input:4:3: rules[0]
draw      none: the cookie canary-testers remembers the visitor
subset    v2
request   x-canary-subset: v2.***
cookie    canary-testers: made 2026-11-23T16:03:00Z, renewed from 2026-11-24T04:03:00Z on, expires 2026-11-24T16:03:00Z
"
    );
    let passed = "rule testers does not hold
  standard input:6:27: rules[0].match[0].queryParams.canary
    must be {\"exact\":\"***\"}, is absent
  standard input:7:21: rules[0].match[1].remoteIpBlocks
    must be in one of [\"203.0.113.0/24\",\"2001:db8::/32\"], is 198.51.100.7
";
    for (value, why) in [
        (OLD_COOKIE, "it is older than its ttl"),
        (&NOW_COOKIE.replace(".v2.", ".v3."), "it was made for another subset or under another seal, or altered"),
        (&NOW_COOKIE.replace("6dc5", "6dc6"), "it was made for another subset or under another seal, or altered"),
        ("v2", "it is not of the filter's form"),
    ] {
        let out = said(&["-b", &cookie(value), "https://a.test/"]);
        let expected = format!(
            "{passed}  standard input:10:5: rules[0].remember\n    cookie canary-testers={value:?} does not count: {why}\n"
        );
        assert!(out.starts_with(&expected), "{out}");
        assert!(out.contains("rule rest decides"), "{out}");
    }
    let out = said(&["https://a.test/"]);
    assert!(out.starts_with(&format!("{passed}rule rest decides\n")), "{out}");
    // Next to a match such a cookie is reported as ignored.
    let out = said(&["-b", &cookie(OLD_COOKIE), "https://a.test/?canary=3fb1"]);
    let ignored = format!("ignored   cookie canary-testers={OLD_COOKIE:?}: it is older than its ttl\n");
    assert!(out.ends_with(&ignored) && out.contains("draw      none: the subset is fixed\n"), "{out}");
}

#[test]
fn explain_says_who_is_forgotten() {
    let out = said(&["-b", &format!("canary-testers={NOW_COOKIE}"), "https://a.test/?canary=off"]);
    assert_eq!(
        out,
        "rule testers does not hold
  standard input:12:7: rules[0].remember.forget[0]
    holds: the rule forgets the visitor
rule rest decides
  standard input:13:3: rules[1]
draw      none: the subset is fixed
subset    v1
request   x-canary-subset: v1.***
response  set-cookie: canary-testers=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure
"
    );
    let out = said(&["http://a.test/?canary=off"]);
    assert!(out.contains("but not with a redirect to https"), "{out}");
}

#[test]
fn explain_says_what_a_link_gives() {
    let out = said(&["https://a.test/?canary=3fb1"]);
    let cookie = "response  set-cookie: canary-testers=1.01c89b43.1c89b43.v2.63cd4859b3d36dc5; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure\n";
    assert!(out.contains(&format!("{cookie}          but not with 5xx\n")), "{out}");
}

/// The rule's change, what is said about it, and the exit code.
fn compared(old: &str, new: &str) -> (Vec<String>, i32) {
    let file = Temporary::new(old);
    let (out, error, code) = ended(&fed(&["diff", file.0.to_str().unwrap(), "-", "--output", "json"], new));
    assert!(code < 2, "{error}");
    let diff: Value = serde_json::from_str(&out).unwrap();
    let rule = &diff["plugins"][0]["rules"][0];
    let notes = rule["notes"].as_array().unwrap().iter();
    (notes.map(|note| format!("{}: {}", note["about"], note["text"]).replace('"', "")).collect(), code)
}

#[test]
fn diff_says_who_is_forgotten_and_which_clients_are_new() {
    let edited = |from: &str, to: &str| {
        let new = CONFIG.replace(from, to);
        assert_ne!(new, CONFIG, "{from}");
        compared(CONFIG, &new)
    };
    let remember = &CONFIG[CONFIG.find("  remember:").unwrap()..CONFIG.find("- {name: rest").unwrap()];
    let table: &[(&str, &str, &[&str])] = &[
        (
            "subset: v2",
            "subset: v3",
            &["remember: everybody who was remembered is forgotten, because the subset is v3 instead of v2"],
        ),
        (
            "abcdef",
            "abcdeF",
            &["remember: everybody who was remembered is forgotten, because the seal of the config has changed"],
        ),
        (
            remember,
            "",
            &[
                "cookie: cookie canary-testers loses its meaning: the rule no longer remembers anybody; browsers keep it until it expires",
                "forget: its forget changed: other requests leave the rule",
            ],
        ),
        (
            "{ttl: 24h}",
            "{ttl: 24h, name: c}",
            &[
                "cookie: cookie canary-testers loses its meaning: the rule reads c now; browsers keep it until it expires",
            ],
        ),
        (
            "24h",
            "1h",
            &["remember: the ttl is shorter: everybody who was remembered more than 3600 s ago is forgotten"],
        ),
        ("24h", "48h", &["cookieAttributes: ttl of cookie canary-testers changed: for new and renewed ones"]),
        (
            "24h",
            "24h, path: /a",
            &[
                "remember: cookie canary-testers: its path or domain has changed: old ones count where they are sent, and elsewhere their visitors match again",
            ],
        ),
        (
            "24h",
            "24h, renew: false, sameSite: Strict",
            &["cookieAttributes: renew, sameSite of cookie canary-testers changed: for new and renewed ones"],
        ),
        ("\"off\"", "\"out\"", &["forget: its forget changed: other requests leave the rule"]),
        (
            "203.0.113.0/24,",
            "203.0.113.0/25, 198.51.100.7,",
            &[
                "match: its match changed: other requests",
                "remoteIpBlocks: its client addresses changed: new: 198.51.100.7; gone: 203.0.113.128 to 203.0.113.255",
            ],
        ),
        ("203.0.113.0/24, \"2001:db8::/32\"", "\"2001:db8::/32\", 203.0.113.128/25, 203.0.113.0/25", &[]),
        (
            "203.0.113.0/24,",
            "203.0.113.0/24, 10.0.0.1, 10.0.0.3, 10.0.0.5, 10.0.0.7, 10.0.0.9,",
            &[
                "match: its match changed: other requests",
                "remoteIpBlocks: its client addresses changed: new: 10.0.0.1, 10.0.0.3, 10.0.0.5, 2 more ranges",
            ],
        ),
    ];
    for (from, to, expected) in table {
        let (notes, code) = edited(from, to);
        assert_eq!(notes, *expected, "{from} → {to}");
        assert_eq!(code, i32::from(!expected.is_empty()), "{from} → {to}");
    }
    let (notes, _) = compared(&CONFIG.replace(remember, ""), CONFIG);
    assert_eq!(notes[0], "remember: remember is new: from now on everybody who matches stays, for 86400 s");
    // A split under the same name reads the cookie for its draw, which is the minute.
    let split = |more: &str| {
        format!(
            "{{name: testers, split: [{{subset: v1, weight: 1}}, {{subset: v2, weight: 1}}], sticky: {{cookie: {{}}{more}}}}}"
        )
    };
    for (more, expected) in [("", "is drawn by"), (", onWeightChange: keep", "is kept, or drawn by")] {
        let (notes, _) = compared(CONFIG, &format!("seal: 0123456789abcdef\nrules: [{}]", split(more)));
        let said = format!(
            "remember: cookie canary-testers is read as a cookie of the split: a visitor who was remembered {expected} the minute of the link"
        );
        assert!(notes.contains(&said), "{notes:?}");
    }
    let rest = "rules: [{name: rest, subset: v1}]";
    let file = Temporary::new(CONFIG);
    let (out, _, _) = ended(&fed(&["diff", file.0.to_str().unwrap(), "-"], rest));
    assert!(out.contains("cookie canary-testers loses its meaning: its rule is gone"), "{out}");
}

/// The codes of what is found.
fn found(rules: &str) -> Vec<String> {
    let config = format!("rules:\n{rules}");
    let (out, error, _) = ended(&fed(&["check", "--output", "json", "-"], &config));
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
    answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}:{}", one["code"], one["line"]).replace('"', ""))
        .collect()
}

#[test]
fn check_knows_that_a_rule_that_forgets_leaves_requests_to_the_next_one() {
    let first = |more: &str| format!("- {{name: first, subset: v2{more}}}\n- {{name: next, subset: v1}}\n");
    assert_eq!(found(&first("")), ["rule-never-decides:3"]);
    assert_eq!(found(&first(", remember: {}")), ["rule-never-decides:3"]);
    assert_eq!(found(&first(", remember: {forget: [{queryParams: {canary: {exact: x}}}]}")), [""; 0]);
    assert_eq!(found(&first(", match: [{remoteIpBlocks: [10.0.0.0/8]}]")), [""; 0]);
    assert_eq!(found(&first(", match: [{remoteIpBlocks: [10.0.0.0/8]}], remember: {}")), [""; 0]);
    assert_eq!(found(&first(", match: [{remoteIpBlocks: [10.0.0.0/33]}]")), ["config:2"]);
    assert_eq!(found(&first(", remember: {forget: []}")), ["config:2"]);
    // What is compared with is hidden there too.
    let line = "- {name: a, subset: v1, remember: {forget: [{headers: {x-a: {exact: geheim}}}], tll: 1h}}\n";
    let (out, _, _) = ended(&fed(&["check", "-"], &format!("rules:\n{line}")));
    assert!(out.contains("tll") && !out.contains("geheim"), "{out}");
}
