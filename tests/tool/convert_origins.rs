//! `convert` from what is no VirtualService: ingress-nginx, Higress, Flagger and Argo Rollouts; and random canaries of ingress-nginx, by
//! whose documentation every request has the same chances before and after.

use crate::convert::{Folder, list, objects, of_kind, shown};
use crate::{ended, fed, tool};
use canary_split::config::Config;
use canary_split::decide::answer;
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

/// An Ingress with these annotations and paths.
fn ingress(name: &str, prefix: &str, annotations: &Value, tls: bool, paths: &[(String, String)]) -> String {
    let mut text =
        format!("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: shop\n");
    if let Some(annotations) = annotations.as_object().filter(|all| !all.is_empty()) {
        text.push_str("  annotations:\n");
        for (key, value) in annotations {
            text.push_str(&format!("    {prefix}{key}: {}\n", value.as_str().unwrap()));
        }
    }
    text.push_str("spec:\n");
    if tls {
        text.push_str("  tls:\n  - {hosts: [shop.acme.io], secretName: shop}\n");
    }
    text.push_str("  rules:\n  - host: shop.acme.io\n    http:\n      paths:\n");
    for (path, service) in paths {
        let (kind, path) = match path.split_at(1) {
            ("=", path) => ("Exact", path),
            ("~", path) => ("ImplementationSpecific", path),
            _ => ("Prefix", path.as_str()),
        };
        text.push_str(&format!(
            "      - {{path: {path}, pathType: {kind}, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}\n"
        ));
    }
    text
}

/// What a case of a table has: all that is `given`, or a pair of Ingresses by their annotations and `paths` (the path, the Service, and
/// that of the canary).
fn given(case: &Value) -> String {
    if let Some(given) = case["given"].as_str() {
        return given.to_owned();
    }
    let prefix = case["prefix"].as_str().unwrap_or("nginx.ingress.kubernetes.io/");
    let usual = json!(["/ shop-v1 shop-v2"]);
    let paths = if case["paths"].is_null() { &usual } else { &case["paths"] };
    let words: Vec<Vec<&str>> = list(paths).iter().map(|path| path.as_str().unwrap().split(' ').collect()).collect();
    let side = |at: usize| {
        let own = words.iter().filter_map(|words| Some((words[0].to_owned(), (*words.get(at)?).to_owned())));
        own.collect::<Vec<_>>()
    };
    let mut canary = case["canary"].as_object().cloned().unwrap_or_default();
    canary.insert("canary".to_owned(), json!("\"true\""));
    let tls = case["tls"] == true;
    let main = ingress("shop", prefix, &case["main"], tls, &side(1));
    format!("{main}---\n{}", ingress("shop-canary", prefix, &Value::Object(canary), false, &side(2)))
}

/// The servers of a Gateway in one line each: `443 https → shop (a, b)`
fn server(server: &Value) -> String {
    let port = &server["port"];
    let tls = match (&server["tls"]["credentialName"], server["tls"]["httpsRedirect"] == true) {
        (Value::String(secret), _) => format!(" {secret}"),
        (_, true) => " to https".to_owned(),
        _ => String::new(),
    };
    let hosts: Vec<&str> = list(&server["hosts"]).iter().map(|host| host.as_str().unwrap()).collect();
    format!("{} {}{tls}: {}", port["number"], port["name"].as_str().unwrap(), hosts.join(" "))
}

