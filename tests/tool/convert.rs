//! `convert`: VirtualServices of many shapes, and random ones; every request must have the same chances before and after.

use crate::{ended, fed, tool};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// Of this name.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("canary-split-convert-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Writes a file.
    pub fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const HEADER: &str = "x-canary-subset";

/// The objects of a text.
pub fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Those of a kind, in a `List` too.
pub fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    let listed = objects.iter().flat_map(|object| object["items"].as_array().into_iter().flatten());
    objects.iter().chain(listed).filter(|object| object["kind"] == kind).collect()
}

/// The items of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A route in one line: `/api* & x-canary-subset=v2 → shop/v2 (rewrite, timeout)`
pub fn shown(route: &Value) -> String {
    let entry = |entry: &Value| {
        let mut all = Vec::new();
        for (key, asked) in entry.as_object().unwrap() {
            let one = |asked: &Value| match asked.as_object().and_then(|asked| asked.iter().next()) {
                Some((kind, text)) if kind == "prefix" => format!("{}*", text.as_str().unwrap()),
                Some((kind, text)) if kind == "regex" => format!("~{}", text.as_str().unwrap()),
                Some((_, text)) => text.as_str().unwrap().to_owned(),
                None => asked.to_string(),
            };
            match key.as_str() {
                "uri" => all.insert(0, one(asked)),
                "headers" => {
                    all.extend(asked.as_object().unwrap().iter().map(|(name, asked)| format!("{name}={}", one(asked))));
                }
                _ => all.push(format!("{key}:{asked}")),
            }
        }
        all.join(" & ")
    };
    let entries: Vec<String> = list(&route["match"]).iter().map(entry).collect();
    let destination = |entry: &Value| {
        let to = &entry["destination"];
        let subset = to["subset"].as_str().map_or(String::new(), |subset| format!("/{subset}"));
        let port = to["port"]["number"].as_u64().map_or(String::new(), |port| format!(":{port}"));
        let weight = entry["weight"].as_u64().map_or(String::new(), |weight| format!(" {weight}"));
        let headers = if entry["headers"].is_null() { "" } else { " +headers" };
        format!("{}{subset}{port}{weight}{headers}", to["host"].as_str().unwrap())
    };
    let mut to: Vec<String> = list(&route["route"]).iter().map(destination).collect();
    to.extend(route["delegate"]["name"].as_str().map(|name| format!("delegate {name}")));
    to.extend(route["redirect"].as_object().map(|_| "redirect".to_owned()));
    let fields = route
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !["match", "route", "name", "delegate", "redirect"].contains(&key.as_str()));
    let fields: Vec<&str> = fields.map(String::as_str).collect();
    let name = route["name"].as_str().map_or(String::new(), |name| format!("{name}: "));
    let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
    format!("{name}{} → {}{fields}", entries.join(" or "), to.join(", ")).trim().to_owned()
}

/// What a case of a table has: its `spec`, in an object of its own with these fields, if it does not have them; or all that is `given`.
pub fn given(case: &Value, kind: &str, usual: &[(&str, &str)]) -> String {
    if let Some(given) = case["given"].as_str() {
        return given.to_owned();
    }
    let metadata = case["metadata"].as_str().unwrap_or("name: shop, namespace: shop");
    let spec: String = case["spec"].as_str().unwrap().lines().map(|line| format!("  {line}\n")).collect();
    let has = |key: &str| spec.lines().any(|line| line.starts_with(&format!("  {key}:")));
    let usual = usual.iter().filter(|(key, _)| !has(key)).map(|(key, value)| format!("  {key}: {value}\n"));
    format!("{kind}\nmetadata: {{{metadata}}}\nspec:\n{}{spec}", usual.collect::<String>())
}

