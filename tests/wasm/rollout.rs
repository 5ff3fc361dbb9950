//! Ramp and guard in the built module: several VMs, a clock that the test sets, ticks.

use crate::host::{Exchange, Headers, Program, Reply, Shared, Worker};
use crate::{Gateway, NOW, value};
use canary_split::config::Config;
use canary_split::rollout::ramp::Second;
use canary_split::rule::Target;
use canary_split::split::Draw;
use std::cell::RefCell;
use std::rc::Rc;

const GUARDED: &str = r#"{"rules":[{"name":"shop","split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}],"sticky":{"keys":[{"header":"x-user"}]},"guard":{}}]}"#;

fn headers(list: &[(&str, &str)]) -> Headers {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn reply(status: &str) -> Reply {
    Reply::from(headers(&[(":status", status)]))
}

/// A gateway whose clock and traffic the test moves.
struct Traffic {
    gateway: Gateway,
    /// The number of requests that have been sent.
    sent: usize,
}

impl Traffic {
    fn new(config: &str) -> Traffic {
        let mut gateway = Gateway::new(&Program::load());
        gateway.configure(config.as_bytes());
        Traffic { gateway, sent: 0 }
    }

    fn configure(&mut self, config: &str) {
        self.gateway.configure(config.as_bytes());
    }

    /// One request of a user by a worker.
    fn visit(&mut self, user: usize, answer: impl Fn(&str) -> Reply) -> String {
        self.sent += 1;
        let worker = 1 + self.sent % 2;
        let worker = &mut self.gateway.workers[worker];
        let stream = worker.open("canary", headers(&[("x-user", &format!("u{user}")), (":authority", "a")]));
        let subset = String::from_utf8(stream.subset().unwrap()).unwrap();
        worker.respond(stream, answer(&subset));
        subset
    }

    /// Seconds pass.
    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.gateway.shared.borrow_mut().time += 1;
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.gateway.workers.iter_mut().for_each(Worker::tick);
    }

    /// New users come, twenty in each second, for this many seconds.
    fn come(&mut self, seconds: usize, answer: impl Fn(&str) -> Reply) {
        for _ in 0..seconds {
            for _ in 0..20 {
                let user = self.sent;
                self.visit(user, &answer);
            }
            self.wait(1);
        }
    }

    fn stat(&self, name: &str) -> i64 {
        self.gateway.shared.borrow().stat(name)
    }

    fn tripped(&self) -> i64 {
        self.stat("rule=.=shop;.;subset=.=v2;.;canary_tripped")
    }

    fn weights(&self) -> [i64; 2] {
        ["v1", "v2"].map(|subset| self.stat(&format!("rule=.=shop;.;subset=.={subset};.;canary_config_weight")))
    }

    fn errors(&self) -> Vec<String> {
        self.gateway.shared.borrow_mut().take_errors()
    }

    /// To how many of a thousand users a subset belongs.
    fn users_of(&mut self, subset: &str) -> usize {
        (0..1000).filter(|&user| self.visit(1_000_000 + user, |_| reply("200")) == subset).count()
    }
}

fn v2_fails(subset: &str) -> Reply {
    reply(if subset == "v2" { "503" } else { "200" })
}

#[test]
fn a_canary_that_fails_leaves_within_seconds_on_all_workers() {
    let mut traffic = Traffic::new(GUARDED);
    traffic.come(30, |_| reply("200"));
    assert_eq!((traffic.tripped(), traffic.weights()), (0, [80, 20]));
    assert!((150..250).contains(&traffic.users_of("v2")));
    traffic.come(8, v2_fails);
    assert_eq!((traffic.tripped(), traffic.weights()), (1, [100, 0]));
    let errors = traffic.errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let verdict = "rule shop: v2 fails and is removed, v1 gets its share until the rule is edited: ";
    assert!(errors[0].starts_with(verdict) && errors[0].ends_with(" had v2, expected 20 %"), "{errors:#?}");
    assert_eq!(traffic.users_of("v2"), 0);
    // It stays out, whatever the time.
    traffic.wait(3_000);
    assert_eq!((traffic.users_of("v2"), traffic.errors().len()), (0, 0));
}

