//! The built module in a strict fake of Envoy.

mod common;
#[path = "wasm/host.rs"]
mod host;
#[path = "wasm/remember.rs"]
mod remember;
#[path = "wasm/rollout.rs"]
mod rollout;
#[path = "wasm/vms.rs"]
mod vms;

use canary_split::visitor::cookie::Minutes;
use common::{Observed, Phase, Sent, Visitor};
use host::{Headers, Program, Shared, Worker};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const NOW: u64 = 1_800_000_000;

/// An Envoy with one plugin: a main thread and two workers; every new config is first tried in a VM that is thrown away.
struct Gateway {
    program: Program,
    shared: Rc<RefCell<Shared>>,
    workers: Vec<Worker>,
    turn: usize,
    vms: u64,
}

impl Gateway {
    fn new(program: &Program) -> Gateway {
        let shared = Rc::new(RefCell::new(Shared::at(NOW)));
        let mut gateway = Gateway { program: program.clone(), shared, workers: Vec::new(), turn: 0, vms: 0 };
        gateway.workers = (0..3).map(|_| gateway.vm()).collect();
        gateway
    }

    fn vm(&mut self) -> Worker {
        self.vms += 1;
        Worker::new(&self.program, &self.shared, self.vms)
    }

    fn configure(&mut self, config: &[u8]) {
        self.vm().configure("canary", config);
        for worker in &mut self.workers {
            worker.configure("canary", config);
        }
    }

    /// The headers are those that the filter alone writes, the subset's first.
    fn send(&mut self, sent: &Sent, ours: &[String]) -> Observed {
        let before = self.shared.borrow().stats.clone();
        let mut response = vec![(":status".to_owned(), sent.status.to_string().into_bytes())];
        response.extend(sent.response_headers.clone());
        self.turn += 1;
        let worker = 1 + self.turn % (self.workers.len() - 1);
        self.workers[worker].visited_by(sent.visitor.clone());
        let exchange = self.workers[worker].exchange("canary", sent.headers.clone(), response.clone());

        for header in &exchange.written {
            assert!(ours.contains(header), "{header} is written, which is none of {ours:?}");
        }
        for header in ours {
            let is_settled = exchange.written.contains(header) || exchange.absent.contains(header);
            assert!(is_settled, "{header} is neither written nor known to be absent");
        }
        // The application's own headers stay as they are; ours follow.
        let mut response_headers = exchange.response.clone();
        let added = |line: &(String, Vec<u8>)| line.0 == "set-cookie" && !response.contains(line);
        let cookies: Vec<_> = response_headers.extract_if(.., |line| added(line)).collect();
        assert!(cookies.len() <= 1, "{cookies:?}");
        let others = |headers: &Headers| -> Headers {
            headers.iter().filter(|(name, _)| name != "x-served-by").cloned().collect()
        };
        assert_eq!(others(&response_headers), others(&response), "the application's own headers");
        let (counted, response) = counted(&before, &self.shared.borrow().stats);
        assert_eq!(label(&response, "code_class"), format!("{}xx", sent.status / 100));
        for name in ["rule", "subset"] {
            assert_eq!(label(&response, name), label(&counted, name), "the response counts where the request did");
        }
        Observed {
            request_headers: ours
                .iter()
                .filter_map(|header| Some((header.clone(), value(&exchange.request, header)?)))
                .collect(),
            rule: label(&counted, "rule"),
            source: label(&counted, "source"),
            set_cookie: cookies.first().map(|(_, cookie)| String::from_utf8(cookie.clone()).unwrap()),
            response_headers,
        }
    }
}

fn value(headers: &Headers, name: &str) -> Option<Vec<u8>> {
    let mut values = headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone());
    let first = values.next();
    assert_eq!(values.next(), None, "one {name} at most");
    first
}