#[test]
fn each_shape_is_converted_or_refused_with_the_reason() {
    let table: Vec<Value> = serde_saphyr::from_str(include_str!("convert.yaml")).unwrap();
    assert!(table.len() >= 40, "{}", table.len());
    let mut wrong = Vec::new();
    for (number, case) in table.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let kind = "apiVersion: networking.istio.io/v1\nkind: VirtualService";
        let text = given(case, kind, &[("hosts", "[shop.acme.io]"), ("gateways", "[istio-system/public]")]);
        let text = if case["crlf"] == true { text.replace('\n', "\r\n") } else { text };
        let folder = Folder::new(&number.to_string());
        let end = if text.starts_with('{') { "json" } else { "yaml" };
        let file = folder.file(&format!("given.{end}"), &text);
        let out = folder.path("out");
        let mut arguments = vec!["convert", &file, "--write", &out];
        arguments.extend(case["options"].as_str().unwrap_or_default().split_whitespace());
        let (said, error, code) = ended(&tool(&arguments));
        let refused = case["refused"].as_str();
        let converted = !case["http"].is_null();
        let expected_code = i32::from(refused.is_some());
        let mut problems = Vec::new();
        if code != expected_code {
            problems.push(format!("ended with {code}, not {expected_code}"));
        }
        let reasons = error.replace(&file, "FILE");
        match refused {
            Some(refused) if !reasons.contains(refused) => {
                problems.push(format!("refused by\n{reasons}\nnot {refused}"))
            }
            None if !error.is_empty() => problems.push(error.clone()),
            _ => {}
        }
        if !converted {
            if fs::exists(&out).unwrap() {
                problems.push("something was written".to_owned());
            }
        } else if !fs::exists(&out).unwrap() {
            problems.push(format!("nothing was written: {said}"));
        } else {
            // The result is explained where it is for a host that is no wildcard, over https if a Gateway serves that.
            let has_host = text.contains("shop.acme.io");
            if has_host && !said.contains("explain of the result, for a first visit to http") {
                problems.push(format!("nothing is explained: {said}"));
            }
            let mut rules = Vec::new();
            for name in ["wasmplugin.yaml", "wasmplugin-2.yaml"]
                .iter()
                .filter(|name| fs::exists(folder.path(&format!("out/{name}"))).unwrap())
            {
                let plugin = &objects(&fs::read_to_string(folder.path(&format!("out/{name}"))).unwrap())[0];
                rules.extend(list(&plugin["spec"]["pluginConfig"]["rules"]).iter().cloned());
            }
            let expected = if case["rules"].is_null() {
                json!([{"name": "shop", "hosts": ["shop.acme.io"], "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}], "sticky": {"cookie": {}}}])
            } else {
                case["rules"].clone()
            };
            if Value::from(rules.clone()) != expected {
                problems.push(format!("rules\n{}\nnot\n{expected}", Value::from(rules)));
            }
            let edited = fs::read_to_string(folder.path(&format!("out/given.{end}"))).unwrap();
            let after = objects(&edited);
            let routes: Vec<String> = of_kind(&after, "VirtualService")
                .iter()
                .flat_map(|service| list(&service["spec"]["http"]))
                .map(shown)
                .collect();
            let expected: Vec<&str> = list(&case["http"]).iter().map(|line| line.as_str().unwrap()).collect();
            if routes != expected {
                problems.push(format!("routes\n  {}\nnot\n  {}", routes.join("\n  "), expected.join("\n  ")));
            }
            for line in text.lines().filter(|line| line.trim_start().starts_with('#')) {
                if !edited.lines().any(|other| other == line) {
                    problems.push(format!("lost: {line}"));
                }
            }
            if text.contains('\r') && edited.matches('\n').count() != edited.matches("\r\n").count() {
                problems.push("line ends".to_owned());
            }
            let notes = case["notes"].as_str().unwrap_or_default();
            if !said.contains(notes) {
                problems.push(format!("no note {notes} in\n{said}"));
            }
            // What is shipped to be filled in is in the plugin alone.
            let (found, error, code) = ended(&tool(&["check", &out, "--allow", "placeholder"]));
            if (code, error.as_str()) != (0, "") {
                problems.push(format!("check: {found}{error}"));
            }
        }
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

const WEIGHTED: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.acme.io]
  gateways: [public]
  http:
  - route:
    - {destination: {host: shop, subset: v1}, weight: 80}
    - {destination: {host: shop, subset: v2}, weight: 20}
";

#[test]
fn files_are_written_once_and_name_the_steps() {
    let folder = Folder::new("files");
    let file = folder.file("routes.yaml", WEIGHTED);
    let out = folder.path("new/out");
    let (said, error, code) = ended(&tool(&["convert", &file, "--write", &out]));
    assert_eq!((code, error.as_str()), (0, ""));
    let steps = [
        format!(
            "  1. kubectl apply -f {out}/wasmplugin.yaml\n     then wait until every gateway has it: canary-split status\n  2. kubectl apply -f {out}/routes.yaml\n"
        ),
        format!(
            "  1. kubectl apply -f {file}\n  2. if WasmPlugin istio-system/canary-split has no rules but shop: kubectl -n istio-system delete wasmplugin canary-split; otherwise remove shop from its rules\n"
        ),
        "note: if WasmPlugin istio-system/canary-split is in the cluster already, add these rules to it instead of applying the file: applying replaces all of its rules\n".to_owned(),
    ];
    assert!(steps.iter().all(|steps| said.contains(steps.as_str())), "{said}");
    let written = fs::read_to_string(folder.path("new/out/routes.yaml")).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), WEIGHTED);
    // Not again, and nothing half.
    fs::remove_file(folder.path("new/out/wasmplugin.yaml")).unwrap();
    let (said, error, code) = ended(&tool(&["convert", &file, "--write", &out]));
    assert_eq!((code, said.as_str()), (2, ""));
    assert_eq!(
        error,
        format!(
            "canary-split: {out}/routes.yaml: exists, so nothing was written; name another folder, or give --force\n"
        )
    );
    assert!(!fs::exists(folder.path("new/out/wasmplugin.yaml")).unwrap());
    let (_, _, code) = ended(&tool(&["convert", &file, "--write", &out, "--force"]));
    assert_eq!(code, 0);
    // What is written is what is printed otherwise, and what JSON has.
    let plugin = fs::read_to_string(folder.path("new/out/wasmplugin.yaml")).unwrap();
    let (printed, said, code) = ended(&fed(&["convert", "-"], WEIGHTED));
    assert_eq!((code, printed.as_str()), (0, format!("{plugin}---\n{written}").as_str()));
    assert!(said.contains("apply VirtualService shop/shop as it was"), "{said}");
    let (printed, _, code) = ended(&fed(&["convert", "-", "--output", "json"], WEIGHTED));
    let json: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &json["objects"]), (0, &json!([objects(&plugin)[0], objects(&written)[0]])));
    assert_eq!(json["apply"], json!(["apply WasmPlugin istio-system/canary-split", "apply VirtualService shop/shop"]));
}

