//! The server of the dashboard: who gets in, what it says, and what it remembers.

use crate::standin::{Answer, ApiServer, Counts, Envoy, ask, begin, plugin, send, statistics_of, weighted};
use crate::{Temporary, ended, living, tool};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

/// A dashboard that runs.
struct Dashboard {
    child: Child,
    address: SocketAddr,
    /// With the slash before it.
    token: String,
    /// What it says later, or who runs it.
    rest: Option<BufReader<ChildStdout>>,
}

impl Dashboard {
    fn start(arguments: &[&str]) -> Dashboard {
        let child = Command::new(env!("CARGO_BIN_EXE_canary-split"))
            .args(["dashboard", "--no-open", "--interval", "1s", "-o", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        Dashboard::begun(child.unwrap())
    }

    /// Once it says where it is.
    fn begun(mut child: Child) -> Dashboard {
        let (mut line, mut rest) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        rest.read_line(&mut line).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut dashboard = Dashboard { child, address, token: String::new(), rest: Some(rest) };
        // From here on it ends with the test, however that ends.
        let said: Value = serde_json::from_str(line.trim()).unwrap_or_else(|_| panic!("it did not begin: {line}"));
        let (address, token) = said["url"].as_str().unwrap()["http://".len()..].split_once('/').unwrap();
        (dashboard.address, dashboard.token) = (address.parse().unwrap(), format!("/{}", token.trim_end_matches('/')));
        dashboard
    }

    /// For Envoys on their own.
    fn of(envoys: &[&Envoy], file: &Temporary) -> Dashboard {
        let addresses: Vec<String> = envoys.iter().map(|envoy| envoy.0.address.to_string()).collect();
        let mut arguments = vec!["-f", file.0.to_str().unwrap()];
        addresses.iter().for_each(|address| arguments.extend(["--admin", address]));
        Dashboard::start(&arguments)
    }

    /// For a cluster.
    fn of_cluster(api: &ApiServer) -> Dashboard {
        Dashboard::start(&["--kubeconfig", api.kubeconfig.0.to_str().unwrap()])
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    /// Asks as the page does, below the token.
    fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", &format!("{}{path}", self.token), &[("host", &self.host())])
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body))
    }

    fn follow(&self) -> Events {
        let headers = [("host", &*self.host())];
        Events(BufReader::new(begin(self.address, "GET", &format!("{}/events", self.token), &headers)))
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Server-sent events.
struct Events(BufReader<TcpStream>);

impl Events {
    /// The next look.
    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the events have ended");
            // The page listens to no other.
            assert!(line.strip_prefix("event: ").is_none_or(|name| name == "look\n"), "{line}");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The first look of which this is true.
    fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        const MOST: usize = 20;
        let mut last = Value::Null;
        for _ in 0..MOST {
            last = self.next();
            if is_it(&last) {
                return last;
            }
        }
        panic!("not within {MOST} looks: {last:#}")
    }
}

fn manifest() -> Temporary {
    Temporary::new(&plugin().to_string())
}

fn verdict(look: &Value) -> (&str, &str) {
    let verdict = &look["state"]["rules"][0]["verdict"];
    (verdict["level"].as_str().unwrap(), verdict["text"].as_str().unwrap())
}

const PARTS: [&str; 10] =
    ["/", "/style.css", "/icon.svg", "/page.js", "/rule.js", "/plots.js", "/words.js", "/state", "/events", "/explain"];

#[test]
fn nobody_gets_in_but_the_page_itself() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let (host, token) = (dashboard.host(), dashboard.token.clone());
    let own = format!("http://{host}");
    let other_port = format!("http://127.0.0.1:{}", envoy.0.address.port());
    let wrong = format!("/{}", "0".repeat(token.len() - 1));
    for path in PARTS.iter().filter(|path| **path != "/events") {
        for (what, base, headers, expected) in [
            ("itself", &token, vec![("host", &*host), ("origin", &*own)], None),
            ("a forwarded port", &token, vec![("host", "localhost:9"), ("origin", "http://localhost:9")], None),
            ("no token", &String::new(), vec![("host", &*host)], Some(403)),
            ("another token", &wrong, vec![("host", &*host)], Some(403)),
            ("a rebound name", &token, vec![("host", "evil.example")], Some(403)),
            ("no host", &token, vec![], Some(403)),
            ("another site", &token, vec![("host", &*host), ("origin", "https://evil.example")], Some(403)),
            ("another server here", &token, vec![("host", &*host), ("origin", &*other_port)], Some(403)),
            ("a sandbox", &token, vec![("host", &*host), ("origin", "null")], Some(403)),
        ] {
            let answer = ask(dashboard.address, "GET", &format!("{base}{path}"), &headers);
            // Without a URL there is nothing to explain.
            let fine = if ["/explain", "/preview"].contains(path) { 422 } else { 200 };
            assert_eq!(answer.status, expected.unwrap_or(fine), "{what}: {path}\n{}", answer.body);
            assert!(answer.status != 403 || !answer.body.contains(&token[1..]), "{}", answer.body);
            for header in [
                "content-security-policy: default-src 'none'; script-src 'self'",
                "frame-ancestors 'none'",
                "referrer-policy: no-referrer",
                "x-content-type-options: nosniff",
                "cache-control: no-store",
                "cross-origin-resource-policy: same-origin",
                "cross-origin-opener-policy: same-origin",
            ] {
                assert!(answer.head.contains(header), "{what}: {path}: {header}\n{}", answer.head);
            }
            assert!(!answer.head.contains("access-control-allow"), "{}", answer.head);
            let kind = match path.rsplit_once('.') {
                _ if answer.status != 200 => continue,
                Some((_, "js")) => "text/javascript; charset=utf-8",
                Some((_, "css")) => "text/css; charset=utf-8",
                Some((_, "svg")) => "image/svg+xml",
                _ if *path == "/" => "text/html; charset=utf-8",
                _ => "application/json",
            };
            assert!(answer.head.contains(&format!("\r\ncontent-type: {kind}\r\n")), "{path}: {}", answer.head);
        }
    }
    assert_eq!(dashboard.get("/else").status, 404);
}

#[test]
fn the_page_changes_nothing() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    for path in ["/change", "/press"] {
        let headers = [("host", &*dashboard.host()), ("origin", &format!("http://{}", dashboard.host()))];
        assert_eq!(
            send(dashboard.address, &format!("{}{path}", dashboard.token), &headers, "{}").status,
            404,
            "{path}"
        );
    }
    for path in PARTS {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer =
                ask(dashboard.address, method, &format!("{}{path}", dashboard.token), &[("host", &dashboard.host())]);
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
}

