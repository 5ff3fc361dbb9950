//! `promote` and `remove`: their effects; no request is served differently on the way.

use crate::check::top;
use crate::{Temporary, ended, tool};
use canary_split::config::Config;
use canary_split::decide::decide;
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rollout::ramp::Second;
use canary_split::split::Draw;
use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

const NOW: u64 = 1_780_000_000;

#[derive(Deserialize)]
struct Case {
    case: String,
    #[serde(default)]
    header: String,
    rules: String,
    http: String,
    #[serde(default)]
    more: String,
    command: String,
    #[serde(default)]
    code: i32,
    says: Option<String>,
    after: Option<String>,
    split: Option<Value>,
    steps: Option<usize>,
    /// What a note says.
    note: Option<String>,
    /// What no note says.
    silent: Option<String>,
    gone: Option<Vec<String>>,
    idle: Option<Vec<String>>,
    #[serde(default)]
    moves: bool,
    /// What check says afterwards and has not said before.
    #[serde(default)]
    finds: Vec<String>,
}

fn filled(text: &str) -> String {
    let text = ["v1", "v2", "v3"].iter().fold(text.to_owned(), |text, name| {
        let port = name.replace('v', "800");
        let destination = format!("{{host: shop.shop.svc.cluster.local, subset: {name}, port: {{number: {port}}}}}");
        text.replace(&format!("${name}"), &destination)
    });
    let mut parts = text.split("$hdr(");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (value, rest) = part.split_once(')').unwrap();
        filled += &format!("headers: {{x-canary-subset: {{exact: {value}}}}}{rest}");
    }
    filled
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// All objects of a case.
fn manifests(case: &Case) -> String {
    let workload = |name: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: shop-{name}, namespace: shop}}\nspec:\n  selector: {{matchLabels: {{app: shop, version: {name}}}}}\n  template: {{metadata: {{labels: {{app: shop, version: {name}}}}}, spec: {{containers: [{{name: shop, image: \"shop:1\"}}]}}}}\n"
        )
    };
    let more = if case.more.is_empty() { String::new() } else { format!("---\n{}", filled(&case.more)) };
    let header = if case.header.is_empty() { String::new() } else { indented(&case.header, 4) };
    format!(
        "# All of it.
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {{name: canary-split, namespace: istio-system}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  url: oci://registry.example.com/canary-split@sha256:6f1d0c2a9b3e52d87f1d0c2a9b3e52d87f1d0c2a9b3e52d87f1d0c2a9b3e52d8
  failStrategy: FAIL_OPEN
  pluginConfig:
{header}    rules:
{}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - {{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [shop.example.com], tls: {{mode: SIMPLE, credentialName: shop}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: shop}}
spec:
  hosts: [shop.example.com]
  gateways: [shop]
  http:
{}{more}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: shop, namespace: shop}}
spec:
  host: shop.shop.svc.cluster.local
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}} # the canary
  - {{name: v3, labels: {{version: v3}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{name: http, port: 8001}}, {{name: http-2, port: 8002}}, {{name: http-3, port: 8003}}]
{}{}{}",
        indented(&filled(&case.rules), 4),
        indented(&filled(&case.http), 2),
        workload("v1"),
        workload("v2"),
        workload("v3")
    )
}

struct Visitor {
    headers: Vec<(&'static str, String)>,
    path: String,
    draw: u32,
}

impl Request<'_> for Visitor {
    fn header(&mut self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }

    fn claim(&mut self, _: &ClaimPath) -> Option<&[u8]> {
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        None
    }
}

fn visitors() -> Vec<Visitor> {
    let mut random = Rng::with_seed(7);
    let paths = ["/", "/api/x", "/apix", "/static/a", "/three", "/other/1"];
    let visitor = |_| {
        let path = paths[random.usize(0..paths.len())].to_owned();
        let mut headers = vec![(":authority", "shop.example.com".to_owned()), (":path", path.clone())];
        headers.extend(random.bool().then(|| ("x-tester", "1".to_owned())));
        Visitor { headers, path, draw: random.u32(..) }
    };
    (0..3000).map(visitor).collect()
}

/// All objects, in some state.
struct State(Vec<Value>);

impl State {
    fn of(text: &str) -> State {
        State(text.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect())
    }

    fn object(&mut self, title: &str) -> &mut Value {
        let is_it = |object: &&mut Value| {
            let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name")) == title
        };
        self.0.iter_mut().find(is_it).unwrap()
    }

    fn text(&self) -> String {
        self.0.iter().map(|object| format!("{object:#}\n")).collect()
    }

    /// What check finds.
    fn findings(&self) -> BTreeSet<String> {
        let file = Temporary::new(&self.text());
        let path = file.0.display().to_string();
        let (out, error, _) = ended(&tool(&["check", &path, "-o", "json", "--now", "2026-06-01T00:00:00Z"]));
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
        answer["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    }

    /// Where each request goes, and whether a rule has decided it.
    fn served(&mut self, visitors: &mut [Visitor]) -> Vec<(bool, Value)> {
        let config = self.object("WasmPlugin istio-system/canary-split")["spec"]["pluginConfig"].to_string();
        let config = Config::from_json(config.as_bytes()).unwrap();
        let subsets = self.object("DestinationRule shop/shop")["spec"]["subsets"].clone();
        let http = self.object("VirtualService shop/shop")["spec"]["http"].clone();
        let mut served = Vec::new();
        for visitor in visitors {
            let draw = Draw(visitor.draw);
            let decision = decide(&config, visitor, || draw, || Second(NOW));
            let header =
                decision.as_ref().and_then(|decision| Some(decision.choice.subset()?.header_value.to_string()));
            let tester = visitor.headers.iter().any(|(name, _)| *name == "x-tester");
            let holds = |entry: &Value| {
                let is_header = entry["headers"].as_object().into_iter().flatten().all(|(name, asked)| match &**name {
                    "x-canary-subset" => asked["exact"].as_str() == header.as_deref(),
                    "x-tester" => tester,
                    other => panic!("{other}"),
                });
                is_header && entry["uri"]["prefix"].as_str().is_none_or(|prefix| visitor.path.starts_with(prefix))
            };
            let route = http
                .as_array()
                .unwrap()
                .iter()
                .find(|route| route["match"].as_array().is_none_or(|entries| entries.iter().any(holds)));
            let route = route.unwrap_or_else(|| panic!("no route: {} {header:?}", visitor.path));
            let destination = &route["route"][0]["destination"];
            let is_there = subsets.as_array().unwrap().iter().any(|subset| subset["name"] == destination["subset"]);
            assert!(is_there, "{destination} is no subset of {subsets}");
            served.push((header.is_some(), json!([destination, route["timeout"], route["route"][0]["headers"]])));
        }
        served
    }
}

#[test]
fn each_step_serves_every_request_as_before() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("finish.yaml")).unwrap();
    let mut visitors = visitors();
    for case in cases {
        let name = &case.case;
        let text = manifests(&case);
        let file = Temporary::new(&text);
        let path = file.0.display().to_string();
        let mut command: Vec<&str> = case.command.split(' ').collect();
        command.extend(["-f", &path, "--now", "2026-06-01T00:00:00Z"]);
        let (out, error, code) = ended(&tool(&[&command[..], &["--dry-run", "-o", "json"]].concat()));
        assert_eq!(code, case.code, "{name}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}: a dry run has written");
        if let Some(says) = &case.says {
            assert!(error.replace(&path, "FILE").contains(says.as_str()) && out.is_empty(), "{name}: {error}{out}");
            let (_, _, code) = ended(&tool(&command));
            assert_eq!((code, fs::read_to_string(&path).unwrap()), (case.code, text), "{name}");
            continue;
        }
        assert_eq!(error, "", "{name}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["moved"], json!(0.0), "{name}");
        let mut state = State::of(&text);
        let (before, findings) = (state.served(&mut visitors), state.findings());
        let steps = answer["steps"].as_array().unwrap();
        assert!(case.steps.is_none_or(|number| number == steps.len()), "{name}: {out}");
        let notes = answer["notes"].to_string();
        assert!(case.note.as_ref().is_none_or(|note| notes.contains(note.as_str())), "{name}: {notes}");
        assert!(case.silent.as_ref().is_none_or(|silent| !notes.contains(silent.as_str())), "{name}: {notes}");
        for (number, step) in steps.iter().enumerate() {
            let patch: json_patch::Patch = serde_json::from_value(step["patch"].clone()).unwrap();
            json_patch::patch(state.object(step["object"].as_str().unwrap()), &patch).unwrap();
            let served = state.served(&mut visitors);
            for ((old, new), visitor) in before.iter().zip(&served).zip(&visitors) {
                // What no rule decides follows the default route.
                assert!(
                    !old.0 || case.moves || old.1 == new.1,
                    "{name}: {} {:?}: {old:?} {new:?}",
                    step["said"],
                    visitor.headers
                );
            }
            let mut worse: Vec<_> = state.findings().difference(&findings).cloned().collect();
            // Two objects cannot say at once which subset is stable, or that a rule and its routes have gone.
            let is_between = number + 1 < steps.len();
            worse.retain(|code| {
                !(is_between && ["stable-not-default", "no-rule", "unchosen-route"].contains(&code.as_str()))
            });
            worse.retain(|code| !case.finds.contains(code));
            assert_eq!(worse, [] as [&str; 0], "{name}: {}", step["said"]);
        }
        let http: Value = serde_saphyr::from_str(&filled(case.after.as_ref().unwrap())).unwrap();
        assert_eq!(state.object("VirtualService shop/shop")["spec"]["http"], http, "{name}");
        let rules = &state.object("WasmPlugin istio-system/canary-split")["spec"]["pluginConfig"]["rules"];
        let word = case.command.split(' ').nth(1).unwrap();
        let rule = rules.as_array().unwrap().iter().find(|rule| rule["name"] == word);
        assert_eq!(rule.map(|rule| &rule["split"]), case.split.as_ref(), "{name}");
        if let Some(gone) = &case.gone {
            let subsets = state.object("DestinationRule shop/shop")["spec"]["subsets"].to_string();
            for subset in ["v1", "v2", "v3"] {
                assert_eq!(!subsets.contains(subset), gone.iter().any(|gone| gone == subset), "{name}: {subset}");
            }
            for workload in ["shop-v1", "shop-v2", "shop-v3"] {
                let is_idle = notes.contains(&format!("Deployment shop/{workload} no longer gets requests"));
                assert_eq!(is_idle, case.idle.iter().flatten().any(|idle| idle == workload), "{name}: {notes}");
            }
        }
        // The file says what the steps say, with its comments.
        let (out, error, code) = ended(&tool(&command));
        assert_eq!((code, error.as_str()), (0, ""), "{name}");
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(State::of(&written).0, state.0, "{name}");
        assert!(written.starts_with("# All of it.\n"), "{written}");
        assert_eq!(out.contains("nothing is written"), steps.is_empty(), "{name}: {out}");
        // What is done is done.
        if case.command.starts_with("promote") {
            let (out, _, code) = ended(&tool(&command));
            assert!(code == 0 && out.starts_with("rule shop: nothing to do; nothing is written\n"), "{name}: {out}");
        }
    }
}

#[test]
fn a_rule_is_not_removed_from_files_without_its_routes() {
    let rules =
        "rules: [{name: shop, hosts: [shop.example.com], split: [{subset: v1, weight: 1}, {subset: v2, weight: 0}]}]";
    let text = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: canary-split, namespace: istio-system}}\nspec: {{pluginConfig: {{{rules}}}}}\n"
    );
    let file = Temporary::new(&text);
    let (out, error, code) = ended(&tool(&["remove", "shop", "-f", &file.0.display().to_string()]));
    let why = "canary-split: rule shop: no VirtualService and no HTTPRoute of its hosts that asks for x-canary-subset is among the files";
    assert!(error.starts_with(why) && out.is_empty() && code == 2, "{code}: {error}{out}");
    assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
}

#[test]
fn several_files_are_edited_and_only_those_that_change() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("finish.yaml")).unwrap();
    let text = manifests(&cases[0]);
    let files: Vec<Temporary> =
        text.split("\n---\n").map(|part| Temporary::new(&format!("\u{feff}{part}\n").replace('\n', "\r\n"))).collect();
    let paths: Vec<String> = files.iter().map(|file| file.0.display().to_string()).collect();
    let before: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let command: Vec<&str> =
        ["promote", "shop", "v2", "--yes", "-f"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let (out, error, code) = ended(&tool(&command));
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let after: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let changed: Vec<usize> = (0..paths.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(changed, [0, 2], "{out}");
    assert!(after[0].starts_with("\u{feff}# All of it.\r\n") && !after[0].replace("\r\n", "").contains('\n'));
    let folder = "manifests/overlays/sticky";
    let (_, error, code) = ended(&tool(&["promote", "httpbin", "v2", "-f", folder]));
    assert_eq!(code, 2);
    assert!(error.contains("a kustomization; what is rendered cannot be edited, name its files"), "{error}");
}

/// The small manifests of a Gateway of the Gateway API with other rules in the HTTPRoute, and other weights.
fn of_gateway_api(manifests: &str, rules: &str) -> String {
    let text = fs::read_to_string(top().join(format!("tests/tool/{manifests}.yaml"))).unwrap();
    let old = "  - matches: [{path: {type: PathPrefix, value: /}}]\n    backendRefs: [{name: httpbin-v1, port: 8000}]\n  - matches: [{path: {type: PathPrefix, value: /}, headers: [{name: x-canary-subset, value: v2}]}]\n    backendRefs: [{name: httpbin-v2, port: 8001}]\n";
    assert_eq!(text.matches(old).count(), 1, "{text}");
    text.replace(old, &indented(&of_rules(rules), 2))
}

fn of_rules(text: &str) -> String {
    let text = text.replace("$v1", "backendRefs: [{name: httpbin-v1, port: 8000}]");
    let text = text.replace("$v2", "backendRefs: [{name: httpbin-v2, port: 8001}]");
    text.replace("$hdr1", "headers: [{name: x-canary-subset, value: v1}]")
        .replace("$hdr2", "headers: [{name: X-Canary-Subset, value: v2}]")
}

#[test]
fn routes_of_the_gateway_api_are_promoted_and_removed_too() {
    let table = [
        ("promote", "- {$v1}\n- {matches: [{$hdr2}], $v2}", "- {$v2}\n- {matches: [{$hdr1}], $v1}"),
        (
            "promote",
            "- {matches: [{$hdr2}, {path: {value: /b}, $hdr2}], $v2}\n- {matches: [{path: {type: PathPrefix, value: /}}, {path: {value: /b}}], $v1}",
            "- {matches: [{$hdr1}, {path: {value: /b}, $hdr1}], $v1}\n- {matches: [{path: {type: PathPrefix, value: /}}, {path: {value: /b}}], $v2}",
        ),
        // The order of the text does not count: for /api the first two come before the others.
        (
            "promote",
            "- {$v1}\n- {matches: [{$hdr2}], $v2}\n- {matches: [{path: {value: /api}}], $v1}\n- {matches: [{path: {value: /api}, $hdr2}], $v2}",
            "- {$v2}\n- {matches: [{$hdr1}], $v1}\n- {matches: [{path: {value: /api}}], $v2}\n- {matches: [{path: {value: /api}, $hdr1}], $v1}",
        ),
        // The header is not the first one.
        (
            "promote",
            "- {matches: [{headers: [{name: x-a, value: b}, {name: x-canary-subset, value: v2}]}], $v2}\n- {matches: [{headers: [{name: x-a, value: b}]}], $v1}",
            "- {matches: [{headers: [{name: x-a, value: b}, {name: x-canary-subset, value: v1}]}], $v1}\n- {matches: [{headers: [{name: x-a, value: b}]}], $v2}",
        ),
        // What is asked for between two entries of the default is not between the canary and that.
        (
            "promote",
            "- {matches: [{$hdr2}, {queryParams: [{name: q, value: a}], $hdr2}], $v2}\n- {matches: [{path: {value: /}}, {queryParams: [{name: q, value: a}]}], $v1}",
            "- {matches: [{$hdr1}, {queryParams: [{name: q, value: a}], $hdr1}], $v1}\n- {matches: [{path: {value: /}}, {queryParams: [{name: q, value: a}]}], $v2}",
        ),
        (
            "promote",
            "- {matches: [{path: {value: /a/b}, $hdr2}, {$hdr2}], $v2}\n- {matches: [{path: {value: /a/b}}, {path: {value: /}}], $v1}\n- {matches: [{path: {value: /a}}], timeouts: {request: 3s}, $v2}",
            "- {matches: [{path: {value: /a/b}, $hdr1}, {$hdr1}], $v1}\n- {matches: [{path: {value: /a/b}}, {path: {value: /}}], $v2}\n- {matches: [{path: {value: /a}}], timeouts: {request: 3s}, $v2}",
        ),
        // A rule with one entry before the canary and one behind the default.
        (
            "promote",
            "- {matches: [{path: {value: /api}, $hdr2}], $v2}\n- {matches: [{path: {value: /api}}], $v1}\n- {matches: [{path: {value: /api/x}}, {path: {value: /}}], timeouts: {request: 3s}, $v2}",
            "- {matches: [{path: {value: /api}, $hdr1}], $v1}\n- {matches: [{path: {value: /api}}], $v2}\n- {matches: [{path: {value: /api/x}}, {path: {value: /}}], timeouts: {request: 3s}, $v2}",
        ),
        // What takes requests before it takes none from it.
        (
            "remove",
            "- {matches: [{path: {value: /api}, $hdr1}], $v1}\n- {matches: [{path: {value: /api/x}}], timeouts: {request: 3s}, $v1}\n- {$v1}\n- {matches: [{path: {value: /api}}], $v1}",
            "- {matches: [{path: {value: /api/x}}], timeouts: {request: 3s}, $v1}\n- {$v1}\n- {matches: [{path: {value: /api}}], $v1}",
        ),
        // Nor does what is behind its default route, though it is written first.
        (
            "remove",
            "- {timeouts: {request: 3s}, $v1}\n- {matches: [{path: {value: /api}, $hdr1}], $v1}\n- {matches: [{path: {value: /api}}], $v1}",
            "- {timeouts: {request: 3s}, $v1}\n- {matches: [{path: {value: /api}}], $v1}",
        ),
        ("remove", "- {$v1}\n- {matches: [{$hdr2}], $v2}", "- {$v1}"),
        (
            "remove",
            "- {matches: [{path: {value: /api}, $hdr2}], $v2}\n- {matches: [{path: {value: /static}}], $v1}\n- {$v1}",
            "- {matches: [{path: {value: /static}}], $v1}\n- {$v1}",
        ),
        // The first default route behind that for stable is that of its path, though it is written last.
        (
            "remove",
            "- {$v1}\n- {matches: [{path: {value: /api}, $hdr1}], $v1}\n- {matches: [{$hdr2}], $v2}\n- {matches: [{path: {value: /api}}], $v1}",
            "- {$v1}\n- {matches: [{path: {value: /api}}], $v1}",
        ),
        (
            "promote",
            "- {$v1}\n- {matches: [{headers: [{type: RegularExpression, name: x-canary-subset, value: v2}]}], $v2}",
            "rules[1] of HTTPRoute canary/httpbin asks for x-canary-subset otherwise than by one exact value; edit it by hand",
        ),
        (
            "promote",
            "- {matches: [{path: {value: /api}, $hdr2}], $v2}\n- {$v1}",
            "takes some of the requests of rules[0], and not all; edit it by hand",
        ),
        (
            "remove",
            "- {matches: [{$hdr1}], $v1}\n- {matches: [{path: {value: /}, $hdr1}], $v1}\n- {$v1}",
            "rules[0] of HTTPRoute canary/httpbin asks for the same as rules[1]; remove one of them",
        ),
        (
            "remove",
            "- {matches: [{path: {value: /api}, $hdr2}], $v2}\n- {matches: [{path: {value: /apis}}], $v1}",
            "rules[0] of HTTPRoute canary/httpbin takes requests that no default route takes; add one first",
        ),
    ];
    for manifests in ["gateway_api", "envoy_gateway"] {
        for (command, before, after) in table {
            let text = of_gateway_api(manifests, before);
            let own = if command == "promote" { (0, 100) } else { (100, 0) };
            let weights = format!("weight: {}}}, {{subset: v2, weight: {}}}", own.0, own.1);
            let text = text.replace("weight: 80}, {subset: v2, weight: 20}", &weights);
            let file = Temporary::new(&text);
            let path = file.0.display().to_string();
            let mut arguments = vec![command, "httpbin"];
            arguments.extend((command == "promote").then_some("v2"));
            let (out, error, code) = ended(&tool(&[&arguments[..], &["-f", path.as_str()]].concat()));
            let text = fs::read_to_string(&path).unwrap();
            if !after.starts_with('-') {
                assert!(
                    error.contains(after) && code == 1 && text.contains(&weights),
                    "{command} {before}: {out}{error}"
                );
                continue;
            }
            assert_eq!((error.as_str(), code), ("", 0), "{command} {before}: {out}");
            let documents = text.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
            let is_it = |object: &Value| object["kind"] == "HTTPRoute" && object["metadata"]["name"] == "httpbin";
            let route = documents.into_iter().find(is_it).unwrap();
            let expected: Value = serde_saphyr::from_str(&of_rules(after)).unwrap();
            assert_eq!(
                route["spec"]["rules"].to_string().to_lowercase(),
                expected.to_string().to_lowercase(),
                "{command} {before}"
            );
            let stable = "split: [{subset: v2, weight: 100}, {subset: v1, weight: 0}]";
            assert_eq!(text.contains(stable), command == "promote", "{text}");
            let (out, _, code) = ended(&tool(&["check", path.as_str()]));
            assert_eq!(code, 0, "{command} {before}: {out}");
        }
    }
}