/// The lines of a text, each this far to the right; the first one after a dash.
fn item(text: &str, column: usize) -> String {
    let margin = " ".repeat(column);
    let lines =
        text.lines().enumerate().map(|(at, line)| format!("{margin}{} {line}\n", if at == 0 { "-" } else { " " }));
    lines.collect()
}

#[test]
fn items_of_a_list_are_edited_as_documents_are() {
    let one = format!("{WEIGHTED}    timeout: 5s  # long\n");
    let two = WEIGHTED.replace("name: shop", "name: two").replace("shop.acme.io", "two.acme.io");
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: shop, namespace: shop}\n\
        spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}\n";
    let made = |text: &str| {
        let (out, error, code) = ended(&fed(&["convert", "-", "--output", "json"], text));
        assert_eq!(code, 0, "{text}\n{out}\n{error}");
        serde_json::from_str::<Value>(&out).unwrap()["objects"].clone()
    };
    let documents = [one.as_str(), rule, two.as_str()];
    let expected = made(&documents.join("---\n"));
    assert_eq!(of_kind(list(&expected), "VirtualService").len(), 2);
    let all = |column: usize| documents.map(|text| item(text, column)).concat();
    let json = |text: &str| objects(text)[0].to_string();
    let head = "apiVersion: v1\nkind: List\n";
    let lists = [
        format!("{head}items:\n{}metadata: {{resourceVersion: ''}}\n", all(0)),
        format!("{head}items:\n{}", all(2)).trim_end().to_owned(),
        format!("{head}items:\n{}", all(4)).replace('\n', "\r\n"),
        format!(
            "kind: VirtualServiceList\napiVersion: networking.istio.io/v1\nitems:\n{}---\n{rule}",
            item(&one, 1) + &item(&two, 1)
        ),
        format!("{head}items:\n{}  - {}\n  - {}\n", item(&one, 2), json(&two), json(rule)),
        format!("{:#}", json!({"kind": "List", "items": documents.map(|text| objects(text)[0].clone())})),
        // Here one item says what another one says.
        format!("{head}items:\n{}", all(0))
            .replacen("gateways: [public]", "gateways: &same [public]", 1)
            .replace("gateways: [public]", "gateways: *same"),
    ];
    assert!(lists[6].contains("&same") && lists[6].contains("*same"));
    for text in &lists {
        assert_eq!(made(text), expected, "{text}");
    }
}

