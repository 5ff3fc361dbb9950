//! What regexes cost the built module, without a stopwatch: instructions for the values of `bench/regexes.yaml`, which are hard, and
//! memory. The times are in docs/regex.md.

#[allow(dead_code, reason = "of the cases nothing is used")]
mod common;
#[allow(dead_code, reason = "streams are whole here")]
#[path = "wasm/host.rs"]
mod host;

use canary_split::rule::re2::Re2;
use host::{Program, Shared, Worker};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// Of a value.
const LENGTH: usize = 57_000;

/// The entries of the list, each with its value.
fn regexes() -> Vec<(Value, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/regexes.yaml");
    let list: Vec<Value> = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut chance = fastrand::Rng::with_seed(1);
    let mut value = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let room = LENGTH - text("begin").len() - text("end").len();
        let any: Vec<char> = text("any").chars().collect();
        let middle = match text("fill") {
            "" => (0..room).map(|_| any[chance.usize(..any.len())]).collect(),
            fill => fill.repeat(room / fill.len()),
        };
        format!("{}{middle}{}", text("begin"), text("end"))
    };
    list.into_iter().map(|entry| (value(&entry), entry)).map(|(value, entry)| (entry, value)).collect()
}

fn rule(name: &str, regex: &str) -> Value {
    json!({"name": name, "hosts": [format!("{name}.example.com")], "match": [{"headers": {"x-a": {"regex": regex}}}], "subset": "v2"})
}

/// Instructions of a request to this rule, and whether the rule held.
fn send(worker: &mut Worker, name: &str, value: &str) -> (u64, bool) {
    let request = [(":authority", format!("{name}.example.com")), ("x-a", value.to_owned())];
    let request = request.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec();
    let before = worker.fuel();
    let exchange = worker.exchange("canary", request, vec![(":status".to_owned(), b"200".to_vec())]);
    (before - worker.fuel(), exchange.request.iter().any(|(name, _)| name == "x-canary-subset"))
}

#[test]
fn no_value_costs_more_than_was_found_for_its_regex() {
    let program = Program::metered();
    for (entry, value) in regexes() {
        let pattern = entry["regex"].as_str().unwrap();
        let shared = Rc::new(RefCell::new(Shared::at(1_800_000_000)));
        let mut worker = Worker::new(&program, &shared, 1);
        worker.configure("canary", json!({"rules": [rule("none", "-"), rule("a", pattern)]}).to_string().as_bytes());
        let errors = shared.borrow_mut().take_errors();
        let Ok(regex) = Re2::new(pattern) else {
            assert_eq!(entry["refused"], true, "{pattern}: {errors:?}");
            assert!(errors.len() == 1 && errors[0].contains("could cost more than 20 ms"), "{errors:?}");
            continue;
        };
        assert_eq!(errors, [""; 0], "{pattern}");
        let (without, _) = send(&mut worker, "none", &value);
        let (first, matches) = send(&mut worker, "a", &value);
        let theirs = regex::Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap();
        assert_eq!(matches, theirs.is_match(&value), "{pattern}");
        // A byte of several for a character takes more of them.
        let each = if value.is_ascii() { 25 } else { 45 };
        let (spent, most) = (first - without, each * u64::from(regex.cost()));
        assert!(spent <= most, "{pattern}: {spent} instructions, not {most}");
        if entry["unkept"] != true {
            let (later, _) = send(&mut worker, "a", &value);
            let (spent, most) = (later.saturating_sub(without), each * 240_000);
            assert!(spent <= most, "{pattern}: {spent} instructions, not {most}, where all states are known");
        }
    }
}

/// Rules of other hosts each, with a regex of their own.
fn config(rules: usize) -> Vec<u8> {
    let regex = |n: usize| format!("/(?:shop-{n}|store-{n})/v[0-9]+/.*");
    let rules: Vec<Value> = (0..rules).map(|n| rule(&format!("r{n}"), &regex(n))).collect();
    json!({"rules": rules}).to_string().into_bytes()
}

#[test]
fn ten_thousand_regexes_take_two_kilobytes_each_with_their_rules_and_their_states_no_more_than_a_limit() {
    const RULES: usize = 10_000;
    let program = Program::metered();
    let shared = Rc::new(RefCell::new(Shared::at(1_800_000_000)));
    let mut worker = Worker::new(&program, &shared, 1);
    worker.configure("canary", &config(1));
    let (few, before) = (worker.memory(), worker.fuel());
    worker.configure("canary", &config(RULES));
    assert_eq!(shared.borrow_mut().take_errors(), [""; 0]);
    let (each, instructions) = ((worker.memory() - few) / RULES, (before - worker.fuel()) / RULES as u64);
    assert!(each <= 1500, "{each} bytes a rule");
    assert!(instructions <= 500_000, "{instructions} instructions a rule");

    let many = worker.memory();
    for n in 0..RULES {
        let (_, holds) = send(&mut worker, &format!("r{n}"), &format!("/store-{n}/v17/cart"));
        assert!(holds, "{n}");
    }
    let states = (worker.memory() - many) >> 20;
    assert!(states <= 8, "{states} MiB of states");
}
