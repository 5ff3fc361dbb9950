//! Trials 26 to 29, 32: unreadable input does not hide the rest, and objects that belong together are compared.

use crate::check::{Folder, found, rendered, versions};
use crate::{ended, fed, tool};
use serde_json::Value;

/// What `check` says about a folder: the codes, the notes, the lines on the standard error, and how it ends.
fn checked(folder: &Folder, paths: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>, i32) {
    let paths: Vec<String> = paths.iter().map(|path| folder.0.join(path).display().to_string()).collect();
    let arguments: Vec<&str> =
        ["check", "--output", "json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let (out, error, code) = ended(&tool(&arguments));
    let answer: Value = serde_json::from_str(&out).unwrap_or_default();
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let codes = all(&answer["findings"]).iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    let notes = all(&answer["notes"]).iter().map(|one| folder.shorten(one.as_str().unwrap())).collect();
    let told: Vec<String> = error.lines().map(|line| folder.shorten(line)).collect();
    assert_eq!(all(&answer["unreadable"]).len(), if out.is_empty() { 0 } else { told.len() }, "{out}{error}");
    (codes, notes, told, code)
}

/// Its documents of these kinds.
fn only(text: &str, kinds: &[&str]) -> String {
    let is_one = |document: &&str| kinds.iter().any(|kind| document.contains(&format!("kind: {kind}\n")));
    text.split("\n---\n").filter(is_one).collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn trial_26_one_unreadable_file_template_or_kustomization_does_not_end_the_call() {
    let (_, bad) = versions();
    for (path, text, told) in [
        ("broken.yaml", "a: [", "broken.yaml:1:5: not YAML: the text ends where a value should be"),
        ("template.yaml", "kind: Service\n{{- if .x }}\n{{ end }}\n", "template.yaml:2:1: a template: render it first"),
        ("k/kustomization.yaml", "resources: [missing.yaml]\n", "kubectl kustomize k: "),
        (
            "k/kustomization.yaml",
            "resources: [",
            "k/kustomization.yaml:1:13: not YAML: the text ends where a value should be",
        ),
        ("more.yaml", "a: 1\n---\n\"x\n", "more.yaml:3:1: not YAML: a quoted text that does not end"),
    ] {
        let folder = Folder::new("unreadable", &[("all.yaml", bad.as_str()), (path, text)]);
        let (codes, _, lines, code) = checked(&folder, &["."]);
        assert_eq!((codes, code, lines.len()), (vec!["header-mismatch".to_owned()], 2, 1), "{path}: {lines:?}");
        assert!(lines[0].starts_with(&format!("canary-split: {told}")), "{lines:?}");
    }
    // Of a file the other documents are looked at.
    let (out, error, code) = ended(&fed(&["check", "-"], &format!("{bad}\n---\na: [\n---\n{{{{ x }}}}\n")));
    assert!(out.contains("header-mismatch") && code == 2 && error.lines().count() == 2, "{out}{error}");
    let folder = Folder::new("missing", &[("all.yaml", bad.as_str())]);
    let (codes, _, lines, code) = checked(&folder, &["all.yaml", "none.yaml"]);
    assert_eq!((codes, code), (vec!["header-mismatch".to_owned()], 2), "{lines:?}");
}

/// A WasmPlugin of this name with these weights.
fn plugin(name: &str, [v1, v2]: [u32; 2]) -> String {
    let split = format!("split: [{{subset: v1, weight: {v1}}}, {{subset: v2, weight: {v2}}}]");
    format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {name}}}\nspec:\n  pluginName: canary-split\n  pluginConfig:\n    rules: [{{name: shop, {split}}}]\n"
    )
}

