//! The limits of the config, at the limit and just beyond it. All other errors are in `tests/cases/errors.yaml`.

#[path = "common/configs.rs"]
mod configs;

use canary_split::config::Config;
use canary_split::rule::re2::Re2;
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
    assert_eq!(errors(r#"{"seal":"aaaaaaaaaaaaaaa","rules":[]}"#), ["seal: a seal of 15 bytes; it needs 16 to 128"]);
    assert_eq!(
        errors(r#"{"seal":"aaaaaaaaaaaaaaa.","rules":[]}"#),
        ["seal: a seal may contain only letters, digits, _ and -"]
    );
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
    let large = format!("(?:{}){{1000}}", "a".repeat(19));
    let steps = Re2::new(&large).unwrap().steps();
    let fitting = 1_000_000 / steps;
    let rule = |n: u32, subset: &str| {
        format!(r#"{{"name":"r{n}","subset":"{subset}","match":[{{"uri":{{"regex":"{large}"}}}}]}}"#)
    };
    let list = |rules: Vec<String>| errors(&format!(r#"{{"rules":[{}]}}"#, rules.join(",")));
    assert_eq!(list((0..fitting).map(|n| rule(n, "v1")).collect()), [""; 0]);
    let all = (fitting + 1) * steps;
    let problem = format!("takes {steps} steps, together with the regexes before it {all}: more than 1000000");
    let one_more = list((0..=fitting).map(|n| rule(n, "v1")).collect());
    assert_eq!(one_more, [format!("rules[{fitting}].match[0].uri.regex: {problem}")]);
    let with_a_bad_one = list((0..=fitting).map(|n| rule(n, if n == 0 { "V1" } else { "v1" })).collect());
    assert!(with_a_bad_one.len() == 1 && with_a_bad_one[0].starts_with("rules[0].subset: "), "{with_a_bad_one:?}");
}

#[test]
fn what_regexes_of_one_host_and_path_cost_is_bounded_and_those_of_a_bad_rule_do_not_count() {
    let cost = Re2::new(".*canary.*").unwrap().cost();
    let most = (20_000_000 / cost) as usize;
    let rule = |n: usize, more: &str, regex: &str| {
        format!(r#"{{"name":"r{n}","subset":"v1",{more}"match":[{{"headers":{{"x-a":{{"regex":"{regex}"}}}}}}]}}"#)
    };
    let with_hosts = |hosts: &str| format!(r#""hosts":[{hosts}],"#);
    let list = |rules: Vec<String>| errors(&format!(r#"{{"rules":[{}]}}"#, rules.join(",")));
    let of_hosts = |host: &dyn Fn(usize) -> String, count: usize| {
        list((0..count).map(|n| rule(n, &host(n), ".*canary.*")).collect())
    };
    let problem = |place: usize| {
        format!(
            "rules[{place}].match: its regexes and those of the rules before it could cost one request 20.1 ms, more than 20: give the \
             rules different hosts or path prefixes"
        )
    };
    // (the hosts of the rule of this number, whether any request meets all of them)
    type Hosts = (&'static str, fn(usize) -> String, bool);
    let table: [Hosts; 8] = [
        ("every host", |_| String::new(), true),
        ("one host", |_| r#""a.example.com""#.to_owned(), true),
        ("hosts below", |n| (if n % 2 == 0 { r#""*.example.com""# } else { r#""a.b.example.com""# }).to_owned(), true),
        (
            "a host and its domain",
            |n| (if n % 2 == 0 { r#""*.example.com""# } else { r#""example.com""# }).to_owned(),
            false,
        ),
        ("each its own", |n| format!(r#""h{n}.example.com""#), false),
        ("each its own domain", |n| format!(r#""*.h{n}.example.com""#), false),
        ("each a domain below", |n| format!(r#""*.{}com""#, "a.".repeat(n)), true),
        ("one of two", |n| format!(r#""h{n}.example.com","a.example.com""#), true),
    ];
    for (name, hosts, do_meet) in table {
        let hosts = |n: usize| if name == "every host" { String::new() } else { with_hosts(&hosts(n)) };
        assert_eq!(of_hosts(&hosts, most), [""; 0], "{name}");
        let expected = if do_meet { vec![problem(most)] } else { Vec::new() };
        assert_eq!(of_hosts(&hosts, most + 1), expected, "{name}");
    }

    // Nobody's path begins with both.
    let by_path = |path: fn(usize) -> String| {
        let rule = |n: usize| {
            let condition = format!(r#""uri":{{{}}},"headers":{{"x-a":{{"regex":".*canary.*"}}}}"#, path(n));
            format!(r#"{{"name":"r{n}","subset":"v1","match":[{{{condition}}}]}}"#)
        };
        list((0..=most).map(rule).collect())
    };
    assert_eq!(by_path(|n| format!(r#""prefix":"/shop-{n}/""#)), [""; 0]);
    assert_eq!(by_path(|n| format!(r#""prefix":"/a/shop-{n}/""#)), [""; 0]);
    assert_eq!(by_path(|n| format!(r#""exact":"/{n}/cart""#)), [""; 0]);
    assert_eq!(by_path(|n| format!(r#""regex":"/shop-{n}/v[0-9]/.*""#)).len(), 0);
    assert_eq!(by_path(|n| format!(r#""prefix":"{}""#, "/a".repeat(n + 1))), [problem(most)]);
    assert_eq!(by_path(|n| format!(r#""prefix":"/shop-{n}""#)), [problem(most)]);
    assert!(!by_path(|n| format!(r#""regex":"/(?:shop|store)-{n}/""#)).is_empty());

    // A rule that is bad counts for nothing, and one that costs too much neither.
    let mut rules: Vec<String> = (0..most).map(|n| rule(n, "", ".*canary.*")).collect();
    rules.push(rule(most, "", ".*a{0,400}x"));
    rules[0] = rules[0].replace("v1", "V1");
    rules.push(rule(most + 1, "", ".*canary.*"));
    let found = list(rules);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("rules[0].subset") && found[1].contains("could cost one request 25.9"), "{found:?}");
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
            _ => unreachable!(),
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
