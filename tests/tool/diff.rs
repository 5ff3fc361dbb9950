//! `diff`.

use crate::{Temporary, ended, fed};
use canary_split::split::Split;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SPACE: u64 = 1 << 32;

/// Subsets by weight, as in `v1=80 v2=20`, under what sticks, as the rule of a bare config.
fn rule(name: &str, split: &str, sticky: &str) -> String {
    let items = split.split(' ').map(|item| {
        let (subset, weight) = item.split_once('=').unwrap();
        format!("{{subset: {subset}, weight: {weight}}}")
    });
    let sticky = if sticky.is_empty() { String::new() } else { format!(", sticky: {{{sticky}}}") };
    format!("{{name: {name}, split: [{}]{sticky}}}", items.collect::<Vec<_>>().join(", "))
}

fn config(split: &str, sticky: &str) -> String {
    format!("rules: [{}]", rule("web", split, sticky))
}

fn run(old: &str, new: &str, more: &[&str]) -> (String, String, i32) {
    let old = Temporary::new(old);
    ended(&fed(&[&["diff", old.0.to_str().unwrap(), "-"], more].concat(), new))
}

fn compared(old: &str, new: &str) -> (Value, i32) {
    let (out, error, code) = run(old, new, &["--output", "json"]);
    assert!(code < 2, "{error}");
    (serde_json::from_str(&out).unwrap(), code)
}

/// The first rule of the only plugin.
fn first_rule(old: &str, new: &str) -> Value {
    compared(old, new).0["plugins"][0]["rules"][0].clone()
}

fn moves(visitors: &Value) -> BTreeMap<(String, String), u64> {
    let name = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |one: &Value| ((name(&one["from"]), name(&one["to"])), one["draws"].as_u64().unwrap());
    visitors["moves"].as_array().unwrap().iter().map(one).collect()
}

fn abouts(notes: &Value) -> Vec<&str> {
    notes.as_array().unwrap().iter().map(|note| note["about"].as_str().unwrap()).collect()
}

