//! `convert` of HTTPRoutes and GRPCRoutes: many shapes, and random ones; every request must have the same chances before and after.

use crate::convert::{Folder, given, list, objects, of_kind};
use crate::{ended, fed, tool};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;

const HEADER: &str = "x-canary-subset";

/// A rule in one line: `/api* & x-canary-subset=v2 → shop-v2:80 (timeouts)`
fn shown(rule: &Value) -> String {
    let text = |entry: &Value| {
        let tilde = if entry["type"] == "RegularExpression" { "~" } else { "" };
        format!("{tilde}{}", entry["value"].as_str().unwrap_or_default())
    };
    let named = |entry: &Value| format!("{}={}", entry["name"].as_str().unwrap(), text(entry));
    let entry = |entry: &Value| {
        let mut all = Vec::new();
        if !entry["path"].is_null() {
            let end =
                if ["Exact", "RegularExpression"].iter().any(|kind| entry["path"]["type"] == *kind) { "" } else { "*" };
            all.push(format!("{}{end}", text(&entry["path"])));
        }
        match &entry["method"] {
            Value::String(method) => all.push(method.clone()),
            Value::Object(method) => {
                let of = |key: &str| method.get(key).and_then(Value::as_str).unwrap_or_default();
                all.push(format!("{}/{}", of("service"), of("method")));
            }
            _ => {}
        }
        all.extend(list(&entry["headers"]).iter().map(named));
        all.extend(list(&entry["queryParams"]).iter().map(|param| format!("?{}", named(param))));
        all.join(" & ")
    };
    let backend = |entry: &Value| {
        let namespace = entry["namespace"].as_str().map_or(String::new(), |namespace| format!("{namespace}/"));
        let weight = entry["weight"].as_u64().map_or(String::new(), |weight| format!(" {weight}"));
        let filters = if entry["filters"].is_null() { "" } else { " +filters" };
        format!("{namespace}{}:{}{weight}{filters}", entry["name"].as_str().unwrap(), entry["port"])
    };
    let entries: Vec<String> = list(&rule["matches"]).iter().map(entry).collect();
    let to: Vec<String> = list(&rule["backendRefs"]).iter().map(backend).collect();
    let fields = rule.as_object().unwrap().keys().map(String::as_str);
    let fields: Vec<&str> = fields.filter(|key| !["matches", "backendRefs", "name"].contains(key)).collect();
    let name = rule["name"].as_str().map_or(String::new(), |name| format!("{name}: "));
    let to = if to.is_empty() { String::new() } else { format!(" {}", to.join(", ")) };
    let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!("{name}{} →{to}{fields}", entries.join(" or ")).trim().to_owned()
}

/// What a case has, as an HTTPRoute.
fn given_route(case: &Value) -> String {
    let kind = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute";
    let parents = ("parentRefs", "[{name: public, namespace: edge}]");
    given(case, kind, &[("hostnames", "[shop.acme.io]"), parents])
}

