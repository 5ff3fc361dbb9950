//! `explain`.

use crate::check::Folder;
use crate::common::{Observed, Phase, Sent, cases};
use crate::{ended, fed, tool};
use canary_split::split::Draw;
use canary_split::visitor::keep::Keep;
use canary_split::visitor::new_cookie::NewCookie;
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

const NOW: u32 = 0x1c8_9b43;

/// Cases of the table that the command line cannot say, and what it says instead.
const UNSAID: [(&str, &str, i32); 2] = [
    ("a config that is not JSON is refused, everything goes to stable and the header is stripped", "not YAML", 2),
    // kubectl reads a replacement character.
    ("an invalid escape spoils only its rule", "is not a host", 1),
];

/// A config as a WasmPlugin has it: a bare one needs rules.
fn plugin(config: &[u8]) -> String {
    let config = std::str::from_utf8(config).unwrap();
    let metadata = r#"{"name":"canary-split"}"#;
    format!(
        r#"{{"apiVersion":"extensions.istio.io/v1alpha1","kind":"WasmPlugin","metadata":{metadata},"spec":{{"pluginConfig":{config}}}}}"#
    )
}

/// The request as `curl` spells it.
fn spelled(sent: &Sent) -> Vec<OsString> {
    let pseudo = |name: &str| sent.headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let mut url = [&pseudo(":scheme")[..], b"://"].concat();
    url.extend([pseudo(":authority"), pseudo(":path")].concat());
    let mut arguments: Vec<OsString> = vec!["-X".into(), OsString::from_vec(pseudo(":method"))];
    for (name, value) in sent.headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        let is_cookies = name == "cookie" && value.contains(&b'=');
        let (flag, text) = match value.is_empty() {
            _ if is_cookies => ("-b", value.clone()),
            true => ("-H", format!("{name};").into_bytes()),
            false => ("-H", [name.as_bytes(), b": ", value].concat()),
        };
        arguments.extend([flag.into(), OsString::from_vec(text)]);
    }
    let address: std::net::SocketAddr = sent.visitor.address.parse().unwrap();
    arguments.extend(["--client-ip".into(), address.ip().to_string().into()]);
    if sent.visitor.claims().is_object() {
        arguments.extend(["--claims".into(), sent.visitor.claims().to_string().into()]);
    }
    arguments.push(OsString::from_vec(url));
    arguments
}

/// What is decided; the faults on the standard error are those of the object, and the exit code tells whether there are any.
fn explained(config: &str, request: &[OsString], more: &[&str]) -> Value {
    let fixed = ["--output", "json", "explain", "--config", "-", "--now", &(u64::from(NOW) * 60).to_string()];
    let arguments: Vec<OsString> =
        fixed.iter().chain(more).map(OsString::from).chain(request.iter().cloned()).collect();
    let (out, error, code) = ended(&fed(&arguments, config));
    let explanation: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{arguments:?}: {error}"));
    let faults = explanation["faults"].as_array().unwrap();
    assert_eq!((error.lines().count(), code), (faults.len(), i32::from(!faults.is_empty())), "{error}");
    explanation
}

fn errors(explanation: &Value) -> Vec<String> {
    let text = |fault: &Value| match (fault["place"].as_str().unwrap(), fault["problem"].as_str().unwrap()) {
        ("", problem) => problem.to_owned(),
        (place, problem) => format!("{place}: {problem}"),
    };
    explanation["faults"].as_array().unwrap().iter().map(text).collect()
}