/// The one counter of requests and the one of responses that this request has increased.
fn counted(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> (String, String) {
    let more = |suffix: &str| {
        let increased: Vec<&String> = after
            .iter()
            .filter(|(name, value)| name.ends_with(suffix) && **value == before.get(*name).copied().unwrap_or(0) + 1)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(increased.len(), 1, "{suffix}: {increased:?}");
        increased[0].clone()
    };
    (more("canary_requests_total"), more("canary_responses_total"))
}

fn label(stat: &str, name: &str) -> String {
    let (_, rest) = stat.split_once(&format!("{name}=.=")).unwrap();
    rest.split_once(";.;").unwrap().0.to_owned()
}

fn run(gateway: &mut Gateway, phase: &Phase) {
    let faults = gateway.shared.borrow().stat("canary_config_errors_total");
    gateway.shared.borrow_mut().take_errors();
    gateway.configure(&phase.config);
    let infos: Vec<String> =
        gateway.shared.borrow().log.iter().filter(|line| line.0 < 3).map(|l| l.1.clone()).collect();
    assert!(infos.len() == 1 && infos[0].starts_with("canary-split "), "{}: one info line: {infos:?}", phase.name);
    let lines = gateway.shared.borrow_mut().take_errors();
    assert_eq!(
        lines.len(),
        phase.errors.len(),
        "{}: one line for each fault, from one VM alone: {lines:#?}",
        phase.name
    );
    for (line, error) in lines.iter().zip(&phase.errors) {
        assert!(line.starts_with(&format!("{error} (")), "{}: {line}", phase.name);
    }
    let counted = gateway.shared.borrow().stat("canary_config_errors_total") - faults;
    assert_eq!(counted, phase.errors.len() as i64, "{}: faults counted", phase.name);
    if let Some(rules) = phase.rules {
        let gauge =
            |state: &str| gateway.shared.borrow().stat(&format!("state=.={state};.;canary_config_rules")) as usize;
        assert_eq!(["active", "last_good", "off"].map(gauge), rules, "{}", phase.name);
    }
    let now = Minutes::of_seconds(NOW).0;
    for request in &phase.requests {
        let observed = gateway.send(&request.sent(now), &phase.ours());
        request.check(&observed, now, phase);
        if let Some(returning) = request.returning(&observed, now) {
            let again = gateway.send(&returning, &phase.ours());
            assert_eq!(
                (again.request_headers, again.set_cookie),
                (observed.request_headers, None),
                "{}: the next page",
                phase.name
            );
        }
    }
}

#[test]
fn the_case_table_holds_in_the_module() {
    let program = Program::load();
    for case in common::cases() {
        let mut gateway = Gateway::new(&program);
        for phase in &case {
            run(&mut gateway, phase);
        }
    }
}

const GOOD: &[u8] = br#"{"rules":[{"name":"a","subset":"v1"},{"name":"b","subset":"v1"}]}"#;
const BROKEN: &[u8] = br#"{"rules":[{"name":"a","subset":"V1"},{"name":"b","subset":"v2"}]}"#;

#[test]
fn late_and_repeated_configs_are_reported_once() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(GOOD);
    gateway.shared.borrow_mut().take_errors();

    // The main thread is ahead of a worker, which is given both configs late.
    gateway.workers[0].configure("canary", BROKEN);
    gateway.workers[1].configure("canary", BROKEN);
    gateway.workers[0].configure("canary", b"{}");
    gateway.workers[1].configure("canary", b"{}");
    let mut late = gateway.vm();
    for config in [GOOD, BROKEN, b"{}"] {
        late.configure("canary", config);
        gateway.workers[2].configure("canary", config);
    }
    assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
    assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), 1);
    assert_eq!(gateway.shared.borrow().stat("state=.=active;.;canary_config_rules"), 0);

    // The same texts again, as somebody goes back and forth: each time a new config.
    gateway.configure(BROKEN);
    gateway.configure(b"{}");
    assert_eq!(gateway.shared.borrow_mut().take_errors().len(), 1);
    assert_eq!(gateway.shared.borrow().stat("canary_config_errors_total"), 2);
}

#[test]
fn the_last_good_rules_survive_the_vm() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(GOOD);
    let mut fresh = gateway.vm();
    fresh.configure("canary", BROKEN);
    let request = vec![(":authority".to_owned(), b"a".to_vec())];
    let exchange = fresh.exchange("canary", request, vec![(":status".to_owned(), b"200".to_vec())]);
    assert_eq!(value(&exchange.request, "x-canary-subset").as_deref(), Some(&b"v1"[..]));
}