/// What a plugin is, where it is, and which rules it has.
pub fn read_plugin(plugin: &Value) -> (String, Vec<Value>) {
    let text = |path: &str| plugin.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let aim = match text("/spec/targetRefs/0/kind") {
        "" => format!("istio: {}", text("/spec/selector/matchLabels/istio")),
        kind => format!("{kind} {}", text("/spec/targetRefs/0/name")),
    };
    let targets = list(&plugin["spec"]["targetRefs"]).iter();
    let listeners: Vec<&str> = targets.filter_map(|target| target["sectionName"].as_str()).collect();
    let aim = if listeners.is_empty() { aim } else { format!("{aim} ({})", listeners.join(", ")) };
    let title = format!("{} {}/{} at {aim}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    let config = plugin.pointer("/spec/pluginConfig").or(plugin.pointer("/spec/wasm/0/config")).unwrap();
    (title, list(&config["rules"]).to_vec())
}

#[test]
fn each_shape_is_converted_or_refused_with_the_reason() {
    let table: Vec<Value> = serde_saphyr::from_str(include_str!("convert_httproute.yaml")).unwrap();
    assert!(table.len() >= 35, "{}", table.len());
    let mut wrong = Vec::new();
    for (number, case) in table.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let text = given_route(case);
        let folder = Folder::new(&format!("httproute-{number}"));
        let file = folder.file("given.yaml", &text);
        let out = folder.path("out");
        let mut arguments = vec!["convert", &file, "--write", &out];
        arguments.extend(case["options"].as_str().unwrap_or_default().split_whitespace());
        let (said, error, code) = ended(&tool(&arguments));
        let refused = case["refused"].as_str();
        let mut problems = Vec::new();
        let expected_code = i32::from(refused.is_some());
        if code != expected_code {
            problems.push(format!("ended with {code}, not {expected_code}"));
        }
        let reasons = error.replace(&file, "FILE");
        match refused {
            Some(refused) if !reasons.contains(refused) => {
                problems.push(format!("refused by\n{reasons}\nnot {refused}"));
            }
            None if !error.is_empty() => problems.push(error.clone()),
            _ => {}
        }
        match (case["routes"].is_null(), fs::exists(&out).unwrap()) {
            (true, true) => problems.push("something was written".to_owned()),
            (true, false) => {}
            (false, false) => problems.push(format!("nothing was written: {said}")),
            (false, true) => {
                let mut plugins = Vec::new();
                let mut files: Vec<_> = fs::read_dir(&out).unwrap().map(|file| file.unwrap().path()).collect();
                files.sort();
                for path in files.iter().filter(|path| !path.ends_with("given.yaml")) {
                    plugins.push(read_plugin(&objects(&fs::read_to_string(path).unwrap())[0]));
                }
                let titles: Vec<Value> = plugins.iter().map(|(title, _)| title.clone().into()).collect();
                let rules: Vec<Value> = plugins.into_iter().flat_map(|(_, rules)| rules).collect();
                let or = |key: &str, usual: Value| if case[key].is_null() { usual } else { case[key].clone() };
                let usual = json!([{"name": "shop", "hosts": ["shop.acme.io"], "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}], "sticky": {"cookie": {}}}]);
                for (found, expected) in [
                    (Value::from(rules), or("rules", usual)),
                    (titles.into(), or("plugins", json!(["WasmPlugin edge/canary-split at Gateway public"]))),
                ] {
                    if found != expected {
                        problems.push(format!("{found}\nnot\n{expected}"));
                    }
                }
                let edited = fs::read_to_string(folder.path("out/given.yaml")).unwrap();
                let after = objects(&edited);
                let routes = ["HTTPRoute", "GRPCRoute"].into_iter().flat_map(|kind| of_kind(&after, kind));
                let routes: Vec<String> = routes.flat_map(|route| list(&route["spec"]["rules"])).map(shown).collect();
                let expected: Vec<&str> = list(&case["routes"]).iter().map(|line| line.as_str().unwrap()).collect();
                if routes != expected {
                    problems.push(format!("routes\n  {}\nnot\n  {}", routes.join("\n  "), expected.join("\n  ")));
                }
                let lost = case["lost"].as_str().unwrap_or("none");
                for line in text.lines().filter(|line| line.trim_start().starts_with('#') && !line.contains(lost)) {
                    if !edited.lines().any(|other| other == line) {
                        problems.push(format!("lost: {line}"));
                    }
                }
                let notes = case["notes"].as_str().unwrap_or_default();
                if !said.contains(notes) {
                    problems.push(format!("no note {notes} in\n{said}"));
                }
                if case["silent"].as_str().is_some_and(|silent| said.contains(silent)) {
                    problems.push(format!("a note in\n{said}"));
                }
                let finds = case["finds"].as_str().unwrap_or("placeholder");
                let (found, error, code) = ended(&tool(&["check", &out, "--allow", "placeholder", "--allow", finds]));
                if (code, error.as_str()) != (0, "") {
                    problems.push(format!("check: {found}{error}"));
                }
            }
        }
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_route_stays_within_the_limits_of_the_gateway_api() {
    let weighted = "backendRefs: [{name: shop-v1, port: 80, weight: 80}, {name: shop-v2, port: 80, weight: 20}]";
    let listed = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    let rules = |count| {
        let plain =
            |at| format!("{{matches: [{{path: {{value: /{at}}}}}], backendRefs: [{{name: other, port: 80}}]}}, ");
        format!("{}{{{weighted}}}", (0..count).map(plain).collect::<String>())
    };
    let matches = |count| {
        let path = |at| format!("{{path: {{value: /{at}}}}}");
        format!("{{matches: [{}], {weighted}}}", listed(count, &path))
    };
    let headers = |count| {
        let header = |at| format!("{{name: x-{at}, value: a}}");
        format!("{{matches: [{{headers: [{}]}}], {weighted}}}", listed(count, &header))
    };
    for (rules, refused) in [
        (rules(14), None),
        (rules(15), Some("it would have 17 rules, and the Gateway API allows 16")),
        (matches(64), None),
        (matches(65), Some("its rules would have 130 matches, and the Gateway API allows 128")),
        (headers(15), None),
        (headers(16), Some("a match asks for 16 headers already, and the Gateway API allows no more")),
    ] {
        let text = given_route(&json!({"spec": format!("rules: [{rules}]")}));
        let (out, error, code) = ended(&fed(&["convert", "-"], &text));
        assert_eq!(code, i32::from(refused.is_some()), "{rules}: {error}");
        assert!(refused.is_none_or(|refused| error.contains(refused)), "{rules}: {error}{out}");
    }
}

/// Which gateway orders the matches.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    /// A method, then headers.
    Istio,
    /// A method is a header.
    EnvoyGateway,
}

/// The place of a match in a gateway's order: the smallest is asked first.
fn rank(entry: &Value, by: By) -> Reverse<Vec<usize>> {
    let (kind, path) = path(entry);
    let kind = match (kind, by) {
        ("Exact", _) => 2,
        ("PathPrefix", By::Istio) | ("RegularExpression", By::EnvoyGateway) => 1,
        _ => 0,
    };
    let length = if kind == 2 || path != "/" { path.len() } else { 0 };
    let (method, headers) = (usize::from(!entry["method"].is_null()), list(&entry["headers"]).len());
    let params = list(&entry["queryParams"]).len();
    let exact = list(&entry["headers"]).iter().filter(|header| header["type"] != "RegularExpression").count();
    Reverse(match by {
        By::Istio => vec![kind, length, method, headers, params],
        By::EnvoyGateway => vec![kind, length, headers + method, exact + method, params],
    })
}

fn path(entry: &Value) -> (&str, &str) {
    let path = &entry["path"];
    (path["type"].as_str().unwrap_or("PathPrefix"), path["value"].as_str().unwrap_or("/"))
}

/// What a visitor asks for.
#[derive(Debug)]
pub struct Request<'r> {
    /// Without a port.
    pub host: &'r str,
    /// Without the query.
    pub path: &'r str,
    /// In capitals.
    pub method: &'r str,
    /// By their names.
    pub headers: BTreeMap<&'r str, &'r str>,
    /// The same.
    pub params: BTreeMap<&'r str, &'r str>,
}

fn takes(entry: &Value, request: &Request) -> bool {
    let is_path = match path(entry) {
        ("Exact", path) => request.path == path,
        ("PathPrefix", "/") => true,
        ("PathPrefix", path) => {
            request.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        (_, pattern) => regex(pattern, request.path),
    };
    let hold = |asked: &Value, said: &BTreeMap<&str, &str>| {
        list(asked).iter().all(|asked| {
            let said = said.get(asked["name"].as_str().unwrap());
            let value = asked["value"].as_str().unwrap();
            said.is_some_and(
                |said| if asked["type"] == "RegularExpression" { regex(value, said) } else { *said == value },
            )
        })
    };
    is_path
        && entry["method"].as_str().is_none_or(|method| method == request.method)
        && hold(&entry["headers"], &request.headers)
        && hold(&entry["queryParams"], &request.params)
}

/// The patterns of this test: `PREFIX.*`
fn regex(pattern: &str, text: &str) -> bool {
    text.starts_with(pattern.strip_suffix(".*").unwrap())
}

/// Where a request goes, and what is done to it, with the share of each; `None`: it depends on which of two routes is older.
pub type Shares = BTreeMap<String, f64>;

fn routed(routes: &[&Value], request: &Request, by: By) -> Option<Shares> {
    let of_host =
        routes.iter().filter(|route| list(&route["spec"]["hostnames"]).iter().any(|host| host == request.host));
    let mut found: Vec<(Reverse<Vec<usize>>, usize, &Value)> = Vec::new();
    for (number, route) in of_host.enumerate() {
        for rule in list(&route["spec"]["rules"]) {
            let all = [json!({})];
            let entries = if list(&rule["matches"]).is_empty() { &all[..] } else { list(&rule["matches"]) };
            let own = entries.iter().filter(|entry| takes(entry, request)).map(|entry| rank(entry, by));
            found.extend(own.map(|rank| (rank, number, rule)));
        }
    }
    // Of those that ask for as much, the first counts.
    let Some((best, number, rule)) = found.iter().min_by_key(|(rank, ..)| rank) else { return Some(Shares::new()) };
    if found.iter().any(|(rank, other, _)| rank == best && other != number) {
        return None;
    }
    let mut treatment = rule.as_object().unwrap().clone();
    treatment.retain(|key, _| !["matches", "name", "backendRefs"].contains(&key.as_str()));
    let backends = list(&rule["backendRefs"]);
    let weight = |backend: &Value| backend["weight"].as_f64().unwrap_or(1.0);
    let sum: f64 = backends.iter().map(weight).sum();
    let mut shares = Shares::new();
    for backend in backends.iter().filter(|backend| weight(backend) > 0.0) {
        let mut whole = backend.clone();
        whole.as_object_mut().unwrap().remove("weight");
        *shares.entry(format!("{whole} {}", Value::from(treatment.clone()))).or_default() += weight(backend) / sum;
    }
    Some(shares)
}

/// Whether a condition of the filter holds.
fn holds(asked: &Value, said: Option<&str>) -> bool {
    match (asked["exact"].as_str(), asked["prefix"].as_str(), asked["regex"].as_str()) {
        (Some(exact), ..) => said == Some(exact),
        (_, Some(prefix), _) => said.is_some_and(|said| said.starts_with(prefix)),
        (.., Some(pattern)) => said.is_some_and(|said| regex(pattern, said)),
        _ => panic!("{asked}"),
    }
}

/// What the filter decides, with the share of each.
fn decided<'r>(rules: &'r [Value], request: &Request) -> Vec<(Option<&'r str>, f64)> {
    let is_entry = |entry: &Value| {
        entry.as_object().unwrap().iter().all(|(key, asked)| match key.as_str() {
            "uri" => holds(asked, Some(request.path)),
            "method" => holds(asked, Some(request.method)),
            "headers" | "queryParams" => {
                let said = if key == "headers" { &request.headers } else { &request.params };
                asked.as_object().unwrap().iter().all(|(name, asked)| holds(asked, said.get(name.as_str()).copied()))
            }
            other => panic!("{other}"),
        })
    };
    let is_it = |rule: &&Value| {
        (rule["hosts"].is_null() || list(&rule["hosts"]).iter().any(|host| host == request.host))
            && (rule["match"].is_null() || list(&rule["match"]).iter().any(is_entry))
    };
    let Some(rule) = rules.iter().find(is_it) else { return vec![(None, 1.0)] };
    if let Some(subset) = rule["subset"].as_str() {
        return vec![(Some(subset), 1.0)];
    }
    let parts = list(&rule["split"]);
    let sum: f64 = parts.iter().map(|part| part["weight"].as_f64().unwrap()).sum();
    parts.iter().map(|part| (part["subset"].as_str(), part["weight"].as_f64().unwrap() / sum)).collect()
}

/// A random route for these hosts.
pub fn route(random: &mut Rng, name: &str, hosts: &[&str]) -> Value {
    let usual = (80, 20);
    let mut rules = Vec::new();
    for _ in 0..random.usize(1..5) {
        let mut rule = Map::new();
        let mut entries = Vec::new();
        for _ in 0..random.usize(0..3) {
            let mut entry = Map::new();
            let paths = [
                json!({"type": "Exact", "value": "/"}),
                json!({"type": "Exact", "value": "/a/b"}),
                json!({"type": "PathPrefix", "value": "/a"}),
                json!({"value": "/a/b"}),
                json!({"value": "/"}),
                json!({"type": "RegularExpression", "value": "/a.*"}),
            ];
            if random.u32(0..4) > 0 {
                entry.insert("path".to_owned(), paths[random.usize(0..paths.len())].clone());
            }
            if random.u32(0..5) == 0 {
                entry.insert("headers".to_owned(), json!([{"name": "x-tester", "value": "1"}]));
            }
            if random.u32(0..8) == 0 {
                entry.insert(
                    "headers".to_owned(),
                    json!([{"type": "RegularExpression", "name": "x-tester", "value": "1.*"}]),
                );
            }
            if random.u32(0..8) == 0 {
                entry.insert("queryParams".to_owned(), json!([{"name": "q", "value": "1"}]));
            }
            if random.u32(0..8) == 0 {
                entry.insert("method".to_owned(), json!("POST"));
            }
            entries.push(Value::Object(entry));
        }
        if !entries.is_empty() {
            rule.insert("matches".to_owned(), entries.into());
        }
        if random.bool() {
            rule.insert("timeouts".to_owned(), json!({"request": format!("{}s", random.u32(1..9))}));
        }
        let (v1, v2) = if random.u32(0..3) == 0 { (random.u32(0..3), random.u32(0..3) + 1) } else { usual };
        let backend =
            |version: u32, weight: u32| json!({"name": format!("{name}-v{version}"), "port": 80, "weight": weight});
        let backends = match random.u32(0..3) {
            0 => vec![json!({"name": format!("{name}-v1"), "port": 80})],
            1 => vec![backend(1, v1), backend(2, v2)],
            _ => vec![backend(2, v2), backend(1, v1)],
        };
        rule.insert("backendRefs".to_owned(), backends.into());
        rules.push(Value::Object(rule));
    }
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "public", "namespace": "edge"}], "hostnames": hosts, "rules": rules},
    })
}

