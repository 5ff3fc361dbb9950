//! `check`: manifests with one mistake, and correct ones.

use crate::answers::LIVING;
use crate::{ended, fed, tool};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A text with what a user has to fill in: a digest, and secrets of one's own.
fn filled(text: &str) -> String {
    text.replace(&"0".repeat(64), &"4be1c09a".repeat(8)).replace("replace-me-", "of-our-own-")
}

/// What `kubectl kustomize` prints of a folder, filled in.
pub fn rendered(folder: &str) -> String {
    filled(&as_shipped(folder))
}

/// Where the tables say that the module is: nowhere yet.
const NO_IMAGE: &str =
    "oci://registry.example.com/canary-split@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What `kubectl kustomize` prints of a folder, whatever image is the newest.
fn as_shipped(folder: &str) -> String {
    static KNOWN: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let render = || {
        let command = Command::new(top().join(".venv/bin/kubectl")).arg("kustomize").arg(top().join(folder)).output();
        let output = command.expect("tests/setup.sh puts kubectl into .venv/bin");
        assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
        let plugin = include_str!("../../wasmplugin/wasmplugin.yaml");
        let image = plugin.lines().find_map(|line| line.strip_prefix("  url: ")).unwrap();
        String::from_utf8(output.stdout).unwrap().replace(image, NO_IMAGE)
    };
    known.entry(folder.to_owned()).or_insert_with(render).clone()
}

/// The distinct codes of what is found, sorted, and all of the answer.
pub fn found(text: &str) -> (Vec<String>, Value) {
    let (out, error, code) = ended(&fed(&["check", "--output", "json", "-"], text));
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}\n{text}"));
    let findings = answer["findings"].as_array().unwrap();
    assert_eq!(code, i32::from(!findings.is_empty()), "{error}");
    let codes: BTreeSet<String> = findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    (codes.into_iter().collect(), answer)
}

/// An entry of one of the tables.
struct Spoiled {
    mistake: String,
    text: String,
    check: Vec<String>,
    says: Option<String>,
    at: Option<String>,
    is_accepted: bool,
}

/// What tests/tool/routes.yaml writes for the parts of routes that are always the same.
const SHORT: [(&str, &str); 6] = [
    ("$hdr", "headers: {x-canary-subset: {exact: v2}}"),
    ("$to1", "route: [{destination: $v1}]"),
    ("$to2", "route: [{destination: $v2}]"),
    ("$v1", "{host: httpbin, port: {number: 8000}, subset: v1}"),
    ("$v2", "{host: httpbin, port: {number: 8001}, subset: v2}"),
    ("$all", "{host: httpbin, port: {number: 8000}}"),
];

fn written_out(text: &str) -> String {
    SHORT.iter().fold(text.to_owned(), |text, (short, long)| text.replace(short, long))
}

/// A VirtualService, of which kustomize prints the routes last, with other routes.
fn rerouted(document: &str, http: &str) -> String {
    let (before, _) = document.split_once("  http:\n").unwrap();
    let lines: Vec<_> = written_out(http).lines().map(|line| format!("  {line}")).collect();
    format!("{before}  http:\n{}", lines.join("\n"))
}

