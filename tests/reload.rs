//! Which rules are in force, in whatever order the VMs receive the configs.

use canary_split::reload::plugins::{Plugins, Serving};
use canary_split::reload::{Claim, Counts, Evaluation, Health, RuleState, Served, State};

/// A list of rules in which each letter is a rule: good in lower case, broken in upper case; `!` is no config at all.
fn config(rules: &str) -> String {
    if rules == "!" {
        return "!".to_owned();
    }
    let rule = |c: char| match c.is_ascii_lowercase() {
        true => format!(r#"{{"name":"{c}","subset":"v1"}}"#),
        false => format!(r#"{{"name":"{}","subset":"V1"}}"#, c.to_ascii_lowercase()),
    };
    format!(r#"{{"rules":[{}]}}"#, rules.chars().map(rule).collect::<Vec<_>>().join(","))
}

fn in_force(evaluation: &Evaluation) -> String {
    evaluation.config.rules.iter().map(|rule| rule.name.as_str()).collect()
}

/// One config after the other, as one VM is given them. Returns what is in force after each, with its counts.
fn play(configs: &[&str]) -> Vec<(String, [usize; 3])> {
    let mut state = State::default();
    let step = |rules: &&str| {
        let evaluation = state.evaluate(config(rules).as_bytes());
        state = state.after(&Served::new(config(rules).as_bytes(), &evaluation), 0);
        (in_force(&evaluation), [evaluation.counts.active, evaluation.counts.last_good, evaluation.counts.off])
    };
    configs.iter().map(step).collect()
}

#[test]
fn a_rule_stands_or_falls_alone() {
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, [usize; 3])]);
    let table: &[Row] = &[
        (&["ab"], &[("ab", [2, 0, 0])]),
        (&["aB"], &[("a", [1, 0, 1])]),
        (&["ab", "aB", "AB"], &[("ab", [2, 0, 0]), ("ab", [1, 1, 0]), ("ab", [0, 2, 0])]),
        (&["ab", "b", "Ab"], &[("ab", [2, 0, 0]), ("b", [1, 0, 0]), ("b", [1, 0, 1])]),
        (&["!", "a", "!", "A"], &[("", [0, 0, 0]), ("a", [1, 0, 0]), ("a", [0, 1, 0]), ("a", [0, 1, 0])]),
        (&["aa"], &[("a", [1, 0, 1])]),
        (&["a", "Aa"], &[("a", [1, 0, 0]), ("a", [0, 1, 1])]),
        (&["a", "", "A"], &[("a", [1, 0, 0]), ("", [0, 0, 0]), ("", [0, 0, 1])]),
    ];
    for (configs, expected) in table {
        let expected: Vec<_> = expected.iter().map(|(rules, counts)| (rules.to_string(), *counts)).collect();
        assert_eq!(play(configs), expected, "{configs:?}");
    }
}

/// Rules of one cookie that would rewrite each other's.
const SHARED_COOKIE: &str = r#"{"seal":"0123456789abcdef","rules":[
    {"name":"a","split":[{"subset":"v1","weight":1}],"sticky":{"cookie":{"name":"c"},"onWeightChange":"keep"}},
    {"name":"b","split":[{"subset":"v1","weight":1}],"sticky":{"cookie":{"name":"c"},"onWeightChange":"keep"}}]}"#;