/// Many requests.
pub fn requests() -> Vec<Request<'static>> {
    let mut all = Vec::new();
    for host in ["shop.acme.io", "www.acme.io", "other.acme.com"] {
        for path in ["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"] {
            for (tester, q, method) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)) {
                let one = |is: bool, name| is.then_some((name, "1")).into_iter().collect();
                let method = if method { "POST" } else { "GET" };
                all.push(Request { host, path, method, headers: one(tester, "x-tester"), params: one(q, "q") });
            }
        }
    }
    all
}

/// Where a request goes by what the filter decides; `None`: that cannot be told.
pub fn served<'r>(rules: &'r [Value], routes: &[&Value], request: &mut Request<'r>, by: By) -> Option<Shares> {
    let mut shares = Shares::new();
    for (subset, share) in decided(rules, request).into_iter().filter(|(_, share)| *share > 0.0) {
        request.headers.remove(HEADER);
        request.headers.extend(subset.map(|subset| (HEADER, subset)));
        for (to, part) in routed(routes, request, by)? {
            *shares.entry(to).or_default() += share * part;
        }
    }
    request.headers.remove(HEADER);
    Some(shares)
}

/// Whether two shares are the same.
pub fn are_same(one: &Shares, other: &Shares) -> bool {
    one.keys().eq(other.keys()) && one.iter().all(|(to, share)| (share - other[to]).abs() < 1e-9)
}

