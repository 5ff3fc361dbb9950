//! Several VMs, plugins and streams at a time.

use crate::host::{Headers, Program, Worker};
use crate::{BROKEN, GOOD, Gateway, value};
use canary_split::config::fingerprint::of_text;
use std::cell::RefCell;
use std::rc::Rc;

const HEADER: &str = "x-canary-subset";

fn headers(list: &[(&str, &str)]) -> Headers {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn ok() -> Headers {
    headers(&[(":status", "200")])
}

fn fixed(subset: &str) -> String {
    format!(r#"{{"rules":[{{"name":"a","subset":"{subset}"}}]}}"#)
}

fn sticky(rule: &str) -> String {
    format!(
        r#"{{"rules":[{{"name":"{rule}","split":[{{"subset":"v1","weight":4}},{{"subset":"v2","weight":1}}],"sticky":{{"cookie":{{}}}}}}]}}"#
    )
}

/// The subset of a plain request.
fn subset(worker: &mut Worker) -> Option<String> {
    let exchange = worker.exchange("canary", headers(&[(HEADER, "v9")]), ok());
    value(&exchange.request, HEADER).map(|subset| String::from_utf8(subset).unwrap())
}

#[test]
fn of_two_vms_that_race_for_a_config_one_reports() {
    let program = Program::load();
    let table = [
        ((BROKEN, BROKEN), 1, ("v2", "v2")),
        // The slow one sees in the end that rule `a` has been good.
        ((BROKEN, GOOD), 1, ("v1", "v1")),
        ((GOOD, BROKEN), 1, ("v1", "v2")),
        ((GOOD, GOOD), 0, ("v1", "v1")),
    ];
    for ((slow_gets, fast_gets), faults, (slow_has, fast_has)) in table {
        let mut gateway = Gateway::new(&program);
        let fast = Rc::new(RefCell::new(gateway.vm()));
        let faster = Rc::clone(&fast);
        // Between reading and writing what the VMs share.
        gateway.shared.borrow_mut().before_next_write =
            Some(Box::new(move || faster.borrow_mut().configure("canary", fast_gets)));
        gateway.workers[0].configure("canary", slow_gets);
        assert!(gateway.shared.borrow().before_next_write.is_none(), "there was a race");
        assert_eq!(gateway.shared.borrow_mut().take_errors().len(), faults);
        assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), faults as i64);
        assert_eq!(subset(&mut gateway.workers[0]).as_deref(), Some(slow_has));
        assert_eq!(subset(&mut fast.borrow_mut()).as_deref(), Some(fast_has));
    }
}

/// While the first VM that is given a config has stored it, and has not yet said how it is.
#[test]
fn of_two_vms_that_race_the_newer_config_is_what_gauges_say() {
    let program = Program::load();
    type Row<'a> = (&'a [u8], &'a [u8], i64, Faulty);
    let table: [Row; 3] =
        [(BROKEN, b"{}", 0, GOOD_RULES), (b"{}", BROKEN, 1, [(0, 1), (0, 0)]), (GOOD, BROKEN, 1, [(1, 0), (0, 0)])];
    for (slow_gets, fast_gets, faults, rules) in table {
        let mut gateway = Gateway::new(&program);
        let mut fast = gateway.vm();
        let configured = Rc::new(RefCell::new(false));
        let (shared, is_configured) = (Rc::clone(&gateway.shared), Rc::clone(&configured));
        gateway.shared.borrow_mut().before_next_write = Some(Box::new(move || {
            shared.borrow_mut().before_next_write = Some(Box::new(move || {
                fast.configure("canary", fast_gets);
                is_configured.replace(true);
            }));
        }));
        gateway.workers[0].configure("canary", slow_gets);
        assert!(configured.take(), "there was a race");
        assert_eq!(health(&gateway, "canary"), (healthy(fast_gets, faults), rules));
    }
}