#[test]
fn on_configure_is_true_whatever_it_is_given() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let mut worker = gateway.vm();
    let rules = |n: usize| {
        let rule =
            |i| format!(r#"{{"name":"r{i}","hosts":["h{i}.example.com"],"split":[{{"subset":"v1","weight":1}}]}}"#);
        format!(r#"{{"rules":[{}]}}"#, (0..n).map(rule).collect::<Vec<_>>().join(","))
    };
    let fixed = [
        String::new(),
        "\u{0}".to_owned(),
        "{\"rules\":[1e400]}".to_owned(),
        "[".repeat(50_000),
        "{\"rules\":".repeat(50_000),
        format!(r#"{{"header":"{}","rules":[]}}"#, "a".repeat(1_000_000)),
        rules(10_000),
        rules(10_001),
    ];
    // Whatever it is, each fault is one line and counts once.
    let mut configure = |config: &[u8]| {
        let before = gateway.shared.borrow().stat("canary_config_errors_total");
        worker.configure("canary", config);
        let lines = gateway.shared.borrow_mut().take_errors();
        let counted = gateway.shared.borrow().stat("canary_config_errors_total") - before;
        assert_eq!(lines.len() as i64, counted, "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("7d1f4c0a9b3e52d8")), "a seal is shown: {lines:?}");
        let exchange = worker.exchange("canary", Headers::new(), vec![(":status".to_owned(), b"200".to_vec())]);
        assert!(exchange.header.starts_with("x-"), "{}", exchange.header);
    };
    for config in fixed {
        configure(config.as_bytes());
    }
    let mut random = fastrand::Rng::with_seed(7);
    let seeds = common::cases();
    for _ in 0..500 {
        let case = &seeds[random.usize(..seeds.len())];
        let mut text = case[0].config.clone();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..=text.len());
            text.insert(at, random.u8(..));
            text.truncate(random.usize(at..=text.len()));
        }
        configure(&text);
    }
    for _ in 0..200 {
        let length = random.usize(..200);
        configure(&(0..length).map(|_| random.u8(..)).collect::<Vec<_>>());
    }
}

/// Everything that the filter may look at.
const CURIOUS: &[u8] = br#"{"rules":[
    {"name":"m","hosts":["*.example.com","a"],"match":[
        {"uri":{"regex":"/(a|b)*"},"method":{"prefix":"P"},"headers":{"x-a":{"regex":"[a-z]+"}},"withoutHeaders":{"x-b":{"exact":"1"}}},
        {"queryParams":{"q":{"regex":".*"}},"cookies":{"c":{"prefix":"1"}}}],"subset":"v2"},
    {"name":"httpbin","split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}],"sticky":{"cookie":{}}}]}"#;

/// All that a visitor may be known by, and a cookie that keeps.
const KNOWING: &[u8] = br#"{"responseHeader":"x-served-by","rules":[
    {"name":"c","match":[{"claims":{"group":{"regex":".*"},"realm.role":{"prefix":"a"}}}],"subset":"v2"},
    {"name":"httpbin","split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}],"sticky":{
        "keys":[{"claim":"sub"},{"header":"x-a"},{"queryParam":"q"},{"cookie":"c"},{"remoteIp":true}],
        "cookie":{"draw":"client"},"onWeightChange":"keep"}}]}"#;

/// `REQUESTS=1000000` for more (`make fuzz`).
#[test]
fn no_request_traps_and_no_client_byte_reaches_a_response() {
    let program = Program::load();
    let requests = std::env::var("REQUESTS").map_or(40_000, |number| number.parse().expect("REQUESTS is a number"));
    for config in [CURIOUS, KNOWING] {
        throw_bytes_at(&program, config, requests / 2);
    }
    println!("{requests} random requests through the built module in the strict host");
}

fn throw_bytes_at(program: &Program, config: &[u8], requests: usize) {
    let mut gateway = Gateway::new(program);
    gateway.configure(config);
    let mut random = fastrand::Rng::with_seed(7);
    let names = [":authority", ":path", ":method", ":scheme", "cookie", "x-a", "x-b", "origin", "x-canary-subset"];
    let pieces: [&[u8]; 12] = [
        b"canary-httpbin=",
        b"1.",
        b"feedface.",
        b"1c89b43",
        b"; ",
        b"=",
        b"\"",
        b"q=",
        b"/a?",
        b"\xff\xfe",
        b"example.com",
        b":",
    ];
    let mut memory = 0;
    for nth in 0..requests {
        if nth == requests / 10 {
            memory = gateway.workers.iter().map(Worker::memory).sum();
        }
        let mut request = Headers::new();
        for _ in 0..random.usize(..8) {
            let mut value = Vec::new();
            for _ in 0..random.usize(..8) {
                match random.bool() {
                    true => value.extend(pieces[random.usize(..pieces.len())]),
                    false => value.extend((0..random.usize(..5)).map(|_| random.u8(..))),
                }
            }
            request.push((names[random.usize(..names.len())].to_owned(), value));
        }
        let status = [&b"200"[..], b"101", b"301", b"503", b"", b"x", b"99999"][random.usize(..7)];
        let turn = random.usize(1..3);
        let worker = &mut gateway.workers[turn];
        worker.visited_by(anybody(&mut random));
        let exchange = worker.exchange("canary", request, vec![(":status".to_owned(), status.to_vec())]);
        for (name, cookie) in &exchange.response[1..] {
            if name == "x-served-by" {
                assert_eq!(Some(cookie), value(&exchange.request, "x-canary-subset").as_ref());
                continue;
            }
            let cookie = std::str::from_utf8(cookie).unwrap();
            let (value, rest) = cookie.split_once(';').unwrap();
            assert!(
                canary_split::visitor::cookie::Held::parse(&value.as_bytes()["canary-httpbin=".len()..]).is_some(),
                "{cookie}"
            );
            assert!(
                [
                    " Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
                    " Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
                ]
                .contains(&rest),
                "{cookie}"
            );
        }
        let subset = value(&exchange.request, "x-canary-subset").unwrap();
        assert!(subset == b"v1" || subset == b"v2");
    }
    assert_eq!(gateway.workers.iter().map(Worker::memory).sum::<usize>(), memory, "the VMs' memory grows");
}