#[test]
fn every_request_has_the_same_chances_before_and_after() {
    let hosts: [(&str, &[&str]); 3] =
        [("shop", &["shop.acme.io", "www.acme.io"]), ("cart", &["shop.acme.io"]), ("other", &["other.acme.com"])];
    let (mut compared, mut converted, mut unmet, mut refused) = (0, 0, 0, BTreeMap::<&str, usize>::new());
    for seed in 0..160 {
        let mut random = Rng::with_seed(seed);
        let (by, option) = if seed % 2 == 0 { (By::Istio, "istio") } else { (By::EnvoyGateway, "envoy-gateway") };
        let mut routes = Vec::new();
        for (name, hosts) in hosts {
            if random.u32(0..3) > 0 {
                routes.push(route(&mut random, name, hosts));
            }
        }
        let text: Vec<String> = routes.iter().map(Value::to_string).collect();
        let folder = Folder::new(&format!("random-{seed}"));
        let out = folder.path("out");
        let (said, error, code) =
            ended(&fed(&["convert", "-", "--for", option, "--write", &out], &text.join("\n---\n")));
        if error.contains("the result has errors") {
            // Istio tries patterns last: nobody meets one behind a prefix that takes all.
            let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
            let is_expected = text.join("").contains("RegularExpression");
            assert!(
                is_expected && errors.iter().all(|error| error.starts_with("error[route-order]")),
                "{seed}: {errors:?}\n{}\n{error}",
                text.join("\n---\n")
            );
            unmet += 1;
            continue;
        }
        for line in error.lines() {
            let ways = ["move HTTPRoute", "path of its own", "into one route", "nothing to convert", "no HTTPRoute"];
            let way = ways.into_iter().find(|way| line.contains(way));
            *refused.entry(way.unwrap_or_else(|| panic!("{seed}: {error}"))).or_default() += 1;
        }
        if !fs::exists(&out).unwrap() {
            assert!(code == 2 || !error.is_empty(), "{seed}: {said}");
            continue;
        }
        let mut rules = Vec::new();
        let mut edited: Vec<Value> = Vec::new();
        for file in fs::read_dir(&out).unwrap().map(|file| file.unwrap().path()) {
            // What is saved for the way back is not of the result.
            if file.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let all = objects(&fs::read_to_string(file).unwrap());
            for object in all {
                if object["kind"] == "HTTPRoute" { edited.push(object) } else { rules.extend(read_plugin(&object).1) }
            }
        }
        converted += edited.iter().zip(&routes).filter(|(new, old)| new != old).count();
        let (before, after): (Vec<&Value>, Vec<&Value>) = (routes.iter().collect(), edited.iter().collect());
        for mut request in requests() {
            let Some(old) = routed(&before, &request, by) else { continue };
            let new = served(&rules, &after, &mut request, by)
                .unwrap_or_else(|| panic!("{seed}: {request:?} is doubtful now"));
            assert!(
                are_same(&old, &new),
                "{seed}: {request:?}\n{old:#?}\n{new:#?}\n{}\n{}\n{}",
                text.join("\n"),
                Value::from(edited.clone()),
                Value::from(rules.clone())
            );
            compared += 1;
        }
    }
    assert!(
        compared > 5000 && converted > 60 && unmet < 40 && refused.len() == 5,
        "{compared} {converted} {unmet} {refused:?}"
    );
}