#[test]
fn the_page_asks_nobody_else_and_needs_no_exception_from_its_policy() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    for path in PARTS.iter().filter(|path| !["/state", "/events", "/explain", "/preview"].contains(*path)) {
        let text = dashboard.get(path).body.replace("http://www.w3.org/2000/svg", "");
        for foreign in ["http:", "https:", "//cdn", "@import", "url(", "eval(", "innerHTML", "style=", "onclick"] {
            assert!(!text.contains(foreign), "{path}: {foreign}");
        }
        assert!(text.matches("<script").count() == text.matches("<script type=\"module\" src=").count(), "{path}");
    }
}

#[test]
fn the_state_has_what_status_prints() {
    let api = ApiServer::start(&["gateway-1", "gateway-2"]);
    let dashboard = Dashboard::of_cluster(&api);
    let config = api.kubeconfig.0.to_str().unwrap();
    let (out, error, code) = ended(&tool(&["status", "-o", "json", "--interval", "1s", "--kubeconfig", config]));
    assert_eq!((error.as_str(), code), ("", 0), "{out}");
    let status: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status["plugins"][0]["gateways"].as_array().unwrap().len(), 2);
    let whole = dashboard.json("/state");
    assert_eq!(whole["state"]["status"], status);
    let rule = &whole["state"]["rules"][0];
    assert_eq!(rule["key"], "istio-system/canary-split shop");
    // 20 % of 2³², as the filter lays them out.
    assert_eq!(rule["space"], json!([[1, V2], [0, (1 << 32) - V2]]));
    assert_eq!(
        (&rule["cookie"], &rule["keys"]),
        (&json!("canary-shop"), &json!([{"kind": "header", "path": ["x-user"]}]))
    );
    assert_eq!(rule["guard"], json!({"margin": 0.01, "holdFor": null, "onlyObserves": false}));
}

#[test]
fn what_is_counted_is_kept_for_a_second_browser() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    envoy.count(Counts { v1: 75, v2: 25, failed: 1, failing: 1, is_tripped: false });
    let key = "istio-system/canary-split shop";
    let counted = events.until(|look| look["latest"][key]["subsets"][1]["decided"] == json!(25.0));
    let (level, text) = verdict(&counted);
    assert_eq!((level, text), ("warning", "shop: 20 % on v2, the gateway has it, 1.0 % errors"));
    let subset = &counted["state"]["status"]["plugins"][0]["rules"][0]["subsets"][1];
    assert_eq!((&subset["decided"], &subset["errors"]), (&json!(0.25), &json!(0.04)));
    let point = &counted["latest"][key];
    let expected = json!({"name": "v2", "inForce": 0.2, "decided": 25.0, "arrived": null, "responses": 25.0, "failed": 1.0, "failing": 1.0});
    assert_eq!(point["subsets"][1], expected);
    // Whoever comes later gets all points, and the same events.
    let history = dashboard.json("/state")["history"][key].clone();
    assert!(history.as_array().unwrap().contains(point), "{history:#}");
    let (one, other) = (events.next(), dashboard.follow().next());
    let known = dashboard.json("/state")["state"]["at"].as_u64();
    assert!(dashboard.follow().next()["state"]["at"].as_u64() > known, "what the state had comes once more");
    assert_eq!(
        (&one["state"]["rules"], &one["state"]["status"]),
        (&other["state"]["rules"], &other["state"]["status"])
    );
}

#[test]
fn a_gateway_that_goes_away_is_shown() {
    let (first, second, file) = (Envoy::start(), Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&first, &second], &file);
    let mut events = dashboard.follow();
    assert_eq!(verdict(&events.next()), ("good", "shop: 20 % on v2, all 2 gateways have it, no requests lately"));
    let address = second.0.address;
    drop(second);
    let look = events.until(|look| verdict(look).0 == "bad");
    let expected = format!("shop: 20 % on v2, 1 of 2 gateways have it: {address} does not answer, no requests lately");
    assert_eq!(verdict(&look).1, expected);
    let gateways = &look["state"]["status"]["plugins"][0]["gateways"];
    assert!(gateways[1]["silent"].as_str().unwrap().contains("refused"), "{gateways:#}");
    assert_eq!(look["state"]["status"]["findings"][0]["code"], "gateway-silent");
    drop(events);

    // A pod that the API server no longer has.
    let api = ApiServer::start(&["gateway-1", "gateway-2"]);
    let dashboard = Dashboard::of_cluster(&api);
    let mut events = dashboard.follow();
    assert_eq!(events.next()["state"]["gone"], json!([]));
    api.gateways(&["gateway-1"]);
    let look = events.until(|look| look["state"]["gone"] != json!([]));
    assert_eq!(look["state"]["gone"][0]["pod"], "istio-system/gateway-2");
    assert_eq!(look["state"]["events"][0]["text"], "gateway istio-system/gateway-2 went away");
    api.gateways(&["gateway-1", "gateway-2"]);
    let look = events.until(|look| look["state"]["gone"] == json!([]));
    assert_eq!(look["state"]["events"][0]["text"], "gateway istio-system/gateway-2 is back");
    api.count("gateway-3", Counts::default());
    api.gateways(&["gateway-1", "gateway-2", "gateway-3"]);
    let texts = |look: &Value| -> Vec<String> {
        look["state"]["events"].as_array().unwrap().iter().map(|event| event["text"].to_string()).collect()
    };
    let look = events.until(|look| texts(look).len() > 2);
    assert_eq!((texts(&look).len(), &*texts(&look)[0]), (3, "\"gateway istio-system/gateway-3 appeared\""));
}

#[test]
fn a_cluster_that_goes_away_leaves_the_last_state() {
    let api = ApiServer::start(&["gateway-1"]);
    let dashboard = Dashboard::of_cluster(&api);
    let mut events = dashboard.follow();
    let before = events.next();
    assert_eq!(before["state"]["lost"], Value::Null);
    drop(api);
    let lost = events.until(|look| look["state"]["lost"] != Value::Null);
    assert!(lost["state"]["lost"]["why"].as_str().unwrap().contains("cannot be reached"), "{lost:#}");
    assert_eq!(lost["state"]["status"], before["state"]["status"]);
    assert_eq!(lost["latest"], json!({}));
    let event = &lost["state"]["events"][0];
    assert!(event["text"].as_str().unwrap().starts_with("nothing can be read: "), "{event}");
    let since = lost["state"]["lost"]["since"].clone();
    // Nobody knows how the rule is now.
    let old =
        ("bad", "shop: nothing can be read now; the last was: 20 % on v2, the gateway has it, no requests lately");
    assert_eq!((verdict(&before).0, verdict(&lost)), ("good", old));
    let later = events.next();
    assert_eq!((&later["state"]["lost"]["since"], verdict(&later)), (&since, old));
    assert_eq!(later["state"]["events"].as_array().unwrap().len(), 1, "{later:#}");
}

