//! The answers of `check`: severity, allowed findings, the text of each code, and what is hidden (trial 31).

use crate::check::{rendered, versions};
use crate::{ended, fed, tool};
use serde_json::Value;
use std::collections::BTreeSet;

fn answered(arguments: &[&str], text: &str) -> (Value, i32) {
    let all = [&["check", "--output", "json"], arguments, &["-"]].concat();
    let (out, error, code) = ended(&fed(&all, text));
    (serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}")), code)
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

/// With a warning, and with an error.
fn bad() -> (String, String) {
    let (good, wrong) = versions();
    let warning = good.replace("  failStrategy: FAIL_OPEN\n", "");
    (warning, wrong)
}

#[test]
fn a_warning_fails_only_if_it_is_to() {
    let (warning, error) = bad();
    for (text, severity, codes_found, ends) in
        [(&warning, "warning", ["fail-strategy"], [1, 1, 0]), (&error, "error", ["header-mismatch"], [1, 1, 1])]
    {
        for (arguments, end) in [&[][..], &["--fail-on", "warning"], &["--fail-on", "error"]].into_iter().zip(ends) {
            let (answer, code) = answered(arguments, text);
            assert_eq!((codes(&answer), code), (codes_found.to_vec(), end), "{arguments:?}");
            assert_eq!(answer["findings"][0]["severity"], severity);
        }
    }
    let (_, told, code) = ended(&fed(&["check", "--fail-on", "note", "-"], &error));
    assert!(code == 2 && told.contains("error"), "{told}");
}

/// A text with an annotation on an object of a kind.
fn annotated(text: &str, kind: &str, codes: &str) -> String {
    let annotation = format!("metadata:\n  annotations: {{canary-split/allow: '{codes}'}}\n");
    let edited = |document: &str| {
        if !document.contains(&format!("\nkind: {kind}\n")) {
            return document.to_owned();
        }
        assert!(!document.contains("annotations:"), "{document}");
        document.replacen("metadata:\n", &annotation, 1)
    };
    text.split("\n---\n").map(edited).collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn an_annotation_allows_findings_at_its_object_alone() {
    let (warning, error) = bad();
    let both = error.replace("  failStrategy: FAIL_OPEN\n", "");
    for (text, kind, allowed, left) in [
        (&error, "VirtualService", "header-mismatch", vec![]),
        (&error, "VirtualService", "config, header-mismatch", vec![]),
        (&error, "WasmPlugin", "header-mismatch", vec!["header-mismatch"]),
        (&error, "VirtualService", "fail-strategy", vec!["header-mismatch"]),
        (&warning, "WasmPlugin", "fail-strategy", vec![]),
        (&both, "WasmPlugin", "fail-strategy,header-mismatch", vec!["header-mismatch"]),
    ] {
        let (answer, code) = answered(&[], &annotated(text, kind, allowed));
        assert_eq!((codes(&answer), code), (left.clone(), i32::from(!left.is_empty())), "{kind} {allowed}");
        assert_eq!(answer["notes"], serde_json::json!([]));
    }
    let (answer, code) = answered(&[], &annotated(&error, "VirtualService", "header-mismatch, header-missmatch"));
    assert_eq!((codes(&answer).len(), code), (0, 0));
    let note = answer["notes"][0].as_str().unwrap();
    assert!(note.starts_with("VirtualService canary/httpbin (standard input:"), "{note}");
    assert!(note.ends_with("): canary-split/allow: unknown code header-missmatch"), "{note}");
}

/// The sections of docs/checks.md.
fn sections() -> Vec<(&'static str, &'static str)> {
    let document = include_str!("../../docs/checks.md");
    document.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap()).collect()
}

#[test]
fn every_code_is_listed_and_explained() {
    let (out, error, code) = ended(&tool(&["check", "--list"]));
    assert_eq!((error.as_str(), code), ("", 0));
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    let listed: Vec<&str> = lines.iter().map(|words| words[1]).collect();
    assert_eq!(listed, sections().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(lines.iter().all(|words| ["error", "warning"].contains(&words[0]) && words.len() > 4), "{out}");
    let (json, ..) = ended(&tool(&["check", "--list", "--output", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["codes"].as_array().unwrap().len(), listed.len());
    for ((name, section), words) in sections().iter().zip(&lines) {
        let (out, error, code) = ended(&tool(&["check", "--explain", name]));
        assert_eq!((error.as_str(), code), ("", 0), "{name}");
        assert_eq!(out, format!("{}[{name}]\n\n{}\n", words[0], section.trim()));
    }
    let (out, error, code) = ended(&tool(&["check", "--explain", "nothing"]));
    let told = "canary-split: --explain nothing: no such code; canary-split check --list has them all\n";
    assert_eq!((out.as_str(), error.as_str(), code), ("", told, 2));
    assert_eq!(ended(&tool(&["check", "--list", "manifests"])).2, 2);
    assert_eq!(ended(&tool(&["check"])).2, 2);
}

/// Codes of what gateways say: no manifest has them.
pub const LIVING: [&str; 11] = [
    "gateway-silent",
    "no-gateway-pod",
    "filter-missing",
    "config-behind",
    "config-faults",
    "push-rejected",
    "weights-differ",
    "arrived-off-decided",
    "canary-tripped",
    "no-ready-pod",
    "no-such-service",
];

#[test]
fn the_manifests_before_have_what_the_section_is_about_and_those_after_have_not() {
    let missing: BTreeSet<&str> = LIVING.into();
    let block = |section: &'static str, title: &str| {
        let (_, rest) = section.split_once(&format!("\n{title}\n\n```yaml\n"))?;
        rest.split_once("\n```").map(|(text, _)| text)
    };
    let mut without = BTreeSet::new();
    for (name, section) in sections() {
        let (Some(before), Some(after)) = (block(section, "Before:"), block(section, "After:")) else {
            without.insert(name);
            continue;
        };
        let (answer, _) = answered(&[], before);
        assert_eq!(codes(&answer).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([name]), "before: {answer:#}");
        let (answer, code) = answered(&[], after);
        assert_eq!((codes(&answer), code), (vec![], 0), "{name}, after: {answer:#}");
    }
    assert_eq!(without, missing, "sections without manifests before and after, and those that are known to have none");
}

const SECRETS: [&str; 8] = [
    "geheim-seal-7d1f4c0a9b3e52d8",
    "geheim-header",
    "geheim-cookie",
    "geheim-query",
    "geheim-claim",
    "geheim-route-header",
    "geheim-route-query",
    "geheim-password",
];

/// All on one line, with a finding on it.
fn compact(subset: &str) -> String {
    let [seal, header, cookie, query, claim, route, route_query, password] = SECRETS;
    let matches = serde_json::json!([{
        "headers": {"x-key": {"exact": header}}, "cookies": {"k": {"prefix": cookie}}, "queryParams": {"q": {"exact": query}},
        "claims": {"group": {"regex": claim}}
    }]);
    let rules = serde_json::json!([{"name": "a", "match": matches, "subset": subset}]);
    let items = serde_json::json!([
        {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "c"}, "spec": {
            "url": "canary-split", "pluginConfig": {"seal": seal, "rules": rules}}},
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "v"}, "spec": {
            "hosts": ["a.example.com"], "gateways": ["g"], "http": [
                {"match": [{"headers": {"x-tester": {"exact": route}, "x-canary-subset": {"exact": format!("v2.{seal}")}},
                    "queryParams": {"k": {"exact": route_query}}}],
                    "route": [{"destination": {"host": "s", "subset": "v9"}}]}]}},
        {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "d"}, "spec": {
            "host": "s", "subsets": [{"name": "v1"}]}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "stringData": {"password": password}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p"}, "spec": {"template": {"spec": {
            "containers": [{"name": "a", "env": [{"name": "PASSWORD", "value": password}]}]}}}}
    ]);
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

