//! Rules that remember their visitors and look at addresses, in the strict host.

use crate::host::{Headers, Program, Shared, Worker};
use crate::{NOW, Visitor, value};
use std::cell::RefCell;
use std::rc::Rc;

const CONFIG: &[u8] = br#"{"rules":[
    {"name":"one","match":[{"queryParams":{"canary":{"exact":"in"}}}],"subset":"v2","remember":{"forget":[{"queryParams":{"canary":{"exact":"off"}}}]}},
    {"name":"two","match":[{"remoteIpBlocks":["203.0.113.0/24","2001:db8::/32"]},{"remoteIpBlocks":["10.0.0.0/8"],"headers":{"x-a":{}}}],
        "subset":"v3","remember":{"cookie":{"ttl":"1h"},"forget":[{"queryParams":{"canary":{"exact":"off"}}},{"remoteIpBlocks":["192.0.2.0/24"]}]}},
    {"name":"httpbin","split":[{"subset":"v1","weight":1},{"subset":"v1b","weight":1}],"sticky":{"keys":[{"remoteIp":true}],"cookie":{}}}]}"#;

fn worker(shared: &Rc<RefCell<Shared>>) -> Worker {
    let mut worker = Worker::new(&Program::load(), shared, 1);
    worker.configure("canary", CONFIG);
    assert_eq!(shared.borrow_mut().take_errors(), [""; 0]);
    worker
}