#[test]
fn a_trip_has_its_evidence() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    assert_eq!(events.next()["state"]["rules"][0]["trips"], json!([]));
    let counts = Counts { v1: 80, v2: 20, failed: 12, failing: 12, is_tripped: true };
    let of_stable = "canary_failing_visitors_total{rule=\"shop\",subset=\"v1\"} 3\n";
    envoy.0.answer("/stats/prometheus", 200, statistics_of(&plugin(), counts) + of_stable);
    let look = events.until(|look| look["state"]["rules"][0]["trips"] != json!([]));
    assert_eq!(
        verdict(&look).1.split(", the gateway").next(),
        Some("shop: the guard has removed v2, and v1 gets its share")
    );
    let trip = &look["state"]["rules"][0]["trips"][0];
    let evidence =
        "since the gateways started, 12 of the 15 visitors that failed on v2 or v1 failed on v2; its weight is 20 %";
    assert_eq!((&trip["subset"], &trip["evidence"]), (&json!("v2"), &json!(evidence)));
    assert_eq!((&trip["since"], &trip["pods"]), (&look["state"]["at"], &json!([envoy.0.address.to_string()])));
    assert_eq!(look["state"]["rules"][0]["failing"], json!([3.0, 12.0]));
    assert_eq!(trip["log"], Value::Null);
    let happened = |look: &Value, text: &str| {
        look["state"]["events"].as_array().unwrap().iter().any(|event| event["text"] == text)
    };
    for text in ["rule shop: the guard removed v2 from the split", "rule shop: v2 went from 20 to 0"] {
        assert!(happened(&look, text), "{look:#}");
    }
    // Whoever begins later does not know when that was.
    let late = Dashboard::of(&[&envoy], &file).json("/state");
    let trips = &late["state"]["rules"][0]["trips"];
    assert_eq!((&trips[0]["since"], &late["state"]["events"]), (&Value::Null, &json!([])), "{late:#}");
    let well = statistics_of(&plugin(), Counts::default());
    envoy.0.answer("/stats/prometheus", 200, &well);
    events.until(|look| happened(look, "rule shop: the trip of v2 ended"));
    // What nobody knows for a while is compared with what was known last.
    envoy.0.answer("/stats/prometheus", 200, "");
    events.until(|look| verdict(look).0 == "bad");
    envoy.0.answer("/stats/prometheus", 200, well.replace("\"} 80\n", "\"} 60\n").replace("\"} 20\n", "\"} 40\n"));
    events.until(|look| happened(look, "rule shop: v2 went from 20 to 40"));
}

#[test]
fn of_two_rules_of_one_name_the_gateways_know_the_first() {
    let mut twice = plugin();
    let rules = twice["spec"]["pluginConfig"]["rules"].as_array_mut().unwrap();
    let second = rules[0].clone();
    rules.push(second);
    let (envoy, file) = (Envoy::start(), Temporary::new(&twice.to_string()));
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    envoy.count(Counts { v1: 80, v2: 20, failed: 12, failing: 12, is_tripped: true });
    let look = events.until(|look| look["state"]["rules"][0]["trips"] != json!([]));
    let [first, second] = [0, 1].map(|number| look["state"]["rules"][number].clone());
    assert_eq!(first["key"], "istio-system/canary-split shop");
    assert_eq!(second["key"], "istio-system/canary-split shop'");
    assert_eq!((&second["space"], &second["trips"]), (&json!([]), &json!([])));
    assert!(second["verdict"]["text"].as_str().unwrap().starts_with("shop: off, because the config has a fault"));
    // Each has its own history, and the second ends no trip of the first.
    assert_ne!(look["latest"]["istio-system/canary-split shop"], look["latest"]["istio-system/canary-split shop'"]);
    let happened = events.next()["state"]["events"].to_string();
    assert!(happened.contains("the guard removed v2") && !happened.contains("ended"), "{happened}");
}

/// The draws that v2 owns, from the first one on.
const V2: u64 = 858_993_459;

/// What comes of a job that may wait for ever; `None`: it does.
fn awaited<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(job()));
    receiver.recv_timeout(Duration::from_secs(60)).ok()
}

/// Does it in one minute, as a cookie names that in which it is made.
fn within_a_minute<T>(job: impl Fn() -> T) -> T {
    let minute = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 60;
    loop {
        let (begun, done) = (minute(), job());
        if minute() == begun {
            return done;
        }
    }
}

/// An explanation without how old its cookies are: a second may pass between two of them.
fn without_ages(explanation: &Value) -> Value {
    let mut explanation = explanation.clone();
    for cookie in explanation.get_mut("cookies").and_then(Value::as_array_mut).into_iter().flatten() {
        assert!(cookie.as_object_mut().unwrap().remove("ageSeconds").is_some());
    }
    explanation
}

#[test]
fn a_visitor_is_explained_as_explain_does() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let path = file.0.to_str().unwrap();
    let url = "https://shop.example.com/";
    for (parameters, arguments, subset, position) in [
        ("cookie=canary-shop%3D1.00000000.1c8cf84", &["-b", "canary-shop=1.00000000.1c8cf84"][..], "v1", true),
        ("header=x-user%3A%20alice", &["-H", "x-user: alice"], "v1", true),
        ("cookie=canary-shop%3D1.00000003.1c8cf84", &["-b", "canary-shop=1.00000003.1c8cf84"], "v2", true),
        ("header=x-user%3A%20bob", &["-H", "x-user: bob"], "v2", true),
        ("", &[], "", false),
    ] {
        let encoded = "https%3A%2F%2Fshop.example.com%2F";
        let ask = || {
            let found = dashboard.json(&format!("/explain?url={encoded}&{parameters}"));
            let (out, error, _) = ended(&tool(&[&["explain", "-o", "json", "-f", path, url], arguments].concat()));
            assert_eq!(error, "");
            let (text, ..) = ended(&tool(&[&["explain", "-f", path, url], arguments].concat()));
            (found, serde_json::from_str::<Value>(&out).unwrap(), text)
        };
        let (found, explained, text) = within_a_minute(ask);
        assert_eq!(without_ages(&found["explain"]), without_ages(&explained), "{parameters}");
        assert_eq!(found["explain"]["subset"].as_str().unwrap_or_default(), subset, "{parameters}");
        assert_eq!(found["text"], text);
        assert_eq!(found["position"].is_u64(), position, "{found:#}");
        // The part of the picture that it is in, by the subset's place.
        let at = found["position"].as_u64().map(|position| usize::from(position >= V2));
        assert!(at.is_none_or(|at| ["v2", "v1"][at] == subset), "{found:#}");
    }
    for (query, part) in [
        ("url=https%3A%2F%2F", "no host"),
        ("url=shop.example.com&address=home", "not an IP address"),
        ("url=shop.example.com&config=/etc/passwd", "unknown parameter config"),
        ("url=shop.example.com&claims=1", "no object"),
        ("url=shop.example.com&plugin=other", "other"),
    ] {
        let answer = dashboard.get(&format!("/explain?{query}"));
        assert!(answer.status == 422 && answer.body.contains(part), "{query}: {} {}", answer.status, answer.body);
    }
}