#[test]
fn a_rule_that_is_not_as_its_config_says_is_known_by_its_name() {
    use RuleState::{LastGood, Off};
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, RuleState)]);
    let of = |rules: &str| if rules.starts_with('{') { rules.to_owned() } else { config(rules) };
    let table: &[Row] = &[
        (&["ab"], &[]),
        (&["aB"], &[("b", Off)]),
        (&["ab", "Ab"], &[("a", LastGood)]),
        (&["a", "AB"], &[("a", LastGood), ("b", Off)]),
        (&["a", "AB", "ab"], &[]),
        (&["ab", "!"], &[("a", LastGood), ("b", LastGood)]),
        (&["!"], &[]),
        // The first of that name is good.
        (&["aa"], &[]),
        (&["", r#"{"rules":[{"name":"?"},7]}"#], &[]),
        (&[SHARED_COOKIE], &[("b", Off)]),
        (&["ab", SHARED_COOKIE], &[("b", Off)]),
    ];
    for (configs, expected) in table {
        let mut state = State::default();
        for rules in *configs {
            let text = of(rules);
            state = state.after(&Served::new(text.as_bytes(), &state.evaluate(text.as_bytes())), 0);
        }
        let expected: Vec<_> = expected.iter().map(|(rule, state)| ((*rule).to_owned(), *state)).collect();
        assert_eq!(state.health.faulty, expected, "{configs:?}");
    }
}

#[test]
fn a_rule_that_is_good_again_or_in_another_state_has_left_its_state() {
    let health = |faulty: &[(&str, RuleState)]| Health {
        faulty: faulty.iter().map(|(rule, state)| ((*rule).to_owned(), *state)).collect(),
        ..Health::default()
    };
    let before = health(&[("a", RuleState::Off), ("b", RuleState::LastGood), ("c", RuleState::Off)]);
    let now = health(&[("c", RuleState::Off), ("b", RuleState::Off), ("d", RuleState::Off)]);
    let left: Vec<_> = before.left(&now).map(|(rule, state)| (&**rule, *state)).collect();
    assert_eq!(left, [("a", RuleState::Off), ("b", RuleState::LastGood)]);
}

#[test]
fn evaluation_is_idempotent() {
    let configs = ["", "a", "A", "ab", "aB", "Ab", "AB", "ba", "aa", "Aa", "!"];
    let mut random = fastrand::Rng::with_seed(7);
    let mut state = State::default();
    for _ in 0..2_000 {
        let text = config(configs[random.usize(..configs.len())]);
        let first = state.evaluate(text.as_bytes());
        let after = state.after(&Served::new(text.as_bytes(), &first), 0);
        let again = after.evaluate(text.as_bytes());
        assert_eq!((in_force(&again), &again.faults, again.counts), (in_force(&first), &first.faults, first.counts));
        state = after;
    }
}

#[test]
fn the_state_survives_being_stored() {
    let mut state = State::default();
    let sealed = r#"{"header":"x-v","seal":"0123456789abcdef","rules":[{"name":"a","subset":"v1"}]}"#;
    for text in ["!", sealed, &config("ABc"), "!", "{}"] {
        state = state.after(&Served::new(text.as_bytes(), &state.evaluate(text.as_bytes())), 0);
        assert_eq!(State::from_bytes(state.to_bytes()), state);
    }
    for bytes in [&b""[..], b"{", b"[]", b"\xff", b"{\"generation\":-1,\"rules\":7}"] {
        assert_eq!(State::from_bytes(bytes.to_vec()), State::default());
    }
}

#[test]
fn only_the_first_vm_that_is_given_a_config_claims_it() {
    let mut state = State::default();
    let (a, b) = (config("a"), config("b"));
    let mut now = 0;
    let mut give = |text: &str, seen: u64, later: u64| {
        now += later;
        let claim = state.claim(&Served::new(text.as_bytes(), &state.evaluate(text.as_bytes())), seen, now);
        if claim == Claim::New {
            state = state.after(&Served::new(text.as_bytes(), &state.evaluate(text.as_bytes())), now);
        }
        claim
    };
    // The text, the generation that the VM was given last, milliseconds since the delivery before, and what the VM has to do.
    let deliveries = [
        (&a, 0, 0, Claim::New),         // the VM that is thrown away
        (&a, 0, 9000, Claim::Known(1)), // all others
        (&a, 1, 0, Claim::Known(1)),    // again, with another listener
        (&b, 0, 0, Claim::New),
        (&b, 1, 0, Claim::Known(2)),
        (&a, 0, 500, Claim::Known(1)), // a new VM that comes late
        (&a, 2, 0, Claim::New),        // somebody goes back
        (&a, 0, 0, Claim::Known(1)),   // a worker that has slept through all of it
        (&b, 1, 0, Claim::Known(2)),
        (&a, 2, 0, Claim::Known(3)),
        (&b, 3, 0, Claim::New),
        (&a, 0, 501, Claim::New), // a new build comes with an old text
        (&b, 4, 0, Claim::Known(4)),
        (&b, 4, 9000, Claim::Known(4)), // a worker that has slept for long
    ];
    for (nth, (text, seen, later, expected)) in deliveries.into_iter().enumerate() {
        assert_eq!(give(text, seen, later), expected, "delivery {nth}");
    }
}

#[test]
fn the_state_goes_back_to_what_was_in_force() {
    let served = |state: &State, text: &str| Served::new(text.as_bytes(), &state.evaluate(text.as_bytes()));
    let empty = State::default();
    let first = served(&empty, &config("ab"));
    let a = empty.after(&first, 0);
    let second = served(&a, &config("c"));
    let b = a.after(&second, 0);
    let back = b.after(&first, 7);
    assert!(back.serves(&first) && !back.serves(&second));
    assert_eq!((back.generation, b.difference(&back).line), (3, "new: a, b; gone: c".to_owned()));
    assert_eq!(back.claim(&served(&back, &config("ab")), 3, 7), Claim::Known(3));
    // What was good in the first config is last good again.
    assert_eq!(in_force(&back.evaluate(config("AB").as_bytes())), "ab");
}

#[test]
fn a_fault_says_what_follows_from_it() {
    let lines = |state: &State, text: &str| {
        state.evaluate(text.as_bytes()).faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let label = "is not a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end";
    let empty = State::default();
    let broken = config("A");
    assert_eq!(lines(&empty, &broken), [format!(r#"rules[0].subset: "V1" {label} (rule a is off)"#)]);
    assert_eq!(
        lines(&empty, "[]"),
        ["a list, not an object (config refused; no rule is in force, x-canary-subset is removed from every request)"]
    );
    assert_eq!(
        lines(&empty, r#"{"header":"x-v","rules":7}"#),
        ["rules: 7 is a number, not a list (config refused; no rule is in force, x-v is removed from every request)"]
    );
    assert_eq!(
        lines(&empty, r#"{"extra":1,"rules":[]}"#),
        ["extra: unknown field; known are header, responseHeader, seal, rules (ignored; the rules take effect)"]
    );
    assert_eq!(
        lines(&empty, r#"{"rules":[{"name":"A","subset":"v1"}]}"#),
        [format!(r#"rules[0].name: "A" {label} (this rule is off)"#)]
    );
    for unusable in [r#""header":"x_v""#, r#""header":"x-a","header":"x-b""#, r#""header":7"#, r#""seal":"x-v""#] {
        let lines = lines(&empty, &format!(r#"{{{unusable},"rules":7}}"#));
        let ends = lines.iter().all(|line| line.ends_with("x-canary-subset is removed from every request)"));
        assert!(lines.len() > 1 && ends, "{lines:?}");
    }
    let good = empty.after(&Served::new(config("a").as_bytes(), &empty.evaluate(config("a").as_bytes())), 0);
    assert_eq!(
        lines(&good, &broken),
        [format!(r#"rules[0].subset: "V1" {label} (rule a keeps its last good version)"#)]
    );
    assert_eq!(lines(&good, "[]"), ["a list, not an object (config refused; the last good one stays in force)"]);
}

#[test]
fn no_secret_is_in_any_error() {
    let secret = "s3cr3t-s3cr3t-s3cr3t!";
    let text = format!(
        r#"{{"seal":"{secret}","rules":[{{"name":"a","subset":"v1","match":[{{"headers":{{"x-a":"{secret}","x-b":{{"regex":"{secret}("}},
        "x-c":{{"exact":["{secret}"]}},"x-d":{{"exact":"{secret}","prefix":"{secret}"}}}},"cookies":{{"c":{{"regex":"{secret}{{"}}}}}}]}}]}}"#
    );
    let faults = State::default().evaluate(text.as_bytes()).faults;
    assert_eq!(faults.len(), 6);
    for fault in faults {
        assert!(!fault.to_string().contains("s3cr3t"), "{fault}");
    }
}

#[test]
fn what_changed_is_said_by_name() {
    let after = |state: &State, text: &str| {
        let evaluation = state.evaluate(text.as_bytes());
        {
            let after = state.after(&Served::new(text.as_bytes(), &evaluation), 0);
            let changes = state.difference(&after).line;
            (after, changes)
        }
    };
    let (state, changes) = after(&State::default(), &config("ab"));
    assert_eq!(changes, "first config");
    let (state, changes) = after(&state, &config("ac").replace("v1", "v2").replacen("v2", "v1", 1));
    assert_eq!(changes, "new: c; gone: b");
    let (state, changes) = after(&state, &config("ac").replace("v1", "v9"));
    assert_eq!(changes, "changed: a, c");
    let (state, changes) = after(&state, &config("ca").replace("v1", "v9"));
    assert_eq!(changes, "order of the rules");
    assert_eq!(after(&state, &config("ca").replace("v1", "v9")).1, "nothing changed");
    assert_eq!(after(&state, &config("ca").replace("v1", "v9").replace(':', " : ")).1, "nothing changed");
}

#[test]
fn what_changed_between_rules_that_stay_is_found() {
    let state = |names: &str| {
        let text = config(names);
        State::default().after(&Served::new(text.as_bytes(), &State::default().evaluate(text.as_bytes())), 0)
    };
    for (before, after, line) in [
        ("abcd", "abxcd", "new: x"),
        ("abxcd", "abcd", "gone: x"),
        ("abcd", "acbd", "order of the rules"),
        ("abcd", "axcd", "new: x; gone: b"),
        ("abcd", "ab", "gone: c, d"),
        ("cd", "abcd", "new: a, b"),
    ] {
        assert_eq!(state(before).difference(&state(after)).line, line, "{before} {after}");
    }
}

#[test]
fn what_changed_in_headers_and_seal_is_said_and_of_many_rules_the_first_eight() {
    let after =
        |state: &State, text: &str| state.after(&Served::new(text.as_bytes(), &state.evaluate(text.as_bytes())), 0);
    let general = |fields: &str| after(&State::default(), &format!(r#"{{{fields},"rules":[]}}"#));
    let plain = after(&State::default(), &config(""));
    for (fields, there, back) in [
        (r#""header":"x-v""#, "header: x-v", "header: x-canary-subset"),
        (r#""responseHeader":"x-by""#, "responseHeader: x-by", "responseHeader: none"),
        (r#""seal":"0123456789abcdef""#, "seal", "seal"),
    ] {
        let state = general(fields);
        assert_eq!([plain.difference(&state).line, state.difference(&plain).line], [there, back]);
    }
    let eight = after(&plain, &config("abcdefgh"));
    let ten = after(&plain, &config("abcdefghij"));
    assert_eq!(plain.difference(&eight).line, "new: a, b, c, d, e, f, g, h");
    assert_eq!(ten.difference(&plain).line, "gone: a, b, c, d, e, f, g, h and 2 more");
}

#[test]
fn the_weights_that_are_gone_are_told_by_rule_and_subset() {
    let evaluate = |text: &str| State::default().evaluate(text.as_bytes());
    let split = |name: &str, subsets: &[&str]| {
        let subsets: Vec<_> = subsets.iter().map(|s| format!(r#"{{"subset":"{s}","weight":1}}"#)).collect();
        format!(r#"{{"name":"{name}","split":[{}]}}"#, subsets.join(","))
    };
    let list = |rules: &[String]| format!(r#"{{"rules":[{}]}}"#, rules.join(","));
    let fixed = r#"{"name":"f","subset":"v1"}"#.to_owned();
    let before = list(&[split("a", &["v1", "v2"]), fixed.clone(), split("b", &["v1"]), split("c", &["v1", "v2"])]);
    let state = State::default().after(&Served::new(before.as_bytes(), &evaluate(&before)), 0);
    let now = list(&[split("c", &["v2", "v3"]), fixed, split("a", &["v1", "v2"])]);
    let now = state.after(&Served::new(now.as_bytes(), &evaluate(&now)), 0);
    let gone = [("b", "v1"), ("c", "v1")].map(|(rule, subset)| (rule.to_owned(), subset.to_owned()));
    assert_eq!(state.difference(&now).gone, gone);
    assert_eq!(State::default().difference(&now).gone, []);
}

#[test]
fn a_plugin_that_ends_in_a_vm_is_removed_and_no_other() {
    let counts = Counts { active: 1, ..Counts::default() };
    let mut plugins = Plugins::default();
    for (plugin, by) in [("a", 1), ("b", 1), ("c", 2)] {
        assert!(plugins.insert(plugin, Serving { generation: 1, config: by, headers: "x-a", counts }, by, 0));
    }
    assert!(!plugins.remove("a", 2) && !plugins.remove("d", 1));
    assert!(plugins.remove("a", 1));
    assert_eq!(plugins.names().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(["a", "b", "c"].map(|plugin| plugins.contains(plugin)), [false, true, true]);
    assert_eq!(["a", "b"].map(|plugin| plugins.rival(plugin, 0).map(|rival| rival.name)), [None, Some("c".to_owned())]);
}

/// A config of this generation that writes this header.
fn serving(generation: u64, header: &str) -> Serving<'_> {
    Serving { generation, config: generation, headers: header, counts: Counts::default() }
}

#[test]
fn of_a_generation_the_last_word_about_a_plugin_counts_and_of_an_older_one_none() {
    let mut plugins = Plugins::default();
    plugins.insert("other", serving(1, "x-a"), 1, 0);
    plugins.insert("p", serving(2, "x-b"), 1, 0);
    assert!(!plugins.insert("p", serving(1, "x-a"), 1, 0));
    assert_eq!(plugins.rival("p", 0), None);
    assert!(plugins.insert("p", serving(2, "x-a"), 1, 0));
    assert_eq!(plugins.rival("p", 0).map(|rival| rival.name).as_deref(), Some("other"));
    // A VM that comes with a late config is the last to have come, and alone removes the plugin.
    assert!(plugins.insert("p", serving(1, "x-b"), 2, 0));
    assert_eq!(plugins.rival("p", 0).map(|rival| rival.name).as_deref(), Some("other"));
    assert!(!plugins.remove("p", 1) && plugins.remove("p", 2));
}