#[test]
fn trial_31_no_secret_is_in_any_output() {
    for form in ["text", "json"] {
        let (out, error, code) = ended(&fed(&["check", "--output", form, "-"], &compact("V2")));
        assert!(code == 1 && !format!("{out}{error}").contains("geheim"), "{out}{error}");
        assert!(out.contains("***"), "{out}");
    }
    let request = ["-H", "x-key: other", "https://a.example.com/"];
    for form in ["text", "json"] {
        let arguments = [&["explain", "--output", form, "--config", "-"], &request[..]].concat();
        let (out, error, _) = ended(&fed(&arguments, &compact("v2")));
        assert!(!format!("{out}{error}").contains("geheim") && out.contains("***"), "{out}{error}");
        let (out, ..) = ended(&fed(&[&arguments[..], &["--show-secrets"]].concat(), &compact("v2")));
        assert!(out.contains(SECRETS[1]), "{out}");
    }
    // What is shown of a line is around the place: here the seal of the route.
    let sealed = rendered("manifests/overlays/sealed").replace("subset: v2", "subset: v7");
    let lines = |arguments: &[&str]| answered(arguments, &sealed).0["findings"].to_string();
    assert!(!lines(&[]).is_empty() && lines(&["--show-secrets"]) != "[]");
}

#[test]
fn no_secret_of_the_gateway_api_is_in_any_output() {
    let config = "{seal: geheim-7d1f4c0a9b3e52d8, rules: [{name: a, match: [{headers: {x-key: {exact: geheim-1}}}], subset: v1}]}";
    let policy = format!(
        "{{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyExtensionPolicy, metadata: {{name: p, namespace: n}}, spec: {{targetRefs: [{{kind: Service, name: a}}], wasm: [{{name: canary-split, failOpen: true, config: {config}, pluginConfig: {config}}}]}}}}"
    );
    let header = "{name: x-canary-subset, value: v2.geheim-7d1f4c0a9b3e52d8}, {name: x-tester, value: geheim-2}";
    let route = format!(
        "{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: r, namespace: n}}, spec: {{parentRefs: [{{name: g, sectionName: x}}], hostnames: [a.example.com], rules: [{{matches: [{{headers: [{header}], queryParams: [{{name: k, value: geheim-3}}]}}], filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: x-key, value: geheim-4}}]}}}}], backendRefs: [{{name: s-v2, port: 80}}]}}]}}}}"
    );
    let misspelt = route.replace(&format!("headers: [{header}]"), "headers: {x-tester: {exact: geheim-5}}");
    let gateway = "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: n}, spec: {listeners: [{name: h, port: 80, protocol: HTTP}]}}";
    for (route, form) in [(&route, "text"), (&route, "json"), (&misspelt, "json")] {
        let text = format!("{policy}\n---\n{route}\n---\n{gateway}");
        let (out, error, code) = ended(&fed(&["check", "--output", form, "-"], &text));
        assert!(code == 1 && !format!("{out}{error}").contains("geheim") && out.contains("***"), "{out}{error}");
        let said = ended(&fed(&["check", "--show-secrets", "-"], &text)).0;
        assert!(said.contains("geheim"), "{said}");
    }
}