#[test]
fn an_outage_of_both_versions_trips_nothing() {
    let mut traffic = Traffic::new(GUARDED);
    traffic.come(10, |_| reply("200"));
    traffic.come(60, |_| reply("503"));
    assert_eq!((traffic.tripped(), traffic.errors().len()), (0, 0));
    assert!(traffic.stat("rule=.=shop;.;subset=.=v2;.;canary_failing_visitors_total") > 100);
}

#[test]
fn one_visitor_who_fails_again_and_again_trips_nothing() {
    let mut traffic = Traffic::new(GUARDED);
    let user = (0..).find(|&user| traffic.visit(user, |_| reply("200")) == "v2").unwrap();
    for _ in 0..100 {
        traffic.visit(user, v2_fails);
        traffic.wait(1);
    }
    // On whichever worker.
    assert_eq!(traffic.stat("rule=.=shop;.;subset=.=v2;.;canary_failing_visitors_total"), 1);
    assert_eq!(traffic.stat("rule=.=shop;.;subset=.=v2;.;canary_failures_total"), 100);
    assert_eq!(traffic.tripped(), 0);
}

#[test]
fn a_trip_ends_with_an_edit_of_its_rule_alone_and_for_good() {
    let other = GUARDED.replace(r#""rules":["#, r#""rules":[{"name":"other","hosts":["b"],"subset":"v1"},"#);
    let edited = GUARDED.replace(r#""guard":{}"#, r#""guard":{"margin":"2%"}"#);
    let mut traffic = Traffic::new(GUARDED);
    traffic.come(8, v2_fails);
    assert_eq!(traffic.tripped(), 1);
    // The same, written otherwise: doubles, another order.
    traffic.configure(
        &GUARDED.replace(":80", ":80.0").replace(r#""name":"shop","#, "").replace("}}]}", r#"},"name":"shop"}]}"#),
    );
    assert_eq!((traffic.tripped(), traffic.weights()), (1, [100, 0]));
    traffic.configure(&other);
    assert_eq!((traffic.tripped(), traffic.weights(), traffic.users_of("v2")), (1, [100, 0], 0));
    traffic.configure(&edited);
    assert_eq!((traffic.tripped(), traffic.weights()), (0, [80, 20]));
    assert!(traffic.users_of("v2") > 100);
    traffic.wait(2);
    traffic.configure(GUARDED);
    assert_eq!((traffic.tripped(), traffic.weights()), (0, [80, 20]));
    assert!(traffic.users_of("v2") > 100);
    // It is watched all the same.
    traffic.come(8, v2_fails);
    assert_eq!(traffic.tripped(), 1);
    // A broken edit leaves the last good version in force, tripped as it is.
    traffic.configure(&GUARDED.replace("80", "-80"));
    assert_eq!((traffic.tripped(), traffic.users_of("v2")), (1, 0));
    // Without the rule, nothing can trip.
    traffic.configure(r#"{"rules":[]}"#);
    assert_eq!((traffic.tripped(), traffic.weights()), (0, [0, 0]));
}

#[test]
fn with_hold_for_the_canary_comes_back_and_is_watched_again() {
    let mut traffic = Traffic::new(&GUARDED.replace(r#""guard":{}"#, r#""guard":{"holdFor":"1m"}"#));
    traffic.come(8, v2_fails);
    assert_eq!(traffic.tripped(), 1);
    assert!(traffic.errors()[0].contains(" v2 fails and is removed, v1 gets its share for 60 s: "));
    traffic.wait(45);
    assert_eq!((traffic.tripped(), traffic.users_of("v2")), (1, 0));
    traffic.wait(16);
    assert_eq!((traffic.tripped(), traffic.weights()), (0, [80, 20]));
    assert!(traffic.users_of("v2") > 100);
    traffic.come(30, |_| reply("200"));
    assert_eq!(traffic.tripped(), 0, "what was before the trip no longer counts");
    traffic.come(8, v2_fails);
    assert_eq!((traffic.tripped(), traffic.errors().len()), (1, 1));
}

#[test]
fn a_guard_that_observes_says_so_and_does_nothing() {
    let mut traffic = Traffic::new(&GUARDED.replace(r#""guard":{}"#, r#""guard":{"action":"observe"}"#));
    traffic.come(8, v2_fails);
    assert_eq!((traffic.tripped(), traffic.weights()), (1, [80, 20]));
    assert!(traffic.errors()[0].contains("v2 fails and stays in the split (action: observe): "));
    assert!(traffic.users_of("v2") > 100);
    traffic.come(8, v2_fails);
    assert_eq!(traffic.errors().len(), 0, "it is said once");
}

#[test]
fn under_keep_a_trip_evicts_and_the_visitor_stays_with_stable() {
    let kept = GUARDED.replace(r#""keys":[{"header":"x-user"}]}"#, r#""cookie":{},"onWeightChange":"keep"}"#);
    let mut traffic = Traffic::new(&kept);
    let ok = || reply("200");
    let visit = |traffic: &mut Traffic, cookie: Option<&str>| -> (String, Option<String>) {
        let mut request = headers(&[(":authority", "a"), (":scheme", "https")]);
        request.extend(cookie.map(|cookie| ("cookie".to_owned(), cookie.as_bytes().to_vec())));
        let Exchange { request, response, .. } = traffic.gateway.workers[1].exchange("canary", request, ok());
        let set = value(&response, "set-cookie").map(|line| String::from_utf8(line).unwrap());
        let subset = String::from_utf8(value(&request, "x-canary-subset").unwrap()).unwrap();
        (subset, set.map(|line| line.split(';').next().unwrap().to_owned()))
    };
    let cookie =
        std::iter::repeat_with(|| visit(&mut traffic, None)).find(|(subset, _)| subset == "v2").unwrap().1.unwrap();
    assert_eq!(visit(&mut traffic, Some(&cookie)), ("v2".to_owned(), None));
    // Its share of the requests is what is to be expected.
    traffic.come(3, |_| reply("200"));
    traffic.come(12, v2_fails);
    assert_eq!(traffic.tripped(), 1, "{:?}", traffic.errors());
    let (subset, moved) = visit(&mut traffic, Some(&cookie));
    assert_eq!(subset, "v1");
    let moved = moved.unwrap();
    assert!(moved.contains(".v1."), "{moved}");
    traffic.configure(&kept.replace(r#""guard":{}"#, r#""guard":{"margin":"2%"}"#));
    assert_eq!(visit(&mut traffic, Some(&moved)), ("v1".to_owned(), None));
    assert_eq!(visit(&mut traffic, Some(&cookie)).0, "v2");
}

/// What counts as a failure of the version: `(what, reply, failures)`.
fn answers() -> Vec<(&'static str, Reply, i64)> {
    let grpc = |status: &'static str| {
        headers(&[(":status", "200"), ("content-type", "application/grpc+proto"), ("grpc-status", status)])
    };
    let begun = headers(&[(":status", "200"), ("content-type", "application/grpc")]);
    let trailers = |status: &str| Some(headers(&[("grpc-status", status)]));
    let with_flags = |status: &str, flags: [u64; 2]| Reply { flags, ..reply(status) };
    vec![
        ("good", reply("200"), 0),
        ("a client's error", reply("404"), 0),
        ("a server's error", reply("500"), 1),
        (
            "no healthy upstream",
            Reply { has_body: true, details: "no_healthy_upstream", ..with_flags("503", [0x2, 0x2]) },
            1,
        ),
        ("a fault that is injected", Reply { details: "fault_filter_abort", ..with_flags("503", [0x400, 0x400]) }, 0),
        ("a direct response", Reply { details: "direct_response", ..reply("503") }, 0),
        ("a rate limit's own error", with_flags("500", [0x2000, 0x2000]), 0),
        ("reset in mid-body", with_flags("200", [0, 0x80_0000]), 1),
        ("a timeout in mid-body", with_flags("200", [0, 0x4]), 1),
        ("idle in mid-body", with_flags("206", [0, 0x1_0000]), 1),
        ("a client that goes away", with_flags("200", [0, 0x4000]), 0),
        ("an upgrade that ends", with_flags("101", [0, 0x40]), 0),
        ("a failure is no second one for being cut off", with_flags("500", [0, 0x80_0000]), 1),
        ("gRPC: UNAVAILABLE in the headers", Reply { has_body: false, headers: grpc("14"), ..reply("200") }, 1),
        ("gRPC: NOT_FOUND in the headers", Reply { has_body: false, headers: grpc("5"), ..reply("200") }, 0),
        (
            "gRPC: INTERNAL in the trailers",
            Reply { trailers: trailers("13"), headers: begun.clone(), ..reply("200") },
            1,
        ),
        ("gRPC: OK in the trailers", Reply { trailers: trailers("0"), headers: begun.clone(), ..reply("200") }, 0),
        ("gRPC: reset before the trailers", Reply { flags: [0, 0x40], headers: begun, ..reply("200") }, 1),
        ("trailers that are not gRPC's", Reply { trailers: Some(headers(&[("x-checksum", "1")])), ..reply("200") }, 0),
    ]
}

#[test]
fn what_the_version_did_wrong_is_a_failure_and_nothing_else() {
    let mut traffic = Traffic::new(GUARDED);
    for (user, (what, answer, failures)) in answers().into_iter().enumerate() {
        let counters = ["v1", "v2"].map(|subset| {
            ["failures", "failing_visitors"]
                .map(|what| format!("rule=.=shop;.;subset=.={subset};.;canary_{what}_total"))
        });
        let before: Vec<i64> = counters.iter().flatten().map(|name| traffic.stat(name)).collect();
        let subset = traffic.visit(user, |_| answer.clone());
        let after: Vec<i64> = counters.iter().flatten().map(|name| traffic.stat(name)).collect();
        let counted: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        let expected = if subset == "v1" { [failures, failures, 0, 0] } else { [0, 0, failures, failures] };
        assert_eq!(counted, expected, "{what}");
    }
}

#[test]
fn a_grpc_answer_counts_in_the_class_of_the_status_that_it_means() {
    let mut traffic = Traffic::new(r#"{"rules":[{"name":"shop","subset":"v1"}]}"#);
    let class = |class: u8| format!("rule=.=shop;.;subset=.=v1;.;code_class=.={class}xx;.;canary_responses_total");
    let expected = [
        ("good", 2),
        ("a client's error", 4),
        ("a server's error", 5),
        ("an upgrade that ends", 1),
        ("reset in mid-body", 2),
        ("gRPC: UNAVAILABLE in the headers", 5),
        ("gRPC: NOT_FOUND in the headers", 4),
        ("gRPC: INTERNAL in the trailers", 5),
        ("gRPC: OK in the trailers", 2),
        ("trailers that are not gRPC's", 2),
    ];
    for (what, expected) in expected {
        let answer = answers().into_iter().find(|(name, ..)| *name == what).unwrap().1;
        let before: Vec<i64> = (1..=5).map(|n| traffic.stat(&class(n))).collect();
        traffic.visit(1, |_| answer.clone());
        let after: Vec<i64> = (1..=5).map(|n| traffic.stat(&class(n))).collect();
        let counted: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(counted, (1..=5).map(|n| i64::from(n == expected)).collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn good_answers_of_a_guarded_rule_cost_a_hundred_questions_a_second_at_most() {
    let calls = |config: &str| {
        let mut traffic = Traffic::new(config);
        traffic.come(2, |_| reply("200"));
        traffic.gateway.shared.borrow_mut().calls.clear();
        // To one worker.
        for user in 0..1000 {
            traffic.sent = 2;
            traffic.visit(user, |_| reply("200"));
        }
        traffic.gateway.shared.borrow().calls.clone()
    };
    let (guarded, plain) = (calls(GUARDED), calls(&GUARDED.replace(r#","guard":{}"#, "")));
    let mut expected = plain;
    expected.insert("proxy_get_property".to_owned(), 100);
    assert_eq!(guarded, expected);
}

#[test]
fn after_one_answer_that_was_cut_off_all_are_asked_about() {
    let mut traffic = Traffic::new(GUARDED);
    traffic.come(1, |_| reply("200"));
    traffic.sent = 2;
    traffic.visit(0, |_| Reply { flags: [0, 0x80_0000], ..reply("200") });
    let asked = |traffic: &mut Traffic| {
        traffic.gateway.shared.borrow_mut().calls.clear();
        for user in 0..1000 {
            traffic.sent = 2;
            traffic.visit(user, |_| reply("200"));
        }
        traffic.gateway.shared.borrow().calls.get("proxy_get_property").copied().unwrap_or(0)
    };
    assert_eq!(asked(&mut traffic), 1000);
    traffic.wait(601);
    assert_eq!(asked(&mut traffic), 100);
}

#[test]
fn a_new_module_finds_what_is_tripped_and_a_vm_that_dies_takes_nothing_along() {
    let mut traffic = Traffic::new(GUARDED);
    traffic.come(8, v2_fails);
    assert_eq!(traffic.tripped(), 1);
    // New VMs, given the config as it was, later than a late one would be.
    traffic.gateway.shared.borrow_mut().time += 5;
    let mut fresh = Vec::new();
    for _ in 0..3 {
        let mut worker = traffic.gateway.vm();
        worker.configure("canary", GUARDED.as_bytes());
        fresh.push(worker);
    }
    traffic.gateway.workers = fresh;
    assert_eq!((traffic.users_of("v2"), traffic.tripped(), traffic.weights()), (0, 1, [100, 0]));
    // All but one worker are gone; it goes on watching what is in force then.
    traffic.configure(&GUARDED.replace(r#""guard":{}"#, r#""guard":{"margin":"3%"}"#));
    traffic.gateway.workers.remove(0);
    let survivor = traffic.gateway.workers[0].root("canary");
    assert!(survivor > 0);
    let joined = traffic.gateway.vm();
    traffic.gateway.workers.push(joined);
    traffic.gateway.workers[2]
        .configure("canary", GUARDED.replace(r#""guard":{}"#, r#""guard":{"margin":"3%"}"#).as_bytes());
    traffic.come(8, v2_fails);
    assert_eq!(traffic.tripped(), 1);
}

#[test]
fn a_config_that_has_been_replaced_judges_no_longer() {
    let mut traffic = Traffic::new(GUARDED);
    // A stream keeps the old config alive, and ticking.
    let stream = traffic.gateway.workers[1].open("canary", headers(&[("x-user", "u1"), (":authority", "a")]));
    traffic.configure(&GUARDED.replace(r#","guard":{}"#, ""));
    traffic.come(10, v2_fails);
    assert_eq!((traffic.tripped(), traffic.errors().len()), (0, 0));
    traffic.gateway.workers[1].respond(stream, reply("503"));
}

const RAMP: &str = r#"{"rules":[{"name":"shop","split":[{"subset":"v1","weight":100},{"subset":"v2","weight":0}],"sticky":{"cookie":{}},"ramp":{"start":"2027-01-15T08:01:00Z","between":"linear","steps":[{"after":"0s","weights":{"v1":99,"v2":1}},{"after":"1m","weights":{"v1":90,"v2":10}},{"after":"2m","weights":{"v1":0,"v2":100}}]}}]}"#;
/// 2027-01-15T08:01:00Z
const START: u64 = NOW + 60;

#[test]
fn all_workers_of_all_gateways_agree_on_the_weights_of_each_second() {
    let program = Program::load();
    let mut gateways: Vec<Traffic> = [0; 2].map(|_| Traffic::new(RAMP)).into();
    drop(program);
    let config = Config::from_json(RAMP.as_bytes()).unwrap();
    let Target::Split(split) = &config.rules[0].target else { panic!("a split") };
    let draws: Vec<u32> = (0..64_u32).map(|n| n.wrapping_mul(0x9e37_79b9)).collect();
    let table = (START - 3..START + 126).step_by(3).chain([
        START + 10_000,
        START + 60,
        START - 60,
        0,
        u64::from(u32::MAX) + 60,
    ]);
    for second in table {
        let expected: Vec<usize> = draws.iter().map(|&draw| split.pick(Draw(draw), || Second(second))).collect();
        for gateway in &mut gateways {
            gateway.gateway.shared.borrow_mut().time = second;
            gateway.tick();
            for worker in 1..3 {
                let got: Vec<usize> = draws
                    .iter()
                    .map(|draw| {
                        let minute = format!("{:07x}", second / 60 % (1 << 28));
                        let cookie = format!("canary-shop=1.{draw:08x}.{minute}");
                        let request = headers(&[(":authority", "a"), ("cookie", &cookie), (":scheme", "https")]);
                        let exchange = gateway.gateway.workers[worker].exchange("canary", request, reply("200"));
                        usize::from(value(&exchange.request, "x-canary-subset").unwrap() == b"v2")
                    })
                    .collect();
                assert_eq!(got, expected, "worker {worker} at {second}");
            }
            let (exact, scale) = split.weights_in_force(split.moment(Second(second)));
            let rounded = exact.iter().map(|weight| ((weight + scale / 2) / scale) as i64).collect::<Vec<_>>();
            assert_eq!(gateway.weights().to_vec(), rounded, "the gauges at {second}");
        }
    }
}

#[test]
fn a_ramp_goes_on_over_a_push_and_a_new_module_and_stops_where_it_is_paused() {
    let mut traffic = Traffic::new(RAMP);
    let at = |traffic: &mut Traffic, second: u64| {
        traffic.gateway.shared.borrow_mut().time = START + second;
        traffic.tick();
        traffic.weights()
    };
    assert_eq!(at(&mut traffic, 90), [45, 55]);
    traffic.configure(&RAMP.replace(r#""rules":["#, r#""rules":[{"name":"a","hosts":["a.b"],"subset":"v1"},"#));
    assert_eq!(traffic.weights(), [45, 55], "also before the next tick");
    assert_eq!(at(&mut traffic, 92), [42, 58]);
    traffic.configure(&RAMP.replace(r#""between""#, r#""pausedAt":"2027-01-15T08:02:30Z","between""#));
    assert_eq!(traffic.weights(), [45, 55]);
    assert_eq!(at(&mut traffic, 5000), [45, 55]);
    traffic.gateway.workers = (0..3)
        .map(|_| {
            let mut worker = traffic.gateway.vm();
            worker.configure("canary", RAMP.as_bytes());
            worker
        })
        .collect();
    assert_eq!(at(&mut traffic, 5001), [0, 100]);
}

#[test]
fn ten_thousand_guarded_rules_take_little_memory_and_a_short_tick() {
    let rules: Vec<String> = (0..10_000)
        .map(|n| {
            format!(
                r#"{{"name":"r{n}","hosts":["h{n}.example.org"],"split":[{{"subset":"v1","weight":80}},{{"subset":"v2","weight":20}}],"guard":{{}},"ramp":{{"start":"2027-01-15T08:01:00Z","steps":[{{"after":"0s","weights":{{"v1":50,"v2":50}}}}]}}}}"#
            )
        })
        .collect();
    let config = format!(r#"{{"rules":[{}]}}"#, rules.join(","));
    let plain = config.replace(r#","guard":{}"#, "").replace(
        r#","ramp":{"start":"2027-01-15T08:01:00Z","steps":[{"after":"0s","weights":{"v1":50,"v2":50}}]}"#,
        "",
    );
    assert!(!plain.contains("ramp") && !plain.contains("guard"));
    let program = Program::metered();
    let measure = |config: &str| {
        let shared = Rc::new(RefCell::new(Shared::at(NOW)));
        let [mut first, mut second] = [1, 2].map(|seed| Worker::new(&program, &shared, seed));
        first.configure("canary", config.as_bytes());
        second.configure("canary", config.as_bytes());
        let before = second.fuel();
        second.tick();
        shared.borrow_mut().calls.clear();
        let ticked = before - second.fuel();
        second.tick();
        let calls: usize = shared.borrow().calls.values().sum();
        (second.memory() / 10_000, ticked, calls)
    };
    let (memory, instructions, calls) = measure(&config);
    let (plain, ..) = measure(&plain);
    println!(
        "bytes a rule: {memory}, {plain} without ramp and guard; a tick: {instructions} instructions, {calls} host calls"
    );
    assert!(memory < plain + 650, "{memory} bytes a rule, {plain} without ramp and guard");
    assert!(instructions < 10_000 * 400, "{instructions} instructions in a tick");
    assert!(calls < 10, "{calls} host calls in a tick in which nothing has happened");
}

#[test]
fn a_fixed_crowd_is_watched_again_from_nothing_after_each_trip() {
    let crowd = |traffic: &mut Traffic, seconds: usize| {
        for _ in 0..seconds {
            (0..200).for_each(|user| drop(traffic.visit(user, v2_fails)));
            traffic.wait(1);
        }
    };
    let held = GUARDED.replace(r#""guard":{}"#, r#""guard":{"holdFor":"3s"}"#);
    let mut traffic = Traffic::new(&held);
    for trip in 1..=3 {
        crowd(&mut traffic, 3);
        assert_eq!((traffic.tripped(), traffic.errors().len()), (1, 1), "trip {trip}");
        traffic.wait(4);
        assert_eq!(traffic.tripped(), 0);
    }
    // Edited and back, as it was.
    let mut traffic = Traffic::new(GUARDED);
    crowd(&mut traffic, 3);
    assert_eq!(traffic.tripped(), 1);
    traffic.configure(&GUARDED.replace("80", "81"));
    traffic.configure(GUARDED);
    assert_eq!(traffic.tripped(), 0);
    crowd(&mut traffic, 3);
    assert_eq!(traffic.tripped(), 1);
}

#[test]
fn an_outage_of_both_trips_nothing_where_stable_has_failed_before() {
    for healthy in [0, 20] {
        let mut traffic = Traffic::new(GUARDED);
        let mut seconds = |count: usize, fails: &dyn Fn(&str, usize) -> bool| {
            for _ in 0..count {
                for user in 0..300 {
                    traffic.visit(user, |subset| reply(if fails(subset, user) { "500" } else { "200" }));
                }
                traffic.wait(1);
            }
            traffic.tripped()
        };
        seconds(60, &|subset, user| subset == "v1" && user % 2 == 0);
        seconds(healthy, &|_, _| false);
        assert_eq!(seconds(60, &|_, user| user % 2 == 0), 0, "after {healthy} s");
    }
}

#[test]
fn under_keep_nobody_who_has_failed_at_once_is_forgotten() {
    let kept = GUARDED.replace(r#""keys":[{"header":"x-user"}]}"#, r#""cookie":{},"onWeightChange":"keep"}"#);
    let mut traffic = Traffic::new(&kept);
    traffic.come(3, |_| reply("200"));
    // All that fail do so before the first tick.
    (0..200).for_each(|user| drop(traffic.visit(user, v2_fails)));
    traffic.wait(1);
    traffic.come(5, |_| reply("200"));
    traffic.come(5, v2_fails);
    assert_eq!(traffic.tripped(), 1);
}

#[test]
fn a_push_of_another_rule_takes_no_evidence_along_and_no_tick() {
    let other = |n: usize| {
        GUARDED.replace(r#""rules":["#, &format!(r#""rules":[{{"name":"o{n}","hosts":["b"],"subset":"v1"}},"#))
    };
    let mut traffic = Traffic::new(GUARDED);
    (0..200).for_each(|user| drop(traffic.visit(user, v2_fails)));
    traffic.configure(&other(1));
    traffic.wait(1);
    (0..200).for_each(|user| drop(traffic.visit(user, v2_fails)));
    traffic.wait(1);
    assert_eq!(traffic.tripped(), 1);
    // Pushes that come faster than ticks.
    let mut traffic = Traffic::new(GUARDED);
    traffic.wait(1);
    for push in 0..4 {
        (0..20).for_each(|user| drop(traffic.visit(1000 * push + user, v2_fails)));
        traffic.gateway.shared.borrow_mut().time += 1;
        traffic.configure(&other(push));
    }
    assert_eq!(traffic.tripped(), 1);
}

#[test]
fn what_was_decided_before_an_edit_is_not_held_against_the_edited_rule() {
    let mut traffic = Traffic::new(GUARDED);
    let streams: Vec<_> = (0..100)
        .map(|user| {
            let worker = 1 + user % 2;
            let request = headers(&[("x-user", &format!("u{user}")), (":authority", "a")]);
            (worker, traffic.gateway.workers[worker].open("canary", request))
        })
        .collect();
    traffic.configure(&GUARDED.replace("80", "81"));
    for (worker, stream) in streams {
        let failed = v2_fails(std::str::from_utf8(&stream.subset().unwrap()).unwrap());
        traffic.gateway.workers[worker].respond(stream, failed);
    }
    traffic.wait(2);
    traffic.come(5, |_| reply("200"));
    assert_eq!(traffic.tripped(), 0);
    assert_eq!(traffic.stat("rule=.=shop;.;subset=.=v2;.;canary_failures_total"), 0);
}

#[test]
fn a_canary_stays_out_where_nobody_would_take_it_out_again() {
    let ramp = r#""guard":{"holdFor":"5s"},"ramp":{"start":"2027-01-15T08:00:00Z","steps":[{"after":"0s","weights":{"v1":80,"v2":20}},{"after":"20s","weights":{"v1":0,"v2":100}}]}"#;
    let mut traffic = Traffic::new(&GUARDED.replace(r#""guard":{}"#, ramp));
    traffic.come(3, |_| reply("200"));
    traffic.wait(10);
    traffic.come(4, v2_fails);
    assert_eq!(traffic.tripped(), 1);
    traffic.wait(30);
    assert_eq!((traffic.tripped(), traffic.users_of("v2")), (1, 0));
}
