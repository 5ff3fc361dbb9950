//! Ramps and guards: `explain`, `diff`, `simulate` and `set` at a moment.

use crate::{Temporary, ended, fed, tool};
use serde_json::Value;
use std::fs;

const SHOP: &str = "rules:
- name: shop
  split:
  - {subset: v1, weight: 100}
  - {subset: v2, weight: 0}
  sticky:
    cookie: {}
  ramp:
    # when the office is open
    start: 2026-12-01T09:00:00Z # UTC
    steps:
    - {after: 0s, weights: {v1: 99, v2: 1}}
    - {after: 1h, weights: {v1: 90, v2: 10}}
    - {after: 24h, weights: {v1: 0, v2: 100}}
  guard: {}
";

fn linear(text: &str) -> String {
    text.replace("    steps:\n", "    between: linear\n    steps:\n")
}

fn paused(text: &str, at: &str) -> String {
    text.replace("    steps:\n", &format!("    pausedAt: {at}\n    steps:\n"))
}

fn json(arguments: &[&str], input: &str) -> Value {
    let (out, error, _) = ended(&fed(&[arguments, &["--output", "json"]].concat(), input));
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"))
}

#[test]
fn explain_says_the_weights_of_a_moment_and_where_the_ramp_is() {
    let cases = [
        (
            SHOP.to_owned(),
            "2026-12-01T08:59:59Z",
            "v1 100 %, v2 0 %",
            "begins with v1 99, v2 1 at 2026-12-01T09:00:00Z, in 1s",
        ),
        (
            SHOP.to_owned(),
            "2026-12-01T09:00:00Z",
            "v1 99 %, v2 1 %",
            "at step 1 of 3; next v1 90, v2 10 at 2026-12-01T10:00:00Z, in 1h",
        ),
        (
            SHOP.to_owned(),
            "1796126400",
            "v1 90 %, v2 10 %",
            "at step 2 of 3; next v1 0, v2 100 at 2026-12-02T09:00:00Z, in 21h",
        ),
        (
            SHOP.to_owned(),
            "2026-12-02T10:00:00+01:00",
            "v1 0 %, v2 100 %",
            "ended at 2026-12-02T09:00:00Z; the weights of its last step stay",
        ),
        (
            linear(SHOP),
            "2026-12-01T09:20:00Z",
            "v1 96 %, v2 4 %",
            "on the way to step 2 of 3: v1 90, v2 10 at 2026-12-01T10:00:00Z, in 40m",
        ),
        (
            paused(SHOP, "2026-12-01T09:30:00Z"),
            "2026-12-09T09:00:00Z",
            "v1 99 %, v2 1 %",
            "paused at step 1 of 3 since 2026-12-01T09:30:00Z; canary-split set --resume continues it",
        ),
        (
            paused(SHOP, "2026-12-01T09:30:00Z"),
            "2026-12-01T09:10:00Z",
            "v1 99 %, v2 1 %",
            "at step 1 of 3; next v1 90, v2 10 at 2026-12-01T10:00:00Z, in 50m",
        ),
    ];
    for (config, now, weights, ramp) in cases {
        let arguments = ["explain", "--config", "-", "--now", now, "https://shop.example.com/"];
        let explanation = json(&arguments, &config);
        assert_eq!((&explanation["weights"], &explanation["ramp"]["text"]), (&weights.into(), &ramp.into()), "{now}");
        let (out, _, code) = ended(&fed(&arguments, &config));
        assert!(out.contains(&format!("\nweights   {weights}\nramp      {ramp}\n")) && code == 0, "{out}");
        let shares: Vec<String> = explanation["shares"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                format!(
                    "{} {} %",
                    one["subset"].as_str().unwrap(),
                    (one["share"].as_f64().unwrap() * 1e6).round() / 1e4
                )
            })
            .collect();
        assert_eq!(shares.join(", "), weights);
    }
    let wrong = ended(&fed(&["explain", "--config", "-", "--now", "tomorrow", "shop.example.com"], SHOP));
    assert!(
        wrong.1.contains("not an RFC 3339 time since 1970, such as 2026-12-01T09:00:00Z") && wrong.2 == 2,
        "{wrong:?}"
    );
}