/// What a cluster writes into an object.
const BY_CLUSTER: [&str; 3] = [
    "  resourceVersion: \"1234\"\n  uid: 5f0c\n  generation: 3\n  creationTimestamp: \"2026-01-01T00:00:00Z\"\n  selfLink: /a\n  managedFields: [{manager: kubectl}]\n",
    "    kubectl.kubernetes.io/last-applied-configuration: |\n      {\"kind\":\"VirtualService\"}\n",
    "status:\n  observedGeneration: 3\n",
];

/// A VirtualService as `kubectl get -o yaml` prints it, and as it is without that.
fn printed(annotations: &str) -> [String; 2] {
    let spec = &WEIGHTED[WEIGHTED.find("spec:").unwrap()..];
    let [metadata, applied, status] = BY_CLUSTER;
    let object = |applied: &str, metadata: &str, status: &str| {
        let annotations = format!("{annotations}{applied}");
        let head = if annotations.is_empty() { String::new() } else { format!("  annotations:\n{annotations}") };
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n{head}  name: shop\n  namespace: shop\n{metadata}{spec}{status}"
        )
    };
    [object(applied, metadata, status), object("", "", "")]
}

#[test]
fn of_an_export_the_edited_objects_alone_are_written_and_saved() {
    let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop, namespace: shop, resourceVersion: '7'}\n\
        spec: {replicas: 3, selector: {matchLabels: {app: shop}}, template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: a, image: b}]}}}\n";
    for (number, annotations) in ["", "    a: b\n"].into_iter().enumerate() {
        let [given, clean] = printed(annotations);
        let list = |column: usize| {
            format!(
                "apiVersion: v1\nitems:\n{}{}kind: List\nmetadata: {{resourceVersion: ''}}\n",
                item(other, column),
                item(&given, column)
            )
        };
        let json = json!({"kind": "List", "items": [objects(other)[0], objects(&given)[0]]}).to_string();
        let texts = [list(0), list(2), json, format!("{other}---\n{given}"), given.clone()];
        for (at, text) in texts.iter().enumerate() {
            let folder = Folder::new(&format!("export-{number}-{at}"));
            let expected = &objects(&clean)[0];
            let out = folder.path("out");
            let saved = format!("{out}/before.yaml.saved");
            let file = folder.file(if at == 2 { "given.json" } else { "given.yaml" }, text);
            for given in ["-", &file] {
                let name = if given == "-" { "routes.yaml" } else { &file[file.rfind('/').unwrap() + 1..] };
                let arguments = ["convert", given, "--write", &out, "--force"];
                let (said, error, code) = ended(&if given == "-" { fed(&arguments, text) } else { tool(&arguments) });
                assert_eq!((code, error.as_str()), (0, ""), "{text}\n{said}");
                assert!(said.contains(&format!("The way back:\n  1. kubectl apply -f {saved}\n")), "{said}");
                assert_eq!(&objects(&fs::read_to_string(&saved).unwrap()), std::slice::from_ref(expected), "{text}");
                let written = fs::read_to_string(format!("{out}/{name}")).unwrap();
                let written = objects(&written);
                assert_eq!(written.len(), 1, "{text}\n{written:?}");
                assert_eq!(written[0]["metadata"], expected["metadata"], "{text}");
                assert_eq!((&written[0]["status"], list_of(&written[0])), (&Value::Null, 2), "{text}");
                // What is saved is not taken for a manifest.
                let (found, error, code) = ended(&tool(&["check", &out, "--allow", "placeholder"]));
                assert_eq!((code, error.as_str()), (0, ""), "{found}");
                fs::remove_file(format!("{out}/{name}")).unwrap();
            }
        }
    }
    // The file of a user stays as it is, and is the way back; what comes by the standard input is nowhere else.
    let folder = Folder::new("no-export");
    let text = format!("# mine\n{}---\n{WEIGHTED}", other.replace(", resourceVersion: '7'", ""));
    let out = folder.path("out");
    let (said, _, code) = ended(&tool(&["convert", &folder.file("given.yaml", &text), "--write", &out]));
    assert!(code == 0 && said.contains(&format!("kubectl apply -f {}", folder.path("given.yaml"))), "{said}");
    let written = fs::read_to_string(folder.path("out/given.yaml")).unwrap();
    assert!(written.starts_with(&text[..text.find("  http:").unwrap()]), "{written}");
    assert!(!fs::exists(folder.path("out/before.yaml.saved")).unwrap());
    let (said, _, code) = ended(&fed(&["convert", "-", "--write", &folder.path("fed")], &text));
    assert!(code == 0 && said.contains("fed/before.yaml.saved\n"), "{said}");
    assert_eq!(fs::read_to_string(folder.path("fed/before.yaml.saved")).unwrap(), WEIGHTED);
    assert!(fs::read_to_string(folder.path("fed/routes.yaml")).unwrap().starts_with("# mine"));
}