#[test]
fn explain_and_diff_go_on_after_what_cannot_be_read_and_end_with_2() {
    let (old, new) = (plugin("shop", [90, 10]), plugin("shop", [50, 50]));
    let cut = format!("{new}---\na: [\n");
    let files = [
        ("old/p.yaml", old.as_str()),
        ("new/p.yaml", &new),
        ("new/broken.yaml", "a: ["),
        ("new/k/kustomization.yaml", "resources: [missing.yaml]\n"),
        ("cut.yaml", &cut),
        ("nothing/a.yaml", "a: ["),
        ("nothing/b.yaml", "b: ["),
        ("more/p.yaml", &old),
        ("more/q.yaml", &plugin("other", [1, 1])),
    ];
    let folder = Folder::new("goes-on", &files);
    let run = |arguments: &[&str]| {
        let is_path = |word: &&str| folder.0.join(word).exists();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|word| if is_path(word) { folder.0.join(word).display().to_string() } else { word.to_string() })
            .collect();
        let (out, error, code) = ended(&tool(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
        (out, error.lines().map(|line| folder.shorten(line)).collect::<Vec<_>>(), code)
    };
    for (place, lines) in [("new", 2), ("cut.yaml", 1)] {
        let (out, told, code) = run(&["explain", "--config", place, "--draw", "00000000", "a.test"]);
        assert!(out.starts_with("rule shop decides\n") && code == 2 && told.len() == lines, "{place}: {out}{told:?}");
        let (out, ..) = run(&["explain", "--output", "json", "--config", place, "--draw", "00000000", "a.test"]);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["unreadable"].as_array().unwrap().len(), lines, "{place}");
        for [one, other] in [["old", place], [place, "old"]] {
            let (out, told, code) = run(&["diff", one, other]);
            assert!(out.starts_with("rule shop\n") && code == 2 && told.len() == lines, "{one} {other}: {out}{told:?}");
            assert!(told.iter().any(|line| line.contains(".yaml:") && line.contains("not YAML")), "{told:?}");
        }
        let (out, ..) = run(&["diff", "--output", "json", "old", place]);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((answer["unreadable"].as_array().unwrap().len(), &answer["differs"]), (lines, &true.into()));
    }
    // What is on one side alone may be in what cannot be read on the other.
    for [one, other] in [["more", "new"], ["new", "more"]] {
        let (out, told, code) = run(&["diff", one, other]);
        let left_out = "canary-split: other is on one side alone, as far as they could be read; it was not compared";
        assert!(!out.contains("other") && code == 2 && told.iter().any(|line| line == left_out), "{out}{told:?}");
    }
    let (out, ..) = run(&["diff", "more", "old"]);
    assert!(out.contains("plugin other: gone"), "{out}");
    // Where nothing is left, all of it is told.
    for arguments in
        [&["explain", "--config", "nothing", "a.test"][..], &["diff", "nothing", "old"], &["diff", "old", "nothing"]]
    {
        let (out, told, code) = run(arguments);
        assert_eq!((out.as_str(), told.len(), code), ("", 2, 2), "{arguments:?} {told:?}");
    }
    // An edit on half of a file is none.
    let (out, told, code) = run(&["set", "shop", "v1=1%", "-f", "cut.yaml"]);
    let text = std::fs::read_to_string(folder.0.join("cut.yaml")).unwrap();
    assert_eq!((out.as_str(), told.len(), code, text), ("", 1, 2, cut.clone()));
}