/// The main thread is given each config first; workers follow at their own pace, some get a config again, and new VMs join.
#[test]
fn whatever_the_pace_of_the_vms_each_fault_is_reported_once() {
    let program = Program::load();
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut gateway = Gateway::new(&program);
        let configs: Vec<(String, i64)> = (0..random.usize(2..8))
            .map(|i| match random.u8(..4) {
                0 => (format!(r#"{{"rules":[{{"name":"a","subset":"V{i}"}},{{"name":"b{i}"}}]}}"#), 2),
                1 => (format!("no JSON {i}"), 1),
                _ => (fixed(&format!("v{i}")), 0),
            })
            .collect();
        let mut given = vec![0; gateway.workers.len()];
        while given.iter().any(|&given| given < configs.len()) {
            let turn = random.usize(..gateway.workers.len());
            let ahead = given[0];
            if turn == 0 && ahead < configs.len() {
                // As Envoy does: in a VM to throw away first.
                gateway.vm().configure("canary", configs[ahead].0.as_bytes());
            }
            let again = given[turn] > 0 && random.u8(..4) == 0;
            if turn != 0 && !again && given[turn] == ahead {
                continue;
            }
            if again {
                given[turn] -= 1;
            }
            if given[turn] < configs.len() {
                gateway.workers[turn].configure("canary", configs[given[turn]].0.as_bytes());
                given[turn] += 1;
            }
            if random.u8(..16) == 0 && given.len() < 6 {
                let vm = gateway.vm();
                gateway.workers.push(vm);
                given.push(ahead.saturating_sub(1));
            }
        }
        let faults: i64 = configs.iter().map(|(_, faults)| faults).sum();
        let lines = gateway.shared.borrow_mut().take_errors();
        assert_eq!(lines.len() as i64, faults, "seed {seed}: {configs:#?} {lines:#?}");
        assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), faults, "seed {seed}: {configs:?}");
        let (newest, faults) = &configs[configs.len() - 1];
        assert_eq!(health(&gateway, "canary").0, healthy(newest.as_bytes(), *faults), "seed {seed}: {configs:?}");
        let in_force: Vec<_> = gateway.workers.iter_mut().map(subset).collect();
        assert!(in_force.iter().all(|subset| *subset == in_force[0]), "seed {seed}: {in_force:?} {configs:?}");
    }
}

#[test]
fn a_worker_that_is_late_on_the_way_back_and_forth_reports_nothing() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(GOOD);
    // All but one worker go to the broken config and back.
    for config in [BROKEN, GOOD] {
        gateway.vm().configure("canary", config);
        gateway.workers[0].configure("canary", config);
        gateway.workers[1].configure("canary", config);
    }
    assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
    gateway.workers[2].configure("canary", BROKEN);
    gateway.workers[2].configure("canary", GOOD);
    assert_eq!(gateway.shared.borrow_mut().take_errors(), [""; 0]);
    assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), 1);
    assert_eq!(gateway.shared.borrow().stat("state=.=active;.;canary_config_rules"), 2);
}

#[test]
fn shared_data_that_is_not_ours_to_read_is_no_trouble() {
    let program = Program::load();
    let long = [b'['; 10_000];
    for bytes in [&b""[..], b"\0", b"{", b"[]", b"\xff\xfe", b"{\"generation\":1e99,\"rules\":[7]}", &long] {
        let mut gateway = Gateway::new(&program);
        gateway.configure(GOOD);
        gateway.shared.borrow_mut().overwrite_data(bytes);
        gateway.configure(b"{");
        // What was good is lost; nothing else is.
        assert_eq!(subset(&mut gateway.workers[1]), None);
        gateway.configure(GOOD);
        assert_eq!(subset(&mut gateway.workers[1]).as_deref(), Some("v1"));
    }
}

#[test]
fn a_request_in_flight_ends_under_the_config_under_which_it_began() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(sticky("old").as_bytes());
    let begun = gateway.workers[1].open("canary", headers(&[(":scheme", "http")]));
    gateway.configure(sticky("new").as_bytes());
    gateway.configure(b"{");
    let other = gateway.workers[1].exchange("canary", headers(&[(":scheme", "http")]), ok());
    let ended = gateway.workers[1].respond(begun, ok());
    let cookie = |headers: &Headers| String::from_utf8(value(headers, "set-cookie").unwrap()).unwrap();
    assert!(cookie(&ended.response).starts_with("canary-old=1."), "{}", cookie(&ended.response));
    assert!(cookie(&other.response).starts_with("canary-new=1."), "{}", cookie(&other.response));
    let stats = gateway.shared.borrow().stats.clone();
    let count = |rule: &str, suffix: &str| -> i64 {
        let of = |name: &str| name.starts_with(&format!("rule=.={rule};.;")) && name.ends_with(suffix);
        stats.iter().filter(|(name, _)| of(name)).map(|(_, value)| value).sum()
    };
    for rule in ["old", "new"] {
        assert_eq!((count(rule, "canary_requests_total"), count(rule, "canary_responses_total")), (1, 1), "{rule}");
    }
}