/// What is wrong with a case; `usual` has what its rules and routes are if it does not say so.
fn problems(case: &Value, folder: &Folder, usual: &Value) -> Vec<String> {
    let file = folder.file("given.yaml", &given(case));
    let out = folder.path("out");
    let mut arguments = vec!["convert", &file, "--write", &out];
    arguments.extend(case["options"].as_str().unwrap_or_default().split_whitespace());
    let (said, error, code) = ended(&tool(&arguments));
    let (said, error) = (said.replace(&file, "FILE"), error.replace(&file, "FILE"));
    if let Some(refused) = case["refused"].as_str() {
        let mut problems = Vec::new();
        if code == 0 || !error.contains(refused) {
            problems.push(format!("ended with {code} and\n{error}\nnot {refused}"));
        }
        if fs::exists(&out).unwrap() {
            problems.push("something was written".to_owned());
        }
        return problems;
    }
    if (code, error.as_str()) != (0, "") {
        return vec![format!("ended with {code}: {error}{said}")];
    }
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for entry in fs::read_dir(&out).unwrap() {
        all.extend(objects(&fs::read_to_string(entry.unwrap().path()).unwrap()));
    }
    let mut compare = |what: &str, is: Value| {
        let expected = if case[what].is_null() { &usual[what] } else { &case[what] };
        if !expected.is_null() && is != *expected {
            problems.push(format!("{what}\n{is:#}\nnot\n{expected:#}"));
        }
    };
    let plugins = of_kind(&all, "WasmPlugin");
    let configs = || plugins.iter().map(|plugin| &plugin["spec"]["pluginConfig"]);
    let rules = configs().flat_map(|config| list(&config["rules"])).cloned().map(|mut rule| {
        // By the clock, where nobody says when.
        if rule["ramp"]["pausedAt"] == rule["ramp"]["start"] && !rule["ramp"].is_null() {
            rule["ramp"]["pausedAt"] = json!("START");
            rule["ramp"]["start"] = json!("START");
        }
        rule
    });
    compare("rules", rules.collect());
    compare("header", configs().map(|config| config["header"].clone()).next().unwrap_or_default());
    let mut services = of_kind(&all, "VirtualService");
    services.sort_by_key(|service| service["metadata"]["name"].to_string());
    let routes = |service: &&Value| list(&service["spec"]["http"]).iter().map(shown).collect::<Vec<_>>();
    compare("http", services.iter().flat_map(routes).collect());
    compare("hosts", services.iter().map(|service| service["spec"]["hosts"].clone()).collect());
    let owners = services.iter().map(|service| &service["metadata"]["ownerReferences"]);
    compare("owners", owners.filter(|owners| !owners.is_null()).cloned().collect());
    let gateways = of_kind(&all, "Gateway");
    compare("servers", gateways.iter().flat_map(|gateway| list(&gateway["spec"]["servers"])).map(server).collect());
    let pods = of_kind(&all, "DestinationRule").into_iter().map(|rule| {
        let cookie = &rule["spec"]["trafficPolicy"]["loadBalancer"]["consistentHash"]["httpCookie"];
        json!(format!("{} {cookie}", rule["spec"]["host"].as_str().unwrap()))
    });
    compare("pods", pods.collect());
    // Sentences are broken into lines.
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let missing = list(&case["notes"]).iter().map(|note| note.as_str().unwrap()).filter(|note| !flat.contains(note));
    problems.extend(missing.map(|note| format!("no note {note} in\n{said}")));
    if !said.contains("check of the result: 0 findings") && case["checked"] != false {
        problems.push(said);
    }
    problems
}

fn hold(table: &str, name: &str, least: usize, usual: &Value) {
    let table: Vec<Value> = serde_saphyr::from_str(table).unwrap();
    assert!(table.len() >= least, "{}", table.len());
    let mut wrong = Vec::new();
    for (number, case) in table.iter().enumerate() {
        let folder = Folder::new(&format!("{name}-{number}"));
        let problems = problems(case, &folder, usual);
        wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", case["name"].as_str().unwrap())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_canary_of_ingress_nginx_is_converted_or_refused_with_the_reason() {
    let split = json!([{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}]);
    let usual = json!({
        "rules": [{"name": "shop", "hosts": ["shop.acme.io"], "split": split, "sticky": {"cookie": {}}}],
        "http": ["x-canary-subset=v2 → shop-v2:80", "→ shop-v1:80"],
        "hosts": [["shop.acme.io"]],
        "servers": ["80 http: shop.acme.io"],
        "pods": [],
    });
    hold(include_str!("convert_ingress.yaml"), "ingress", 25, &usual);
}

#[test]
fn each_traffic_tag_is_converted_or_refused_with_the_reason() {
    hold(include_str!("convert_higress.yaml"), "higress", 10, &json!({"header": "x-mse-tag"}));
}

#[test]
fn what_a_controller_leaves_is_converted_or_refused_with_the_reason() {
    hold(include_str!("convert_leaving.yaml"), "leaving", 10, &json!({"owners": []}));
}

/// A request with these headers.
struct Asked(BTreeMap<&'static str, String>);

impl Request<'_> for Asked {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|value| value.as_bytes())
    }

    fn claim(&mut self, _: &ClaimPath) -> Option<&[u8]> {
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        None
    }
}