/// What the application and the client see of it.
fn observed(explanation: &Value, sent: &Sent, seal: &str) -> Observed {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut response_headers = sent.response_headers.clone();
    if let (Some(name), Some(value)) =
        (text(&explanation["responseHeader"]["name"]), text(&explanation["responseHeader"]["value"]))
    {
        response_headers.retain(|(known, _)| *known != name);
        response_headers.push((name, value.into_bytes()));
    }
    // A case has one at most.
    let cookie = explanation["forgotten"].get(0).unwrap_or(&explanation["setCookie"]);
    let is_not_with = |response: &str| cookie["notWith"].as_array().unwrap().iter().any(|one| one == response);
    let location = || sent.response_headers.iter().find(|(name, _)| name == "location").map(|(_, value)| value.clone());
    let authority = || sent.headers.iter().find(|(name, _)| name == ":authority").unwrap().1.clone();
    let may_be_set = || {
        let plain_at = is_not_with("a redirect to https of the same host").then(authority);
        NewCookie { header: String::new(), keeps: is_not_with("5xx"), plain_at }.may_go_out(sent.status, location)
    };
    Observed {
        request_headers: explanation["positionHeaders"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([&explanation["header"]])
            .filter_map(|header| {
                let value = text(&header["value"])?.replace("***", seal);
                Some((text(&header["name"])?, value.into_bytes()))
            })
            .collect(),
        rule: text(&explanation["rule"]).unwrap_or_default(),
        source: text(&explanation["source"]).unwrap(),
        set_cookie: text(&cookie["value"]).filter(|_| may_be_set()),
        response_headers,
    }
}

fn check(phase: &Phase) {
    let config = plugin(&phase.config);
    let seal = serde_json::from_slice::<Value>(&phase.config).unwrap_or_default()["seal"].clone();
    let seal = seal.as_str().unwrap_or_default();
    for request in &phase.requests {
        let sent = request.sent(NOW);
        let arguments = spelled(&sent);
        for draw in ["00000000", "feedface", "600df00d", "ffffffff"] {
            let explanation = explained(&config, &arguments, &["--draw", draw]);
            assert_eq!(errors(&explanation), phase.errors, "{}", phase.name);
            assert_eq!(explanation["header"]["name"], phase.header, "{}", phase.name);
            assert!(seal.is_empty() || !explanation.to_string().contains(seal), "{explanation}");
            let observed = observed(&explanation, &sent, seal);
            request.check(&observed, NOW, phase);
            // The draw that is said is the draw that is decided by.
            if let Some(again) = explanation["draw"].as_str().filter(|_| explanation["source"] == "fresh") {
                assert_eq!(again == draw, explanation["from"] == "--draw", "{explanation}");
            }
            if let Some(returning) = request.returning(&observed, NOW) {
                let next = explained(&config, &spelled(&returning), &[]);
                assert_eq!(next["header"], explanation["header"], "{}: the next page", phase.name);
                assert_eq!(next["draw"], explanation["draw"], "{}: the next page", phase.name);
                assert_eq!(next["setCookie"], Value::Null, "{}: the next page", phase.name);
            }
        }
    }
}

#[test]
fn the_case_table_holds_on_the_command_line() {
    let (mut requests, mut unsaid) = (0, UNSAID.to_vec());
    for case in cases() {
        // What was in force before a config is what the gateway knows.
        let phase = &case[0];
        if let Some(at) = unsaid.iter().position(|(name, ..)| *name == phase.name) {
            let (name, why, end) = unsaid.remove(at);
            let (_, error, code) = ended(&fed(&["explain", "--config", "-", "a.test"], &plugin(&phase.config)));
            assert!(code == end && error.contains(why), "{name}: {error}");
            continue;
        }
        check(phase);
        requests += phase.requests.len();
    }
    assert!(unsaid.is_empty() && requests > 250, "{requests} requests; no such cases: {unsaid:?}");
}

/// Every kind of condition, under a seal.
const CONFIG: &str = r#"
seal: 0123456789abcdef
rules:
- {name: hosts, hosts: [a.test, "*.b.test"], subset: v1}
- name: match
  match:
  - method: {exact: POST}
    uri: {prefix: /a}
  - method: {exact: PUT}
  - headers: {X-Key: {exact: secret}}
  - withoutHeaders: {x-seen: {}}
  - queryParams: {a b: {regex: "[0-9]+"}}
  - cookies: {beta: {prefix: "1"}}
  - claims: {realm.role: {exact: beta}}
  subset: v1
- name: web
  split: [{subset: v1, weight: 2}, {subset: v2, weight: 1}]
  sticky: {keys: [{header: x-user}], cookie: {}}
"#;

fn words(line: &str) -> Vec<OsString> {
    line.split('|').map(OsString::from).collect()
}

fn said(config: &str, request: &str) -> (String, String, i32) {
    let fixed = ["explain", "--config", "-", "--now", "1796253000"].map(OsString::from);
    ended(&fed(&[fixed.to_vec(), words(request)].concat(), config))
}

#[test]
fn of_each_rule_before_the_first_condition_that_does_not_hold_is_said() {
    let request = r#"-X|POST|-H|x-key: other|-H|X-Seen: yes|-b|beta=2|--claims|{"realm":{"role":["x"]}}|--draw|feedface|https://c.test/b?a b=x"#;
    let request = request.replace("a b=x", "a%20b=x");
    let expected = r#"rule hosts does not hold
  standard input:4:24: rules[0].hosts
    must be one of ["a.test","*.b.test"], is "c.test"
rule match does not hold
  standard input:8:10: rules[1].match[0].uri
    must be {"prefix":"/a"}, is "/b"
  standard input:9:13: rules[1].match[1].method
    must be {"exact":"PUT"}, is "POST"
  standard input:10:22: rules[1].match[2].headers.X-Key
    must be {"exact":"***"}, is "other"
  standard input:11:30: rules[1].match[3].withoutHeaders.x-seen
    must not be there, is "yes"
  standard input:12:24: rules[1].match[4].queryParams["a b"]
    must be {"regex":"***"}, is absent
  standard input:13:21: rules[1].match[5].cookies.beta
    must be {"prefix":"***"}, is "2"
  standard input:14:26: rules[1].match[6].claims["realm.role"]
    must be {"exact":"***"}, is ["x"]
rule web decides
  standard input:16:3: rules[2]
draw      feedface, by --draw
subset    v2
request   x-canary-subset: v2.***
response  set-cookie: canary-web=1.feedface.1c8cf8e; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure
"#;
    assert_eq!(said(CONFIG, &request), (expected.to_owned(), String::new(), 0));
    let shown = said(CONFIG, &format!("--show-secrets|{request}"));
    let secrets = [r#"{"exact":"secret"}"#, r#"{"regex":"[0-9]+"}"#, r#"{"prefix":"1"}"#, r#"{"exact":"beta"}"#];
    assert!(secrets.iter().all(|secret| shown.0.contains(secret)), "{}", shown.0);
    assert!(shown.0.contains("x-canary-subset: v2.0123456789abcdef\n"), "{}", shown.0);
}

#[test]
fn what_is_left_to_chance_has_its_exact_shares() {
    let explanation = explained(CONFIG, &words("-H|x-seen: a|c.test"), &[]);
    let third = (1_u64 << 32) / 3;
    let shares = explanation["shares"].as_array().unwrap();
    let draws: Vec<_> = shares.iter().map(|one| (one["subset"].as_str(), one["draws"].as_u64())).collect();
    assert_eq!(draws, [(Some("v1"), Some((1 << 32) - third)), (Some("v2"), Some(third))]);
    assert_eq!((&explanation["subset"], &explanation["draw"]), (&Value::Null, &Value::Null));
    assert_eq!(
        explanation["setCookie"]["value"].as_str().unwrap().split(';').next(),
        Some("canary-web=1.DRAW.1c89b43")
    );
    // A visitor with a draw has one subset.
    let keyed = explained(CONFIG, &words("-H|x-seen: a|-H|x-user: carol|c.test"), &[]);
    assert_eq!((keyed["shares"].as_array().unwrap().len(), keyed["draw"].as_str()), (0, Some("54b4cc38")));
    assert_eq!(keyed["from"], "the key header: x-user");
    // Nobody is drawn to a weight of 0.
    let all = CONFIG.replace("weight: 1}", "weight: 0}");
    assert_eq!(explained(&all, &words("-H|x-seen: a|c.test"), &[])["subset"], "v1");
}

#[test]
fn cookies_that_do_not_count_are_said() {
    let keep = CONFIG.replace("cookie: {}}", "cookie: {}, onWeightChange: keep}");
    let plain = CONFIG.replace("sticky: {keys: [{header: x-user}], cookie: {}}", "");
    let good = "1.feedface.1c89b43";
    let kept = |subset: &str| format!("{good}.{subset}.0123456789abcdef");
    let table = [
        (CONFIG, "", format!("canary-web={good}"), vec![]),
        (CONFIG, "", format!("canary-web=v2; canary-web={good}"), vec!["it is not of the filter's form"]),
        (CONFIG, "", format!("canary-web={good}; canary-web={good}"), vec!["one before it counts"]),
        (CONFIG, "", format!("canary-web={}", kept("v2")), vec!["onWeightChange is rebalance: its draw counts"]),
        (CONFIG, "x-user: carol", format!("canary-web={good}"), vec!["the key decides"]),
        (&keep, "", format!("canary-web={}", kept("v3")), vec!["the split has no such subset: its draw counts"]),
        (
            &keep,
            "x-user: carol",
            format!("canary-web={}", kept("v2")),
            vec!["it was made under another seal or salt, or altered: its draw counts"],
        ),
        (&plain, "", format!("canary-web={good}"), vec!["nothing of this rule sticks"]),
        (&plain, "cookie: c=d", format!("canary-web={good}"), vec!["browsers send one", "nothing of this rule sticks"]),
    ];
    for (config, header, cookies, expected) in table {
        let request = format!("-H|x-seen: a|-H|cookie: {cookies}|-H|{header}|c.test").replace("-H||", "");
        let explanation = explained(config, &words(&request), &[]);
        let ignored = explanation["ignored"].as_array().unwrap();
        let whys: Vec<_> = ignored.iter().map(|one| one["why"].as_str().unwrap()).collect();
        assert_eq!(whys, expected, "{header} {cookies}");
    }
}

#[test]
fn a_request_is_spelled_as_for_curl() {
    let config = "rules: [{name: seen, match: [MATCH], subset: v1}]";
    let table = [
        ("-b|a=1|-b|b=2|a.test", r#"{headers: {cookie: {exact: "a=1; b=2"}}}"#),
        ("-b|a=1|-H|Cookie: b=2|a.test", r#"{headers: {cookie: {exact: "b=2"}}}"#),
        ("-b|a=1|-H|Cookie:|a.test", "{withoutHeaders: {cookie: {}}}"),
        ("-H|x;|a.test", r#"{headers: {x: {exact: ""}}}"#),
        ("-H|x:|a.test", "{withoutHeaders: {x: {}}}"),
        ("-H|X:   y: z |a.test", r#"{headers: {x: {exact: "y: z"}}}"#),
        ("-A|me|a.test", "{headers: {user-agent: {exact: me}}}"),
        ("-A|me|-H|User-Agent: you|a.test", "{headers: {user-agent: {exact: you}}}"),
        ("-A||a.test", "{withoutHeaders: {user-agent: {}, accept: {}}}"),
        ("-X|put|a.test/a?b#c", r#"{method: {exact: put}, uri: {exact: /a}, queryParams: {b: {exact: ""}}}"#),
        ("-H|Host: b.test|a.test", r#"{headers: {":authority": {}}}"#),
        ("-H|Host: b.test|a.test", "{headers: {host: {exact: b.test}}}"),
        ("https://a.test:443", "{headers: {host: {exact: a.test}}}"),
    ];
    for (request, expected) in table {
        let config = config.replace("MATCH", expected);
        if expected.contains(":authority") {
            // A rule cannot ask for it by this name.
            assert_eq!(said(&config, request).2, 1);
            continue;
        }
        assert_eq!(explained(&config, &words(request), &[])["rule"], "seen", "{request}: {expected}");
    }
    for (request, problem) in [
        ("-H|novalue|a.test", "-H: no colon in it; write 'NAME: VALUE', or 'NAME;' for an empty value"),
        ("-H|a b: c|a.test", "-H: \"a b\" is not a header name"),
        ("-H|a: b\nc|a.test", "a: a line break; no request can have one there"),
        ("-b|jar.txt|a.test", "-b: no = in it; files of cookies are not read, write 'NAME=VALUE'"),
        ("--claims|[]|a.test", "--claims: no object; write '{\"sub\": \"alice\"}'"),
        (
            "--claims|{|a.test",
            "--claims: not JSON: EOF while parsing an object at line 1 column 1; write '{\"sub\": \"alice\"}'",
        ),
        ("ftp://a.test", "URL \"ftp://a.test\": neither http nor https"),
        (
            "--plugin|x|a.test",
            "standard input: no WasmPlugin x of this filter, but a bare pluginConfig; leave out --plugin",
        ),
    ] {
        let expected = format!(
            "canary-split: {problem}
"
        );
        assert_eq!(said("rules: []", request), (String::new(), expected, 2), "{request}");
    }
}

#[test]
fn what_goes_by_the_clients_address_needs_it() {
    let config = "rules: [{name: t, split: [{subset: v1, weight: 1}], sticky: {keys: [{remoteIp: true}]}}]";
    let expected = "canary-split: the decision goes by the client's address; give it by --client-ip\n";
    assert_eq!(said(config, "a.test"), (String::new(), expected.to_owned(), 2));
    assert_eq!(explained(config, &words("--client-ip|203.0.113.7|a.test"), &[])["from"], "the key remoteIp");
}

#[test]
fn by_what_is_good_is_decided_where_something_is_not() {
    let config = "rules: [{name: bad, subset: V1}, {name: t, subset: v2}]";
    let (out, error, code) = said(config, "a.test");
    assert!(
        out.starts_with("rule t decides\n  standard input:1:34: rules[1]\ndraw      none: the subset is fixed\n"),
        "{out}"
    );
    assert!(
        error.starts_with("canary-split: warning: standard input:1:29: rules[0].subset: \"V1\" is not a DNS label")
    );
    assert_eq!(code, 1);
    let (out, error, code) = said("{header: x-v, rules: [], seal: short}", "a.test");
    assert_eq!(
        out,
        "no rule is in force; the default route takes the request\nrequest   x-v is removed\nrequest   x-canary-draw is removed\n"
    );
    assert!(code == 1 && error.contains("(config refused; no rule is in force"), "{error}");
}

const SHOP: &str = "seal: 0123456789abcdef
rules:
- name: testers
  hosts: [shop.example.com]
  match: [{headers: {x-key: {exact: geheim}}}]
  subset: v2
  remember: {cookie: {name: t, ttl: 24h}}
- name: shop
  hosts: [shop.example.com]
  split:
  - {subset: v1, weight: 80}
  - {subset: v2, weight: 20}
  sticky: {cookie: {ttl: 720h}, keys: [{claim: sub}], onWeightChange: keep}
- name: plain
  split: [{subset: v1, weight: 50}, {subset: v2, weight: 50}]
  sticky: {cookie: {name: p, ttl: 0s}}
";

/// What is said of a cookie, and the exit code.
fn decoded(arguments: &[&str]) -> (String, i32) {
    // A day and a minute after the cookies here were made.
    let fixed = ["explain", "-f", "-", "--now", "2026-12-03T23:01:30Z"];
    let (out, error, code) = ended(&fed(&[&fixed[..], arguments].concat(), SHOP));
    (out + &error, code)
}

#[test]
fn a_cookie_is_decoded() {
    let signature = Keep::new(Some("0123456789abcdef"), b"shop", "shop").signature("v2", Draw(0x5f2e_6049));
    let signature = &format!("{signature:016x}");
    let kept = format!("canary-shop=1.5f2e6049.1c8cf84.v2.{signature}");
    let draw = "draw      5f2e6049\nmade      2026-12-02T23:00:00Z, 24h1m ago\n";
    let times = "  renewed   with the first visit from 2026-12-17T23:00:00Z on\n  expires   2027-01-01T23:00:00Z\n";
    let shop = "rule shop has the cookie canary-shop\n  position  45.8 % of all draws are before it\n";
    let table: &[(&[&str], String, i32)] = &[
        (
            &["canary-shop=1.5f2e6049.1c8cf84"],
            format!("cookie    \"canary-shop=1.5f2e6049.1c8cf84\"\n{draw}{shop}  subset    v1, by the draw\n{times}"),
            0,
        ),
        (
            &["-b", "canary-shop=1.5f2e6049.1c8cf84"],
            format!("cookie    \"canary-shop=1.5f2e6049.1c8cf84\"\n{draw}{shop}  subset    v1, by the draw\n{times}"),
            0,
        ),
        // Of a bare value every rule that it may be of is shown.
        (
            &["1.5f2e6049.1c8cf84"],
            format!("cookie    \"1.5f2e6049.1c8cf84\"\n{draw}{shop}  subset    v1, by the draw\n{times}rule plain has the cookie p\n  position  47.2 % of all draws are before it\n  subset    v2, by the draw\n  renewed   never\n  expires   with the browser's session\n"),
            0,
        ),
        (
            &[&kept],
            format!("cookie    \"{kept}\"\n{draw}{shop}  subset    v2, it is kept\n  keeps     v2; its signature is right\n{times}"),
            0,
        ),
        (
            &[&kept.replace(signature, "0123456789abcdef")],
            format!("cookie    \"{}\"\n{draw}{shop}  subset    v1, by the draw: the kept subset does not count\n  keeps     v2; its signature is wrong: altered, or made under another seal or salt\n{times}", kept.replace(signature, "0123456789abcdef")),
            0,
        ),
        (
            &["canary-shop=1.5F2e6049.1c8cf84"],
            "cookie    \"canary-shop=1.5F2e6049.1c8cf84\"\n          is no cookie of the filter, such as 1.5f2e6049.1c8cf84: the filter ignores it\n".to_owned(),
            1,
        ),
        (
            &["-b", "other=1.5f2e6049.1c8cf84"],
            format!("cookie    \"other=1.5f2e6049.1c8cf84\"\n{draw}No rule of standard input has a cookie of this name.\n"),
            1,
        ),
    ];
    for (arguments, expected, code) in table {
        assert_eq!(decoded(arguments), (expected.clone(), *code), "{arguments:?}");
    }
    // Next to a URL its times are said.
    let (said, code) = decoded(&["-b", "canary-shop=1.5f2e6049.1c8cf84", "shop.example.com"]);
    let times = "cookie    canary-shop: made 2026-12-02T23:00:00Z, renewed from 2026-12-17T23:00:00Z on, expires 2027-01-01T23:00:00Z\n";
    assert!(said.contains(times) && code == 0, "{said}");
}

#[test]
fn who_is_remembered_and_for_how_long_is_decoded_too() {
    let (out, ..) = ended(&fed(
        &[
            "explain",
            "-f",
            "-",
            "--now",
            "2026-12-02T23:00:00Z",
            "-H",
            "x-key: geheim",
            "-o",
            "json",
            "https://shop.example.com",
        ],
        SHOP,
    ));
    let explanation: Value = serde_json::from_str(&out).unwrap();
    let cookie = explanation["setCookie"]["value"].as_str().unwrap().split(';').next().unwrap().to_owned();
    let (said, code) = decoded(&[&cookie]);
    let expected = "rule testers has the cookie t\n  subset    none: it is older than its ttl: nobody is remembered\n  keeps     v2; its signature is right\n  renewed   with the first visit from 2026-12-03T11:00:00Z on\n  expired   2026-12-03T23:00:00Z\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(code, 0);
    // Without its name it is told by its signature.
    let (bare, _) = decoded(&[cookie.split_once('=').unwrap().1]);
    assert!(bare.contains("rule testers has the cookie t\n"), "{bare}");
}

#[test]
fn a_claim_that_is_read_and_not_given_is_said() {
    let note =
        "note      the claim sub is read and none is given: this is a request without a token; --claims adds one\n";
    assert!(decoded(&["shop.example.com"]).0.contains(note));
    assert!(!decoded(&["--claims", "{}", "shop.example.com"]).0.contains("note "));
    assert!(!decoded(&["other.example.com"]).0.contains("note "));
}

#[test]
fn files_tell_the_route_of_a_host_that_they_have_routes_for() {
    let said = |files: &[&str], more: &[&str], url: &str| {
        let (out, error, code) = ended(&tool(&[&["explain", "-f"], files, more, &[url]].concat()));
        assert_eq!((error.as_str(), code), ("", 0), "{files:?} {url}");
        let lines = out.lines().filter(|line| line.starts_with("route") || line.contains("→")).map(str::trim);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let sticky = "manifests/overlays/sticky";
    let (v1, v2) = (
        "→ httpbin.canary.svc.cluster.local subset v1 port 8000",
        "→ httpbin.canary.svc.cluster.local subset v2 port 8001",
    );
    let (first, second) =
        ("route     v2  VirtualService canary/httpbin http[0]", "route     v1  VirtualService canary/httpbin http[1]");
    assert_eq!(said(&[sticky], &[], "https://canary.example.com/"), [second, v1, first, v2]);
    // The draw is in the cookie.
    let cookie = ["--now", "1796252400", "-b", "canary-httpbin=1.feedface.1c8cf84"];
    assert_eq!(
        said(&[sticky], &cookie, "https://canary.example.com/"),
        ["route     VirtualService canary/httpbin http[0]", v2]
    );
    let redirect = "route     none: the Gateway sends every http request of this host to https";
    assert_eq!(said(&[sticky], &[], "http://canary.example.com/"), [redirect]);
    let routes = ["route     v1  HTTPRoute canary/httpbin rules[1]", "→ httpbin-v1 port 8000"];
    assert_eq!(said(&["manifests/gateway-api/overlays/sticky"], &[], "https://canary.example.com/")[..2], routes);
    // Other files may have them.
    assert!(said(&[sticky], &[], "https://other.example.com/").is_empty());
    assert!(said(&["manifests/overlays/sticky/wasmplugin.yaml"], &[], "https://canary.example.com/").is_empty());
}

#[test]
fn one_plugin_in_two_files_is_named_by_its_files() {
    let plugin = "kind: WasmPlugin\napiVersion: extensions.istio.io/v1alpha1\nmetadata: {name: canary-split, namespace: a}\nspec: {pluginConfig: {rules: []}}\n";
    let folder = Folder::new("twice", &[("prod/p.yaml", plugin), ("staging/p.yaml", plugin)]);
    let path = folder.0.display().to_string();
    let (out, error, code) = ended(&tool(&["explain", "-f", &path, "https://a.test"]));
    let why = format!(
        "canary-split: {path}: a/canary-split is there 2 times, in {path}/prod/p.yaml, {path}/staging/p.yaml; give one of these\n"
    );
    assert_eq!((out.as_str(), error, code), ("", why, 2));
}