#[test]
fn trial_31_a_plugin_that_is_not_taken_for_this_filter_may_have_secrets_too() {
    let config = "{seal: geheim, rule: [{name: a, match: [{headers: {x: {exact: geheim}}}], subset: v1}]}";
    let text = format!(
        "{{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {{name: shop, name: shop}}, spec: {{pluginConfig: {config}}}}}"
    );
    let (out, error, code) = ended(&fed(&["check", "-"], &text));
    assert!(code == 1 && out.contains("key-twice") && !format!("{out}{error}").contains("geheim"), "{out}{error}");
}

#[test]
fn trial_31_no_message_names_a_secret() {
    let plugin = |rule: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: c, namespace: istio-system}}\nspec:\n  url: canary-split\n  pluginConfig:\n    rules:\n    - {rule}\n"
        )
    };
    for rule in [
        "{name: a, subset: v1, match: [{headers: {x: {regex: '(geheim'}}}]}",
        "{name: a, subset: v1, match: [{headers: {x: geheim}}]}",
        "{name: a, subset: v1, match: [{cookies: {x: {exact: [geheim]}}}]}",
        "{name: a, subset: v1, match: [{queryParams: {x: {exactly: geheim}}}]}",
        "{name: a, subset: v1, match: [{claims: {x: {regex: 'geheim(?=x)'}}}]}",
    ] {
        for form in ["text", "json"] {
            let (out, error, code) = ended(&fed(&["check", "--output", form, "-"], &plugin(rule)));
            assert!(code == 1 && !format!("{out}{error}").contains("geheim"), "{rule}: {out}{error}");
            let (out, error, _) = ended(&fed(&["explain", "--output", form, "--config", "-", "a.test"], &plugin(rule)));
            assert!(!format!("{out}{error}").contains("geheim"), "{rule}: {out}{error}");
        }
        let (out, ..) = ended(&fed(&["check", "--show-secrets", "-"], &plugin(rule)));
        assert!(out.contains("geheim"), "{rule}: {out}");
    }
}