/// A random canary, as its annotations say it.
struct Canary {
    header: Option<(&'static str, Option<&'static str>, Option<&'static str>)>,
    cookie: Option<&'static str>,
    weight: u32,
    total: Option<u32>,
}

impl Canary {
    fn random(random: &mut Rng) -> Canary {
        let value = [None, Some("beta"), Some("always")][random.usize(0..3)];
        let pattern = [None, Some("^be"), Some("ta$"), Some("a|x"), Some("^never$")][random.usize(0..5)];
        let header = (random.u32(0..3) > 0).then_some(("X-Canary", value, pattern));
        let total = [None, None, Some(50), Some(1000)][random.usize(0..4)];
        let weight = [0, 0, 20, 50, 100, 250][random.usize(0..6)];
        Canary { header, cookie: random.bool().then_some("canary"), weight, total }
    }

    fn annotations(&self) -> Value {
        let mut all = Map::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                all.insert(name.to_owned(), Value::from(format!("{value:?}")));
            }
        };
        add("canary", Some("true".to_owned()));
        add("canary-weight", Some(self.weight.to_string()));
        add("canary-weight-total", self.total.map(|total| total.to_string()));
        add("canary-by-cookie", self.cookie.map(str::to_owned));
        if let Some((name, value, pattern)) = self.header {
            add("canary-by-header", Some(name.to_owned()));
            add("canary-by-header-value", value.map(str::to_owned));
            add("canary-by-header-pattern", pattern.map(str::to_owned));
        }
        Value::Object(all)
    }

    /// The chance of the canary, as ingress-nginx documents it: by the header, else by the cookie, else by the weight.
    fn chance(&self, header: Option<&str>, cookie: Option<&str>) -> f64 {
        if let (Some((_, value, pattern)), Some(said)) = (self.header, header) {
            match (value, pattern) {
                (Some(value), _) if value == said => return 1.0,
                (None, Some(pattern)) if regex::Regex::new(pattern).unwrap().is_match(said) => return 1.0,
                (None, None) if said == "always" => return 1.0,
                (None, None) if said == "never" => return 0.0,
                _ => {}
            }
        }
        match (self.cookie, cookie) {
            (Some(_), Some("always")) => return 1.0,
            (Some(_), Some("never")) => return 0.0,
            _ => {}
        }
        let total = f64::from(self.total.unwrap_or(100).max(100));
        (f64::from(self.weight) / total).min(1.0)
    }
}

/// Which of the paths a request meets: the exact one, else the longest that it begins with; element by element for Prefix.
fn met<'p>(paths: &'p [&'p str], path: &str) -> Option<&'p str> {
    let length = |own: &&&str| match own.split_at(1) {
        ("=", own) => (own == path).then_some(usize::MAX),
        ("~", own) => path.starts_with(own).then_some(2 * own.len()),
        _ => {
            let trimmed = own.trim_end_matches('/');
            let rest = path.strip_prefix(trimmed);
            rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).map(|_| 2 * trimmed.len() + 1)
        }
    };
    paths.iter().filter(|own| length(own).is_some()).max_by_key(length).copied()
}

