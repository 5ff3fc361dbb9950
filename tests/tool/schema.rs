//! `schema`.

use crate::common::cases;
use crate::configs::{LIMITS, SECURE, TTLS, UNUSED, USED, cookie, rule};
use crate::{ended, tool};
use canary_split::config::Config;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What no schema can say: what the parser says, why no schema does, and the rules of a config in which nothing else is wrong.
const UNSAID: [(&str, &str, &str); 27] = [
    (
        "is already the name of rules[",
        "names are compared over all rules",
        r#"{"name": "t", "subset": "v1"}, {"name": "t", "subset": "v2"}"#,
    ),
    (
        "is in this split already",
        "names are compared over a split",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v1", "weight": 2}]}"#,
    ),
    (
        "the weights add up to 4294967296",
        "weights are added up",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 4294967295}, {"subset": "v2", "weight": 1}]}"#,
    ),
    (
        "could cost more than 20 ms",
        "what a regex costs is computed",
        r#"{"name": "t", "match": [{"uri": {"regex": ".*a{0,1000}x"}}], "subset": "v1"}"#,
    ),
    (
        "could cost one request",
        "what regexes cost together is added up",
        r#"{"name": "t", "match": [{"uri": {"regex": ".*a{0,500}x"}}], "subset": "v1"}, {"name": "u", "match": [{"uri": {"regex": ".*a{0,500}x"}}], "subset": "v1"}, {"name": "v", "match": [{"uri": {"regex": ".*a{0,500}x"}}], "subset": "v1"}"#,
    ),
    ("given twice", "a field has one value to a validator", r#"{"name": "t", "name": "u", "subset": "v1"}"#),
    (
        "given twice",
        "X-A and x-a are one header",
        r#"{"name": "t", "match": [{"headers": {"X-A": {}, "x-a": {}}}], "subset": "v1"}"#,
    ),
    (
        "the same as keys[",
        "X-A and x-a are one header",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}], "sticky": {"keys": [{"header": "x-a"}, {"header": "X-A"}]}}"#,
    ),
    (
        "the header that this filter writes says nothing about a request",
        "which one that is stands elsewhere",
        r#"{"name": "t", "match": [{"headers": {"x-canary-subset": {}}}], "subset": "v1"}"#,
    ),
    (
        "carries the subsets of other rules",
        "which header that is stands elsewhere",
        r#"{"name": "t", "adopt": {"header": "x-canary-subset"}}"#,
    ),
    (
        "the header that this rule writes says nothing about a visitor",
        "its name stands elsewhere",
        r#"{"name": "t", "adopt": {}, "sticky": {"keys": [{"header": "x-canary-draw"}]}}"#,
    ),
    (
        "the cookie of this rule cannot be its key",
        "its name stands elsewhere",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}], "sticky": {"keys": [{"cookie": "c"}], "cookie": {"name": "c"}}}"#,
    ),
    (
        "is not a whole number of seconds",
        "units are added up",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}], "sticky": {"cookie": {"ttl": "1.5s"}}}"#,
    ),
    (
        "is more than 9600h",
        "units are added up",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}], "sticky": {"cookie": {"ttl": "9600h1s"}}}"#,
    ),
    (
        "is not an IPv6 address in brackets",
        "an address has too many forms for a pattern",
        r#"{"name": "t", "hosts": ["[1:2:3]"], "subset": "v1"}"#,
    ),
    (
        "is not an IPv6 address, or block of them",
        "an address has too many forms for a pattern",
        r#"{"name": "t", "match": [{"remoteIpBlocks": ["1:2:3"]}], "subset": "v1"}"#,
    ),
    (
        "294967294.99999999999999999999 is not an integer",
        "a validator reads a double",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 4294967294.99999999999999999999}]}"#,
    ),
    (".regex: ", "a regex is compiled", r#"{"name": "t", "match": [{"uri": {"regex": "("}}], "subset": "v1"}"#),
    (
        " bytes is more than 8192",
        "a name is matched by a pattern, whose repetitions have a limit of their own",
        r#"{"name": "t", "match": [{"cookies": {"LONG": {}}}], "subset": "v1"}"#,
    ),
    (
        "keeps a subset in it: at a host of both",
        "cookies and hosts are compared over all rules",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "sticky": {"cookie": {"name": "c"}, "onWeightChange": "keep"}}, {"name": "u", "split": [{"subset": "v1", "weight": 1}], "sticky": {"cookie": {"name": "c"}}}"#,
    ),
    (
        "covers none of the rule's hosts",
        "a domain is compared with the rule's hosts",
        r#"{"name": "t", "hosts": ["a.test"], "split": [{"subset": "v1", "weight": 1}], "sticky": {"cookie": {"domain": "example.com"}}}"#,
    ),
    (
        "is not an RFC 3339 time",
        "a day exists or not by the calendar",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "2026-02-30T00:00:00Z", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1}}]}}"#,
    ),
    (
        "is before 1970",
        "zones are added up",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "1970-01-01T00:00:00+01:00", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1}}]}}"#,
    ),
    (
        "missing; a step names every subset of the split",
        "names are compared with those of the split",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "2026-12-01T09:00:00Z", "steps": [{"after": "0s", "weights": {"v1": 1}}]}}"#,
    ),
    (
        "no subset of this split; it has ",
        "names are compared with those of the split",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "2026-12-01T09:00:00Z", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1, "v3": 1}}]}}"#,
    ),
    (
        "is not later than ",
        "steps are compared",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "2026-12-01T09:00:00Z", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1}}, {"after": "0h", "weights": {"v1": 1, "v2": 1}}]}}"#,
    ),
    (
        "between: linear needs equal sums",
        "weights are added up",
        r#"{"name": "t", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}], "ramp": {"start": "2026-12-01T09:00:00Z", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1}}, {"after": "1h", "weights": {"v1": 1, "v2": 2}}], "between": "linear"}}"#,
    ),
];