#[test]
fn a_rule_is_shown_with_its_keys_its_ramp_and_its_guard() {
    let api = ApiServer::start(&["gateway-1"]);
    let ask = |paused: bool| {
        let mut plugin = plugin();
        let config = &mut plugin["spec"]["pluginConfig"];
        config["seal"] = json!("7d1f4c0a9b3e52d8");
        let rule = &mut config["rules"][0];
        rule["guard"] = json!({"holdFor": "1h", "action": "observe"});
        let keys = json!([{"claim": "realm.role"}, {"queryParam": "uid"}, {"cookie": "session"}, {"remoteIp": true}]);
        rule["sticky"] = json!({"keys": keys, "cookie": {}, "onWeightChange": "keep"});
        let steps = [("0s", 9, 1), ("9000h", 5, 5)]
            .map(|(after, v1, v2)| json!({"after": after, "weights": {"v1": v1, "v2": v2}}));
        rule["ramp"] = json!({"start": "2026-01-01T00:00:00Z", "between": "linear", "steps": steps});
        if paused {
            rule["ramp"]["pausedAt"] = json!("2026-01-02T00:00:00Z");
        }
        let list = json!({"kind": "List", "metadata": {}, "items": [plugin]});
        api.server.answer("/apis/extensions.istio.io/v1alpha1/wasmplugins", 200, list);
        Dashboard::of_cluster(&api)
    };
    for (paused, what, part) in [(false, "resume", "is not paused"), (true, "pause", "is paused already")] {
        let order = json!({"plugin": "istio-system/canary-split", "rule": "shop", "what": what});
        let answer = ask(paused).get(&format!("/preview?order={}", encoded(&order.to_string())));
        assert!(answer.status == 422 && answer.body.contains(part), "{what}: {} {}", answer.status, answer.body);
    }
    let dashboard = ask(true);
    let rule = dashboard.json("/state")["state"]["rules"][0].clone();
    let start = 1_767_225_600_u64;
    let expected = json!({
        "start": start, "pausedAt": start + 86_400, "isLinear": true, "before": [0.8, 0.2],
        "steps": [{"at": start, "shares": [0.9, 0.1]}, {"at": start + 9_000 * 3600, "shares": [0.5, 0.5]}],
    });
    assert_eq!(rule["ramp"], expected);
    assert_eq!(rule["guard"], json!({"margin": 0.01, "holdFor": 3600, "onlyObserves": true}));
    let key = |kind: &str, path: &[&str]| json!({"kind": kind, "path": path});
    let keys = [
        key("claim", &["realm", "role"]),
        key("queryParam", &["uid"]),
        key("cookie", &["session"]),
        key("remoteIp", &[]),
    ];
    assert_eq!((&rule["keys"], &rule["keeps"]), (&json!(keys), &json!(true)));
    let without = dashboard.get("/explain?url=shop.example.com");
    assert!(without.status == 422 && without.body.contains("give it too"), "{} {}", without.status, without.body);
    let found = dashboard.json("/explain?url=shop.example.com&address=203.0.113.9");
    assert!(found["explain"]["draw"].is_string(), "{found:#}");
}

#[test]
fn what_cannot_be_begun_is_an_error() {
    let (envoy, file) = (Envoy::start(), manifest());
    let (admin, path) = (envoy.0.address.to_string(), file.0.to_str().unwrap());
    let bare = Temporary::new(&plugin()["spec"]["pluginConfig"].to_string());
    let port = admin.split_once(':').unwrap().1;
    for (arguments, part) in [
        (&["--admin", &*admin][..], "--config"),
        (&["-f", path], "--admin"),
        (&["--admin", &admin, "-f", "none.yaml"], "none.yaml"),
        (&["--admin", &admin, "-f", bare.0.to_str().unwrap()], "a bare pluginConfig"),
        (&["--admin", &admin, "-f", path, "--port", port], "in use"),
        (&["--kubeconfig", "none.yaml"], "none.yaml"),
        (&["--write", "--admin", &admin, "-f", "manifests"], "--write needs the file"),
    ] {
        let (out, error, code) = ended(&tool(&[&["dashboard", "--no-open"], arguments].concat()));
        assert_eq!((out.as_str(), code), ("", 2), "{arguments:?}");
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

/// `set shop v2=25%` as the page asks for it.
fn order(agreed: &Value) -> Value {
    json!({"plugin": "istio-system/canary-split", "rule": "shop", "what": "set", "weights": ["v2=25%"], "agreed": agreed})
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn a_preview_is_what_set_would_do() {
    let api = ApiServer::start(&["gateway-1"]);
    let dashboard = Dashboard::of_cluster(&api);
    let config = api.kubeconfig.0.to_str().unwrap();
    let of = |order: Value| dashboard.get(&format!("/preview?order={}", encoded(&order.to_string())));
    for (what, weights, arguments) in [
        ("set", json!(["v2=25%"]), &["set", "shop", "v2=25%"][..]),
        ("set", json!(["v1=1", "v2=2"]), &["set", "shop", "v1=1", "v2=2"]),
        ("rollback", json!([]), &["rollback", "shop"]),
    ] {
        let order = json!({"plugin": "istio-system/canary-split", "rule": "shop", "what": what, "weights": weights});
        let shown: Value = serde_json::from_str(&of(order).body).unwrap();
        let (out, error, code) =
            ended(&tool(&[arguments, &["--dry-run", "-o", "json", "--kubeconfig", config]].concat()));
        assert_eq!((error.as_str(), code), ("", 0), "{arguments:?}");
        let mut expected: Value = serde_json::from_str(&out).unwrap();
        expected["tookMs"] = json!(0);
        assert_eq!(shown, expected, "{arguments:?}");
    }
    for (order, part) in [
        (json!({"plugin": "istio-system/canary-split", "rule": "shop", "what": "set", "weights": ["v9=1%"]}), "v9"),
        (json!({"plugin": "istio-system/canary-split", "rule": "other", "what": "rollback"}), "other"),
        (json!({"plugin": "istio-system/canary-split", "rule": "shop", "what": "pause"}), "no ramp"),
        (json!({"plugin": "a/b", "rule": "shop", "what": "rollback"}), "no plugin a/b"),
        (json!({"plugin": "a/b", "rule": "shop", "what": "delete"}), "delete"),
        (json!({"plugin": "a/b", "rule": "shop", "what": "set", "file": "/etc/passwd"}), "file"),
    ] {
        let answer = of(order.clone());
        assert!(answer.status == 422 && answer.body.contains(part), "{order}: {} {}", answer.status, answer.body);
    }
    for query in ["", "?other={}", "?order={}&order={}"] {
        let answer = dashboard.get(&format!("/preview{query}"));
        assert_eq!((answer.status, answer.body.as_str()), (422, "which order?"), "{query}");
    }
    assert_eq!(api.server.sent("PATCH"), []);
}

#[test]
fn a_change_is_written_to_the_cluster_once_somebody_has_agreed_to_it() {
    let api = ApiServer::start(&["gateway-1"]);
    let config = api.kubeconfig.0.to_str().unwrap();
    let dashboard = Dashboard::start(&["--write", "--kubeconfig", config]);
    let (host, own) = (dashboard.host(), format!("http://{}", dashboard.host()));
    let path = format!("{}/change", dashboard.token);
    let good = [("host", &*host), ("origin", &*own), ("content-type", "application/json")];
    let state = &dashboard.json("/state")["state"];
    let said = (&state["source"], &state["isWritable"], &state["interval"]);
    assert_eq!(said, (&json!("the cluster"), &json!(true), &json!(1)));
    let agreed = json!({"old": {"v1": 80, "v2": 20}, "new": {"v1": 75, "v2": 25}});
    for (what, headers, order, status) in [
        ("another site", vec![good[0], ("origin", "https://evil.example"), good[2]], order(&agreed), 403),
        ("no origin", vec![good[0], good[2]], order(&agreed), 403),
        ("a form", vec![good[0], good[1], ("content-type", "text/plain")], order(&agreed), 403),
        ("nobody has agreed", good.to_vec(), order(&Value::Null), 422),
        (
            "to something else",
            good.to_vec(),
            order(&json!({"old": {"v1": 90, "v2": 10}, "new": {"v1": 75, "v2": 25}})),
            422,
        ),
        (
            "to other weights",
            good.to_vec(),
            order(&json!({"old": {"v1": 80, "v2": 20}, "new": {"v1": 70, "v2": 30}})),
            422,
        ),
        ("no order", good.to_vec(), json!({}), 422),
    ] {
        let answer = send(dashboard.address, &path, &headers, &order.to_string());
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
    }
    let wrong = format!("/{}/change", "0".repeat(48));
    assert_eq!(send(dashboard.address, &wrong, &good, &order(&agreed).to_string()).status, 403);
    assert_eq!(ask(dashboard.address, "GET", &path, &good[..1]).status, 405);
    assert_eq!(api.server.sent("PATCH"), []);

    let now = weighted(75, 25);
    api.server.answer("/apis/extensions.istio.io/v1alpha1/namespaces/istio-system/wasmplugins/canary-split", 200, &now);
    api.report("gateway-1", &statistics_of(&now, Counts::default()));
    let answer = send(dashboard.address, &path, &good, &order(&agreed).to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let done: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&done["written"], &done["gateways"]), (&json!(true), &json!({"current": 1, "total": 1, "behind": []})));
    let sent = api.server.sent("PATCH");
    let patch: Value = serde_json::from_str(&sent[0].1).unwrap();
    let split = "/spec/pluginConfig/rules/0/split";
    let expected = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "test", "path": "/spec/pluginConfig/rules/0/name", "value": "shop"},
        {"op": "add", "path": format!("{split}/0/weight"), "value": 75},
        {"op": "add", "path": format!("{split}/1/weight"), "value": 25},
    ]);
    assert_eq!((sent.len(), patch), (1, expected));
}

