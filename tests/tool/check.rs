//! `check`: manifests that are spoiled in one place, and those that are as they should be.

use crate::diff::assert_documented;
use crate::{ended, fed, tool};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `kubectl kustomize` prints of a folder.
fn rendered(folder: &str) -> String {
    static KNOWN: LazyLock<Mutex<BTreeMap<String, String>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let render = || {
        let command = Command::new(top().join(".venv/bin/kubectl")).arg("kustomize").arg(top().join(folder)).output();
        let output = command.expect("tests/setup.sh puts kubectl into .venv/bin");
        assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    known.entry(folder.to_owned()).or_insert_with(render).clone()
}

/// The distinct codes of what is found, sorted, and all of the answer.
fn found(text: &str) -> (Vec<String>, Value) {
    let (out, error, code) = ended(&fed(&["check", "--output", "json", "-"], text));
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}\n{text}"));
    let findings = answer["findings"].as_array().unwrap();
    assert_eq!(code, i32::from(!findings.is_empty()), "{error}");
    let codes: BTreeSet<String> = findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    (codes.into_iter().collect(), answer)
}

/// An entry of tests/istio/spoiled.yaml, tests/tool/spoiled.yaml or tests/tool/silent.yaml.
struct Spoiled {
    mistake: String,
    text: String,
    check: Vec<String>,
    says: Option<String>,
    is_accepted: bool,
}

/// The entries of a table, with their edits made.
fn spoiled(table: &str) -> Vec<Spoiled> {
    let entries: Vec<Value> = serde_saphyr::from_str(&fs::read_to_string(top().join(table)).unwrap()).unwrap();
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().map_or_else(Vec::new, |list| list.iter().map(|one| one.as_str().unwrap().to_owned()).collect())
    };
    let read = |entry: &Value| {
        let mistake = entry["mistake"].as_str().or(entry["harmless"].as_str()).unwrap().to_owned();
        let folder = format!("manifests/overlays/{}", entry["overlay"].as_str().unwrap());
        let mut documents: Vec<String> = rendered(&folder).split("\n---\n").map(str::to_owned).collect();
        for edit in entry["edits"].as_array().into_iter().flatten() {
            let [object, old, new] = ["object", "old", "new"].map(|key| edit[key].as_str().unwrap());
            let document = the_one(&mut documents, object, &mistake);
            assert_eq!(document.matches(old).count(), 1, "{mistake}: {old:?} in {document}");
            *document = document.replacen(old, new, 1);
        }
        documents.extend(entry["more"].as_str().map(str::to_owned));
        if let Some(kinds) = entry["only"].as_array() {
            documents.retain(|document| kinds.contains(&serde_saphyr::from_str::<Value>(document).unwrap()["kind"]));
        }
        assert_eq!(entry["check"].is_array(), entry["mistake"].is_string(), "{mistake}: which codes?");
        let text = documents.join("\n---\n");
        let says = entry["finds"].as_str().map(str::to_owned);
        let is_accepted = entry["caught"].as_array().is_none_or(Vec::is_empty);
        Spoiled { mistake, text, check: strings(&entry["check"]), says, is_accepted }
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

const TABLES: [&str; 2] = ["tests/istio/spoiled.yaml", "tests/tool/spoiled.yaml"];

/// The messages of an answer.
fn messages(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect()
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
        if codes != one.check || !is_said || one.is_accepted && codes.is_empty() {
            wrong.push(format!("{}: {codes:?} {messages:#?}", one.mistake));
        }
        said.extend(messages.into_iter().map(str::to_owned));
        count += usize::from(!codes.is_empty());
        seen.extend(codes);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 45, "{count}");
    let documented = documented();
    for (code, examples) in &documented {
        assert!(!examples.is_empty() && examples.iter().all(|example| said.contains(example)), "{code}: {examples:?}");
    }
    assert_eq!(seen, documented.into_keys().collect(), "codes without a spoiled manifest, or not in docs/CHECKS.md");
}

#[test]
fn what_may_be_right_is_left_alone() {
    let alarms = spoiled("tests/tool/silent.yaml").into_iter().filter_map(|one| {
        let (codes, answer) = found(&one.text);
        (!codes.is_empty()).then(|| format!("{}: {codes:?} {:#?}", one.mistake, messages(&answer)))
    });
    assert_eq!(alarms.collect::<Vec<_>>().join("\n"), "");
}

/// The codes of docs/CHECKS.md with the lines that show a message.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../docs/CHECKS.md");
    let sections = text.split("\n## ").skip(1);
    let examples =
        |section: &str| section.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect();
    sections.map(|section| (section.lines().next().unwrap().to_owned(), examples(section))).collect()
}