#[test]
fn what_is_deleted_on_the_way_is_saved_if_no_file_has_it() {
    let canary = "apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {name: shop, namespace: shop}\nspec:\n  \
        targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}\n  \
        service: {port: 80, gateways: [public], hosts: [shop.acme.io]}\n  analysis: {interval: 1m, maxWeight: 50, stepWeight: 20}\n";
    let owner =
        "ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: shop, uid: 0f3b, controller: true}]";
    let service = WEIGHTED
        .replace("namespace: shop}", &format!("namespace: shop, {owner}}}"))
        .replace("[shop.acme.io]", "[shop.acme.io, shop]")
        .replace("host: shop, subset: v1}, weight: 80", "host: shop-primary}, weight: 100")
        .replace("host: shop, subset: v2}, weight: 20", "host: shop-canary}, weight: 0");
    let text = format!("{canary}---\n{service}");
    let folder = Folder::new("removed");
    let saved = folder.path("out/removed.yaml.saved");
    let (said, error, code) = ended(&fed(&["convert", "-", "--leave", "--write", &folder.path("out")], &text));
    let back = format!("by which Flagger writes VirtualService shop/shop; it is saved in {saved}\n");
    assert!(code == 0 && said.contains(&back), "{said}{error}");
    assert_eq!(objects(&fs::read_to_string(&saved).unwrap()), objects(canary));
    let file = folder.file("given.yaml", &text);
    let (said, _, code) = ended(&tool(&["convert", &file, "--leave", "--write", &folder.path("other")]));
    assert!(code == 0 && said.contains("by which Flagger writes VirtualService shop/shop\n"), "{said}");
}