#[test]
fn a_change_of_a_file_is_awaited_on_every_envoy() {
    let (envoy, file) = (Envoy::start(), manifest());
    let admin = envoy.0.address.to_string();
    let dashboard = Dashboard::start(&["--write", "--admin", &admin, "-f", file.0.to_str().unwrap()]);
    let (host, own) = (dashboard.host(), format!("http://{}", dashboard.host()));
    let good = [("host", &*host), ("origin", &*own), ("content-type", "application/json")];
    let agreed = json!({"old": {"v1": 80, "v2": 20}, "new": {"v1": 75, "v2": 25}});
    let mut events = dashboard.follow();
    let done = std::thread::scope(|scope| {
        let path = format!("{}/change", dashboard.token);
        let asked = scope.spawn(move || send(dashboard.address, &path, &good, &order(&agreed).to_string()));
        // The file is written, and Envoy does not have it yet: others are answered meanwhile.
        let look = events.until(|look| look["state"]["status"]["plugins"][0]["gateways"][0]["current"] == json!(false));
        assert_eq!(look["state"]["status"]["plugins"][0]["rules"][0]["subsets"][1]["weight"], json!(25));
        assert!(!asked.is_finished());
        envoy.0.answer("/stats/prometheus", 200, statistics_of(&weighted(75, 25), Counts::default()));
        asked.join().unwrap()
    });
    assert_eq!(done.status, 200, "{}", done.body);
    let done: Value = serde_json::from_str(&done.body).unwrap();
    assert_eq!((&done["written"], &done["gateways"]["current"]), (&json!(true), &json!(1)));
    assert!(done["tookMs"].as_u64().unwrap() > 0);
    let text = std::fs::read_to_string(&file.0).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), weighted(75, 25));
}

#[test]
fn visitors_are_dots_and_a_button_runs_its_command() {
    let (envoy, file, pressed) = (Envoy::start(), manifest(), manifest());
    let visitors = Temporary::new("canary-shop=1.00000000.1c8cf84 v1\ncanary-shop=1.00000001.1c8cf84 v2 failed\n");
    let (admin, command) = (envoy.0.address.to_string(), format!("Press me=echo pressed >{}", pressed.0.display()));
    let dashboard = Dashboard::start(&[
        "--admin",
        &admin,
        "-f",
        file.0.to_str().unwrap(),
        "--visitors",
        visitors.0.to_str().unwrap(),
        "--button",
        &command,
    ]);
    let mut events = dashboard.follow();
    let look = events.next();
    let dots = &look["state"]["visitors"]["istio-system/canary-split shop"];
    assert_eq!(
        (&dots[0]["subset"], &dots[0]["failed"], &dots[0]["moved"]),
        (&json!("v1"), &json!(false), &Value::Null)
    );
    assert_eq!((&dots[1]["subset"], &dots[1]["failed"]), (&json!("v2"), &json!(true)));
    // Where explain has them.
    let found =
        dashboard.json(&format!("/explain?url=shop.example.com&cookie={}", encoded("canary-shop=1.00000001.1c8cf84")));
    assert_eq!(found["position"], dots[1]["position"]);
    std::fs::write(&visitors.0, "canary-shop=1.00000000.1c8cf84 v2\n").unwrap();
    let moved =
        events.until(|look| look["state"]["visitors"]["istio-system/canary-split shop"][0]["moved"] != Value::Null);
    assert_eq!(moved["state"]["visitors"]["istio-system/canary-split shop"][0]["moved"], moved["state"]["at"]);
    std::fs::remove_file(&visitors.0).unwrap();
    events.until(|look| look["state"]["visitorsUnknown"].is_string());

    assert_eq!(dashboard.json("/state")["state"]["buttons"], json!(["Press me"]));
    let source = format!("Envoy at {admin}, config of {}", file.0.display());
    assert_eq!(dashboard.json("/state")["state"]["source"], source);
    let (host, own) = (dashboard.host(), format!("http://{}", dashboard.host()));
    let path = format!("{}/press", dashboard.token);
    for (headers, body, status) in [
        (vec![("host", &*host)], "0", 403),
        (vec![("host", &*host), ("origin", "https://evil.example")], "0", 403),
        (vec![("host", &*host), ("origin", &*own)], "1", 422),
        (vec![("host", &*host), ("origin", &*own)], "0", 200),
    ] {
        assert_ne!(std::fs::read_to_string(&pressed.0).unwrap(), "pressed\n");
        assert_eq!(send(dashboard.address, &path, &headers, body).status, status, "{headers:?} {body}");
    }
    assert_eq!(std::fs::read_to_string(&pressed.0).unwrap(), "pressed\n");
}