/// Any address, and for every claim the same bytes, also such as look like a list.
fn anybody(random: &mut fastrand::Rng) -> Visitor {
    let addresses = ["203.0.113.7:1", "[2001:db8::1]:2", "/a/socket", "", "[::ffff:1.2.3.4]:5", "999.1.1.1:1"];
    let mut claim: Vec<u8> = (0..random.usize(..24)).map(|_| random.u8(..)).collect();
    if random.bool() {
        claim.splice(..0, [random.u8(..4), 0, 0, 0]);
    }
    let claim = random.bool().then_some(claim);
    Visitor::of_bytes(addresses[random.usize(..addresses.len())], claim)
}

/// What one request costs: the host calls of its request phase, and the headers that it asks for.
fn cost(gateway: &mut Gateway, headers: &[(&str, &str)]) -> (BTreeMap<String, usize>, Vec<String>) {
    let mut request: Headers =
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    request.push((":scheme".to_owned(), b"https".to_vec()));
    let response = vec![(":status".to_owned(), b"200".to_vec())];
    // The first of its kind defines its counters.
    gateway.workers[1].exchange("canary", request.clone(), response.clone());
    gateway.shared.borrow_mut().calls.clear();
    gateway.shared.borrow_mut().asked.clear();
    gateway.workers[1].exchange("canary", request, response);
    let mut shared = gateway.shared.borrow_mut();
    (std::mem::take(&mut shared.calls), std::mem::take(&mut shared.asked))
}