#[test]
fn a_stream_that_is_reset_counts_no_response_and_leaves_nothing() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(sticky("a").as_bytes());
    let worker = &mut gateway.workers[1];
    let mut rounds = |requests: usize| {
        for _ in 0..requests {
            let (one, two) = (worker.open("canary", Headers::new()), worker.open("canary", Headers::new()));
            worker.reset(one);
            worker.reset(two);
        }
        worker.memory()
    };
    let warm = rounds(100);
    assert_eq!(rounds(5_000), warm);
    let shared = gateway.shared.borrow();
    assert!(!shared.stats.keys().any(|name| name.ends_with("canary_responses_total")), "{:?}", shared.stats);
}

#[test]
fn two_plugins_in_one_vm_do_not_mix() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let mut worker = gateway.vm();
    worker.configure("one", sticky("one").replace(r#"{"rules""#, r#"{"header":"x-one","rules""#).as_bytes());
    worker.configure("two", fixed("v7").replace(r#"{"rules""#, r#"{"header":"x-two","rules""#).as_bytes());
    for _ in 0..50 {
        // Both see the same request, one after the other.
        let one = worker.open("one", headers(&[("x-one", "x"), ("x-two", "x")]));
        let two = worker.open("two", headers(&[("x-one", "x"), ("x-two", "x")]));
        let (two, one) = (worker.respond(two, ok()), worker.respond(one, ok()));
        assert_eq!((one.header.as_str(), two.header.as_str()), ("x-one", "x-two"));
        assert_eq!(value(&two.request, "x-two").as_deref(), Some(&b"v7"[..]));
        assert_eq!(value(&two.response, "set-cookie"), None);
        assert!(value(&one.response, "set-cookie").is_some());
    }
    // A config that cannot be used leaves the other's last good one alone.
    worker.configure("one", b"{");
    worker.configure("two", b"{");
    let one = worker.exchange("one", headers(&[("x-one", "x")]), ok());
    let two = worker.exchange("two", headers(&[("x-two", "x")]), ok());
    assert_ne!(value(&one.request, "x-one").as_deref(), Some(&b"x"[..]));
    assert_eq!(value(&two.request, "x-two").as_deref(), Some(&b"v7"[..]));
}

#[test]
fn each_vm_draws_for_itself_and_as_the_weights_say() {
    const REQUESTS: usize = 4_000;
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(sticky("a").replace(r#","sticky":{"cookie":{}}"#, "").as_bytes());
    // The clock does not move; only the host's random source can tell VMs apart.
    let mut draws = |worker: usize| -> Vec<bool> {
        (0..REQUESTS).map(|_| subset(&mut gateway.workers[worker]).as_deref() == Some("v2")).collect()
    };
    let (one, two) = (draws(1), draws(2));
    assert_ne!(one, two);
    for drawn in [one, two] {
        let v2 = drawn.iter().filter(|&&v2| v2).count();
        // 800 ± 5 σ
        assert!((673..=927).contains(&v2), "{v2} of {REQUESTS}");
    }
}

#[test]
fn a_new_version_of_the_module_takes_over_where_the_old_one_was() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(fixed("v1").as_bytes());
    let mut new: Vec<Worker> = (0..3).map(|_| gateway.vm()).collect();
    for worker in &mut new {
        worker.configure("canary", b"{");
    }
    for worker in &mut gateway.workers {
        worker.unload("canary");
    }
    assert_eq!(subset(&mut new[1]).as_deref(), Some("v1"));
}

#[test]
fn a_plugin_that_a_new_module_has_taken_over_is_still_known() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(fixed("v1").as_bytes());
    let mut new: Vec<Worker> = (0..3).map(|_| gateway.vm()).collect();
    for worker in &mut new {
        worker.configure("canary", fixed("v1").as_bytes());
    }
    for worker in &mut gateway.workers {
        worker.unload("canary");
    }
    new[1].configure("other", fixed("v1").as_bytes());
    assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
}

#[test]
fn a_worker_that_has_slept_through_the_way_there_and_back_reports_nothing() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    for config in [GOOD, BROKEN, GOOD] {
        gateway.vm().configure("canary", config);
        gateway.workers[0].configure("canary", config);
    }
    assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
    for config in [GOOD, BROKEN, GOOD] {
        gateway.workers[1].configure("canary", config);
    }
    assert_eq!(gateway.shared.borrow_mut().take_errors(), [""; 0]);
    assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), 1);
}