#[test]
fn the_verdict_names_what_is_wrong() {
    let names = ["gateway-1", "gateway-2"];
    let api = ApiServer::start(&names);
    let dashboard = Dashboard::of_cluster(&api);
    let mut events = dashboard.follow();
    let well = statistics_of(&plugin(), Counts::default());
    let with = |line: &str| format!("{well}{line}\n");
    let of_v2 = "canary_config_weight{rule=\"shop\",subset=\"v2\"}";
    let moved = well.replace("\"} 80\n", "\"} 60\n").replace(&format!("{of_v2} 20"), &format!("{of_v2} 40"));
    for (first, second, level, text) in [
        (well.clone(), well.clone(), "good", "shop: 20 % on v2, all 2 gateways have it, no requests lately"),
        (
            well.clone(),
            with("canary_rule_fault{rule=\"shop\",state=\"off\"} 1"),
            "bad",
            "shop: off, because the config has a fault, all 2 gateways have it, no requests lately",
        ),
        (
            with("canary_rule_fault{rule=\"shop\",state=\"last_good\"} 1"),
            well.clone(),
            "bad",
            "shop: its last good version is in force, because the config has a fault, 20 % on v2, all 2 gateways have it, no requests lately",
        ),
        (
            well.clone(),
            well.replace(&format!("{of_v2} 20"), &format!("{of_v2} 30")),
            "bad",
            "shop: the gateways differ: v2 has 20 at gateway-1 and 30 at gateway-2, all 2 gateways have it, no requests lately",
        ),
        (
            with("canary_rule_fault{rule=\"shop\",state=\"last_good\"} 1").replace(&format!("{of_v2} 20\n"), ""),
            well.clone(),
            "bad",
            "shop: its last good version is in force, because the config has a fault, 20 % on v2, all 2 gateways have it, no requests lately",
        ),
        // A ramp may be somewhere else than the config.
        (moved.clone(), moved, "good", "shop: 40 % on v2, all 2 gateways have it, no requests lately"),
        (
            statistics_of(&weighted(70, 30), Counts::default()),
            String::new(),
            "bad",
            "shop: 20 % on v2, 0 of 2 gateways have it: gateway-1 has another config; gateway-2 does not run the filter, no requests lately",
        ),
        (
            well.clone(),
            statistics_of(&plugin(), Counts { is_tripped: true, ..Counts::default() }),
            "bad",
            "shop: the guard has removed v2, and v1 gets its share, all 2 gateways have it, no requests lately",
        ),
    ] {
        api.report(names[0], &first);
        api.report(names[1], &second);
        let look = events.until(|look| verdict(look) == (level, text));
        assert_eq!(look["state"]["rules"][0]["verdict"], json!({"level": level, "text": text}));
        for trip in look["state"]["rules"][0]["trips"].as_array().unwrap() {
            let log = json!("kubectl -n istio-system logs gateway-2 | grep 'visitors that failed'");
            assert_eq!((&trip["pods"], &trip["log"]), (&json!(["gateway-2"]), &log));
        }
    }
    api.gateways(&[]);
    events.until(|look| verdict(look) == ("bad", "shop: 20 % on v2, on no gateway, no requests lately"));
    for (weights, text) in [
        ((100, 0), "shop: everybody on v1"),
        ((0, 7), "shop: 100 % on v2"),
        ((2, 1), "shop: 33.33 % on v2"),
        ((9_999_999, 1), "shop: 0.00001 % on v2"),
    ] {
        let list = json!({"kind": "List", "metadata": {}, "items": [weighted(weights.0, weights.1)]});
        api.server.answer("/apis/extensions.istio.io/v1alpha1/wasmplugins", 200, list);
        events.until(|look| verdict(look).1 == format!("{text}, on no gateway, no requests lately"));
    }
    for (rule, text) in [
        (
            json!({"adopt": {"header": "x-draw"}, "sticky": {"cookie": {}}}),
            "the weights of its route decide, by x-draw",
        ),
        (json!({"subset": "v2"}), "all its requests on v2"),
    ] {
        let mut plugin = plugin();
        plugin["spec"]["pluginConfig"]["rules"][0] = rule;
        plugin["spec"]["pluginConfig"]["rules"][0]["name"] = json!("shop");
        let list = json!({"kind": "List", "metadata": {}, "items": [plugin]});
        api.server.answer("/apis/extensions.istio.io/v1alpha1/wasmplugins", 200, list);
        events.until(|look| verdict(look).1 == format!("shop: {text}, on no gateway, no requests lately"));
    }
}

#[test]
fn odd_numbers_of_a_gateway_are_not_known_and_never_good() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    let well = statistics_of(&plugin(), Counts::default());
    let not_known = "shop: the weight of v1 in force is not known at";
    for odd in ["inf", "NaN", "1e30", "18446744073709551615", "4294967296", "-1", "0.5"] {
        envoy.0.answer("/stats/prometheus", 200, &well);
        events.until(|look| verdict(look).0 == "good");
        let weights = well.replace("\"} 80\n", &format!("\"}} {odd}\n")).replace("\"} 20\n", &format!("\"}} {odd}\n"));
        envoy.0.answer("/stats/prometheus", 200, weights);
        let look = events.until(|look| verdict(look).0 == "bad");
        assert!(verdict(&look).1.starts_with(not_known), "{odd}: {look:#}");
        let subset = &look["state"]["status"]["plugins"][0]["rules"][0]["subsets"][1];
        assert_eq!(subset["inForce"], Value::Null, "{odd}");
    }
    let trip = "canary_tripped{rule=\"shop\",subset=\"v2\"}";
    for odd in [format!("{trip} NaN\n"), format!("{trip} 7\n"), String::new()] {
        envoy.0.answer("/stats/prometheus", 200, &well);
        events.until(|look| verdict(look).0 == "good");
        envoy.0.answer("/stats/prometheus", 200, well.replace(&format!("{trip} 0\n"), &odd));
        let look = events.until(|look| verdict(look).0 == "bad");
        assert!(
            verdict(&look).1.starts_with("shop: whether the guard has removed v2 is not known at"),
            "{odd}: {look:#}"
        );
    }
    // The same of whatever else is counted.
    for odd in ["NaN", "1e308", "18446744073709551615"] {
        let all = well.lines().map(|line| match line.rsplit_once(' ') {
            Some((name, _)) if !line.contains("canary_config_rules") => format!("{name} {odd}\n"),
            _ => format!("{line}\n"),
        });
        let all: String = all.collect();
        envoy.0.answer("/stats/prometheus", 200, &well);
        events.until(|look| verdict(look).0 == "good");
        envoy.0.answer("/stats/prometheus", 200, all);
        let huge = r#"{"name": "rq_total", "value": "18446744073709551615"}"#;
        let clusters = format!(
            r#"{{"cluster_statuses": [{{"name": "a", "host_statuses": [{{"stats": [{huge}, {huge}]}}]}}, {{"name": "a", "host_statuses": [{{"stats": [{huge}]}}]}}]}}"#
        );
        envoy.0.answer("/clusters", 200, clusters);
        events.until(|look| verdict(look).0 == "bad");
    }
}