/// The entries of a table, with their edits made.
fn spoiled(table: &str) -> Vec<Spoiled> {
    let entries: Vec<Value> = serde_saphyr::from_str(&fs::read_to_string(top().join(table)).unwrap()).unwrap();
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().map_or_else(Vec::new, |list| list.iter().map(|one| one.as_str().unwrap().to_owned()).collect())
    };
    let read = |entry: &Value| {
        let mistake = entry["mistake"].as_str().or(entry["harmless"].as_str()).unwrap().to_owned();
        let folder = entry["overlay"].as_str().map(|overlay| format!("manifests/overlays/{overlay}"));
        // Small manifests of a table's own, or nothing but what the entry has.
        let own = entry["manifests"].as_str().map(|name| top().join(format!("tests/tool/{name}.yaml")));
        let is_as_shipped = entry["shipped"].as_bool().unwrap_or_default();
        let fill = |text: &str| if is_as_shipped { text.to_owned() } else { filled(text) };
        let text = match (folder, own) {
            (Some(folder), _) => fill(&as_shipped(&folder)),
            (_, Some(own)) => fs::read_to_string(own).unwrap(),
            _ => String::new(),
        };
        let mut documents: Vec<String> = text.split("\n---\n").map(str::to_owned).collect();
        documents.retain(|document| !document.is_empty());
        for edit in entry["edits"].as_array().into_iter().flatten() {
            let [object, old, new] = ["object", "old", "new"].map(|key| fill(edit[key].as_str().unwrap()));
            let document = the_one(&mut documents, &object, &mistake);
            assert_eq!(document.matches(&old).count(), 1, "{mistake}: {old:?} in {document}");
            *document = document.replacen(&old, &new, 1);
        }
        if let Some(http) = entry["http"].as_str() {
            let document = the_one(&mut documents, "VirtualService", &mistake);
            *document = rerouted(document, http);
        }
        documents.extend(entry["more"].as_str().map(|more| fill(&written_out(more))));
        if let Some(kinds) = entry["only"].as_array() {
            documents.retain(|document| kinds.contains(&serde_saphyr::from_str::<Value>(document).unwrap()["kind"]));
        }
        assert_eq!(entry["check"].is_array(), entry["mistake"].is_string(), "{mistake}: which codes?");
        let text = documents.join("\n---\n");
        let says = entry["finds"].as_str().map(str::to_owned);
        let at = entry["at"].as_str().map(fill);
        let is_accepted = entry["caught"].as_array().is_none_or(Vec::is_empty);
        Spoiled { mistake, text, check: strings(&entry["check"]), says, at, is_accepted }
    };
    entries.iter().map(read).collect()
}

/// The document of an object, KIND or KIND/NAME.
fn the_one<'d>(documents: &'d mut [String], object: &str, mistake: &str) -> &'d mut String {
    let (kind, name) = object.split_once('/').unwrap_or((object, ""));
    let is_it = |document: &&mut String| {
        let value: Value = serde_saphyr::from_str(document).unwrap();
        value["kind"] == kind && (name.is_empty() || value["metadata"]["name"] == name)
    };
    let mut found: Vec<_> = documents.iter_mut().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{mistake}: {object}");
    found.remove(0)
}

const TABLES: [&str; 11] = [
    "tests/istio/spoiled.yaml",
    "tests/tool/spoiled.yaml",
    "tests/tool/setup.yaml",
    "tests/tool/routes.yaml",
    "tests/tool/reading_spoiled.yaml",
    "tests/tool/found.yaml",
    "tests/tool/rollout.yaml",
    "tests/tool/adopted.yaml",
    "tests/tool/gateway_spoiled.yaml",
    "tests/tool/ways.yaml",
    "tests/tool/slips.yaml",
];

const SILENT: [&str; 10] = [
    "tests/tool/silent.yaml",
    "tests/tool/setup-silent.yaml",
    "tests/tool/routes-silent.yaml",
    "tests/tool/reading_silent.yaml",
    "tests/tool/found-silent.yaml",
    "tests/tool/rollout-silent.yaml",
    "tests/tool/adopted-silent.yaml",
    "tests/tool/gateway_silent.yaml",
    "tests/tool/ways-silent.yaml",
    "tests/tool/slips-silent.yaml",
];

/// The messages of an answer.
fn messages(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect()
}

#[track_caller]
fn assert_silent(text: &str, what: &str) {
    let (codes, answer) = found(text);
    assert!(codes.is_empty(), "{what}: {codes:?} {:#?}", messages(&answer));
}