const WEIGHT: &str = "rule=.=a;.;subset=.=v2;.;canary_config_weight";
const ACTIVE: &str = "state=.=active;.;canary_config_rules";

/// Rule `a` sends everybody to one of two subsets.
fn all_to(subset: &str) -> String {
    let weight = |own| u32::from(own == subset) * 100;
    format!(
        r#"{{"rules":[{{"name":"a","split":[{{"subset":"v1","weight":{}}},{{"subset":"v2","weight":{}}}]}}]}}"#,
        weight("v1"),
        weight("v2")
    )
}

#[test]
fn a_new_build_that_comes_with_an_earlier_text_goes_back_to_it() {
    let program = Program::load();
    // At once it could be late, and the first request tells; later it cannot.
    for seconds in [0, 1] {
        let mut gateway = Gateway::new(&program);
        gateway.configure(all_to("v1").as_bytes());
        gateway.configure(all_to("v2").as_bytes());
        gateway.shared.borrow_mut().time += seconds;
        let mut new: Vec<Worker> = (0..3).map(|_| gateway.vm()).collect();
        gateway.shared.borrow_mut().log.clear();
        for worker in &mut new {
            worker.configure("canary", all_to("v1").as_bytes());
        }
        for worker in &mut new {
            assert_eq!(subset(worker).as_deref(), Some("v1"));
        }
        assert_eq!(gateway.shared.borrow().stat(WEIGHT), 0);
        let log = std::mem::take(&mut gateway.shared.borrow_mut().log);
        assert!(matches!(log.as_slice(), [(2, line)] if line.ends_with("changed: a")), "{log:?}");

        for worker in &mut new {
            worker.configure("canary", br#"{"rules":[{"name":"a","split":[]}]}"#);
        }
        assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
        assert_eq!(subset(&mut new[1]).as_deref(), Some("v1"), "last good is what was served before");
    }
}

#[test]
fn a_new_build_with_the_same_text_shows_the_gauges_and_counters_again() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(all_to("v2").as_bytes());
    let mut new = gateway.vm();
    new.configure("canary", all_to("v2").as_bytes());
    for worker in &mut gateway.workers {
        subset(worker);
    }
    let counters = |gateway: &Gateway| {
        let shared = gateway.shared.borrow();
        let names = shared.stats.keys().filter(|name| name.ends_with("_total"));
        names.cloned().collect::<std::collections::BTreeSet<String>>()
    };
    let counted = counters(&gateway);
    assert!(counted.len() >= 3, "{counted:?}");
    // They end with the VMs of the old build.
    gateway.shared.borrow_mut().stats.clear();
    let mut newest = gateway.vm();
    newest.configure("canary", all_to("v2").as_bytes());
    assert_eq!([WEIGHT, ACTIVE].map(|stat| gateway.shared.borrow().stat(stat)), [100, 1]);
    assert_eq!(counters(&gateway), counted, "what has been counted goes on being counted");
}

/// Where a worker still has an earlier config, Envoy goes back to it without giving it to anybody.
#[test]
fn a_config_that_is_reused_is_in_force_again() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(all_to("v1").as_bytes());
    let earlier: Vec<u32> = gateway.workers.iter().map(|worker| worker.root("canary")).collect();
    let streams: Vec<_> =
        gateway.workers.iter_mut().map(|worker| worker.open("canary", headers(&[(HEADER, "v9")]))).collect();
    gateway.configure(all_to("v2").as_bytes());
    assert_eq!(gateway.shared.borrow().stat(WEIGHT), 100);
    gateway.shared.borrow_mut().log.clear();
    for (worker, root) in gateway.workers.iter_mut().zip(earlier) {
        worker.reuse("canary", root);
    }
    for (worker, stream) in gateway.workers.iter_mut().zip(streams) {
        worker.respond(stream, ok());
    }
    let log = std::mem::take(&mut gateway.shared.borrow_mut().log);
    assert_eq!(log, [(2, "canary-split: back to an earlier config; changed: a".to_owned())]);
    assert_eq!([WEIGHT, ACTIVE].map(|stat| gateway.shared.borrow().stat(stat)), [0, 1]);

    gateway.configure(br#"{"rules":[{"name":"a","split":[]}]}"#);
    assert_eq!(subset(&mut gateway.workers[1]).as_deref(), Some("v1"), "last good is what was served before");
    // Forth again is somebody's decision.
    gateway.configure(all_to("v2").as_bytes());
    assert_eq!(gateway.shared.borrow().stat(WEIGHT), 100);
}

