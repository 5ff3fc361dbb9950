//! What a request costs, without a stopwatch: host calls and their answers (exact) and instructions (± 2 %) of each regime of
//! `bench/cases.yaml`, as in `budget.yaml`. `make budget` writes that file again, so that a change of it shows in the commit.

#[allow(dead_code, reason = "of the cases only who visits is used")]
mod common;
#[allow(dead_code, reason = "streams are whole here")]
#[path = "wasm/host.rs"]
mod host;

use host::{Answers, Headers, Program, Shared, Worker};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const NOW: u64 = 1_800_000_000;
const REQUESTS: u64 = 200;
const TOLERANCE: f64 = 0.02;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn read(name: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// The cost of one request after some that have warmed what is made at first use.
fn cost(program: &Program, case: &Value) -> Value {
    let shared = Rc::new(RefCell::new(Shared::at(NOW)));
    let mut worker = Worker::new(program, &shared, 1);
    let other = case["other"].to_string();
    let others = (0..case["others"].as_u64().unwrap_or(0)).map(|n| other.replace("{n}", &n.to_string()));
    let rules: Vec<String> = others.chain(case["rules"].as_array().unwrap().iter().map(ToString::to_string)).collect();
    worker.configure("canary", format!(r#"{{"rules":[{}]}}"#, rules.join(",")).as_bytes());
    assert_eq!(shared.borrow_mut().take_errors(), [""; 0]);

    let now = format!("{:07x}", NOW / 60);
    let mut request: Headers = [(":authority", "canary.example.com"), (":method", "GET"), (":scheme", "https")]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .into();
    request.push((":path".to_owned(), case["path"].as_str().unwrap_or("/").into()));
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        request.push((name.clone(), value.as_str().unwrap().replace("{now}", &now).into_bytes()));
    }
    let mut send = |requests: u64| {
        let before = worker.fuel();
        for _ in 0..requests {
            worker.exchange("canary", request.clone(), vec![(":status".to_owned(), b"200".to_vec())]);
        }
        (before - worker.fuel()) / requests
    };
    send(50);
    shared.borrow_mut().calls.clear();
    shared.borrow_mut().answers = Answers::default();
    // A draw takes one way or another: the mean of many.
    let instructions = send(REQUESTS);
    let each = |n: usize| n as f64 / REQUESTS as f64;
    let calls: BTreeMap<String, f64> = shared.borrow().calls.iter().map(|(name, &n)| (name.clone(), each(n))).collect();
    let Answers { data, absent } = shared.borrow().answers;
    json!({"instructions": instructions, "calls": calls, "answers": {"data": each(data), "absent": each(absent)}})
}

fn costs() -> BTreeMap<String, Value> {
    let program = Program::metered();
    let cases = read("bench/cases.yaml");
    let cost = |case: &Value| (case["name"].as_str().unwrap().to_owned(), cost(&program, case));
    cases.as_array().unwrap().iter().map(cost).collect()
}

#[test]
fn each_regime_costs_what_the_budget_says() {
    let costs = costs();
    if std::env::var_os("UPDATE").is_some() {
        write(&costs);
    }
    let budget = read("budget.yaml");
    assert_eq!(costs.len(), budget.as_object().unwrap().len());
    for (name, cost) in costs {
        let allowed = &budget[&name];
        for what in ["calls", "answers"] {
            assert_eq!(cost[what], allowed[what], "{name}: {what} of the host; make budget if it is meant");
        }
        let (is, was) = (cost["instructions"].as_f64().unwrap(), allowed["instructions"].as_f64().unwrap());
        let off = (is - was) / was;
        assert!(off.abs() <= TOLERANCE, "{name}: {is} instructions, not {was}; make budget if it is meant");
    }
}

/// The budget as the module is now.
fn write(costs: &BTreeMap<String, Value>) {
    let mut text = "# What a request costs in each regime of bench/cases.yaml, by the interpreter's count; make budget writes it. An answer with\n# data costs Envoy six to eight times as much as one that a header is absent.\n".to_owned();
    for (name, cost) in costs {
        let answers = &cost["answers"];
        text += &format!("{name}:\n  instructions: {}\n", cost["instructions"]);
        text += &format!("  answers: {{data: {}, absent: {}}}\n  calls:\n", answers["data"], answers["absent"]);
        for (call, times) in cost["calls"].as_object().unwrap() {
            text += &format!("    {call}: {times}\n");
        }
    }
    std::fs::write(file("budget.yaml"), text).unwrap();
}