fn headers(lines: &[(&str, &str)]) -> Headers {
    lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn cookies(response: &Headers) -> Vec<String> {
    let ours = response.iter().filter(|(name, _)| name == "set-cookie");
    ours.map(|(_, cookie)| String::from_utf8(cookie.clone()).unwrap()).collect()
}

#[test]
fn all_that_forget_take_their_cookies_away_on_one_response_beside_a_new_one() {
    let shared = Rc::new(RefCell::new(Shared::at(NOW)));
    let mut worker = worker(&shared);
    // Without an address there is no key.
    worker.visited_by(Visitor::of_bytes("/a/socket", None));
    let request = headers(&[(":path", "/?canary=off"), (":scheme", "http"), (":authority", "a.test")]);
    // The location of a redirect is asked for once, for any number of cookies.
    let response = headers(&[(":status", "302"), ("location", "/login"), ("set-cookie", "app=1")]);
    let exchange = worker.exchange("canary", request, response);
    let cookies = cookies(&exchange.response);
    let begins: Vec<&str> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(begins, ["app", "canary-one", "canary-two", "canary-httpbin"], "{cookies:?}");
    assert_eq!(cookies[1], "canary-one=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    assert!(value(&exchange.request, "x-canary-subset").unwrap().starts_with(b"v1"));
}

#[test]
fn clock_cookies_and_address_are_asked_for_at_most_once() {
    let shared = Rc::new(RefCell::new(Shared::at(NOW)));
    let mut worker = worker(&shared);
    worker.visited_by(Visitor::of_bytes("[64:ff9b::c000:201]:443", None));
    let request =
        headers(&[(":path", "/"), (":authority", "a.test"), ("cookie", "canary-one=x; canary-two=y"), ("x-a", "")]);
    let response = || headers(&[(":status", "200")]);
    worker.exchange("canary", request.clone(), response());
    shared.borrow_mut().calls.clear();
    worker.exchange("canary", request, response());
    let calls = std::mem::take(&mut shared.borrow_mut().calls);
    let count = |name: &str| calls.get(name).copied().unwrap_or(0);
    assert_eq!(count("proxy_get_property"), 1, "{calls:?}");
    // For the cookie of the split. No other is ours, so that none has an age.
    assert_eq!(count("proxy_get_current_time_nanoseconds"), 1, "{calls:?}");

    let link = headers(&[(":path", "/?canary=in"), (":authority", "a.test")]);
    let given = cookies(&worker.exchange("canary", link, response()).response);
    let [given] = given.as_slice() else { panic!("{given:?}") };
    let again = headers(&[(":path", "/"), (":authority", "a.test"), ("cookie", given.split(';').next().unwrap())]);
    worker.exchange("canary", again.clone(), response());
    shared.borrow_mut().calls.clear();
    let exchange = worker.exchange("canary", again, response());
    let calls = std::mem::take(&mut shared.borrow_mut().calls);
    assert_eq!(value(&exchange.request, "x-canary-subset").as_deref(), Some(&b"v2"[..]));
    let expected = [
        ("proxy_get_current_time_nanoseconds", 1), // does the cookie count, and is it due?
        ("proxy_get_header_map_value", 3),         // :path, cookie; :status of the response
        ("proxy_increment_metric", 2),
        ("proxy_replace_header_map_value", 1),
    ];
    assert_eq!(calls, expected.map(|(name, n)| (name.to_owned(), n)).into());
}

#[test]
fn no_request_traps_a_rule_that_remembers() {
    let shared = Rc::new(RefCell::new(Shared::at(NOW)));
    let mut worker = worker(&shared);
    let mut random = fastrand::Rng::with_seed(7);
    let pieces = [
        "canary-one=",
        "canary-two=",
        "1.",
        "01c9c380.",
        "1c9c380",
        ".v2.",
        ".v3.",
        "0123456789abcdef",
        "; ",
        "=",
        "\"",
        "\u{ff}",
        "/?canary=",
        "in",
        "off",
        "OPTIONS",
        "https",
    ];
    let names = [":path", ":method", ":scheme", "cookie", "origin", "access-control-request-method", "x-a"];
    let addresses = [
        "203.0.113.7:1",
        "[2001:db8::1]:2",
        "/a/socket",
        "",
        "[::ffff:10.2.3.4]:5",
        "[64:ff9b::cb00:7101]:9",
        "999.1.1.1:1",
        "::",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10_000 {
        worker.visited_by(Visitor::of_bytes(addresses[random.usize(..addresses.len())], None));
        let mut request = Headers::new();
        for _ in 0..random.usize(..6) {
            let text: String = (0..random.usize(..8)).map(|_| pieces[random.usize(..pieces.len())]).collect();
            request.push((names[random.usize(..names.len())].to_owned(), text.into_bytes()));
        }
        let status = ["200", "101", "301", "503", "", "x"][random.usize(..6)];
        let exchange = worker.exchange("canary", request, headers(&[(":status", status)]));
        for cookie in cookies(&exchange.response) {
            let (_, rest) = cookie.split_once('=').unwrap();
            let (text, _) = rest.split_once(';').unwrap();
            assert!(text.is_empty() || text.starts_with("1."), "{cookie}");
        }
        seen.insert(value(&exchange.request, "x-canary-subset").unwrap());
    }
    assert_eq!(seen, ["v1", "v1b", "v2", "v3"].map(|subset| subset.as_bytes().to_vec()).into());
}

#[test]
fn ten_thousand_blocks_cost_hardly_more_than_one() {
    let program = Program::metered();
    let cost = |blocks: &[String]| {
        let shared = Rc::new(RefCell::new(Shared::at(NOW)));
        let mut worker = Worker::new(&program, &shared, 1);
        let list = serde_json::json!(blocks);
        worker.configure(
            "canary",
            format!(r#"{{"rules":[{{"name":"t","match":[{{"remoteIpBlocks":{list}}}],"subset":"v2"}}]}}"#).as_bytes(),
        );
        assert_eq!(shared.borrow_mut().take_errors(), [""; 0]);
        let mut subset = |address: &str| {
            worker.visited_by(Visitor::of_bytes(address, None));
            let before = worker.fuel();
            let exchange =
                worker.exchange("canary", headers(&[(":authority", "a.test")]), headers(&[(":status", "200")]));
            (value(&exchange.request, "x-canary-subset"), before - worker.fuel())
        };
        for unknown in ["", "/a/socket", "999.1.1.1:1", "localhost:80"] {
            assert_eq!(subset(unknown).0, None, "{unknown} is no address");
        }
        assert_eq!(subset("10.0.0.1:1").0.as_deref(), Some(&b"v2"[..]));
        assert_eq!(subset("10.0.1.1:1").0, None);
        subset("10.0.0.1:1").1
    };
    let block = |n: usize| format!("10.{}.{}.0/24", n / 128, n % 128 * 2);
    let (one, many) = (cost(&[block(0)]), cost(&(0..10_000).map(block).collect::<Vec<_>>()));
    assert!(many < one * 11 / 10, "{many} instructions with 10,000 blocks, {one} with one");
}