#[test]
fn who_moves_is_exact() {
    let v2 = SPACE / 5;
    let keep = "cookie: {}, onWeightChange: keep";
    // Old, new, what sticks; who moves, the least, why it is not the least.
    type Case<'c> = (&'c str, &'c str, &'c str, &'c [(&'c str, &'c str, u64)], u64, &'c [&'c str]);
    let table: &[Case] = &[
        ("v1=80 v2=20", "v1=50 v2=50", "cookie: {}", &[("v1", "v2", SPACE / 2 - v2)], SPACE / 2 - v2, &[]),
        ("v1=80 v2=20", "v1=100 v2=0", "cookie: {}", &[("v2", "v1", v2)], v2, &[]),
        ("v1=80 v2=20", "v1=100", "cookie: {}", &[("v2", "v1", v2)], v2, &[]),
        ("v1=80 v2=20", "v1=8 v2=2", "cookie: {}", &[], 0, &[]),
        ("v1=80 v2=20", "v1=80 v3=20", "cookie: {}", &[("v2", "v3", v2)], v2, &[]),
        ("v1=80 v2=20", "v1=70 v2=20 v3=10", "cookie: {}", &[("v1", "v3", SPACE / 10)], SPACE / 10, &[]),
        (
            "v1=6 v2=1 v3=1",
            "v1=7 v3=1",
            "cookie: {}",
            &[("v2", "v3", SPACE / 8), ("v3", "v1", SPACE / 8)],
            SPACE / 8,
            &["places"],
        ),
        (
            "v1=6 v2=1 v3=1",
            "v1=6 v3=1 v2=1",
            "cookie: {}",
            &[("v2", "v3", SPACE / 8), ("v3", "v2", SPACE / 8)],
            0,
            &["places"],
        ),
        ("v1=6 v2=1", "v2=1 v1=6", "cookie: {}", &[("v1", "v2", SPACE / 7), ("v2", "v1", SPACE / 7)], 0, &["places"]),
        (
            "v1=4 v2=2 v3=2",
            "v1=4 v2=1 v3=3",
            "cookie: {}",
            &[("v1", "v3", SPACE / 8), ("v2", "v1", SPACE / 8)],
            SPACE / 8,
            &["throughStable"],
        ),
        ("v1=80 v2=20", "v1=100 v2=0", keep, &[], 0, &[]),
        ("v1=80 v2=20", "v1=50 v3=50", keep, &[("v2", "v3", v2)], v2, &[]),
        ("v1=6 v2=1 v3=1", "v1=6 v3=1 v2=1", keep, &[], 0, &[]),
    ];
    for (old, new, sticky, expected, least, why) in table {
        let rule = first_rule(&config(old, sticky), &config(new, sticky));
        let visitors = &rule["visitors"][0];
        let moved: Vec<_> = moves(visitors).into_iter().filter(|((from, to), _)| from != to).collect();
        let expected: Vec<_> = expected
            .iter()
            .filter(|(.., draws)| *draws > 0)
            .map(|(from, to, draws)| ((from.to_string(), to.to_string()), *draws))
            .collect();
        // A share is rounded down, so that a difference of two may be one draw more.
        let close = |a: u64, b: u64| a.abs_diff(b) <= 1;
        let is_same =
            moved.len() == expected.len() && moved.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
        assert!(is_same, "{old} → {new}: {moved:?}, not {expected:?}");
        assert!(close(visitors["least"]["draws"].as_u64().unwrap(), *least), "{old} → {new}: {visitors}");
        assert_eq!(abouts(&visitors["reasons"]), *why, "{old} → {new}");
        assert_eq!(moves(visitors).values().sum::<u64>(), SPACE, "{old} → {new}");
    }
}

#[test]
fn who_moves_is_what_a_count_of_all_draws_says() {
    let mut random = fastrand::Rng::with_seed(8);
    let mut reasons = BTreeMap::<String, usize>::new();
    for round in 0..150 {
        // Of weights that add up to a power of two every run ends at a multiple of 2³² ∕ 64.
        let mut list = || {
            let mut names: Vec<String> = (1..=7).map(|at| format!("v{at}")).collect();
            if round % 2 == 1 {
                random.shuffle(&mut names);
            }
            names.truncate(random.usize(1..=7));
            let mut weights = vec![0_u32; names.len()];
            (0..64).for_each(|_| weights[random.usize(..names.len())] += 1);
            (names, weights)
        };
        let ((old_names, old), (new_names, new)) = (list(), list());
        let (was, is) = (Split::new(&old).unwrap(), Split::new(&new).unwrap());
        let mut counted = BTreeMap::new();
        for at in 0..64_u32 {
            let from = old_names[was.pick(at << 26)].clone();
            *counted.entry((from, new_names[is.pick(at << 26)].clone())).or_insert(0) += SPACE / 64;
        }
        let spelled = |names: &[String], weights: &[u32]| {
            names.iter().zip(weights).map(|(name, weight)| format!("{name}={weight}")).collect::<Vec<_>>().join(" ")
        };
        let (old, new) = (spelled(&old_names, &old), spelled(&new_names, &new));
        let rule = first_rule(&config(&old, "cookie: {}"), &config(&new, "cookie: {}"));
        let visitors = &rule["visitors"][0];
        assert_eq!(moves(visitors), counted, "{old} → {new}");
        let moved: u64 = counted.iter().filter(|((from, to), _)| from != to).map(|(_, draws)| draws).sum();
        assert_eq!(visitors["moved"]["draws"], moved, "{old} → {new}");
        let why = abouts(&visitors["reasons"]);
        assert_eq!(why.is_empty(), visitors["moved"] == visitors["least"], "{old} → {new}: {why:?}");
        for why in why {
            *reasons.entry(why.to_owned()).or_default() += 1;
        }
    }
    assert!(["places", "throughStable", "lane"].iter().all(|why| reasons[*why] > 5), "{reasons:?}");
}

#[test]
fn the_way_out_moves_as_few_as_it_says() {
    let (old, new) = (config("v1=70 v2=10 v3=20", "cookie: {}"), config("v1=80 v3=20", "cookie: {}"));
    let rule = first_rule(&old, &new);
    let help = rule["visitors"][0]["reasons"][0]["help"].as_str().unwrap();
    assert_eq!(help, "write the list as v1 80, v2 0, v3 20: 10 % would move, so 30 % move needlessly");
    let rule = first_rule(&old, &config("v1=80 v2=0 v3=20", "cookie: {}"));
    assert_eq!(rule["visitors"][0]["moved"]["draws"], SPACE / 10);
    assert_eq!(rule["visitors"][0]["moved"], rule["visitors"][0]["least"]);
}

#[test]
fn why_more_move_than_the_least_is_said_with_names() {
    for (old, new, expected) in [
        ("v1=6 v2=1 v3=1", "v1=6 v3=2", "v2 is removed from the middle of the list: "),
        ("v1=6 v2=1 v3=1", "v1=4 v4=1 v5=1 v2=1 v3=1", "v4, v5 are put before the end of the list: "),
        ("v1=5 v2=1 v3=1 v4=1", "v1=5 v4=1 v2=1 v3=1", "v2, v3, v4 are elsewhere in the list than before: "),
        ("v7=29 v3=16 v1=19", "v4=37 v7=27", "v7 is elsewhere in the list than before: "),
        ("v1=5 v2=1 v3=2 v4=0", "v1=5 v2=1 v3=1 v4=1", "v3 shrinks and v4 grows: "),
        ("v1=4 v2=4 v3=3 v4=5", "v1=5 v2=3 v3=3 v4=5", "v4 has more than its lane, which is 25 % with 3 canaries"),
        (
            "v1=3 v2=1 v3=2 v4=3 v5=7 v6=0",
            "v1=2 v2=1 v3=3 v4=3 v5=7 v6=0",
            "v3 has more than its lane, which is 12.5 % with 5 canaries",
        ),
    ] {
        let rule = first_rule(&config(old, "cookie: {}"), &config(new, "cookie: {}"));
        let reasons = &rule["visitors"][0]["reasons"];
        assert!(reasons[0]["text"].as_str().unwrap().starts_with(expected), "{old} → {new}: {reasons}");
    }
}

#[test]
fn another_salt_draws_everyone_anew() {
    let rule = first_rule(&config("v1=3 v2=1", "cookie: {}"), &config("v1=2 v2=2", "cookie: {}, salt: other"));
    let visitors = &rule["visitors"][0];
    assert_eq!(visitors["carried"], json!({"how": "anew", "why": "the salt has changed"}));
    let eighth = SPACE / 8;
    let named = |from: &str, to: &str, draws| ((from.to_owned(), to.to_owned()), draws);
    let expected = [
        named("v1", "v1", 3 * eighth),
        named("v1", "v2", 3 * eighth),
        named("v2", "v1", eighth),
        named("v2", "v2", eighth),
    ];
    assert_eq!(moves(visitors), BTreeMap::from(expected));
    assert_eq!((&visitors["moved"]["share"], &visitors["least"]["share"]), (&json!(0.5), &json!(0.25)));
    // Of odd shares the product is no number of draws.
    let rule = first_rule(&config("v1=2 v2=1", "cookie: {}"), &config("v1=2 v2=1", "cookie: {}, salt: other"));
    assert_eq!(rule["visitors"][0]["moved"]["draws"], Value::Null);
    let share = rule["visitors"][0]["moved"]["share"].as_f64().unwrap();
    assert!((share - 4.0 / 9.0).abs() < 1e-9, "{share}");
    // Also where nobody sees anything of it today.
    let (diff, code) = compared(&config("v1=1 v2=0", "cookie: {}"), &config("v1=1 v2=0", "cookie: {}, salt: other"));
    assert_eq!((code, &diff["plugins"][0]["rules"][0]["change"]), (1, &json!("changed")));
}

#[test]
fn what_sticks_is_followed() {
    // What sticks before and after; whose draws become what; what is said.
    type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)], &'c [&'c str]);
    let table: &[Case] = &[
        ("cookie: {}", "cookie: {}", &[("visitors", "draw")], &[]),
        ("", "", &[("requests", "nothing")], &[]),
        ("", "cookie: {}", &[("requests", "nothing")], &["sticky"]),
        ("cookie: {}", "", &[("visitors", "anew")], &["sticky", "cookie"]),
        ("cookie: {}", "cookie: {name: c}", &[("visitors", "anew")], &["cookie"]),
        ("cookie: {}", "cookie: {}, salt: web", &[("visitors", "draw")], &[]),
        ("cookie: {}", "cookie: {}, salt: x", &[("visitors", "anew")], &[]),
        ("cookie: {}", "cookie: {path: /a}", &[("visitors", "draw")], &["cookiePath"]),
        ("cookie: {path: /a}", "cookie: {}", &[("visitors", "draw")], &["cookiePath"]),
        ("cookie: {path: /a}", "cookie: {path: /ab}", &[("visitors", "anew")], &["cookiePath"]),
        ("cookie: {}", "cookie: {domain: example.com}", &[("visitors", "draw")], &["cookieDomain"]),
        ("cookie: {domain: .a.b}", "cookie: {domain: a.b}", &[("visitors", "draw")], &[]),
        ("cookie: {}", "cookie: {ttl: 1h, sameSite: Strict}", &[("visitors", "draw")], &["cookieAttributes"]),
        ("cookie: {}", "cookie: {draw: client}", &[("visitors", "draw")], &["cookieAttributes", "cookieDraw"]),
        ("cookie: {secure: true}", "cookie: {}", &[("visitors", "draw")], &["cookieAttributes", "cookieSecure"]),
        ("keys: [{header: a}]", "keys: [{header: a}]", &[("visitors with a key", "draw")], &[]),
        ("keys: [{header: a}]", "keys: [{header: a}], cookie: {}", &[("visitors with a key", "draw")], &["cookie"]),
        (
            "keys: [{header: a}], cookie: {}",
            "keys: [{header: a}]",
            &[("visitors without a key", "anew"), ("visitors with a key", "draw")],
            &["cookie"],
        ),
        (
            "keys: [{header: a}], cookie: {}",
            "keys: [{header: b}], cookie: {}",
            &[("visitors without a key", "draw"), ("visitors whose first key has changed", "anew")],
            &["keys"],
        ),
        (
            "keys: [{claim: sub}]",
            "keys: [{claim: sub}, {cookie: session}]",
            &[("visitors with claim sub", "draw"), ("visitors whose first key has changed", "anew")],
            &["keys"],
        ),
        ("cookie: {}", "cookie: {}, onWeightChange: keep", &[("visitors", "draw")], &["keep"]),
        ("cookie: {}, onWeightChange: keep", "cookie: {}", &[("visitors", "draw")], &["keep"]),
        ("cookie: {}, onWeightChange: keep", "cookie: {}, onWeightChange: keep", &[("visitors", "subset")], &[]),
        (
            "cookie: {}, onWeightChange: keep",
            "cookie: {}, onWeightChange: keep, salt: x",
            &[("visitors", "anew")],
            &["keep"],
        ),
        // Under keep the cookie comes before the key.
        (
            "keys: [{header: a}], cookie: {}, onWeightChange: keep",
            "keys: [{header: b}], cookie: {}, onWeightChange: keep",
            &[("visitors", "subset")],
            &[],
        ),
        (
            "keys: [{header: a}], cookie: {}, onWeightChange: keep",
            "cookie: {}",
            &[("visitors", "draw")],
            &["keys", "keep"],
        ),
    ];
    for (old, new, visitors, notes) in table {
        let (diff, code) = compared(&config("v1=3 v2=1", old), &config("v1=3 v2=1", new));
        let rule = &diff["plugins"][0]["rules"][0];
        let found: Vec<_> = rule["visitors"].as_array().unwrap().iter().collect();
        let found: Vec<_> = found
            .iter()
            .map(|kind| (kind["who"].as_str().unwrap(), kind["carried"]["how"].as_str().unwrap()))
            .collect();
        assert_eq!(found, *visitors, "{old} → {new}");
        assert_eq!(abouts(&rule["notes"]), *notes, "{old} → {new}");
        let is_same = notes.is_empty() && visitors.iter().all(|kind| kind.1 != "anew");
        assert_eq!(code, i32::from(!is_same), "{old} → {new}");
    }
}