#[test]
fn every_mistake_is_found_under_its_code_and_nothing_else_is() {
    let (mut seen, mut said, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut count = 0;
    for one in TABLES.into_iter().flat_map(spoiled) {
        let (codes, answer) = found(&one.text);
        let messages = messages(&answer);
        let is_said =
            one.says.as_ref().is_none_or(|says| messages.iter().any(|message| message.contains(says.as_str())));
        let lines: Vec<&str> =
            answer["findings"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
        let is_there = one.at.as_ref().is_none_or(|at| lines.iter().any(|line| line.contains(at.as_str())));
        if codes != one.check || !is_said || !is_there || one.is_accepted && codes.is_empty() {
            wrong.push(format!("{}: {codes:?} {messages:#?} {lines:#?}", one.mistake));
        }
        said.extend(messages.into_iter().map(str::to_owned));
        count += usize::from(!codes.is_empty());
        seen.extend(codes);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 45, "{count}");
    let mut documented = documented();
    documented.retain(|code, _| !LIVING.contains(&code.as_str()));
    for (code, examples) in &documented {
        assert!(!examples.is_empty() && examples.iter().all(|example| said.contains(example)), "{code}: {examples:?}");
    }
    assert_eq!(seen, documented.into_keys().collect(), "codes without a spoiled manifest, or not in docs/checks.md");
}

/// The shipped manifests: every kustomization, and every other file of ours alone.
#[test]
fn what_is_shipped_is_clean_whole_and_in_parts() {
    let overlays = ["prepared", "weighted", "sticky", "testers", "sealed", "rollout", "adopted"];
    let folders = overlays.map(|overlay| format!("overlays/{overlay}")).into_iter().chain(["base".to_owned()]);
    let listed = fs::read_dir(top().join("manifests/overlays")).unwrap().count();
    assert_eq!(listed, overlays.len(), "an overlay is missing here");
    for folder in folders {
        let path = format!("manifests/{folder}");
        // A line says what a user has to fill in.
        let (codes, answer) = found(&as_shipped(&path));
        let notes = answer["notes"].to_string();
        let said = [
            ("the digest of WasmPlugin istio-system/canary-split is nothing but zeros", folder != "base"),
            ("seal is still the placeholder that is shipped", folder.ends_with("sealed")),
            ("rules[0].match[0].headers.x-canary-key.exact is still", folder.ends_with("testers")),
        ];
        assert!(said.iter().all(|(note, is_there)| notes.contains(note) == *is_there), "{path}: {notes}");
        assert!(codes.is_empty() && !notes.contains("7d1f4c0a") && !notes.contains("3fb1c2d4"), "{path}: {answer}");
        let (out, error, code) = ended(&tool(&["check", "--allow", "placeholder", &path]));
        let ending = if folder == "base" {
            "ok: 6 objects, 0 configs of this filter\nmanifests/base: not given, so not compared with: WasmPlugin\n"
        } else if folder.ends_with("adopted") {
            "ok: 9 objects, 1 config of this filter\n"
        } else {
            "ok: 8 objects, 1 config of this filter\n"
        };
        assert_eq!((out.as_str(), error.as_str(), code), (ending, "", 0), "{path}");
        assert_silent(&rendered(&path), &path);
    }
    assert_silent(&rendered("wasmplugin"), "wasmplugin");
    let mut files: Vec<_> = ["base", "canary"]
        .into_iter()
        .map(|folder| top().join("manifests").join(folder))
        .chain(overlays.map(|overlay| top().join("manifests/overlays").join(overlay)))
        .chain([top().join("wasmplugin"), top().join("wasmplugin/in-cluster")])
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("kustomization.yaml"))
        .collect();
    files.retain(|path| !path.ends_with("namespace.yaml"));
    assert!(files.len() >= 13, "{files:?}");
    for file in &files {
        assert_silent(&fs::read_to_string(file).unwrap(), &file.display().to_string());
    }
    // All overlays are versions of the same objects.
    let (_, error, code) = ended(&tool(&["check", "manifests"]));
    assert_eq!((error.as_str(), code), ("", 0));
}

#[test]
fn what_may_be_right_is_left_alone() {
    let alarms = SILENT.into_iter().flat_map(spoiled).filter_map(|one| {
        let (codes, answer) = found(&one.text);
        (!codes.is_empty()).then(|| format!("{}: {codes:?} {:#?}", one.mistake, messages(&answer)))
    });
    assert_eq!(alarms.collect::<Vec<_>>().join("\n"), "");
}

/// The codes of docs/checks.md with the lines that show a message.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../docs/checks.md");
    let sections = text.split("\n## ").skip(1);
    let examples =
        |section: &str| section.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect();
    sections.map(|section| (section.lines().next().unwrap().to_owned(), examples(section))).collect()
}