/// One worker is busy with a request of the first config, so Envoy reuses that config there and gives it to all the others again.
#[test]
fn a_config_is_in_force_again_however_many_came_in_between() {
    let program = Program::load();
    for (between, busy_is_first) in [(1, true), (4, true), (4, false), (40, true), (40, false)] {
        let mut gateway = Gateway::new(&program);
        let weights = |canary: usize| all_to("v1").replace(":100", &format!(":{}", 100 + canary));
        gateway.configure(all_to("v2").as_bytes());
        let busy = 1;
        let first = gateway.workers[busy].root("canary");
        let stream = gateway.workers[busy].open("canary", headers(&[(HEADER, "v9")]));
        for config in 0..between {
            gateway.shared.borrow_mut().time += 2;
            gateway.configure(weights(config).as_bytes());
        }
        assert_eq!(gateway.shared.borrow().stat(WEIGHT), 0);
        gateway.shared.borrow_mut().time += 2;
        if busy_is_first {
            gateway.workers[busy].reuse("canary", first);
        }
        for (_, worker) in gateway.workers.iter_mut().enumerate().filter(|(at, _)| *at != busy) {
            worker.configure("canary", all_to("v2").as_bytes());
        }
        if !busy_is_first {
            gateway.workers[busy].reuse("canary", first);
        }
        gateway.workers[busy].respond(stream, ok());
        let gauges = [WEIGHT, ACTIVE].map(|stat| gateway.shared.borrow().stat(stat));
        assert_eq!(gauges, [100, 1], "{between} configs in between");
        for worker in &mut gateway.workers {
            assert_eq!(subset(worker).as_deref(), Some("v2"));
        }
        gateway.configure(br#"{"rules":[{"name":"a","split":[]}]}"#);
        for worker in &mut gateway.workers {
            assert_eq!(subset(worker).as_deref(), Some("v2"), "last good is what was served before");
        }
    }
}

#[test]
fn a_plugin_under_another_name_keeps_the_weights_of_the_one_it_replaces() {
    let program = Program::load();
    let gateway = Gateway::new(&program);
    let mut worker = Worker::new(&program, &gateway.shared, 7);
    worker.configure("one", all_to("v2").as_bytes());
    worker.configure("two", all_to("v2").as_bytes());
    worker.unload("one");
    assert_eq!([WEIGHT, ACTIVE].map(|stat| gateway.shared.borrow().stat(stat)), [100, 1]);
}

/// What the gauges say of a plugin's config: its fingerprint, and how many faults it has; and of rules `a` and `b` whether each is on its
/// last good version, and whether it is off.
fn health(gateway: &Gateway, plugin: &str) -> ((i64, i64), Faulty) {
    let gauge = |name: String| gateway.shared.borrow().stat(&name);
    let of_config = |what| gauge(format!("plugin=.={plugin};.;canary_config_{what}"));
    let fault = |rule, state| gauge(format!("rule=.={rule};.;state=.={state};.;canary_rule_fault"));
    let of_rules = ["a", "b"].map(|rule| (fault(rule, "last_good"), fault(rule, "off")));
    ((of_config("fingerprint"), of_config("faults")), of_rules)
}

/// What they are to say of this text.
fn healthy(text: &[u8], faults: i64) -> (i64, i64) {
    (of_text(text).into(), faults)
}

/// Of rules `a` and `b`.
type Faulty = [(i64, i64); 2];

const GOOD_RULES: Faulty = [(0, 0); 2];

#[test]
fn gauges_say_which_config_a_plugin_was_given_and_what_is_wrong_with_it() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let off = br#"{"rules":[{"name":"a","subset":"v1"},{"name":"b","subset":"V2","hosts":[]}]}"#;
    type Row<'a> = (&'a [u8], i64, Faulty);
    let table: &[Row] = &[
        (off, 2, [(0, 0), (0, 1)]),
        (GOOD, 0, GOOD_RULES),
        (BROKEN, 1, [(1, 0), (0, 0)]),
        (off, 2, [(0, 0), (1, 0)]),
        // The config is refused: all rules are on their last good version.
        (b"{", 1, [(1, 0), (1, 0)]),
        (br#"{"rules":[{"name":"b","subset":"v1"}]}"#, 0, GOOD_RULES),
        (BROKEN, 1, [(0, 1), (0, 0)]),
        (b"", 0, GOOD_RULES),
    ];
    for (text, faults, rules) in table {
        gateway.configure(text);
        assert_eq!(health(&gateway, "canary"), (healthy(text, *faults), *rules), "{}", String::from_utf8_lossy(text));
    }
    let shared = gateway.shared.borrow();
    let defined = |rule: &str| shared.stats.keys().any(|name| name.starts_with(rule) && name.ends_with("rule_fault"));
    assert!(defined("rule=.=a;") && !defined("rule=.=c;"));
}

