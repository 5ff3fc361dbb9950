//! What must hold for any input: by `make fuzz` for those that libFuzzer makes up, by `cargo test` for those that it has found.
//!
//! Each check returns whether the input meant anything.
#![allow(dead_code, reason = "each fuzz target is a program of its own")]

use crate::oracle::{self, Asked};
use canary_split::config::Config;
use canary_split::decide::{Answer, Choice, answer};
use canary_split::reload::{Claim, Served, State};
use canary_split::request::cookies;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use canary_split::visitor::cookie::{Cookie, FirstDraw, Held, Secure};

const SECRET: &str = "s3al-s3al-s3al-s3al";

/// Configs, one after the other, with a line `---` between them.
pub fn config(input: &[u8]) -> bool {
    let mut state = State::default();
    let mut any_rule = false;
    for text in split(input, b"\n---\n") {
        let first = state.evaluate(text);
        let after = state.after(&Served::new(text, &first), 0);
        assert_eq!(State::from_bytes(after.to_bytes()), after, "what is stored is what is read");
        let again = after.evaluate(text);
        assert_eq!((&again.faults, again.counts), (&first.faults, first.counts), "idempotent");
        assert_eq!(again.config.rules.len(), first.config.rules.len());
        assert!(matches!(after.claim(&Served::new(text, &again), 0, 0), Claim::Known(_)), "only one VM reports");
        assert_eq!(first.counts.active + first.counts.last_good, first.config.rules.len());
        assert_eq!(Config::from_json(text).is_ok(), first.faults.is_empty());
        for fault in &first.faults {
            let line = fault.to_string();
            assert!(!line.contains(SECRET), "a secret is shown: {line}");
            assert!(line.len() < 20_000 && !line.contains(['\n', '\r']), "no line for a log: {line:?}");
        }
        let difference = after.difference(&after.after(&after.served(text, &again), 0));
        assert_eq!((difference.line.as_str(), difference.gone), ("nothing changed", Vec::new()));
        assert_eq!(after.served(text, &again).health, Served::new(text, &again).health, "it is read once");
        for (rule, subset) in state.difference(&after).gone {
            assert!([rule, subset].iter().all(|name| canary_split::subset::is_label(name.as_bytes())));
        }
        any_rule |= !first.config.rules.is_empty();
        state = after;
    }
    any_rule
}

/// A `Cookie` header.
pub fn cookie(input: &[u8]) -> bool {
    let expected = oracle::cookies(input, "c");
    assert_eq!(cookies::values(input, "c").collect::<Vec<_>>(), expected);
    let ours = Cookie {
        name: "c".to_owned(),
        ttl: 60,
        renew: true,
        secure: Secure::Never,
        attributes: String::new(),
        draw: FirstDraw::Random,
        pages_only: false,
    };
    let held = ours.read(input);
    let first_valid = expected.iter().find_map(|value| oracle::held(value));
    assert_eq!(held.map(|held| (held.draw.0, held.made.0)), first_valid.as_ref().map(|held| (held.draw, held.made)));
    if let Some(held) = held {
        let kept = held.kept.map(|(subset, signature)| (std::str::from_utf8(subset).unwrap(), signature));
        let written = ours.write(held.draw, held.made, kept, true);
        assert_eq!(Held::parse(&written.as_bytes()[2..]), Some(held), "what is read is what is written");
        assert!(written.len() <= 2 + 99);
    }
    held.is_some()
}

/// The first line is an entry of `match` in JSON; a request follows.
pub fn matches(input: &[u8]) -> bool {
    let (entry, request) = first_line(input);
    let Ok(entry) = std::str::from_utf8(entry) else { return false };
    decided(format!(r#"{{"rules":[{{"name":"r","match":[{entry}],"subset":"v1"}}]}}"#).as_bytes(), request)
}

/// The first line is a config; a request follows.
pub fn decision(input: &[u8]) -> bool {
    let (config, request) = first_line(input);
    decided(config, request)
}

fn decided(config: &[u8], request: &[u8]) -> bool {
    let Ok(parsed) = Config::from_json(config) else { return false };
    let mut asked = Asked::read(request);
    let (fresh, now) = (asked.number("fresh"), asked.number("now") & 0x0fff_ffff);
    let Answer { decision, forgotten } = answer(&parsed, &mut asked, || Draw(fresh), || Second(u64::from(now) * 60));
    let decision = decision.map(|d| oracle::Decision {
        rule: d.rule.name.clone(),
        subset: match d.choice {
            Choice::Subset(subset) => subset.header_value.to_string(),
            Choice::Position(header, position) => format!("{header}: {position}"),
        },
        source: canary_split::metrics::source(Some(d.source)),
        cookie: d.cookie.map(|cookie| cookie.header),
    });
    let forgotten: Vec<String> = forgotten.into_iter().map(|cookie| cookie.header).collect();
    let expected = oracle::decide(config, &asked, fresh, now);
    assert_eq!((&decision, forgotten), (&expected.0, expected.1), "{}\n{asked:?}", String::from_utf8_lossy(config));
    decision.is_some()
}

fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let mut lines = input.splitn(2, |&b| b == b'\n');
    (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
}

fn split<'i>(mut input: &'i [u8], mark: &[u8]) -> Vec<&'i [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = input.windows(mark.len()).position(|window| window == mark) {
        parts.push(&input[..at]);
        input = &input[at + mark.len()..];
    }
    parts.push(input);
    parts
}