#[test]
fn rules_for_other_hosts_cost_neither_a_host_call_nor_time() {
    let program = Program::metered();
    let of = |rules: usize| {
        let mut gateway = Gateway::new(&program);
        let rule = |i| {
            format!(
                r#"{{"name":"r{i}","hosts":["h{i}.test","*.h{i}.test"],"match":[{{"headers":{{"x-{i}":{{}}}}}}],"subset":"v1"}}"#
            )
        };
        let rules: Vec<String> = (0..rules).map(rule).collect();
        let last =
            r#"{"name":"httpbin","hosts":["a.test"],"split":[{"subset":"v1","weight":1}],"sticky":{"cookie":{}}}"#;
        gateway.configure(format!(r#"{{"rules":[{}]}}"#, [rules, vec![last.to_owned()]].concat().join(",")).as_bytes());
        let request = [(":authority", "a.test"), ("cookie", "canary-httpbin=1.feedface.1c9c380")];
        let calls = cost(&mut gateway, &request);
        let before = gateway.workers[1].fuel();
        let again = cost(&mut gateway, &request);
        assert_eq!(again, calls);
        (calls, before - gateway.workers[1].fuel())
    };
    // One rule, so that both have an index.
    let (few, many) = (of(1), of(1000));
    assert_eq!(many.0, few.0);
    assert_eq!(many.0.1, [":authority", "cookie"]);
    // A hash map's collisions are a matter of chance.
    assert!(many.1 < few.1 * 5 / 4, "{} instructions with 1000 rules, {} with one", many.1, few.1);
}

#[test]
fn each_header_is_asked_for_at_most_once() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let rule = |i| {
        format!(
            r#"{{"name":"r{i}","match":[{{"uri":{{"prefix":"/{i}"}},"headers":{{"x-a":{{"exact":"{i}"}}}},"cookies":{{"c":{{"exact":"{i}"}}}}}},{{"headers":{{"x-a":{{"exact":"no"}}}}}}],"subset":"v1"}}"#
        )
    };
    let sticky =
        r#"{"name":"httpbin","split":[{"subset":"v1","weight":1},{"subset":"v2","weight":1}],"sticky":{"cookie":{}}}"#
            .to_owned();
    let rules: Vec<String> = (0..100).map(rule).chain([sticky]).collect();
    gateway.configure(format!(r#"{{"rules":[{}]}}"#, rules.join(",")).as_bytes());
    let (_, mut asked) =
        cost(&mut gateway, &[(":authority", "a"), (":path", "/"), (":method", "GET"), ("cookie", "c=x"), ("x-a", "y")]);
    asked.sort();
    assert_eq!(asked, [":path", ":scheme", "access-control-request-method", "cookie", "x-a"]);
}

#[test]
fn the_metadata_is_asked_for_once_and_only_where_a_claim_is_not_in_istios_place() {
    let program = Program::load();
    let rule = |name, condition| format!(r#"{{"name":"{name}","match":[{condition}],"subset":"v1"}}"#);
    let claim = |name| rule(name, format!(r#"{{"claims":{{"{name}":{{"exact":"no"}}}}}}"#));
    let properties = |rules: &[String], claims: &str| {
        let mut gateway = Gateway::new(&program);
        gateway.configure(format!(r#"{{"rules":[{}]}}"#, rules.join(",")).as_bytes());
        gateway.workers[1].visited_by(Visitor::with_claims(claims));
        cost(&mut gateway, &[]).0.remove("proxy_get_property").unwrap_or(0)
    };
    let two = [claim("a"), claim("b")];
    assert_eq!(properties(&[rule("h", r#"{"headers":{"x-a":{}}}"#.to_owned())], "null"), 0);
    assert_eq!(properties(&two, r#"{"a":"1","b":"2"}"#), 2, "each claim is where it is in Istio");
    assert_eq!(properties(&two, "null"), 3, "each claim, and the metadata");
    assert_eq!(properties(&two, r#"{"a":"1"}"#), 3, "there are no other providers");
}

#[test]
fn a_header_is_removed_only_where_there_is_one() {
    let program = Program::load();
    // No config, one that cannot be used, no rule, a rule for another host, a rule that does not hold.
    let configs = [
        ("", "x-canary-subset"),
        ("{", "x-canary-subset"),
        (r#"{"header":"x-v","rules":7}"#, "x-v"),
        (r#"{"header":"x-v","rules":[]}"#, "x-v"),
        (r#"{"rules":[{"name":"r","hosts":["b"],"subset":"v1"}]}"#, "x-canary-subset"),
        (r#"{"rules":[{"name":"r","match":[{"headers":{"x-a":{}}}],"subset":"v1"}]}"#, "x-canary-subset"),
    ];
    // What a client sends, and how often it is removed.
    let table = [
        (vec![], 0),
        (vec![("x-canary", "v2")], 0),
        (vec![("HEADER", "v2")], 1),
        (vec![("HEADER", "")], 1),
        (vec![("HEADER", ""), ("x-canary", "v2"), ("HEADER", "v2")], 1),
    ];
    for (config, header) in configs {
        let mut gateway = Gateway::new(&program);
        gateway.configure(config.as_bytes());
        for (sent, removals) in &table {
            let mut request: Vec<(&str, &str)> = vec![(":authority", "a"), (":path", "/")];
            request.extend(sent.iter().map(|&(name, value)| (if name == "HEADER" { header } else { name }, value)));
            let (calls, asked) = cost(&mut gateway, &request);
            let count = |name: &str| calls.get(name).copied().unwrap_or(0);
            // Where nothing could be read, positions may be meant.
            let mut ours = asked.iter().rev().filter(|asked| *asked != "x-canary-draw");
            assert_eq!(ours.next().map(String::as_str), Some(header), "{config}");
            assert_eq!(count("proxy_remove_header_map_value"), *removals, "{config} {sent:?}");
            assert_eq!(count("proxy_replace_header_map_value"), 0, "{config} {sent:?}");
        }
    }
}

#[test]
fn a_path_is_asked_for_only_where_what_stands_before_it_holds() {
    let mut gateway = Gateway::new(&Program::load());
    gateway.configure(
        br#"{"rules":[{"name":"a","match":[{"method":{"exact":"POST"},"uri":{"prefix":"/a"}}],"subset":"v1"}]}"#,
    );
    let (_, asked) = cost(&mut gateway, &[(":authority", "a"), (":method", "GET"), (":path", "/b")]);
    assert_eq!(asked, [":method", "x-canary-subset"]);
    let (_, asked) = cost(&mut gateway, &[(":authority", "a"), (":method", "POST"), (":path", "/b")]);
    assert_eq!(asked, [":method", ":path", "x-canary-subset"]);
}

#[test]
fn a_returning_visitor_costs_few_host_calls() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    gateway.configure(
        br#"{"rules":[{"name":"httpbin","hosts":["a"],"split":[{"subset":"v1","weight":1},{"subset":"v2","weight":1}],"sticky":{"cookie":{}}}]}"#,
    );
    let (calls, _) = cost(&mut gateway, &[(":authority", "a"), ("cookie", "canary-httpbin=1.feedface.1c9c380")]);
    let expected = [
        ("proxy_get_current_time_nanoseconds", 1), // is the cookie due?
        ("proxy_get_header_map_value", 3),         // :authority, cookie; :status of the response
        ("proxy_increment_metric", 2),
        ("proxy_replace_header_map_value", 1),
    ];
    assert_eq!(calls, expected.map(|(name, n)| (name.to_owned(), n)).into());
}

#[test]
fn the_time_for_a_request_is_linear_in_its_size() {
    let program = Program::metered();
    let mut gateway = Gateway::new(&program);
    // A backtracking matcher needs exponential time for it, and one that begins again at each place quadratic time.
    let evil = r#"{"rules":[{"name":"evil","match":[
        {"uri":{"regex":"/(a+)+b"}},{"uri":{"regex":"/(a|aa)*b"}},{"uri":{"regex":".*a.*a.*a.*b"}},{"cookies":{"zz":{"regex":"(x*)*y"}}},
        {"queryParams":{"zz":{}}},{"headers":{"x-a":{"regex":"(a{0,9}){0,9}b"}}}],"subset":"v2"},
        {"name":"httpbin","split":[{"subset":"v1","weight":1}],"sticky":{"keys":[{"queryParam":"zz"},{"cookie":"zz"}],"cookie":{}}}]}"#;
    gateway.configure(evil.as_bytes());
    let mut of = |length: usize| {
        let piece = |piece: &[u8]| piece.repeat(length / piece.len());
        let request = vec![
            (":authority".to_owned(), piece(b"a.")),
            (":path".to_owned(), [b"/".to_vec(), piece(b"a"), b"?".to_vec(), piece(b"z=%&")].concat()),
            ("cookie".to_owned(), piece(b"canary-httpbin=x; ")),
            ("x-a".to_owned(), piece(b"a")),
        ];
        let before = gateway.workers[1].fuel();
        gateway.workers[1].exchange("canary", request, vec![(":status".to_owned(), b"200".to_vec())]);
        before - gateway.workers[1].fuel()
    };
    of(1_000);
    let (short, long) = (of(10_000), of(40_000));
    assert!(long < short * 5, "{short} instructions for 10,000 bytes each, {long} for 40,000");
}

#[test]
fn a_long_path_is_looked_at_no_further_than_each_condition_needs() {
    let program = Program::metered();
    let mut gateway = Gateway::new(&program);
    // Two matches, and prefixes that end alike: no index rules these rules out.
    let rule = |n: usize| {
        format!(
            r#"{{"name":"r{n}","match":[{{"uri":{{"prefix":"/{n:04}/same-end"}}}},{{"uri":{{"exact":"/b{n:04}"}}}}],"subset":"v2"}}"#
        )
    };
    let rules: Vec<String> = (0..1000).map(rule).collect();
    gateway.configure(format!(r#"{{"rules":[{}]}}"#, rules.join(",")).as_bytes());
    let mut of = |path: &[u8]| {
        let request = vec![(":authority".to_owned(), b"a".to_vec()), (":path".to_owned(), path.to_vec())];
        let before = gateway.workers[1].fuel();
        gateway.workers[1].exchange("canary", request, vec![(":status".to_owned(), b"200".to_vec())]);
        before - gateway.workers[1].fuel()
    };
    of(b"/");
    let (short, long) = (of(b"/x"), of(&[b"/x".to_vec(), vec![b'b'; 50_000]].concat()));
    assert!(long < short * 2, "{short} instructions for a path of 2 bytes, {long} for one of 50,000");
}

/// What is trimmed away must not take that along.
#[test]
#[should_panic(expected = "panicked at proxy-wasm-")]
fn a_panic_of_the_sdk_is_logged_with_its_place() {
    let shared = Rc::new(RefCell::new(Shared::at(NOW)));
    let mut worker = Worker::new(&Program::load(), &shared, 1);
    worker.configure("canary", br#"{"rules":[]}"#);
    worker.reuse("canary", u32::MAX);
    let _ = worker.open("canary", Headers::new());
}

#[test]
fn memory_does_not_grow_with_requests_or_configs() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let request = |i: usize| -> Headers {
        vec![
            (":authority".to_owned(), b"a".to_vec()),
            ("cookie".to_owned(), vec![b'x'; i % 5000]),
            (":path".to_owned(), vec![b'/'; i % 3000]),
        ]
    };
    let status = || vec![(":status".to_owned(), b"200".to_vec())];
    gateway.configure(CURIOUS);
    let worker = &mut gateway.workers[1];
    let mut rounds = |requests: usize| {
        for i in 0..requests {
            worker.exchange("canary", request(i), status());
            if i % 100 == 0 {
                worker.configure("canary", if i % 200 == 0 { GOOD } else { CURIOUS });
            }
        }
        worker.memory()
    };
    let warm = rounds(6_000);
    assert_eq!(rounds(18_000), warm);
}

/// Rules with exact and prefix matches; every second one splits, every fourth one sticks.
fn many_rules(count: usize) -> Vec<u8> {
    let rule = |n: usize| {
        let target = match n % 4 {
            0 | 2 => r#""subset":"v2""#,
            1 => r#""split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}]"#,
            _ => r#""split":[{"subset":"v1","weight":80},{"subset":"v2","weight":20}],"sticky":{"cookie":{}}"#,
        };
        format!(
            r#"{{"name":"r{n}","hosts":["h{n}.example.org"],"match":[{{"uri":{{"prefix":"/{n}"}}}},{{"headers":{{"x-a":{{"exact":"{n}"}}}}}}],{target}}}"#
        )
    };
    format!(r#"{{"rules":[{}]}}"#, (0..count).map(rule).collect::<Vec<_>>().join(",")).into_bytes()
}

#[test]
fn ten_thousand_rules_take_about_a_kilobyte_each_in_a_vm() {
    const RULES: usize = 10_000;
    let program = Program::load();
    let memory = |rules: usize, pushes: usize| {
        let shared = Rc::new(RefCell::new(Shared::default()));
        let [mut first, mut second] = [1, 2].map(|seed| Worker::new(&program, &shared, seed));
        for push in 0..pushes {
            let config = String::from_utf8(many_rules(rules)).unwrap().replace(":80", &format!(":{}", 80 - push));
            first.configure("canary", config.as_bytes());
            second.configure("canary", config.as_bytes());
        }
        [first.memory(), second.memory()]
    };
    let few = memory(1, 1);
    // After a push the old config lives on with its last streams, and memory that was needed once is never given back.
    for (pushes, limit) in [(1, 1200), (2, 2 * 1200)] {
        for (few, many) in few.into_iter().zip(memory(RULES, pushes)) {
            let each = (many - few) / RULES;
            assert!(each <= limit, "{each} bytes a rule after {pushes} configs");
        }
    }
}

/// Regexes of about 20,000 steps each, in one rule or each in its own.
fn large_regexes(count: usize, one_rule: bool) -> Vec<u8> {
    let matching = |n: usize| format!(r#"{{"uri":{{"regex":"/(?:{}b){{1000}}{n}"}}}}"#, r"\\w".repeat(18));
    let rule = |n: usize, matches: String| format!(r#"{{"name":"r{n}","match":[{matches}],"subset":"v2"}}"#);
    let all = (0..count).map(matching);
    let rules = if one_rule {
        rule(0, all.collect::<Vec<_>>().join(","))
    } else {
        all.enumerate().map(|(n, matches)| rule(n, matches)).collect::<Vec<_>>().join(",")
    };
    format!(r#"{{"rules":[{rules},{{"name":"last","match":[{{"uri":{{"regex":"/.*"}}}}],"subset":"v3"}}]}}"#)
        .into_bytes()
}

#[test]
fn regexes_do_not_exhaust_the_memory_however_many_there_are() {
    let program = Program::load();
    for (count, one_rule) in [(40, false), (70, true), (70, false)] {
        let shared = Rc::new(RefCell::new(Shared::at(NOW)));
        let mut worker = Worker::new(&program, &shared, 1);
        worker.configure("canary", &large_regexes(count, one_rule));
        let request = vec![(":path".to_owned(), b"/aaaaaaaaaa".to_vec())];
        let exchange = worker.exchange("canary", request, vec![(":status".to_owned(), b"200".to_vec())]);
        assert!(exchange.request.contains(&("x-canary-subset".to_owned(), b"v3".to_vec())), "{:?}", exchange.request);
        let errors = shared.borrow_mut().take_errors();
        let refused = errors.iter().filter(|line| line.contains("steps, together with the regexes before it"));
        assert_eq!(refused.count(), if count == 70 { 25 } else { 0 }, "{errors:?}");
        let mebibytes = worker.memory() >> 20;
        assert!(mebibytes < 150, "{count} regexes take {mebibytes} MiB");
    }
}

#[test]
fn two_live_plugins_with_one_header_are_told() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let with =
        |header: &str, subset: &str| format!(r#"{{"header":"{header}","rules":[{{"name":"a","subset":"{subset}"}}]}}"#);
    let mut other = gateway.vm();
    other.configure("one", with("x-a", "v1").as_bytes());
    other.configure("two", with("x-b", "v1").as_bytes());
    assert_eq!(gateway.shared.borrow_mut().take_errors(), [""; 0]);

    other.configure("two", with("x-a", "v1").as_bytes());
    let lines = gateway.shared.borrow_mut().take_errors();
    assert!(lines.len() == 1 && lines[0].starts_with("another plugin, one/, writes x-a too"), "{lines:?}");

    other.unload("one");
    other.configure("two", with("x-a", "v2").as_bytes());
    assert_eq!(gateway.shared.borrow_mut().take_errors(), [""; 0]);
}

/// A WasmPlugin under a new name is another plugin to Envoy, and the old one lives on until its connections are drained.
#[test]
fn a_renamed_plugin_is_no_rival_of_itself_unless_it_stays_under_both_names() {
    let program = Program::load();
    for stays in [false, true] {
        let gateway = Gateway::new(&program);
        let mut workers = [1, 2].map(|seed| Worker::new(&program, &gateway.shared, seed));
        let config = br#"{"header":"x-a","rules":[{"name":"a","subset":"v1"}]}"#;
        let visit = |workers: &mut [Worker; 2]| {
            for worker in workers {
                worker.exchange("new", vec![], vec![(":status".to_owned(), b"200".to_vec())]);
            }
        };
        workers.iter_mut().for_each(|worker| worker.configure("old", config));
        gateway.shared.borrow_mut().time += 30;
        workers.iter_mut().for_each(|worker| worker.configure("new", config));
        visit(&mut workers);
        if !stays {
            workers.iter_mut().for_each(|worker| worker.unload("old"));
        }
        assert_eq!(gateway.shared.borrow_mut().take_errors(), [""; 0]);
        gateway.shared.borrow_mut().time += 61;
        visit(&mut workers);
        visit(&mut workers);
        let lines = gateway.shared.borrow_mut().take_errors();
        assert_eq!(lines.len(), usize::from(stays), "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with("another plugin, old/, writes x-a too")), "{lines:?}");
    }
}

#[test]
fn gauges_say_what_is_in_force_in_all_live_plugins() {
    let program = Program::load();
    let mut gateway = Gateway::new(&program);
    let split = |weights: &[(&str, u32)]| {
        let entry = |(subset, weight): &(&str, u32)| format!(r#"{{"subset":"{subset}","weight":{weight}}}"#);
        format!(
            r#"{{"rules":[{{"name":"a","split":[{}]}},{{"name":"f","subset":"v1"}}]}}"#,
            weights.iter().map(entry).collect::<Vec<_>>().join(",")
        )
    };
    let gauges = |gateway: &Gateway| {
        let gauge = |name: &str| gateway.shared.borrow().stat(name);
        let weight = |subset| gauge(&format!("rule=.=a;.;subset=.={subset};.;canary_config_weight"));
        let rules = |state| gauge(&format!("state=.={state};.;canary_config_rules"));
        (["v1", "v2", "v3"].map(weight), ["active", "last_good", "off"].map(rules))
    };
    let table = [
        (split(&[("v1", 80), ("v2", 20)]), ([80, 20, 0], [2, 0, 0])),
        (split(&[("v1", 0), ("v3", u32::MAX)]), ([0, 0, 4_294_967_295], [2, 0, 0])),
        // Broken: the last good weights are in force, and are said.
        (split(&[("v1", 1), ("v1", 2)]), ([0, 0, 4_294_967_295], [1, 1, 0])),
        ("!".to_owned(), ([0, 0, 4_294_967_295], [0, 2, 0])),
        (r#"{"rules":[{"name":"a","subset":"v1"}]}"#.to_owned(), ([0, 0, 0], [1, 0, 0])),
        (split(&[("v1", 1), ("v2", 2)]), ([1, 2, 0], [2, 0, 0])),
    ];
    for (config, expected) in &table {
        gateway.configure(config.as_bytes());
        assert_eq!(gauges(&gateway), *expected, "{config}");
    }

    let mut other = gateway.vm();
    other.configure("other", br#"{"header":"x-b","rules":[{"name":"b","subset":"V1"}]}"#);
    assert_eq!(gauges(&gateway), ([1, 2, 0], [2, 0, 1]));
    gateway.configure(split(&[("v1", 1), ("v2", 1)]).as_bytes());
    assert_eq!(gauges(&gateway), ([1, 1, 0], [2, 0, 1]), "the other plugin's rule is still off");
    other.unload("other");
    assert_eq!(gauges(&gateway), ([1, 1, 0], [2, 0, 0]));
    for worker in &mut gateway.workers {
        worker.unload("canary");
    }
    assert_eq!(gauges(&gateway), ([0, 0, 0], [0, 0, 0]));
    // The same text again is no new config, but what it says is in force again.
    gateway.configure(split(&[("v1", 1), ("v2", 1)]).as_bytes());
    assert_eq!(gauges(&gateway), ([1, 1, 0], [2, 0, 0]));
}