/// The Service that a route of the result leads to.
fn route<'s>(service: &'s Value, path: &str, subset: Option<&str>) -> Option<&'s str> {
    let holds = |entry: &Value| {
        let uri = &entry["uri"];
        let is_path = match (uri["exact"].as_str(), uri["prefix"].as_str()) {
            (Some(exact), _) => path == exact,
            (_, Some(prefix)) => path.starts_with(prefix),
            _ => uri.is_null(),
        };
        let asked = entry["headers"]["x-canary-subset"]["exact"].as_str();
        is_path && (asked.is_none() || asked == subset)
    };
    let is_met = |route: &&Value| list(&route["match"]).is_empty() || list(&route["match"]).iter().any(holds);
    let route = list(&service["spec"]["http"]).iter().find(is_met)?;
    route["route"][0]["destination"]["host"].as_str()
}

#[test]
fn every_request_has_the_chances_that_ingress_nginx_documents() {
    let all = ["/", "/a", "/a/b", "=/a", "=/x", "~/ab", "~/a/b/c", "/a/b/"];
    let requests = ["/", "/a", "/a/", "/ab", "/abc", "/a/b", "/a/bc", "/a/b/c", "/a/b/cd", "/x", "/x/y"];
    let (mut compared, mut by_chance) = (0, 0);
    for seed in 0..60 {
        let mut random = Rng::with_seed(seed);
        // One canary for some of the paths, another one for others.
        let canaries = [Canary::random(&mut random), Canary::random(&mut random)];
        let mut paths: Vec<&str> = all.iter().filter(|_| random.bool()).copied().collect();
        // To Kubernetes both are one path.
        if paths.contains(&"/a/b") {
            paths.retain(|path| *path != "/a/b/");
        }
        if paths.is_empty() {
            continue;
        }
        let owners: Vec<usize> = paths.iter().map(|_| random.usize(0..3)).collect();
        if owners.iter().all(|owner| *owner == 2) {
            continue;
        }
        let main = |at: usize| format!("main{at}-v1");
        let canary = |at: usize| format!("main{at}-v2");
        let prefix = "nginx.ingress.kubernetes.io/";
        let own: Vec<(String, String)> =
            paths.iter().enumerate().map(|(at, path)| ((*path).to_owned(), main(at))).collect();
        let mut text = vec![ingress("shop", prefix, &json!({}), false, &own)];
        for (number, one) in canaries.iter().enumerate() {
            let own = paths.iter().zip(&owners).enumerate().filter(|(_, (_, owner))| **owner == number);
            let own: Vec<_> = own.map(|(at, (path, _))| ((*path).to_owned(), canary(at))).collect();
            if !own.is_empty() {
                text.push(ingress(&format!("canary-{number}"), prefix, &one.annotations(), false, &own));
            }
        }
        let text = text.join("---\n");
        let (out, error, code) = ended(&fed(&["convert", "-", "--output", "json"], &text));
        assert_eq!((code, error.as_str()), (0, ""), "{seed}: {text}\n{out}");
        let said: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(said["findings"], json!([]), "{seed}: {text}");
        let objects = list(&said["objects"]);
        let config = &of_kind(objects, "WasmPlugin")[0]["spec"]["pluginConfig"];
        let service = of_kind(objects, "VirtualService")[0];
        let filter = Config::from_json(config.to_string().as_bytes()).unwrap();
        for path in requests {
            for header in [None, Some("always"), Some("never"), Some("beta"), Some("xa"), Some("Always"), Some("")] {
                for cookie in [None, Some("always"), Some("never"), Some("other")] {
                    let mut before: BTreeMap<String, f64> = BTreeMap::new();
                    if let Some(at) = met(&paths, path).and_then(|own| paths.iter().position(|path| *path == own)) {
                        let chance = canaries.get(owners[at]).map_or(0.0, |canary| canary.chance(header, cookie));
                        before.insert(main(at), 1.0 - chance);
                        before.insert(canary(at), chance);
                    }
                    before.retain(|_, chance| *chance > 0.0);
                    let mut headers =
                        BTreeMap::from([(":authority", "shop.acme.io".to_owned()), (":path", path.to_owned())]);
                    headers.extend(header.map(|header| ("x-canary", header.to_owned())));
                    headers.extend(cookie.map(|cookie| ("cookie", format!("canary={cookie}"))));
                    let decided = answer(&filter, &mut Asked(headers), || Draw(7), || Second(0)).decision;
                    let rule = decided.map(|decision| decision.rule.name.clone());
                    let rule = list(&config["rules"]).iter().find(|own| own["name"].as_str() == rule.as_deref());
                    let split: Vec<(Option<&str>, f64)> = match rule {
                        None => vec![(None, 1.0)],
                        Some(rule) if rule["split"].is_null() => vec![(rule["subset"].as_str(), 1.0)],
                        Some(rule) => {
                            let weight = |part: &Value| part["weight"].as_f64().unwrap();
                            let sum: f64 = list(&rule["split"]).iter().map(weight).sum();
                            list(&rule["split"])
                                .iter()
                                .map(|part| (part["subset"].as_str(), weight(part) / sum))
                                .collect()
                        }
                    };
                    let mut after: BTreeMap<String, f64> = BTreeMap::new();
                    for (subset, share) in split.iter().copied().filter(|(_, share)| *share > 0.0) {
                        if let Some(to) = route(service, path, subset) {
                            *after.entry(to.to_owned()).or_default() += share;
                        }
                    }
                    let is_same = before.keys().eq(after.keys())
                        && before.iter().all(|(to, chance)| (chance - after[to]).abs() < 1e-9);
                    assert!(
                        is_same,
                        "{seed}: {path} {header:?} {cookie:?} {split:?} {rule:?}\n{before:#?}\n{after:#?}\n{text}\n{out}"
                    );
                    compared += 1;
                    by_chance += usize::from(after.len() > 1);
                }
            }
        }
    }
    assert!(compared > 10_000 && by_chance > 1_000, "{compared} {by_chance}");
}