/// How many routes a VirtualService has.
fn list_of(service: &Value) -> usize {
    list(&service["spec"]["http"]).len()
}

#[test]
fn what_is_nothing_to_convert_is_named() {
    let folder = Folder::new("nothing");
    let plain =
        WEIGHTED.replace(", weight: 80", "").replace("    - {destination: {host: shop, subset: v2}, weight: 20}\n", "");
    let plugin = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: canary-split, namespace: istio-system}\nspec: {}\n";
    let table = [
        (
            plain.clone(),
            "no VirtualService and no HTTPRoute has weights for more than one destination: there is nothing to convert",
        ),
        (
            "kind: Service\napiVersion: v1\nmetadata: {name: a}\n".to_owned(),
            ": no VirtualService, no HTTPRoute, no Ingress with a canary, no traffic-tag plugin\n",
        ),
        (format!("{WEIGHTED}---\na: [\n"), ":13:1: not YAML"),
        (format!("{WEIGHTED}---\n{plugin}"), "WasmPlugin istio-system/canary-split ("),
    ];
    for (text, expected) in table {
        let file = folder.file("given.yaml", &text);
        let (said, error, code) = ended(&tool(&["convert", &file]));
        assert_eq!((code, said.as_str()), (2, ""), "{text}");
        assert!(error.contains(expected), "{error}");
    }
    let (_, error, code) = ended(&tool(&["convert", "none.yaml"]));
    assert!(code == 2 && error.contains("none.yaml: No such file"), "{error}");
    let (_, error, code) = ended(&tool(&["convert", "-", "--sticky", "header"]));
    assert!(code == 2 && error.contains("write cookie, header:NAME or claim:NAME"), "{error}");
}

/// Whether an entry of a match takes a request: its path, and its headers.
fn takes(entry: &Value, path: &str, headers: &BTreeMap<&str, &str>) -> bool {
    let holds = |asked: &Value, said: Option<&str>| match (asked["exact"].as_str(), asked["prefix"].as_str()) {
        (Some(exact), _) => said == Some(exact),
        (_, Some(prefix)) => said.is_some_and(|said| said.starts_with(prefix)),
        _ => said.is_some(),
    };
    entry.as_object().unwrap().iter().all(|(key, asked)| match key.as_str() {
        "uri" => holds(asked, Some(path)),
        "headers" => {
            asked.as_object().unwrap().iter().all(|(name, asked)| holds(asked, headers.get(name.as_str()).copied()))
        }
        "ignoreUriCase" => true,
        other => panic!("{other}"),
    })
}

fn is_met(entries: &Value, path: &str, headers: &BTreeMap<&str, &str>) -> bool {
    list(entries).is_empty() || list(entries).iter().any(|entry| takes(entry, path, headers))
}

/// How narrow the host of a VirtualService or a rule is that a request's host is; `None`: another one.
fn width(hosts: &Value, host: &str) -> Option<usize> {
    let is_it = |own: &&str| match own.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => *own == host,
    };
    let hosts = list(hosts).iter().filter_map(Value::as_str);
    hosts.filter(is_it).map(|own| if own.starts_with('*') { own.len() } else { usize::MAX }).max()
}

/// Where a request goes, and what is done to it, with the share of each.
type Shares = BTreeMap<String, f64>;