#[test]
fn an_envoy_that_answers_with_an_error_or_without_end_does_not_answer() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    let silent = |look: &Value| look["state"]["status"]["plugins"][0]["gateways"][0]["silent"].clone();
    let well = statistics_of(&plugin(), Counts::default());
    for (status, body, why) in [
        (503, String::new(), "503 Service Unavailable"),
        (403, String::new(), "403 Forbidden"),
        (500, well.clone(), "500 Internal Server Error"),
        (200, format!("{well}{}", "#".repeat(65 << 20)), "an answer of more than 64 MiB"),
    ] {
        envoy.0.answer("/stats/prometheus", status, body);
        let look = events.until(|look| silent(look) == json!(why));
        let text = verdict(&look).1;
        assert!(text.contains("does not answer") && verdict(&look).0 == "bad", "{text}");
        envoy.0.answer("/stats/prometheus", 200, &well);
        events.until(|look| silent(look) == Value::Null);
    }
    envoy.0.answer("/clusters", 503, "");
    let look = events.until(|look| look["state"]["status"]["notes"] != json!([]));
    assert!(look["state"]["status"]["notes"][0].as_str().unwrap().contains("503 Service Unavailable"), "{look:#}");
}

#[test]
fn an_envoy_of_envoy_gateway_has_its_policy_and_its_routes() {
    let objects = living::objects("EnvoyExtensionPolicy", 20);
    let file = Temporary::new(&json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string());
    let envoy = Envoy::start();
    let weights = [("v1", 80), ("v2", 20)]
        .map(|(subset, weight)| format!("canary_config_weight{{rule=\"shop\",subset=\"{subset}\"}} {weight}\n"));
    let well = living::statistics("envoy:19001", &objects) + &weights.concat();
    envoy.0.answer("/stats/prometheus", 200, &well);
    let dashboard = Dashboard::of(&[&envoy], &file);
    let look = dashboard.follow().next();
    assert_eq!(verdict(&look), ("good", "shop: 20 % on v2, the gateway has it, no requests lately"));
    assert_eq!(look["state"]["rules"][0]["object"], "EnvoyExtensionPolicy edge/canary-split");
    let found = dashboard.json(&format!("/explain?url={}", encoded("https://shop.acme.io/")));
    assert!(found["text"].as_str().unwrap().contains("HTTPRoute shop/shop rules[0].matches[0]"), "{found:#}");
    // More arrives at v2 than was decided.
    let requests = [("v1", 80), ("v2", 20)].map(|(subset, number)| {
        format!("canary_requests_total{{rule=\"shop\",subset=\"{subset}\",source=\"cookie\"}} {number}00\n")
    });
    let arrived = [(1, "500"), (0, "500")].map(|(rule, number)| {
        let stats = json!([{"name": "rq_total", "value": number}]);
        json!({"name": format!("httproute/shop/shop/rule/{rule}"), "host_statuses": [{"stats": stats}]})
    });
    let mut events = dashboard.follow();
    events.next();
    envoy.0.answer("/stats/prometheus", 200, well + &requests.concat());
    envoy.0.answer("/clusters", 200, json!({"cluster_statuses": arrived}));
    let look = events.until(|look| verdict(look).0 == "bad");
    assert_eq!(verdict(&look).1, "shop: 20 % on v2, but 50.0 % arrived at v2, the gateway has it");
}