#[test]
fn kept_subsets_count_while_their_seal_is_the_same() {
    let keep = |split| rule("web", split, "cookie: {}, onWeightChange: keep");
    let sealed = |seal: &str, split| format!("seal: {seal}\nrules: [{}]", keep(split));
    let (a, b) = ("0123456789abcdef", "fedcba9876543210");
    let how = |old: &str, new: &str| {
        let (diff, _) = compared(old, new);
        let plugin = &diff["plugins"][0];
        let carried = plugin["rules"][0]["visitors"][0]["carried"]["how"].clone();
        (carried, abouts(&plugin["notes"]).join(" "), abouts(&plugin["rules"][0]["notes"]).join(" "))
    };
    let same = how(&sealed(a, "v1=3 v2=1"), &sealed(a, "v1=4 v2=0"));
    assert_eq!(same, (json!("subset"), String::new(), "keep drain".to_owned()));
    let other = how(&sealed(a, "v1=3 v2=1"), &sealed(b, "v1=4 v2=0"));
    assert_eq!(other, (json!("draw"), "seal".to_owned(), "keep".to_owned()));
    let still = how(&sealed(a, "v1=3 v2=0 v3=1"), &sealed(a, "v1=4 v2=0 v3=1"));
    assert_eq!(still, (json!("subset"), String::new(), "keep".to_owned()), "what has drained before");
    let gone = how(&sealed(a, "v1=3 v2=1"), &sealed(a, "v1=4"));
    assert_eq!(gone, (json!("subset"), String::new(), "keep evict".to_owned()));
    for form in ["text", "json"] {
        let (out, error, _) = run(&sealed(a, "v1=3 v2=1"), &sealed(b, "v1=3 v2=1"), &["--output", form]);
        assert!(![a, b].iter().any(|seal| (out.clone() + &error).contains(seal)), "{out}{error}");
    }
}