fn routed(services: &[&Value], host: &str, path: &str, headers: &BTreeMap<&str, &str>) -> Shares {
    let service = services.iter().filter(|service| width(&service["spec"]["hosts"], host).is_some());
    let Some(service) = service.max_by_key(|service| width(&service["spec"]["hosts"], host)) else {
        return Shares::new();
    };
    let Some(route) = list(&service["spec"]["http"]).iter().find(|route| is_met(&route["match"], path, headers)) else {
        return Shares::new();
    };
    let mut treatment = route.as_object().unwrap().clone();
    treatment.retain(|key, _| !["match", "name", "route"].contains(&key.as_str()));
    let entries = list(&route["route"]);
    let weight = |entry: &Value| entry["weight"].as_f64().unwrap_or(if entries.len() == 1 { 1.0 } else { 0.0 });
    let sum: f64 = entries.iter().map(weight).sum();
    let mut shares = Shares::new();
    for entry in entries.iter().filter(|entry| weight(entry) > 0.0) {
        let mut whole = entry.clone();
        whole.as_object_mut().unwrap().remove("weight");
        *shares.entry(format!("{whole} {}", Value::from(treatment.clone()))).or_default() += weight(entry) / sum;
    }
    shares
}

/// The same with the filter: what it decides, and where each of that goes.
fn decided(rules: &[Value], services: &[&Value], host: &str, path: &str, headers: &BTreeMap<&str, &str>) -> Shares {
    let is_for = |rule: &&Value| {
        (rule["hosts"].is_null() || width(&rule["hosts"], host).is_some()) && is_met(&rule["match"], path, headers)
    };
    let split: Vec<(Option<&str>, f64)> = match rules.iter().find(is_for) {
        None => vec![(None, 1.0)],
        Some(rule) if rule["split"].is_null() => vec![(rule["subset"].as_str(), 1.0)],
        Some(rule) => {
            let parts = list(&rule["split"]);
            let sum: f64 = parts.iter().map(|part| part["weight"].as_f64().unwrap()).sum();
            parts.iter().map(|part| (part["subset"].as_str(), part["weight"].as_f64().unwrap() / sum)).collect()
        }
    };
    let mut shares = Shares::new();
    for (subset, share) in split.into_iter().filter(|(_, share)| *share > 0.0) {
        let mut headers = headers.clone();
        headers.extend(subset.map(|subset| (HEADER, subset)));
        for (to, part) in routed(services, host, path, &headers) {
            *shares.entry(to).or_default() += share * part;
        }
    }
    shares
}

/// A random VirtualService for these hosts.
fn service(random: &mut Rng, name: &str, hosts: &[&str]) -> Value {
    let weights = |random: &mut Rng| (0..3).map(|_| random.u32(0..4) * 10).collect::<Vec<_>>();
    let usual = weights(random);
    let by_service = random.u32(0..4) == 0;
    let destination = |version: usize| {
        if by_service {
            json!({"host": format!("shop-v{version}")})
        } else {
            json!({"host": "shop", "subset": format!("v{version}")})
        }
    };
    let mut http = Vec::new();
    // From narrow to wide, as people write them: no route hides a later one.
    let mut asked = vec![
        json!({"exact": "/"}),
        json!({"exact": "/a/b"}),
        json!({"prefix": "/a/"}),
        json!({"prefix": "/a"}),
        json!({"exact": "/b"}),
    ];
    asked.retain(|_| random.bool());
    let mut has_header = random.bool();
    for last in (0..random.usize(1..5)).rev() {
        let mut route = Map::new();
        let count = if last == 0 && random.u32(0..4) > 0 { 0 } else { random.usize(1..3).min(asked.len()) };
        if count == 0 && last > 0 {
            continue;
        }
        let entries: Vec<Value> = asked
            .drain(..count)
            .map(|uri| {
                let mut entry = Map::new();
                entry.insert("uri".to_owned(), uri);
                if std::mem::take(&mut has_header) {
                    entry.insert("headers".to_owned(), json!({"x-tester": {"exact": "1"}}));
                }
                if random.u32(0..10) == 0 {
                    entry.insert("ignoreUriCase".to_owned(), json!(false));
                }
                Value::Object(entry)
            })
            .collect();
        if !entries.is_empty() {
            route.insert("match".to_owned(), entries.into());
        }
        for (key, value) in [
            ("timeout", json!("5s")),
            ("rewrite", json!({"uri": "/x"})),
            ("retries", json!({"attempts": 2})),
            ("name", json!("one")),
        ] {
            if random.u32(0..3) == 0 {
                route.insert(key.to_owned(), value);
            }
        }
        let weights = if random.u32(0..4) == 0 { weights(random) } else { usual.clone() };
        let to: Vec<Value> = if random.u32(0..3) == 0 || weights.iter().sum::<u32>() == 0 {
            vec![json!({"destination": destination(random.usize(1..4))})]
        } else {
            let entry = |(at, weight): (usize, &u32)| json!({"destination": destination(at + 1), "weight": weight});
            weights.iter().enumerate().map(entry).collect()
        };
        route.insert("route".to_owned(), to.into());
        http.push(Value::Object(route));
    }
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"hosts": hosts, "gateways": ["istio-system/public"], "http": http},
    })
}