/// What it does say of a regex.
const SAID: [&str; 3] = ["not a string", "an empty regex", "bytes are more than"];

/// What a validator says about these texts.
fn validated(schema: &Value, texts: &[String]) -> Vec<Option<Vec<String>>> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool/schema.py");
    let mut command = Command::new(&python);
    let command = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}; run make setup", python.display()));
    let mut input = child.stdin.take().unwrap();
    let lines: Vec<String> =
        std::iter::once(&schema.to_string()).chain(texts).map(|text| Value::from(text.as_str()).to_string()).collect();
    let writer = std::thread::spawn(move || input.write_all((lines.join("\n") + "\n").as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn schema(what: &str) -> Value {
    let (out, error, code) = ended(&tool(&["schema", "--for", what]));
    assert_eq!((error.as_str(), code), ("", 0));
    serde_json::from_str(&out).unwrap()
}

/// A value with each part of it in turn removed, null, or of another kind.
fn spoiled(value: &Value, into: &mut Vec<Value>) {
    let others = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("x"),
        json!(0),
        json!(true),
        json!(false),
        json!({"x": null}),
    ];
    let mut paths = Vec::new();
    collect(value, String::new(), &mut paths);
    for path in paths {
        for other in &others {
            let mut spoiled = value.clone();
            *spoiled.pointer_mut(&path).unwrap() = other.clone();
            into.push(spoiled);
        }
        let mut spoiled = value.clone();
        let (parent, name) = path.rsplit_once('/').unwrap_or_default();
        match spoiled.pointer_mut(parent) {
            Some(Value::Object(fields)) => drop(fields.remove(&name.replace("~1", "/"))),
            Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
            _ => continue,
        }
        into.push(spoiled);
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in parts {
        collect(value, format!("{path}/{name}"), paths);
    }
    paths.push(path);
}

/// Every existing field.
const FULL: &str = r#"{
    "header": "x-version", "responseHeader": "x-served-by", "seal": "0123456789abcdef",
    "rules": [
        {"name": "a", "hosts": ["a.example.com", "*.example.com", "*", "[::1]"], "subset": "v1", "match": [
            {"uri": {"exact": "/"}, "method": {"regex": "GET|PUT"}, "headers": {"X-A": {"prefix": "a"}, "x-b": {}}, "cookies": {"c": {}}, "remoteIpBlocks": ["203.0.113.0/24", "::1"]},
            {"withoutHeaders": {"x-a": {"exact": ""}}, "queryParams": {"a b": {}}, "claims": {"realm.role": {}, "[https://x.test/y][z]": {"exact": "b"}}}]},
        {"name": "b", "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 0}], "sticky": {
            "keys": [{"header": "x-user"}, {"claim": "sub"}, {"queryParam": "uid"}, {"cookie": "session"}, {"remoteIp": true}],
            "salt": "s", "onWeightChange": "keep",
            "cookie": {"name": "c", "ttl": "1h30m", "path": "/a", "domain": ".example.com", "sameSite": "None", "secure": true,
                "httpOnly": false, "partitioned": true, "renew": false, "draw": "client"}}},
        {"name": "c", "split": [{"subset": "v1", "weight": 80.0}], "sticky": {"cookie": {"name": "__Host-c", "sameSite": "Lax", "draw": "random"}, "onWeightChange": "rebalance"}},
        {"name": "d", "subset": "v2", "remember": {"cookie": {"name": "__Secure-d", "ttl": "24h", "renew": false}, "forget": [{"uri": {"exact": "/"}}, {"queryParams": {"x": {}}}]}},
        {"name": "e", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 0}],
            "ramp": {"start": "2026-12-01T09:00:00Z", "between": "linear", "pausedAt": "2026-12-01T10:00:00.5+01:00",
                "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 0}}, {"after": "1h30m", "weights": {"v1": 0, "v2": 1}}]},
            "guard": {"margin": "0.25%", "holdFor": "10m", "action": "observe"}},
        {"name": "f", "adopt": {"header": "x-position"}, "sticky": {"keys": [{"header": "x-user"}], "cookie": {}}}
    ]}"#;