#[test]
fn a_rule_that_was_always_good_has_no_gauge_of_faults() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(GOOD);
    gateway.configure(&[GOOD, b" "].concat());
    assert!(!gateway.shared.borrow().stats.keys().any(|name| name.contains("canary_rule_fault")));
}

#[test]
fn a_plugin_that_is_taken_away_has_no_config_and_comes_back_with_one() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(BROKEN);
    let mut other = gateway.vm();
    let others = br#"{"header":"x-b","rules":[{"name":"b","subset":"V1"}]}"#;
    other.configure("other", others);
    assert_eq!(health(&gateway, "canary"), (healthy(BROKEN, 1), [(0, 1), (0, 1)]));
    assert_eq!(health(&gateway, "other").0, healthy(others, 1));
    for worker in &mut gateway.workers {
        worker.unload("canary");
    }
    assert_eq!(health(&gateway, "canary"), ((0, 0), [(0, 0), (0, 1)]), "the other plugin's rule is still off");
    assert_eq!(health(&gateway, "other").0, healthy(others, 1));
    gateway.configure(BROKEN);
    assert_eq!(health(&gateway, "canary"), (healthy(BROKEN, 1), [(0, 1), (0, 1)]));
    gateway.configure(BROKEN);
    other.unload("other");
    assert_eq!(health(&gateway, "other"), ((0, 0), [(0, 1), (0, 0)]));
}

#[test]
fn a_plugin_under_another_name_keeps_the_faults_of_the_one_it_replaces() {
    let program = Program::load();
    let gateway = Gateway::new(&program);
    let mut worker = Worker::new(&program, &gateway.shared, 7);
    worker.configure("one", BROKEN);
    worker.configure("two", BROKEN);
    worker.unload("one");
    assert_eq!(health(&gateway, "one").0, (0, 0));
    assert_eq!(health(&gateway, "two"), (healthy(BROKEN, 1), [(0, 1), (0, 0)]));
}

#[test]
fn a_new_vm_says_again_how_the_config_is_also_if_it_is_late() {
    let program = Program::load();
    for (newest, late, rules) in [(BROKEN, GOOD, [(1, 0), (0, 0)]), (b"{}", BROKEN, GOOD_RULES)] {
        let mut gateway = Gateway::new(&program);
        for config in [GOOD, BROKEN, newest] {
            gateway.configure(config);
        }
        // Statistics end with the last VM that knows them.
        gateway.shared.borrow_mut().stats.clear();
        let mut new = gateway.vm();
        let faults = i64::from(newest == BROKEN);
        new.configure("canary", late);
        assert_eq!(health(&gateway, "canary"), (healthy(newest, faults), rules));
        new.configure("canary", newest);
        assert_eq!(health(&gateway, "canary"), (healthy(newest, faults), rules));
    }
}

#[test]
fn a_config_that_is_reused_has_the_faults_that_it_had() {
    let program = Program::load();
    for (first, faults, rules) in [(BROKEN, 1, [(0, 1), (0, 0)]), (b"{}", 0, GOOD_RULES)] {
        let mut gateway = Gateway::new(&program);
        gateway.configure(first);
        let earlier: Vec<u32> = gateway.workers.iter().map(|worker| worker.root("canary")).collect();
        let streams: Vec<_> =
            gateway.workers.iter_mut().map(|worker| worker.open("canary", headers(&[(HEADER, "v9")]))).collect();
        let second = br#"{"rules":[{"name":"b","subset":"V2"}]}"#;
        gateway.configure(second);
        assert_eq!(
            health(&gateway, "canary"),
            (healthy(second, 1), [(0, 0), (i64::from(first == BROKEN), i64::from(first != BROKEN))])
        );
        for (worker, root) in gateway.workers.iter_mut().zip(earlier) {
            worker.reuse("canary", root);
        }
        for (worker, stream) in gateway.workers.iter_mut().zip(streams) {
            worker.respond(stream, ok());
        }
        assert_eq!(health(&gateway, "canary"), (healthy(first, faults), rules));
    }
}