#[test]
fn a_finding_can_be_allowed_and_an_unknown_code_cannot() {
    let one = spoiled(TABLES[0]).into_iter().find(|one| one.check.len() == 2).unwrap();
    let run = |allowed: &str| ended(&fed(&["check", "-", "--allow", allowed], &one.text));
    let (out, _, code) = run(&one.check[0]);
    assert_eq!((out.matches("warning[").count(), code), (1, 1), "{out}");
    assert_eq!(run(&one.check.join(",")).2, 0);
    let (_, error, code) = run("no-such-code");
    let unknown = "canary-split: --allow no-such-code: no such code; canary-split check --list has them all\n";
    assert_eq!((&*error, code), (unknown, 2));
}

fn without_url(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("  url: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_plugin_without_a_url_is_no_patch_once_it_is_rendered() {
    let text = without_url(&rendered("manifests/overlays/weighted"));
    let files = [("kustomization.yaml", "resources: [all.yaml]\n"), ("all.yaml", text.as_str())];
    let (findings, _, code) = Folder::new("no-url", &files).checked(&["."]);
    assert_eq!((findings.len(), code), (1, 1), "{findings:?}");
    assert!(findings[0].ends_with(" image-url"), "{findings:?}");
}

#[test]
fn what_could_not_be_compared_is_said() {
    let weighted = rendered("manifests/overlays/weighted");
    let only = |kinds: &[&str]| {
        let is_one = |document: &&str| kinds.iter().any(|kind| document.contains(&format!("\nkind: {kind}\n")));
        weighted.split("\n---\n").filter(is_one).collect::<Vec<_>>().join("\n---\n")
    };
    let not_given = |kinds: &str| format!("not given, so not compared with: {kinds}");
    let table = [
        (only(&["WasmPlugin", "VirtualService"]), not_given("Gateway, DestinationRule, Service, workload")),
        (only(&["VirtualService", "Gateway", "DestinationRule", "Service"]), not_given("WasmPlugin, workload")),
        (
            weighted.clone() + "\n---\n" + &only(&["Service"]),
            "Service canary/httpbin exists twice (standard input:8, standard input:211), so nothing was compared"
                .to_owned(),
        ),
    ];
    for (text, note) in table {
        let (_, answer) = found(&text);
        assert_eq!(answer["notes"], serde_json::json!([note]));
    }
    // What is given tells nothing of one object that it leads to.
    let all = weighted.split("\n---\n").filter(|document| !document.contains("kind: Certificate\n"));
    let of_edge = all.collect::<Vec<_>>().join("\n---\n").replace("istio: ingressgateway", "istio: edge");
    let edge = of_edge.replace("namespace: istio-system", "namespace: edge");
    let table = [
        (edge, "gateway pods of WasmPlugin edge/canary-split"),
        (
            weighted.replace("host: httpbin.canary.svc.cluster.local\n        port", "host: htpbin\n        port"),
            "Service canary/htpbin",
        ),
        (
            weighted.replace("host: httpbin.canary.svc.cluster.local\n  subsets", "host: other\n  subsets"),
            "DestinationRule of canary/httpbin",
        ),
        (
            weighted.replacen("  selector:\n    app: httpbin\n", "  selector:\n    app: htpbin\n", 1),
            "pods of Service canary/httpbin",
        ),
        (
            weighted.replace(
                "      - canary.example.com\n      name",
                "      - canary.example.com\n      - x.io\n      name",
            ),
            "routes of x.io",
        ),
        (without_url(&weighted), "url of WasmPlugin istio-system/canary-split"),
        (weighted.replace("- canary/httpbin", "- canary/httpbin\n  - edge/public"), "Gateway edge/public"),
    ];
    for (text, single) in table {
        let (codes, answer) = found(&text);
        assert_eq!((codes, &answer["notes"]), (Vec::new(), &serde_json::json!([not_given(single)])), "{single}");
    }
    let unplaced = weighted.replace("  namespace: istio-system\nspec:\n  failStrategy", "spec:\n  failStrategy");
    let note = "WasmPlugin canary-split has no metadata.namespace: it goes where kubectl or Helm is told to, which must be that of the gateway's pods, istio-system";
    assert_eq!(found(&unplaced).1["notes"], serde_json::json!([note]));
    for text in [weighted.clone(), only(&["Service"]), only(&["DestinationRule", "Gateway"])] {
        assert_eq!(found(&text).1["notes"], serde_json::json!([]), "{text}");
    }
}

#[test]
fn nothing_is_ok_where_something_could_not_be_read() {
    let folder =
        Folder::new("unread", &[("a.yaml", "kind: [\n"), ("b.yaml", &rendered("manifests/overlays/weighted"))]);
    let (out, error, code) = ended(&tool(&["check", &folder.0.display().to_string()]));
    assert!(out.starts_with("0 findings in 8 objects, 1 config of this filter; 1 could not be read\n"), "{out}");
    assert!(code == 2 && error.contains("a.yaml:"), "{code}: {error}");
}

#[test]
fn trial_30_http_routes_for_no_gateway_change_nothing() {
    let route =
        "\n---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, namespace: canary}}";
    let text = rendered("manifests/overlays/weighted") + &route.replace("NAME", "a") + &route.replace("NAME", "b");
    let (codes, answer) = found(&text);
    assert_eq!((codes.len(), &answer["notes"]), (0, &serde_json::json!([])));
}

/// A folder with these files, which goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let folder = Folder(std::env::temp_dir().join(format!("canary-split-{name}-{}", std::process::id())));
        for (path, text) in files {
            let path = folder.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// What `check` says about paths in it: codes with the files that they are in, notes, and how it ends.
    pub fn checked(&self, paths: &[&str]) -> (Vec<String>, Vec<String>, i32) {
        let paths: Vec<String> = paths.iter().map(|path| self.0.join(path).display().to_string()).collect();
        let arguments: Vec<&str> =
            ["check", "--output", "json"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        let (out, error, code) = ended(&tool(&arguments));
        if code == 2 {
            return (Vec::new(), vec![self.shorten(&error)], code);
        }
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
        let text = |value: &Value| self.shorten(value.as_str().unwrap());
        let findings = answer["findings"].as_array().unwrap().iter();
        let findings = findings.map(|one| format!("{} {}", text(&one["file"]), text(&one["code"])));
        (findings.collect(), answer["notes"].as_array().unwrap().iter().map(text).collect(), code)
    }

    pub fn shorten(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "").replace("./", "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_cannot_be_checked_is_told_on_the_standard_error_alone() {
    for form in ["text", "json"] {
        for text in ["", "a: [", "kind: ConfigMap"] {
            let (out, error, code) = ended(&fed(&["check", "--output", form, "-"], text));
            assert_eq!((out.as_str(), error.lines().count(), code), ("", 1, 2), "{text}: {error}");
        }
    }
}

#[test]
fn hidden_folders_are_skipped() {
    let (good, bad) = versions();
    let files = [("all.yaml", good.as_str()), (".git/b.yaml", &bad), ("node_modules/b.yaml", &bad), (".b.yaml", &bad)];
    assert_eq!(Folder::new("hidden", &files).checked(&["."]), (vec![], vec![], 0));
}

#[test]
fn a_pipe_in_a_folder_is_named_and_not_waited_for() {
    let (good, _) = versions();
    for name in ["pipe.yaml", "kustomization.yaml"] {
        let folder = Folder::new("pipe", &[("all.yaml", good.as_str())]);
        assert!(Command::new("mkfifo").arg(folder.0.join(name)).status().unwrap().success());
        let (findings, said, code) = folder.checked(&["."]);
        assert_eq!((findings, code), (vec![], 2));
        assert!(said[0].contains(&format!("{name}: not a regular file")), "{said:?}");
        // Nobody asks for this one.
        fs::rename(folder.0.join(name), folder.0.join(".hidden.yaml")).unwrap();
        assert_eq!(folder.checked(&["."]), (vec![], vec![], 0));
    }
}

/// The sound manifests, and the same with a route for another header.
pub fn versions() -> (String, String) {
    let good = rendered("manifests/overlays/weighted");
    let bad = good.replace("x-canary-subset:", "x-canary:");
    (good, bad)
}

#[test]
fn versions_in_two_folders_are_compared_one_by_one() {
    let (good, bad) = versions();
    let line = good.lines().position(|line| line == "kind: Service").unwrap();
    let folder = Folder::new("versions", &[("envs/prod/b.yaml", &good), ("envs/staging/deep/b.yaml", &bad)]);
    let note = format!(
        "Service canary/httpbin exists twice (envs/prod/b.yaml:{line}, envs/staging/deep/b.yaml:{line}), so each folder was compared by itself"
    );
    let found = vec!["envs/staging/deep/b.yaml header-mismatch".to_owned()];
    for paths in [vec!["envs"], vec!["envs/prod", "./envs/staging", "envs/prod/b.yaml", "envs/prod/../prod"]] {
        let (findings, notes, code) = folder.checked(&paths);
        assert_eq!((&findings, code, notes.len()), (&found, 1, 1), "{notes:?}");
        assert_eq!(notes[0], note);
    }
    // One folder has two versions, another one none.
    let folder = Folder::new("both", &[("a/b.yaml", &good), ("a/c.yaml", &good), ("z/b.yaml", &bad)]);
    let (findings, notes, code) = folder.checked(&["."]);
    let expected = ["a/c.yaml twice", "z/b.yaml header-mismatch"].map(str::to_owned).to_vec();
    assert_eq!((findings, code, notes.len()), (expected, 1, 2), "{notes:?}");
}

#[test]
fn a_part_of_a_version_is_not_missed_where_it_may_be_in_a_folder_beside_it() {
    let (good, _) = versions();
    let documents: Vec<&str> = good.split("\n---\n").collect();
    let (canary, rest): (Vec<&str>, Vec<&str>) =
        documents.into_iter().partition(|document| document.contains("name: httpbin-v2"));
    assert_eq!(canary.len(), 1);
    let rest = rest.join("\n---\n");
    let files = [("prod/b.yaml", rest.as_str()), ("staging/b.yaml", &rest), ("apps/v2.yaml", canary[0])];
    let (findings, ..) = Folder::new("shared", &files).checked(&["."]);
    assert_eq!(findings, Vec::<String>::new());
    // Another version's pods are no excuse.
    let with_canary = format!("{rest}\n---\n{}", canary[0]);
    let files = [("prod/b.yaml", rest.as_str()), ("staging/b.yaml", &with_canary)];
    let (findings, ..) = Folder::new("apart", &files).checked(&["."]);
    assert_eq!(findings, ["prod/b.yaml subset-without-pods"]);
}

#[test]
fn a_file_that_is_given_twice_is_read_once() {
    let (good, bad) = versions();
    let folder = Folder::new("once", &[("all.yaml", &good), ("bad.yaml", &bad)]);
    assert_eq!(folder.checked(&["all.yaml", "./all.yaml"]), (vec![], vec![], 0));
    assert_eq!(folder.checked(&["all.yaml", "bad.yaml"]).0, ["bad.yaml twice"]);
    let kustomization = "manifests/overlays/sticky";
    let paths = [kustomization, "manifests/overlays/sticky/kustomization.yaml", "./manifests/overlays/sticky"];
    let (out, error, code) = ended(&tool(&[&["check", "--allow", "placeholder"], &paths[..]].concat()));
    assert_eq!((out.as_str(), error.as_str(), code), ("ok: 8 objects, 1 config of this filter\n", "", 0));
}

#[test]
fn a_kustomization_that_is_given_by_its_file_is_its_folder() {
    let (out, error, code) =
        ended(&tool(&["check", "--allow", "placeholder", "manifests/overlays/sealed/kustomization.yaml"]));
    assert_eq!((out.as_str(), error.as_str(), code), ("ok: 8 objects, 1 config of this filter\n", "", 0));
}

#[test]
fn a_helm_chart_is_left_out_and_told() {
    let (good, _) = versions();
    let template = "spec: {{ .Values.spec | toYaml }}\n";
    let files = [
        ("shop/Chart.yaml", "apiVersion: v2\nname: shop\n"),
        ("shop/templates/a.yaml", template),
        ("shop/charts/b/templates/b.yaml", template),
        ("plain/all.yaml", &good),
    ];
    let folder = Folder::new("chart", &files);
    let note = "shop is a Helm chart: helm template shop | canary-split check -";
    assert_eq!(folder.checked(&["."]), (vec![], vec![note.to_owned()], 0));
    // What a kustomization makes of a chart is its own matter.
    let files = [
        ("k/kustomization.yaml", "resources: [all.yaml]\n"),
        ("k/all.yaml", &good),
        ("k/Chart.yaml", ""),
        ("k/charts/b/Chart.yaml", ""),
    ];
    assert_eq!(Folder::new("inflated", &files).checked(&["."]), (vec![], vec![], 0));
    let (_, error, code) = folder.checked(&["shop"]);
    let told = "canary-split: shop: neither a WasmPlugin nor anything that it works with; shop is a Helm chart: helm template shop | canary-split check -\n";
    assert_eq!((error, code), (vec![told.to_owned()], 2));
}

#[test]
fn no_secret_is_shown_whatever_stands_on_the_line() {
    let (seal, key) = ("geheim-7d1f4c0a9b3e52d8", "auch-geheim-3fb1c2d4");
    let config = format!(
        "{{seal: {seal}, rules: [{{name: a, match: [{{headers: {{x-key: {{exact: {key}}}}}, cookies: {{k: {{prefix: '{key}'}}}}, claims: {{c: {{regex: \"{key}\"}}}}}}], subset: V2}}]}}"
    );
    let plugin = format!(
        "{{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {{name: c}}, spec: {{url: canary-split, pluginConfig: {config}}}}}"
    );
    let route = |value: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: v}}, spec: {{hosts: [a.example.com], gateways: [g], http: [{{match: [{{headers: {{x-canary-subset: {{exact: {value}}}}}}}], route: [{{destination: {{host: s, subset: v9}}}}]}}]}}}}"
        )
    };
    let rule = "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d}, spec: {host: s, subsets: [{name: v1}]}}";
    // Where it begins is not plain from how it is written.
    let escaped = format!(r#""\x76.{seal}v.\u00e9vé""#);
    let routes = [
        route(&escaped),
        route(&format!("v2.{seal}")),
        route(&format!("\"v2.{seal}\"")),
        route(&format!("'v3.{seal}'")),
    ];
    let texts = routes
        .iter()
        .flat_map(|route| [format!("{plugin}\n---\n{route}\n---\n{rule}"), format!("{route}\n---\n{rule}")]);
    for text in texts.chain([config]) {
        for form in ["text", "json"] {
            let (out, error, code) = ended(&fed(&["check", "--output", form, "-"], &text));
            assert_eq!((error.as_str(), code), ("", 1), "{text}");
            assert!(!out.contains("geheim") && out.contains("*****"), "{out}");
        }
    }
}

#[test]
fn whatever_objects_say_they_are_compared_without_a_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let good: Vec<String> = rendered("manifests/overlays/sealed").lines().map(str::to_owned).collect();
    let values = [
        "",
        " {}",
        " []",
        " ~",
        " -1",
        " 4294967296",
        " '*'",
        " ü.",
        " 'v2.ü'",
        " [mesh, /, '']",
        " a.b.svc",
        " {a: [{b: ~}]}",
    ];
    let mut counts = [0; 3];
    for _ in 0..400 {
        let mut lines = good.clone();
        for _ in 0..random.usize(1..6) {
            let (at, other) = (random.usize(..lines.len()), random.usize(..lines.len()));
            match random.u8(..3) {
                0 => drop(lines.remove(at)),
                1 => lines.swap(at, other),
                _ => {
                    let key = lines[at].split(':').next().unwrap().to_owned();
                    lines[at] = format!("{key}:{}", values[random.usize(..values.len())]);
                }
            }
        }
        let text = lines.join("\n");
        let (_, error, code) = ended(&fed(&["check", "-"], &text));
        assert!((0..3).contains(&code), "{error}\n{text}");
        counts[code as usize] += 1;
    }
    assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
}