#[test]
fn of_several_plugins_in_a_file_one_is_chosen() {
    let mut other = weighted(1, 1);
    other["metadata"]["name"] = json!("other");
    let (envoy, file) = (Envoy::start(), Temporary::new(&format!("{other}\n{}", plugin())));
    let (admin, path) = (envoy.0.address.to_string(), file.0.to_str().unwrap());
    let dashboard = Dashboard::start(&["--admin", &admin, "-f", path, "--plugin", "canary-split"]);
    let whole = dashboard.json("/state");
    assert_eq!(verdict(&whole), ("good", "shop: 20 % on v2, the gateway has it, no requests lately"));
    assert_eq!(whole["state"]["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn a_route_that_is_called_like_another_plugin_in_the_folder_is_a_route() {
    let mut objects = living::objects("WasmPlugin", 20);
    let mut other = objects[0].clone();
    other["metadata"] = json!({"namespace": "shop", "name": "shop"});
    objects.push(other);
    let file = Temporary::new("");
    let folder = file.0.with_extension("d");
    std::fs::create_dir_all(&folder).unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(folder.join("all.yaml"), list.to_string()).unwrap();
    let envoy = Envoy::start();
    let (admin, path) = (envoy.0.address.to_string(), folder.to_str().unwrap());
    let dashboard = Dashboard::start(&["--admin", &admin, "-f", path, "--plugin", "edge/canary-split"]);
    let found = dashboard.json(&format!("/explain?url={}", encoded("https://shop.acme.io/")));
    assert!(found["text"].as_str().unwrap().contains("HTTPRoute shop/shop rules[0].matches[0]"), "{found:#}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_namespace_shows_its_plugins_alone() {
    let mut objects = living::objects("WasmPlugin", 20);
    let mut other = objects[0].clone();
    other["metadata"]["namespace"] = json!("other");
    objects.push(other);
    let cluster = living::Cluster::new(objects);
    let dashboard = Dashboard::start(&["--kubeconfig", cluster.kubeconfig.0.to_str().unwrap(), "-n", "edge"]);
    let rules = dashboard.json("/state")["state"]["rules"].clone();
    let keys: Vec<&Value> = rules.as_array().unwrap().iter().map(|rule| &rule["key"]).collect();
    assert_eq!(keys, ["edge/canary-split shop"]);
}

#[test]
fn it_says_what_the_address_allows() {
    let (envoy, file) = (Envoy::start(), manifest());
    for (option, may) in [(None, "look,"), (Some("--write"), "look, and move weights with your rights,")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_canary-split"))
            .args(["dashboard", "--no-open", "--admin", &envoy.0.address.to_string(), "-f", file.0.to_str().unwrap()])
            .args(option)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let said = said[1].as_ref().unwrap();
        assert_eq!(said, &format!("Whoever has this address can {may} on this machine alone. Ctrl-C ends it."));
    }
}

#[test]
fn a_canary_with_a_weight_and_no_ready_pod_is_bad() {
    for (weight, is_ready, expected) in [(20, "False", true), (20, "True", false), (0, "False", false)] {
        let mut objects = living::objects("WasmPlugin", weight);
        let pod = objects.iter_mut().find(|object| object["metadata"]["name"] == "shop-v2" && object["kind"] == "Pod");
        pod.unwrap()["status"]["conditions"][0]["status"] = json!(is_ready);
        let cluster = living::Cluster::new(objects);
        let dashboard = Dashboard::start(&["--kubeconfig", cluster.kubeconfig.0.to_str().unwrap()]);
        let whole = dashboard.json("/state");
        let text = verdict(&whole).1;
        assert_eq!(text.contains("no pod of v2 is ready"), expected, "{weight} {is_ready}: {text}");
    }
}

#[test]
fn a_config_that_is_no_file_is_an_error_and_stops_nothing() {
    let envoy = Envoy::start();
    let admin = envoy.0.address.to_string();
    let (out, error, code) = ended(&tool(&["dashboard", "--no-open", "--admin", &admin, "-f", "/dev/null"]));
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(error.contains("/dev/null: not a regular file"), "{error}");

    let file = manifest();
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    let lost = |look: &Value| look["state"]["lost"]["why"].as_str().unwrap_or_default().to_owned();
    // Somebody puts something else in its place.
    std::fs::remove_file(&file.0).unwrap();
    assert!(Command::new("mkfifo").arg(&file.0).status().unwrap().success());
    events.until(|look| lost(look).contains("not a regular file"));
    std::fs::remove_file(&file.0).unwrap();
    std::fs::File::create(&file.0).unwrap().set_len(65 << 20).unwrap();
    events.until(|look| lost(look).contains("larger than 64 MiB"));
}

#[test]
fn connections_without_a_request_keep_nobody_out() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let mut events = dashboard.follow();
    // It has shown the token as soon as it is answered.
    events.next();
    let mut first = TcpStream::connect(dashboard.address).unwrap();
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(dashboard.address).unwrap());
    }
    // The oldest ones have to go at once, and whoever has the token stays.
    first.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let closed = first.read(&mut [0]);
    let is_closed = match &closed {
        Ok(length) => *length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(is_closed, "{closed:?}");
    let open = std::fs::read_dir(format!("/proc/{}/fd", dashboard.child.id())).unwrap().count();
    assert!(open < 320, "{open} open files");
    assert_eq!(dashboard.get("/state").status, 200);
    events.next();
    // The rest has ten seconds for its headers.
    let mut last = idle.pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    last.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
    let mut said = Vec::new();
    last.read_to_end(&mut said).unwrap();
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn a_request_that_says_two_things_is_refused() {
    let (envoy, file) = (Envoy::start(), manifest());
    let dashboard = Dashboard::of(&[&envoy], &file);
    let (host, token) = (dashboard.host(), &dashboard.token);
    let own = format!("http://{host}");
    let path = format!("{token}/state");
    for (what, path, headers) in [
        ("two hosts", path.clone(), vec![("host", &*host), ("host", "evil.example")]),
        ("the same host twice", path.clone(), vec![("host", &*host), ("host", &*host)]),
        ("two origins", path.clone(), vec![("host", &*host), ("origin", &*own), ("origin", "http://evil.example")]),
        ("a port that is no number", path.clone(), vec![("host", "127.0.0.1:evil")]),
        ("an empty port", path.clone(), vec![("host", "127.0.0.1:")]),
        ("two ports", path.clone(), vec![("host", "127.0.0.1:1:2")]),
        ("a port after a name in brackets", path.clone(), vec![("host", "[::1]evil")]),
        ("a whole URL", format!("http://evil.example{path}"), vec![("host", &*host)]),
        ("its own URL", format!("{own}{path}"), vec![("host", &*host)]),
    ] {
        let answer = ask(dashboard.address, "GET", &path, &headers);
        assert_eq!(answer.status, 403, "{what}: {}", answer.body);
    }
}

#[test]
fn a_browser_is_not_told_the_token_where_others_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (envoy, file, opener) = (Envoy::start(), manifest(), manifest());
    let (folder, runtime) = (opener.0.with_extension("bin"), opener.0.with_extension("run"));
    [&folder, &runtime].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    // In place of xdg-open: what it was given, and what it can see there.
    let program = folder.join("xdg-open");
    let note = folder.join("note");
    assert!(Command::new("mkfifo").arg(&note).status().unwrap().success());
    let script = format!(
        "#!/bin/sh\n{{ echo \"$*\"; stat -c %a \"$1\"; stat -c %a \"$(dirname \"$1\")\"; cat \"$1\"; }} >{}\n",
        note.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!(
        "{} dashboard --interval 1s -o json --admin {} -f {}",
        env!("CARGO_BIN_EXE_canary-split"),
        envoy.0.address,
        file.0.display()
    );
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    // A browser is opened at a terminal alone, and where somebody wants one.
    for (shell, option, end) in [(["sh", "-c"], "", None), (["script", "-qec"], " --no-open", Some("/dev/null"))] {
        let child = Command::new(shell[0])
            .args([shell[1], &format!("exec {command}{option}")])
            .args(end)
            .env("PATH", &path)
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let dashboard = Dashboard::begun(child.unwrap());
        // It answers once it has opened what it opens.
        assert_ne!(ask(dashboard.address, "GET", "/", &[]).status, 200);
        assert_eq!(std::fs::read_dir(&runtime).unwrap().count(), 0, "{shell:?}");
    }
    for is_interrupted in [false, true] {
        let child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("PATH", &path)
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        // With script the terminal ends, and so does what runs there.
        let mut dashboard = Dashboard::begun(child.unwrap());
        let note = note.clone();
        let noted = awaited(move || std::fs::read_to_string(&note).unwrap()).expect("a browser was opened");
        let mut lines = noted.lines();
        let given = lines.next().unwrap();
        assert!(!given.contains(&dashboard.token[1..]) && given.starts_with(runtime.to_str().unwrap()), "{given}");
        assert_eq!((lines.next(), lines.next()), (Some("600"), Some("700")));
        assert!(noted.contains(&format!("url=http://{}{}/\"", dashboard.address, dashboard.token)), "{noted}");
        // Once the page is there, or nobody is, the file is not.
        assert!(std::path::Path::new(given).exists());
        if is_interrupted {
            // Whatever it does at that moment.
            dashboard.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
            let mut rest = dashboard.rest.take().unwrap();
            awaited(move || rest.read_to_end(&mut Vec::new()).unwrap()).expect("an interrupt ends it");
            assert_eq!(dashboard.child.wait().unwrap().code(), Some(130));
        } else {
            assert_eq!(dashboard.get("/").status, 200);
        }
        assert_eq!(std::fs::read_dir(&runtime).unwrap().count(), 0);
    }
    [&folder, &runtime].into_iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
}