/// `remember`, wrong in one point or in none, next to a fixed subset or a split.
const REMEMBER: [&str; 8] = [
    r#""subset":"v1","remember":{}"#,
    r#""subset":"v1","remember":null,"sticky":null"#,
    r#""subset":"v1","remember":{"cookie":{"draw":"random"}}"#,
    r#""subset":"v1","remember":{"cookie":{"draw":null}}"#,
    r#""subset":"v1","remember":{"forget":[]}"#,
    r#""subset":"v1","remember":{"forget":[{}]}"#,
    r#""split":[{"subset":"v1","weight":1}],"remember":{}"#,
    r#""split":[{"subset":"v1","weight":1}],"remember":null"#,
];

/// Conditions and what sticks, each wrong in one point or in none.
const MATCHES: [&str; 23] = [
    r#"{"remoteIpBlocks": ["203.0.113.0/24", "203.0.113.7", "255.255.255.255/32", "0.0.0.0/0"]}"#,
    r#"{"remoteIpBlocks": ["2001:db8::/32", "::1", "::/0", "::ffff:203.0.113.7/128", "64:ff9b::/96", "A::b/119"]}"#,
    r#"{"remoteIpBlocks": ["203.0.113.0/33"]}"#,
    r#"{"remoteIpBlocks": ["203.0.113.0/"]}"#,
    r#"{"remoteIpBlocks": ["2001:db8::/129"]}"#,
    r#"{"remoteIpBlocks": ["2001:db8::/064"]}"#,
    r#"{"remoteIpBlocks": ["203.0.113.07"]}"#,
    r#"{"remoteIpBlocks": ["203.0.113.256"]}"#,
    r#"{"remoteIpBlocks": ["203.0.113.7:80"]}"#,
    r#"{"remoteIpBlocks": ["[::1]:80"]}"#,
    r#"{"remoteIpBlocks": ["office.example.com"]}"#,
    r#"{"headers": {"a b": {}}}"#,
    r#"{"headers": {"": {}}}"#,
    r#"{"headers": {"a b": null, "x-a": {}}}"#,
    r#"{"headers": {"a b": null}}"#,
    r#"{"withoutHeaders": {"a:b": {}}}"#,
    r#"{"cookies": {"a=b": {}}}"#,
    r#"{"queryParams": {"": {}}}"#,
    r#"{"queryParams": {"\n": {}}}"#,
    r#"{"claims": {"a..b": {}}}"#,
    r#"{"claims": {"[a": {}}}"#,
    r#"{"claims": {"[a][]": {}}}"#,
    r#"{"uri": {"exact": "/", "prefix": null}}"#,
];
const STICKY: [&str; 14] = [
    r#"{"keys": [{"header": "x-a"}, {"header": "x-a"}]}"#,
    r#"{"keys": [{"header": "x-a", "cookie": null}]}"#,
    r#"{"keys": [{"header": "x-a", "cookie": "c"}]}"#,
    r#"{"keys": [{"header": "x-a"}], "onWeightChange": "keep"}"#,
    r#"{"cookie": {"sameSite": "None", "secure": false}}"#,
    r#"{"cookie": {"sameSite": "None", "secure": null}}"#,
    r#"{"cookie": {"partitioned": true, "secure": false}}"#,
    r#"{"cookie": {"partitioned": false, "secure": false}}"#,
    r#"{"cookie": {"name": "__secure-c", "secure": false}}"#,
    r#"{"cookie": {"name": "__HOST-c", "secure": false}}"#,
    r#"{"cookie": {"name": "__Host-c", "domain": "a.test"}}"#,
    r#"{"cookie": {"name": "__Host-c", "path": "/a"}}"#,
    r#"{"cookie": {"name": "__Host-c", "path": "/", "domain": null}}"#,
    r#"{"cookie": {"name": "__Hostc", "path": "/a"}}"#,
];