#[test]
fn a_gateway_that_is_given_says_which_pods_the_one_that_is_made_is_for() {
    let ingress = |name: &str, service: &str, annotations: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: {name}, namespace: shop, annotations: {{{annotations}}}}}, \
             spec: {{rules: [{{host: shop.acme.io, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]}}}}]}}}}\n---\n"
        )
    };
    let canary = r#"nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "20""#;
    let ingresses = ingress("shop", "shop-v1", "") + &ingress("two", "shop-v2", canary);
    let gateway = |host: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: public, namespace: edge}}, \
             spec: {{selector: {{gateway: public}}, servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [{host}]}}]}}}}\n"
        )
    };
    let pods = "---\n{apiVersion: v1, kind: Service, metadata: {name: public, namespace: edge}, spec: {selector: {gateway: public}, ports: [{port: 80}]}}\n";
    let own = json!({"gateway": "public"});
    for (given, selector, namespace, says) in [
        (ingresses.clone(), json!({"istio": "ingressgateway"}), "istio-system", ""),
        (ingresses.clone() + &gateway("blog.acme.io") + pods, own.clone(), "edge", ""),
        (ingresses + &gateway("shop.acme.io") + pods, own, "edge", "Gateway edge/public serves shop.acme.io already"),
    ] {
        let (out, error, _) = ended(&fed(&["convert", "-", "-o", "json"], &given));
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
        let all = list(&answer["objects"]);
        let one = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap();
        assert_eq!(one("Gateway")["spec"]["selector"], selector, "{answer}");
        assert_eq!(one("WasmPlugin")["spec"]["selector"]["matchLabels"], selector);
        assert_eq!(one("WasmPlugin")["metadata"]["namespace"], namespace);
        assert!(answer["notes"].to_string().contains(says), "{}", answer["notes"]);
    }
}