#[test]
fn trial_25_objects_of_json_may_follow_one_another() {
    let object = |name: &str, more: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{name}", "annotations": {{"a": "\ud83d\ude00"}}}}{more}}}"#
        )
    };
    for text in [
        object("a", "") + "\n" + &object("b", ""),
        object("a", "") + &object("b", ""),
        object("a", "") + "\n---\n" + "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n",
    ] {
        let (codes, answer) = found(&text);
        assert_eq!((codes, answer["objects"].as_u64()), (vec![], Some(2)), "{text}");
    }
    assert_eq!(found(&(object("a", "") + "\n" + &object("b", r#", "kind": "Service""#))).0, ["key-twice"]);
}

#[test]
fn trial_28_a_template_is_called_one() {
    let good = rendered("manifests/overlays/weighted");
    let edited = |old: &str, new: &str| {
        assert!(good.contains(old), "{old}");
        good.replacen(old, new, 1)
    };
    for text in [
        edited("weight: 20", "weight: {{ .Values.weight }}"),
        edited("weight: 20", "weight: ${WEIGHT}"),
        edited("weight: 20", "weight: \"{{ weight }}\""),
        edited("  - canary.example.com", "  - \"{{ .Values.host }}\""),
        edited("  hosts:\n  - canary.example.com", "  hosts: [${HOST}]"),
        edited("  name: canary-split", "  name: {{ include \"x.name\" . }}"),
        edited("spec:\n", "spec:\n{{ toYaml .Values.spec | indent 2 }}\n"),
        edited("  http:\n", "  http:\n  {% for x in y %}\n"),
    ] {
        let (out, error, code) = ended(&fed(&["check", "-"], &text));
        assert!(error.lines().all(|line| line.ends_with(": a template: render it first")), "{error}{out}");
        assert!(code == 2 && !error.is_empty(), "{code} {error}{out}");
    }
}

#[test]
fn trial_27_kustomizations_that_are_given_together_are_compared() {
    let (good, bad) = versions();
    let routes = ["VirtualService", "Gateway", "DestinationRule", "Service", "Deployment", "Namespace"];
    let files = |routes: &[(&'static str, String)]| {
        let mut files = vec![
            ("infra/kustomization.yaml", "resources: [plugin.yaml]\n".to_owned()),
            ("infra/plugin.yaml", only(&good, &["WasmPlugin"])),
        ];
        for (path, text) in routes {
            files.push((*path, text.clone()));
        }
        files
    };
    let resources = "resources: [all.yaml]\n".to_owned();
    let app = |text: &str| only(text, &routes);
    let run = |name: &str, files: Vec<(&str, String)>| {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        checked(&Folder::new(name, &files), &["."])
    };
    let one = vec![("apps/kustomization.yaml", resources.clone()), ("apps/all.yaml", app(&bad))];
    let (codes, notes, told, code) = run("gitops", files(&one));
    assert_eq!((codes, notes, told.len(), code), (vec!["header-mismatch".to_owned()], vec![], 0, 1));
    // Not only kustomizations.
    let (codes, notes, ..) = run("plain", files(&[("apps/all.yaml", app(&bad))]));
    assert_eq!((codes, notes), (vec!["header-mismatch".to_owned()], vec![]));
    // Versions are compared with what they share, each for itself.
    let two = vec![
        ("prod/kustomization.yaml", resources.clone()),
        ("prod/all.yaml", app(&good)),
        ("staging/kustomization.yaml", resources.clone()),
        ("staging/all.yaml", app(&bad)),
    ];
    let (codes, notes, ..) = run("versions", files(&two));
    assert_eq!((codes, notes), (vec!["header-mismatch".to_owned()], vec![]));
    // What one version says of the shared plugin is no fault if another one serves it.
    let other = app(&good).replace("canary.example.com", "staging.example.com");
    let two = vec![
        ("prod/kustomization.yaml", resources.clone()),
        ("prod/all.yaml", app(&good)),
        ("staging/kustomization.yaml", resources),
        ("staging/all.yaml", other),
    ];
    let mut both = files(&two);
    both[1].1 = both[1].1.replace(
        "    - hosts:\n      - canary.example.com\n",
        "    - hosts:\n      - canary.example.com\n      - staging.example.com\n",
    );
    let (codes, notes, ..) = run("hosts", both);
    assert_eq!((codes, notes), (vec![], vec![]));
}

#[test]
fn trial_27_versions_in_one_folder_are_no_reason_not_to_compare_the_others() {
    let (good, bad) = versions();
    let other = only(&good, &["Gateway"]).replace("name: httpbin", "name: other");
    let routes = only(&bad, &["VirtualService", "Gateway", "DestinationRule", "Service", "Deployment"]);
    let plugin = only(&good, &["WasmPlugin"]);
    let kustomization = "resources: [all.yaml]\n";
    let files = [
        ("infra/plugin.yaml", plugin.as_str()),
        ("apps/kustomization.yaml", kustomization),
        ("apps/all.yaml", &routes),
        ("samples/one.yaml", &other),
        ("samples/two.yaml", &other),
    ];
    let (codes, notes, ..) = checked(&Folder::new("samples", &files), &["."]);
    assert!(codes.contains(&"header-mismatch".to_owned()), "{codes:?} {notes:#?}");
    assert!(notes.iter().all(|note| note.contains("samples")), "{notes:#?}");
}

#[test]
fn trial_29_a_plugin_that_seems_to_be_meant_for_this_filter_is_noted() {
    let plugin = |config: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: shop, namespace: istio-system}}\nspec: {{url: 'oci://r.example.com/x@sha256:{}', failStrategy: FAIL_OPEN, pluginConfig: {config}}}\n",
            "1".repeat(64)
        )
    };
    let note = "WasmPlugin istio-system/shop (standard input:1) is not taken for this filter, but its config looks alike: has it a list rules?";
    for config in [
        "{rule: [{name: a, subset: v1}]}",
        "{rule: {name: a, split: [{subset: v1, weight: 1}]}}",
        "{Rules: [{name: a, split: [{subset: v1, weight: 1}]}]}",
        "{rules: {a: {split: [{subset: v1, weight: 1}]}}}",
        "{rules: [{name: a, splits: [{subset: v1, weight: 1}]}]}",
        "[{name: a, subset: v1}]",
    ] {
        let (codes, answer) = found(&plugin(config));
        assert_eq!((codes, &answer["notes"]), (vec![], &serde_json::json!([note])), "{config}");
    }
    for config in
        ["{}", "{rules: []}", "{rules: [{name: a, limit: 3}]}", "{rule: x}", "{weights: [{host: a, weight: 1}]}"]
    {
        assert_eq!(found(&plugin(config)).1["notes"], serde_json::json!([]), "{config}");
    }
}

