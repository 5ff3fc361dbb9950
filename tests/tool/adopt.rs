//! `adopt`: VirtualServices whose weights somebody else writes, and the EnvoyFilter for them.

use crate::{ended, fed, tool};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// A VirtualService of the table: its `spec`, or all that is `given`, and anything in addition.
fn given(case: &Value) -> String {
    let first = case["given"].as_str().map_or_else(
        || {
            let metadata = case["metadata"].as_str().unwrap_or("name: shop, namespace: shop");
            let spec: String = case["spec"].as_str().unwrap().lines().map(|line| format!("  {line}\n")).collect();
            let default = |key: &str, value: &str| match spec.contains(&format!("  {key}:")) {
                true => String::new(),
                false => format!("  {key}: {value}\n"),
            };
            let (hosts, gateways) = (default("hosts", "[shop.acme.io]"), default("gateways", "[istio-system/public]"));
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{{metadata}}}\nspec:\n{hosts}{gateways}{spec}"
            )
        },
        str::to_owned,
    );
    case["more"].as_str().map_or(first.clone(), |more| format!("{first}---\n{more}"))
}

/// What a patch is for: `HOST ROUTE`, or `HOST *`.
fn shown(patch: &Value) -> String {
    assert_eq!(patch["applyTo"], "HTTP_ROUTE");
    assert_eq!(patch["match"]["context"], "GATEWAY");
    assert_eq!(
        patch["patch"],
        json!({"operation": "MERGE", "value": {
            "route": {"weighted_clusters": {"header_name": "x-canary-draw"}}, "request_headers_to_remove": ["x-canary-draw"],
        }})
    );
    let vhost = &patch["match"]["routeConfiguration"]["vhost"];
    let route = vhost["route"]["name"].as_str().unwrap_or_else(|| {
        assert_eq!(vhost["route"], json!({"action": "ROUTE"}));
        "*"
    });
    format!("{} {route}", vhost["domainName"].as_str().unwrap())
}

#[test]
fn each_shape_is_adopted_or_refused_with_the_reason() {
    let table: Vec<Value> = serde_saphyr::from_str(include_str!("adopt.yaml")).unwrap();
    let mut wrong = Vec::new();
    for case in &table {
        let (out, error, code) = ended(&fed(&["adopt", "-", "-o", "json"], &given(case)));
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{}: {error}", case["name"]));
        let texts = |list: &Value, key: &str| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|one| one[key].as_str().unwrap_or_default().to_owned()).collect()
        };
        let strings = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
        };
        let filters = answer["objects"].as_array().unwrap().iter().filter(|object| object["kind"] == "EnvoyFilter");
        let patches: Vec<String> =
            filters.flat_map(|filter| filter["spec"]["configPatches"].as_array().unwrap()).map(shown).collect();
        let notes = strings(&answer["notes"]).join("\n");
        let refused = texts(&answer["refused"], "reason").join("\n");
        let is_as_said = match case["refused"].as_str() {
            Some(reason) => code == 1 && patches.is_empty() && refused.starts_with(reason),
            None => code == 0 && refused.is_empty() && patches == strings(&case["patches"]),
        };
        let has_note = case["notes"].as_str().is_none_or(|note| notes.contains(note));
        let is_silent = case["silent"].as_str().is_none_or(|note| !notes.contains(note));
        let findings = texts(&answer["findings"], "code") == strings(&case["finds"]);
        if !(is_as_said && has_note && is_silent && findings) {
            wrong.push(format!("{}: {code} {patches:?} {refused:?} {notes}\n{}", case["name"], answer["findings"]));
        }
        for object in answer["adopted"].as_array().unwrap() {
            assert!(!object["rule"].as_str().unwrap().is_empty() && !object["routes"].as_array().unwrap().is_empty());
        }
    }
    assert!(table.len() >= 18, "{}", table.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ARGO: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.acme.io]
  gateways: [istio-system/public]
  http:
  - name: primary
    route:
    - {destination: {host: shop, subset: stable}, weight: 100}
    - {destination: {host: shop, subset: canary}, weight: 0}
";

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_files_are_written_once_and_the_virtualservice_stays_as_it_is() {
    let folder = Folder(std::env::temp_dir().join(format!("canary-split-adopt-{}", std::process::id())));
    let (source, target) = (folder.0.join("given"), folder.0.join("adopted"));
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("shop.yaml"), ARGO).unwrap();
    let [source, target] = [source, target].map(|path| path.display().to_string());
    let arguments =
        ["adopt", &source, "--write", &target, "--sticky", "header:x-user,cookie", "--header", "x-position"];
    let (out, error, code) = ended(&tool(&arguments));
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.contains("rule shop adopts primary; sticky by header x-user, else cookie"), "{out}");
    assert!(out.contains(&format!("1. kubectl apply -f {target}/wasmplugin.yaml")), "{out}");
    assert!(out.contains(&format!("2. kubectl apply -f {target}/envoyfilter.yaml")), "{out}");
    assert!(out.contains("1. if EnvoyFilter istio-system/canary-split-adopt has no patches but these: kubectl -n istio-system delete envoyfilter canary-split-adopt;"), "{out}");
    let read = |name: &str| -> Value {
        serde_saphyr::from_str(&fs::read_to_string(format!("{target}/{name}")).unwrap()).unwrap()
    };
    assert_eq!(
        read("wasmplugin.yaml")["spec"]["pluginConfig"]["rules"],
        json!([{"name": "shop", "hosts": ["shop.acme.io"], "adopt": {"header": "x-position"},
            "sticky": {"keys": [{"header": "x-user"}], "cookie": {}}}])
    );
    let value = &read("envoyfilter.yaml")["spec"]["configPatches"][0]["patch"]["value"];
    assert_eq!(value["route"]["weighted_clusters"]["header_name"], "x-position");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2, "the VirtualService is the controller's");
    let (_, error, code) = ended(&tool(&arguments));
    assert!(code == 2 && error.contains("exists, so nothing was written"), "{code} {error}");
    assert_eq!(ended(&tool(&[&arguments[..], &["--force"]].concat())).2, 0);
}

#[test]
fn what_cannot_be_adopted_at_all_is_said() {
    let nothing = ARGO.replace("    - {destination: {host: shop, subset: canary}, weight: 0}\n", "");
    let plugin = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: canary-split, namespace: istio-system}\nspec: {pluginConfig: {rules: []}}\n";
    let table = [
        (nothing, &["adopt", "-"][..], 2, "no VirtualService has a route with several destinations"),
        (plugin.replace("WasmPlugin", "Gateway"), &["adopt", "-"], 2, "no VirtualService"),
        (format!("{ARGO}---\n{plugin}"), &["adopt", "-"], 2, "is this filter already; adopt without it"),
        (ARGO.to_owned(), &["adopt", "-", "--header", "host"], 1, "\"host\" has a meaning of its own"),
        (ARGO.to_owned(), &["adopt", "-", "--header", "x-canary-subset"], 1, "carries the subsets of other rules"),
        (ARGO.to_owned(), &["adopt", "-", "--sticky", "ip"], 2, "write cookie, header:NAME or claim:NAME"),
    ];
    for (text, arguments, expected, says) in table {
        let (out, error, code) = ended(&fed(arguments, &text));
        assert_eq!(code, expected, "{arguments:?}: {out}{error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert!(!out.contains("kind: EnvoyFilter"), "{out}");
    }
}