#[test]
fn every_request_has_the_same_chances_before_and_after() {
    let hosts: [(&str, &[&str]); 5] = [
        ("below", &["*.acme.org"]),
        ("shop", &["shop.acme.io", "www.acme.io"]),
        ("wide", &["*.acme.net"]),
        ("other", &["other.acme.com"]),
        ("net", &["acme.net"]),
    ];
    let asked = ["shop.acme.io", "www.acme.io", "x.acme.org", "x.acme.net", "acme.net", "other.acme.com", "acme.com"];
    let (mut compared, mut converted, mut refused, mut unwritten) = (0, 0, 0, Vec::new());
    for seed in 0..30 {
        let mut random = Rng::with_seed(seed);
        let mut names = hosts;
        random.shuffle(&mut names);
        let services: Vec<Value> = names.iter().map(|(name, hosts)| service(&mut random, name, hosts)).collect();
        let text: Vec<String> = services.iter().map(Value::to_string).collect();
        let (out, error, code) = ended(&fed(&["convert", "-", "--output", "json"], &text.join("\n---\n")));
        if code == 2 {
            assert!(error.contains("there is nothing to convert"), "{seed}: {error}");
            continue;
        }
        let said: Value = serde_json::from_str(&out).unwrap();
        refused += list(&said["refused"]).len();
        let made = list(&said["objects"]);
        let findings = list(&said["findings"]);
        let errors: Vec<&Value> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
        if !errors.is_empty() {
            assert_eq!((code, made.len()), (1, 0), "{seed}");
            unwritten
                .extend(errors.iter().map(|finding| format!("{seed}: {} {}", finding["code"], finding["message"])));
            continue;
        }
        let rules: Vec<Value> = of_kind(made, "WasmPlugin")
            .iter()
            .flat_map(|plugin| list(&plugin["spec"]["pluginConfig"]["rules"]))
            .cloned()
            .collect();
        let edited = of_kind(made, "VirtualService");
        converted += edited.len();
        let name = |service: &Value| service["metadata"]["name"].clone();
        let before: Vec<&Value> = services.iter().collect();
        let after: Vec<&Value> =
            before.iter().map(|old| edited.iter().find(|new| name(new) == name(old)).copied().unwrap_or(old)).collect();
        for host in asked {
            for path in ["/", "/a", "/a/b", "/a/c", "/b", "/c"] {
                for headers in [BTreeMap::new(), BTreeMap::from([("x-tester", "1")])] {
                    let old = routed(&before, host, path, &headers);
                    let new = decided(&rules, &after, host, path, &headers);
                    let is_same =
                        old.keys().eq(new.keys()) && old.iter().all(|(to, share)| (share - new[to]).abs() < 1e-9);
                    assert!(
                        is_same,
                        "{seed}: {host}{path} {headers:?}\n{old:#?}\n{new:#?}\n{}\n{out}",
                        text.join("\n")
                    );
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(unwritten, [] as [String; 0]);
    assert!(compared > 2000 && converted > 70 && refused > 10, "{compared} {converted} {refused}");
}