/// What `diff` says of a rule: the share that moves, and its notes.
fn differs(old: &str, new: &str, now: &str) -> (f64, Vec<String>) {
    let (old, new) = (Temporary::new(old), Temporary::new(new));
    let diff = json(&["diff", old.0.to_str().unwrap(), new.0.to_str().unwrap(), "--now", now], "");
    let rule = &diff["plugins"][0]["rules"][0];
    let notes =
        rule["notes"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect();
    (rule["visitors"][0]["moved"]["share"].as_f64().unwrap(), notes)
}

#[test]
fn diff_compares_two_plans_at_a_moment_and_says_what_the_rest_does() {
    let noon = "2026-12-01T12:00:00Z";
    let faster = SHOP.replace("{v1: 90, v2: 10}", "{v1: 50, v2: 50}");
    assert_eq!(differs(SHOP, SHOP, noon), (0.0, vec![]));
    let (moved, notes) = differs(SHOP, &faster, noon);
    assert!((moved - 0.4).abs() < 1e-9, "{moved}");
    assert_eq!(
        notes,
        [
            "its ramp has changed: steps",
            "the ramp is at step 2 of 3; next v1 0, v2 100 at 2026-12-02T09:00:00Z, in 21h; 50 % more move until v1 0, v2 100, and nobody is sent back to stable",
        ]
    );
    // The same edit before that step moves nobody now.
    assert_eq!(differs(SHOP, &faster, "2026-12-01T09:30:00Z").0, 0.0);
    let back = SHOP.replace("{v1: 0, v2: 100}", "{v1: 95, v2: 5}");
    assert!(
        differs(SHOP, &back, noon).1[1]
            .ends_with("5 % more move until v1 95, v2 5, and 5 % are sent back to stable on the way")
    );
    let without = SHOP.split("  ramp:").next().unwrap().to_owned();
    let (moved, notes) = differs(SHOP, &without, noon);
    assert!((moved - 0.1).abs() < 1e-9, "{moved}");
    assert_eq!(
        notes,
        ["its ramp is gone: the weights of split hold", "its guard is gone: nothing removes a failing canary"]
    );
    let notes = differs(&without, SHOP, noon).1;
    assert_eq!(
        notes[..2],
        [
            "a ramp is new: the weights go by the clock",
            "a guard is new: margin 1 %, a canary that fails stays out until the rule is edited",
        ]
    );
    let observed = SHOP.replace("guard: {}", "guard: {margin: 0.25%, holdFor: 10m, action: observe}");
    assert_eq!(differs(SHOP, &observed, noon).1[0], "its guard has changed: margin 0.25 %, it only says so");
    let held = SHOP.replace("guard: {}", "guard: {holdFor: 10m}");
    assert_eq!(
        differs(SHOP, &held, noon).1[0],
        "its guard has changed: margin 1 %, a canary that fails is out for 10m"
    );
}

#[test]
fn simulate_draws_the_plan_and_says_who_is_sent_back() {
    let now = ["simulate", "--config", "-", "--now", "2026-12-01T12:00:00Z"];
    let (out, _, code) = ended(&fed(&now, SHOP));
    let rows: Vec<&str> = out.lines().filter(|line| line.contains('/')).collect();
    assert_eq!((rows.len(), code), (4, 0), "{out}");
    assert!(
        rows[2].starts_with("> 2026-12-01T10:00:00Z        1h  90/10    aaaa") && rows[2].ends_with("  9 %"),
        "{out}"
    );
    assert!(rows[3].ends_with("  90 %") && out.ends_with("\n  Nobody is sent back to stable.\n"), "{out}");
    let plan = &json(&now, SHOP)["ramps"][0];
    let is_now: Vec<&Value> = plan["steps"].as_array().unwrap().iter().map(|step| &step["isNow"]).collect();
    assert_eq!(is_now, [false, false, true, false]);
    let back = SHOP.replace("{v1: 0, v2: 100}", "{v1: 95, v2: 5}");
    let (out, ..) = ended(&fed(&now, &back));
    assert!(out.contains("5 %; 5 % back to stable\n\n  5 % are sent back to stable on the way.\n"), "{out}");
    let kept = SHOP.replace("cookie: {}", "cookie: {}\n    onWeightChange: keep");
    assert!(
        ended(&fed(&now, &kept)).0.ends_with("Visitors stay in their subset: new visitors come by these weights.\n")
    );
    let (_, error, code) = ended(&fed(&[&now[..], &["--rule", "other"]].concat(), SHOP));
    assert_eq!((error.as_str(), code), ("canary-split: standard input: no rule other in force has a ramp\n", 2));
}

/// Sets something in a file; what the file says then, and what was said.
fn set(text: &str, arguments: &[&str]) -> (String, String, i32) {
    let file = Temporary::new(text);
    let (out, error, code) = ended(&tool(&[&["set", "shop", "-f", file.0.to_str().unwrap()], arguments].concat()));
    let said = (out + &error).replace(file.0.to_str().unwrap(), "FILE");
    (fs::read_to_string(&file.0).unwrap(), said, code)
}

#[test]
fn a_ramp_is_paused_and_goes_on_and_nothing_else_changes() {
    let flow = r#"{"rules": [{"name": "shop", "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 0}], "ramp": {"start": "2026-12-01T10:00:00+01:00", "steps": [{"after": "0s", "weights": {"v1": 1, "v2": 1}}, {"after": "24h", "weights": {"v1": 0, "v2": 1}}]}}]}"#;
    let block = SHOP.replace("start: 2026", "start: '2026").replace("00Z # UTC", "00Z' # UTC");
    for text in [SHOP.to_owned(), SHOP.replace('\n', "\r\n"), flow.to_owned(), block, linear(SHOP)] {
        let (held, said, code) = set(&text, &["--pause", "--now", "2026-12-01T12:00:00Z"]);
        assert!(
            said.starts_with("FILE: rule shop: the ramp is paused at 2026-12-01T12:00:00Z\n") && code == 0,
            "{said}"
        );
        assert!(said.contains("note: its ramp has changed: pausedAt\n"), "{said}");
        let quote = if text == flow { "\"" } else { "" };
        let entry = format!("{quote}pausedAt{quote}: {quote}2026-12-01T12:00:00Z{quote}");
        let end = if text == flow {
            ", "
        } else if text.contains('\r') {
            "\r\n    "
        } else {
            "\n    "
        };
        assert_eq!(held.replace(&(entry + end), ""), text);
        let (resumed, said, code) = set(&held, &["--resume", "--now", "2026-12-01T15:30:00Z"]);
        assert!(
            said.starts_with(
                "FILE: rule shop: the ramp continues after a pause of 3h30m: it starts at 2026-12-01T12:30:00Z now\n"
            ),
            "{said}"
        );
        let moved = text.replace("2026-12-01T09:00:00Z", "2026-12-01T12:30:00Z");
        assert_eq!((resumed, code), (moved.replace("2026-12-01T10:00:00+01:00", "2026-12-01T12:30:00Z"), 0));
        let (dry, said, _) = set(&text, &["--pause", "--dry-run"]);
        assert!(dry == text || said.contains("has ended"), "{said}");
    }
    // A pause that has not begun moves nothing.
    let ahead = paused(SHOP, "2026-12-01T12:00:00Z");
    assert_eq!(set(&ahead, &["--resume", "--now", "2026-12-01T11:00:00Z"]).0, SHOP);
    let null = paused(SHOP, "null # not now");
    assert_eq!(
        set(&null, &["--pause", "--now", "2026-12-01T12:00:00Z"]).0,
        null.replace("null", "2026-12-01T12:00:00Z")
    );
}

#[test]
fn what_cannot_be_paused_or_set_is_said_and_nothing_is_written() {
    let without = SHOP.split("  ramp:").next().unwrap().to_owned();
    let shared = SHOP.replace("  ramp:\n", "  ramp: &plan\n")
        + "- {name: other, split: [{subset: v1, weight: 1}, {subset: v2, weight: 1}], ramp: *plan}\n";
    let noon = &["--now", "2026-12-01T12:00:00Z"][..];
    let cases: [(&str, &[&str], &str); 8] = [
        (&without, &["--pause"], "rule shop has no ramp"),
        (&without, &["--resume"], "rule shop has no ramp"),
        (SHOP, &["--resume"], "rule shop: its ramp is not paused"),
        (
            &paused(SHOP, "2026-12-01T10:00:00Z"),
            &["--pause"],
            "rule shop: its ramp is paused already, at 2026-12-01T10:00:00Z",
        ),
        (
            SHOP,
            &["--pause", "--now", "2026-12-03T00:00:00Z"],
            "rule shop: its ramp has ended at 2026-12-02T09:00:00Z; there is nothing to pause",
        ),
        (
            &shared,
            &["--pause"],
            "ramp.pausedAt of rule shop is in or behind an alias, and is also used elsewhere; edit it by hand",
        ),
        (
            &SHOP.replace("v2: 10}", "v2: x}"),
            &["--pause"],
            "rule shop has a fault; fix it first, canary-split check says where",
        ),
        (
            SHOP,
            &["v2=25"],
            "rule shop: its ramp decides the weights since 2026-12-01T09:00:00Z, and those of split hold only before that; edit its steps, hold the weights of this moment with --pause, or remove ramp from the rule and set the weights then",
        ),
    ];
    for (text, arguments, problem) in cases {
        let now = if arguments.contains(&"--now") { &[] } else { noon };
        let (after, said, code) = set(text, &[arguments, now].concat());
        assert!(said.contains(problem), "{said}");
        assert_eq!((after.as_str(), code), (text, 2));
    }
    // Before it starts, the weights of split hold.
    let (after, said, code) = set(SHOP, &["v2=5%", "--now", "2026-12-01T08:00:00Z"]);
    assert_eq!(
        (after, code),
        (
            SHOP.replace("v1, weight: 100}", "v1, weight: 95}")
                .replace("{subset: v2, weight: 0}", "{subset: v2, weight: 5}"),
            0
        ),
        "{said}"
    );
}

#[test]
fn simulate_guard_prints_both_tables_and_a_seed_gives_the_same_again() {
    let arguments =
        ["simulate", "--guard", "--days", "1", "--runs", "1", "--seed", "3", "--rate", "20", "--canary", "5,20"];
    let one = json(&arguments, "");
    assert_eq!(one, json(&arguments, ""));
    let cells = one["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2);
    for cell in cells {
        assert_eq!((&cell["falseTrips"]["clustered"], &cell["outagesTripped"]), (&0.into(), &0.into()), "{cell}");
        assert!(cell["timeToTrip"][0]["medianSeconds"].as_u64().unwrap() < 3600, "{cell}");
    }
    let (out, ..) = ended(&tool(&arguments));
    assert_eq!(out.lines().filter(|line| line.starts_with("        20  ")).count(), 4, "{out}");
    for (arguments, problem) in [
        (&["--guard", "--margin", "1"][..], "is not a percentage such as 1% or 0.25%"),
        (&["--guard", "--visit", "0s"], "is less than 1s"),
        (&["--guard", "--canary", "0"], "0 is not in 1..=99"),
        (&["--guard", "80/20", "50/50"], "cannot be used with"),
        (&["--days", "3"], "--days needs WEIGHTS, or --guard"),
        (&["--days", "367", "80/20"], "367 days are more than 366"),
    ] {
        let (_, error, code) = ended(&tool(&[&["simulate"], arguments].concat()));
        assert!(error.contains(problem) && code == 2, "{error}");
    }
}