#[test]
fn rules_are_told_by_their_names() {
    let list = |rules: &[&str]| format!("rules: [{}]", rules.join(", "));
    let (a, b, c) = ("{name: a, subset: v1}", "{name: b, subset: v1}", "{name: c, subset: v1}");
    let web = rule("web", "v1=1 v2=1", "cookie: {}");
    // Before, after; what has become of the rules; what is said of the plugin, and of its rules.
    type Case<'c> = (&'c [&'c str], &'c [&'c str], &'c str, &'c str, &'c str);
    let with = |extra: &str| format!("{{name: a, subset: v1, {extra}}}");
    let hosts = [with("hosts: [a.b, c.d]"), with("hosts: [c.d, a.b]"), with("hosts: ['*']"), with("hosts: [a.b]")];
    let matches =
        [with("match: [{headers: {x: {exact: geheim}}}]"), with("match: [{headers: {x: {exact: geheimer}}}]")];
    let table: &[Case] = &[
        (&[a, b], &[a, b], "a same, b same", "", ""),
        (&[a, b], &[b, a], "b same, a same", "order", ""),
        (&[a, b], &[c, a, b], "c new, a same, b same", "", ""),
        (&[a, b], &[b], "b same, a gone", "", "gone"),
        (&[a], &["{name: a, subset: v2}"], "a changed", "", ""),
        (&[&web], &["{name: web, subset: v2}"], "web changed", "", "fixed cookie"),
        (&["{name: web, subset: v2}"], &[&web], "web changed", "", "fixed"),
        (&[&hosts[0]], &[&hosts[1]], "a same", "", ""),
        (&[&hosts[2]], &[a], "a same", "", ""),
        (&[&hosts[0]], &[&hosts[3]], "a changed", "", "hosts"),
        (&[&matches[0]], &[&matches[1]], "a changed", "", "match"),
        (&[&web], &[&web.replace("web", "shop")], "shop new, web gone", "", "renamed gone cookie"),
    ];
    for (old, new, rules, said, of_rules) in table {
        let (diff, code) = compared(&list(old), &list(new));
        let plugin = &diff["plugins"][0];
        let found = plugin["rules"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let changes: Vec<_> = found.iter().map(|rule| text(&rule["rule"]) + " " + &text(&rule["change"])).collect();
        assert_eq!(changes.join(", "), *rules);
        assert_eq!(abouts(&plugin["notes"]).join(" "), *said, "{new:?}");
        let notes: Vec<_> = found.iter().flat_map(|rule| abouts(&rule["notes"])).collect();
        assert_eq!(notes.join(" "), *of_rules, "{new:?}");
        assert_eq!(code, i32::from(changes.iter().any(|change| !change.ends_with("same")) || !said.is_empty()));
        assert!(!diff.to_string().contains("geheim"), "{diff}");
    }
    let fixed = first_rule(&list(&[a]), &list(&["{name: a, subset: v2}"]));
    assert_eq!(moves(&fixed["visitors"][0]), BTreeMap::from([(("v1".to_owned(), "v2".to_owned()), SPACE)]));
}

#[test]
fn what_the_filter_writes_elsewhere_is_said() {
    let with = |general: &str| format!("{general}\nrules: []");
    let (diff, code) = compared(&with(""), &with("header: x-b\nresponseHeader: x-c\nseal: 0123456789abcdef"));
    assert_eq!((abouts(&diff["plugins"][0]["notes"]).join(" "), code), ("header responseHeader seal".to_owned(), 1));
}

#[test]
fn faults_are_warnings_and_the_rules_are_as_the_gateway_has_them() {
    let good = config("v1=80 v2=20", "cookie: {}");
    let bad = good.replace("80", "-80");
    let (out, error, code) = run(&good, &bad, &[]);
    assert_eq!((out.as_str(), code), ("nothing differs in effect\n", 1));
    let expected = "canary-split: warning: standard input:1:50: rules[0].split[0].weight: -80 is less than 0 \
                    (rule web keeps its last good version)\n";
    assert_eq!(error, expected);
    // What is in force before a faulty OLD nobody knows.
    let (out, error, code) = run(&bad, &good, &[]);
    assert!(out.starts_with("rule web: new\n") && error.contains("(rule web is off)") && code == 1, "{out}{error}");
    let sealed = format!("seal: 0123456789abcdef\n{good}");
    let (out, error, code) = run(&sealed, "seal: geheim\nrules: []", &[]);
    assert_eq!((out.as_str(), code), ("nothing differs in effect\n", 1));
    assert!(error.contains("the last good one stays in force") && !error.contains("geheim"), "{error}");
    let (diff, _) = compared(&good, &bad);
    assert_eq!(
        (&diff["faults"][0]["line"], &diff["faults"][0]["place"]),
        (&json!(1), &json!("rules[0].split[0].weight"))
    );
    assert_eq!(diff["differs"], false);
}

#[test]
fn plugins_are_paired_by_namespace_and_name() {
    let plugin = |metadata: &str, config: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{{metadata}}}\nspec:\n  pluginName: canary-split\n  pluginConfig: {{{config}}}\n"
        )
    };
    let (even, odd) = (config("v1=1 v2=1", "cookie: {}"), config("v1=3 v2=1", "cookie: {}"));
    let old = plugin("name: a", &even) + "---\n" + &plugin("name: b", &even) + "---\n" + &plugin("name: c", &even);
    let new = plugin("name: b, namespace: x", &even)
        + "---\n"
        + &plugin("name: a, namespace: x", &odd)
        + "---\n"
        + &plugin("name: d", &even);
    let (diff, code) = compared(&old, &new);
    let changes: Vec<_> =
        diff["plugins"].as_array().unwrap().iter().map(|one| format!("{}: {}", one["plugin"], one["change"])).collect();
    assert_eq!(changes, [r#""x/b": "same""#, r#""x/a": "changed""#, r#""d": "new""#, r#""c": "gone""#]);
    assert_eq!(code, 1);
    // One of each is a pair, whatever they are called; `kubectl get` prints a list of one.
    let indented = plugin("name: other, namespace: x", &even).replace('\n', "\n  ");
    let listed = format!("apiVersion: v1\nkind: List\nitems:\n- {indented}");
    assert_eq!(run(&even, &listed, &[]), ("nothing differs in effect\n".to_owned(), String::new(), 0));
}

#[test]
fn what_cannot_be_compared_is_named() {
    let good = config("v1=1", "");
    for (old, problem) in [
        ("{", "not YAML"),
        ("kind: Service\napiVersion: v1", "no WasmPlugin of this filter and no pluginConfig"),
        ("", "no WasmPlugin of this filter and no pluginConfig"),
    ] {
        let (out, error, code) = run(old, &good, &[]);
        assert_eq!((out.as_str(), code, error.lines().count()), ("", 2, 1), "{old}: {error}");
        assert!(error.contains(problem), "{error}");
    }
    let (_, error, code) = ended(&fed(&["diff", "-", "-"], ""));
    assert_eq!((error.as_str(), code), ("canary-split: only one of OLD and NEW can be the standard input\n", 2));
}

#[test]
fn the_picture_shows_whose_the_draws_are() {
    let (old, new) = (config("v1=6 v2=1 v3=1", "cookie: {}"), config("v1=6 v3=1 v2=1", "cookie: {}"));
    let expected = "\
rule web
  old  bbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaaccccccccaaaaaaaaaaaaaaaaaaaaaaaa
  new  ccccccccaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaa
       ^^^^^^^^                        ^^^^^^^^
    subset     old     new
  a v1        75 %    75 %
  b v2      12.5 %  12.5 %
  c v3      12.5 %  12.5 %
  v2 → v3  12.5 %
  v3 → v2  12.5 %
  25 % move; the least possible are 0 %
  note: v2 and v3 have changed places: a canary is told by its place, and its visitors are those drawn there
  help: write the list as v1 6, v2 1, v3 1: 0 % would move, so 25 % move needlessly
";
    assert_eq!(run(&old, &new, &[]).0, expected);
    let eighth = SPACE / 8;
    let picture = json!({
        "old": [[1, eighth], [0, 3 * eighth], [2, eighth], [0, 3 * eighth]],
        "new": [[2, eighth], [0, 3 * eighth], [1, eighth], [0, 3 * eighth]],
        "isComparable": true,
    });
    assert_eq!(first_rule(&old, &new)["picture"], picture);
    assert!(run(&old, &new, &["--color", "always"]).0.contains("\x1b[30;42mb\x1b[0m"));
}