/// Times and percentages as they are written, and durations of a `holdFor`.
const TIMES: [(&str, bool); 16] = [
    ("2026-12-01T09:00:00Z", true),
    ("2026-12-01t09:00:00z", true),
    ("2026-12-01 09:00:00.123456789012+23:59", true),
    ("1969-12-31T23:59:59-01:00", true),
    ("2026-12-01T09:00:00", false),
    ("2026-12-01T09:00Z", false),
    ("2026-12-01", false),
    ("2026-12-01T24:00:00Z", false),
    ("2026-12-01T09:60:00Z", false),
    ("2026-13-01T09:00:00Z", false),
    ("2026-12-32T09:00:00Z", false),
    ("2026-12-01T09:00:00.Z", false),
    ("2026-12-01T09:00:00+24:00", false),
    ("2026-12-01T09:00:00+0100", false),
    ("12026-12-01T09:00:00Z", false),
    (" 2026-12-01T09:00:00Z", false),
];
const GUARDS: [(&str, bool); 18] = [
    (r#""margin":"0%""#, true),
    (r#""margin":"100.00%""#, true),
    (r#""margin":"099.99%""#, true),
    (r#""margin":"100.01%""#, false),
    (r#""margin":"101%""#, false),
    (r#""margin":"1000%""#, false),
    (r#""margin":"0.125%""#, false),
    (r#""margin":"1.%""#, false),
    (r#""margin":".5%""#, false),
    (r#""margin":"1""#, false),
    (r#""margin":"-1%""#, false),
    (r#""margin":"1 %""#, false),
    (r#""holdFor":"1s""#, true),
    (r#""holdFor":"0.5m0s""#, true),
    (r#""holdFor":"0s""#, false),
    (r#""holdFor":"0h0.0m.0s""#, false),
    (r#""holdFor":"0""#, false),
    (r#""action":"abort""#, false),
];

#[test]
fn schema_and_parser_agree_on_times_percentages_and_a_guards_durations() {
    let split = r#""split":[{"subset":"v1","weight":1}]"#;
    let time = |&(time, is_good): &(&str, bool)| {
        (
            rule(&format!(r#"{split},"ramp":{{"start":"{time}","steps":[{{"after":"0s","weights":{{"v1":1}}}}]}}"#)),
            is_good,
        )
    };
    let guard = |&(fields, is_good): &(&str, bool)| (rule(&format!(r#"{split},"guard":{{{fields}}}"#)), is_good);
    let cases: Vec<(String, bool)> = TIMES.iter().map(time).chain(GUARDS.iter().map(guard)).collect();
    let texts: Vec<String> = cases.iter().map(|(text, _)| text.clone()).collect();
    for ((text, is_good), errors) in cases.iter().zip(validated(&schema("config"), &texts)) {
        assert_eq!(Config::from_json(text.as_bytes()).is_ok(), *is_good, "{text}");
        assert_eq!(errors.is_some_and(|errors| errors.is_empty()), *is_good, "the schema: {text}");
    }
}

fn documents() -> Vec<String> {
    let mut texts: Vec<String> =
        cases().iter().flatten().filter_map(|phase| String::from_utf8(phase.config.clone()).ok()).collect();
    for (_, make, limit, _) in LIMITS {
        texts.extend([make(*limit), make(limit + 1)]);
    }
    texts.extend(TTLS.iter().map(|(ttl, _)| cookie(&format!(r#""ttl":"{ttl}""#))));
    let labels = |length: usize| "a.".repeat(126) + &"a".repeat(length - 252);
    for domain in [labels(253), labels(254), format!(".{}", labels(253)), format!(".{}", labels(254))] {
        texts.push(cookie(&format!(r#""domain":"{domain}""#)));
    }
    texts.extend(MATCHES.map(|entry| rule(&format!(r#""match":[{entry}],"subset":"v1""#))));
    texts.extend(STICKY.map(|sticky| rule(&format!(r#""split":[{{"subset":"v1","weight":1}}],"sticky":{sticky}"#))));
    texts.extend(REMEMBER.map(rule));
    for fields in [r#""guard":{}"#, r#""guard":null"#, r#""ramp":{}"#, r#""ramp":null"#] {
        texts.push(rule(&format!(r#""subset":"v1",{fields}"#)));
    }
    texts.extend(SECURE.iter().map(|(fields, _)| cookie(fields)));
    texts.extend(USED.iter().chain(UNUSED).map(|header| format!(r#"{{"header":"{header}","rules":[]}}"#)));
    let corpus = include_str!("../fuzz/corpus/config.jsonl").lines();
    let corpus = corpus.map(|line| serde_json::from_str::<String>(line).unwrap());
    texts.extend(corpus.flat_map(|line| line.split("\n---\n").map(str::to_owned).collect::<Vec<_>>()));
    let mut more = Vec::new();
    spoiled(&serde_json::from_str(FULL).unwrap(), &mut more);
    texts.extend(more.iter().map(Value::to_string));
    texts.push(FULL.to_owned());
    texts.retain(|text| !text.trim().is_empty());
    texts.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

#[test]
fn what_no_schema_can_say_is_only_what_it_is_said_to_be() {
    let config =
        |(.., rules): &(&str, &str, &str)| format!(r#"{{"rules": [{rules}]}}"#).replace("LONG", &"a".repeat(8193));
    let texts: Vec<String> = UNSAID.iter().map(config).collect();
    for ((problem, why, _), (text, errors)) in UNSAID.iter().zip(texts.iter().zip(validated(&schema("config"), &texts)))
    {
        let problems = Config::from_json(text.as_bytes()).unwrap_err();
        assert!(problems.iter().all(|one| one.to_string().contains(problem)), "{why}: {problems:?}");
        assert_eq!(errors, Some(Vec::new()), "{why}: said after all");
    }
    let same = config(&UNSAID[7]).replace("X-A", "x-a");
    assert_ne!(
        validated(&schema("config"), &[same]),
        [Some(Vec::new())],
        "what is the same to the letter can be compared"
    );
}

#[test]
fn schema_and_parser_agree_but_for_what_no_schema_can_say() {
    let texts = documents();
    let (mut taken, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for (text, errors) in texts.iter().zip(validated(&schema("config"), &texts)) {
        let problems: Vec<String> = match Config::from_json(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        // What a text says that is no JSON, or not in full, nobody can compare.
        let Some(errors) = errors.filter(|_| !problems.iter().any(|problem| problem.contains("not JSON"))) else {
            continue;
        };
        let is_said = |problem: &String| {
            let has = |what: &str| problem.contains(what);
            SAID.iter().any(|said| has(said)) || !UNSAID.iter().any(|(unsaid, ..)| has(unsaid))
        };
        match (problems.iter().any(is_said), problems.is_empty()) {
            (true, _) => refused += 1,
            (_, true) => taken += 1,
            // Some of it can be said: two keys that are the same to the letter.
            _ => continue,
        }
        if problems.is_empty() != errors.is_empty() {
            wrong.push(format!("{text:.1000}\n  parser: {problems:?}\n  schema: {errors:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), texts.len(), wrong.join("\n"));
    assert!(taken > 200 && refused > 700, "{taken} taken, {refused} refused");
}

/// The files of the shipped WasmPlugins and of their patches, with their texts.
fn shipped() -> Vec<(String, String)> {
    let overlays = ["adopted", "prepared", "rollout", "sealed", "sticky", "testers", "weighted"];
    let paths = overlays.map(|overlay| format!("manifests/overlays/{overlay}/wasmplugin.yaml"));
    let paths = [&["wasmplugin/wasmplugin.yaml".to_owned()], &paths[..]].concat();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(top.join(path)).unwrap())).collect()
}

#[test]
fn every_wasmplugin_is_taken_but_for_what_is_wrong_with_its_config() {
    let plugin = |spec: &str| {
        format!(
            r#"{{"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {{"name": "c", "labels": {{"a": "b"}}}}, {spec}}}"#
        )
    };
    let rules = r#""pluginConfig": {"rules": [{"name": "t", "subset": "v1"}]}"#;
    let mut good: Vec<String> = [
        r#""spec": {"url": "oci://x"}, "status": {}"#.to_owned(),
        r#""spec": {"pluginConfig": null}"#.to_owned(),
        format!(
            r#""spec": {{{rules}, "selector": {{"matchLabels": {{"istio": "ingressgateway"}}}}, "targetRefs": [{{"kind": "Gateway", "name": "g"}}],
                "url": "oci://x", "sha256": "", "imagePullPolicy": "Always", "imagePullSecret": "s", "verificationKey": "", "pluginName": "canary-split",
                "phase": "STATS", "failStrategy": "FAIL_RELOAD", "priority": -1, "vmConfig": {{"env": [{{"name": "A", "value": "b"}}]}},
                "match": [{{"mode": "SERVER", "ports": [{{"number": 80}}]}}], "type": "HTTP"}}"#
        ),
    ]
    .iter()
    .map(|spec| plugin(spec))
    .collect();
    let json = |yaml: &str| serde_saphyr::from_str::<Value>(yaml).unwrap().to_string();
    good.extend(shipped().iter().map(|(_, yaml)| json(yaml)));
    let bad = [
        plugin(r#""spec": {"pluginConfig": {"rules": [{"name": "t", "subset": "V1"}]}}"#),
        plugin(r#""spec": {"pluginConfig": {"rule": []}}"#),
        plugin(&format!(r#""spec": {{{rules}}}"#)).replace("WasmPlugin", "EnvoyFilter"),
    ];
    let schema = schema("wasmplugin");
    for (text, errors) in good.iter().zip(validated(&schema, &good)) {
        assert_eq!(errors, Some(Vec::new()), "{text}");
    }
    for (text, errors) in bad.iter().zip(validated(&schema, &bad)) {
        assert!(errors.is_some_and(|errors| !errors.is_empty()), "{text}");
    }
}

#[test]
fn the_published_schemas_are_what_the_command_prints() {
    for (what, file) in [("config", "pluginconfig"), ("wasmplugin", "wasmplugin")] {
        let path = format!("wasmplugin/{file}.schema.json");
        let (printed, _, _) = ended(&tool(&["schema", "--for", what]));
        let published = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap_or_default();
        assert!(printed == published, "{path} is another: canary-split schema --for {what} >{path}");
    }
}

#[test]
fn editors_find_the_schema_of_every_shipped_wasmplugin() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, yaml) in shipped() {
        let line = yaml.lines().next().unwrap_or_default();
        let schema = line.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{path}: {line}"));
        let found = top.join(&path).parent().unwrap().join(schema).canonicalize().unwrap();
        assert_eq!(found, top.join("wasmplugin/wasmplugin.schema.json").canonicalize().unwrap(), "{path}");
    }
}

#[test]
fn the_documents_name_the_line_that_editors_look_for() {
    let (_, yaml) = &shipped()[0];
    let document = include_str!("../../docs/cli.md");
    let section = document.split("\n## canary-split schema\n").nth(1).unwrap();
    assert!(section.contains(yaml.lines().next().unwrap()), "{section}");
}