#[test]
fn trial_32_a_note_is_said_once_whatever_the_depth() {
    let (good, _) = versions();
    let files =
        [("a/b/c/x.yaml", good.as_str()), ("a/b/d/x.yaml", &good), ("a/e/x.yaml", &good), ("f/g/x.yaml", &good)];
    let (codes, notes, _, code) = checked(&Folder::new("deep", &files), &["."]);
    assert_eq!((codes, code), (vec![], 0));
    assert_eq!(notes.iter().filter(|note| note.contains("exists twice")).count(), 1, "{notes:#?}");
}

#[test]
fn trial_32_a_place_in_a_rendered_kustomization_says_where_it_is_from() {
    let (_, bad) = versions();
    let routes = only(&bad, &["VirtualService"]);
    let line = 1 + routes.lines().position(|line| line.contains("x-canary:")).unwrap();
    let rest = only(&bad, &["WasmPlugin", "Gateway", "DestinationRule", "Service", "Deployment"]);
    let files = [
        ("base/kustomization.yaml", "resources: [routes.yaml, rest.yaml]\n"),
        ("base/routes.yaml", routes.as_str()),
        ("base/rest.yaml", &rest),
        ("prod/kustomization.yaml", "resources: [../base]\n"),
    ];
    let folder = Folder::new("rendered", &files);
    let path = folder.0.join("prod").display().to_string();
    let (out, _, _) = ended(&tool(&["check", "--output", "json", &path]));
    let answer: Value = serde_json::from_str(&out).unwrap();
    let finding = &answer["findings"][0];
    let text = |key: &str| folder.shorten(finding[key].as_str().unwrap());
    assert_eq!(text("object"), "VirtualService canary/httpbin");
    assert_eq!(text("path"), "spec.http[0].match[0].headers.x-canary");
    assert_eq!(folder.shorten(finding["from"]["file"].as_str().unwrap()), "base/routes.yaml");
    assert_eq!(finding["from"]["line"], line);
    let (out, _, _) = ended(&tool(&["check", &path]));
    let said = format!("--> {}:{line}:", folder.0.join("base/routes.yaml").display());
    assert!(out.contains(&said), "{out}");
    let said = "= note: VirtualService canary/httpbin, spec.http[0].match[0].headers.x-canary\n";
    assert!(out.contains(said), "{out}");
}
