//! `set`.

use crate::{ended, fed, tool};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("canary-split-set-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.0.join(name).display().to_string()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A text in which `«80→50»` stands for what it is before and after.
fn both(marked: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    for part in marked.split('«') {
        let (edit, rest) = part.split_once('»').unwrap_or(("", part));
        let (old, new) = edit.split_once('→').unwrap_or_default();
        before.extend([old, rest]);
        after.extend([new, rest]);
    }
    (before, after)
}

const PLUGIN: &str = "apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: canary-split}
spec:
  pluginConfig:
    rules:
    - {name: testers, match: [{headers: {x: {exact: geheim}}}], subset: v2}
    - name: web
      split:
      - {subset: v1, weight: 80}
      - {subset: v2, weight: 20}
";

#[test]
fn only_the_numbers_change() {
    let table: &[(&str, &str)] = &[
        ("v1=50 v2=50", &PLUGIN.replace("80}", "«80→50»}").replace("20}", "«20→50»}")),
        ("v2=0", &PLUGIN.replace("20}", "«20→0»}")),
        // Comments, order, quotes, blank lines and line ends stay.
        (
            "v1=5 v2=95",
            "# ü\r\nrules:   # all\r\n\r\n- split:\r\n  -   \"weight\":   «80→5»   # eighty\r\n      'subset': 'v1'\r\n  - subset: \"v2\"\r\n    weight: «20.0→95»\r\n  name: \"web\"",
        ),
        (
            "v1=50",
            "\u{feff}rules:\n- name: web\n  split:\n  - subset: v1\n    weight:\n      «0x50→50»\n  - {weight: 1_0, subset: v2}\n...\n",
        ),
        (
            "v1=1000000 v2=7",
            "# one\nkind: Service\napiVersion: v1\nmetadata: {name: a}\n---\n# two\nrules: [{name: web, split: [{subset: v1, weight: «1→1000000»}, {weight: «1000000→7», subset: v2}]}]\n---\n# three\na: [80, 20]\n",
        ),
        (
            "v1=50 v2=50",
            "{\n\t\"kind\": \"List\", \"apiVersion\": \"v1\",\n\t\"items\": [{\"apiVersion\": \"extensions.istio.io/v1alpha1\", \"kind\": \"WasmPlugin\", \"metadata\": {\"name\": \"x\"},\n\t\"spec\": {\"pluginConfig\": {\"rules\": [{\"name\": \"web\", \"split\": [{\"subset\": \"v1\", \"weight\": «80→50»},{\"subset\":\"v2\",\"weight\":«20→50»}]}]}}}]\n}\n",
        ),
        ("--rollback", &PLUGIN.replace("20}", "«20→0»}")),
        (
            "--rollback",
            &PLUGIN.replace("80}", "«0→100»}").replace("20}", "«20→0»}\n      - {subset: v3, weight: «80→0»}"),
        ),
        // What says the same already is left as it is written.
        ("v1=80 v2=10", &PLUGIN.replace("80}", "8e1}").replace("20}", "«20→10»}")),
    ];
    let folder = Folder::new("numbers");
    for (arguments, marked) in table {
        let (before, after) = both(marked);
        let file = folder.file("a.yaml", &before);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (out, error, code) = ended(&tool(&[&["set", &file, "web"][..], &arguments].concat()));
        assert_eq!((code, error.as_str()), (0, ""), "{before}");
        assert_eq!(fs::read_to_string(&file).unwrap(), after);
        assert!(out.starts_with(&format!("{file}: rule web: ")) && out.contains("\n\nrule web\n  old  "), "{out}");
        assert_eq!(folder.names(), ["a.yaml"]);
        // The same by the standard input.
        let (out, error, code) = ended(&fed(&[&["set", "-", "web"][..], &arguments].concat(), &before));
        assert_eq!((code, out.as_str()), (0, after.as_str()));
        assert!(error.starts_with("standard input: rule web: ") && error.contains("\n\nrule web\n  old  "), "{error}");
    }
}

#[test]
fn what_cannot_be_set_is_named_and_nothing_is_written() {
    let other = PLUGIN.replace("canary-split", "other");
    let two = format!("{PLUGIN}---\n{other}");
    let anchored = PLUGIN.replace("80}", "&w 80}").replace("20}", "*w}");
    let merged = PLUGIN
        .replace("    rules:", "    x: &x {weight: 20}\n    rules:")
        .replace("subset: v2, weight: 20", "subset: v2, <<: *x");
    let aliased = PLUGIN.replace("      split:", "      split: &s").to_string() + "    - {name: b, split: *s}\n";
    let folder = Folder::new("errors");
    let path = folder.0.join("a.yaml").display().to_string();
    let table: &[(&str, &str, String)] = &[
        (PLUGIN, "shop v1=1", "canary-split: no rule shop; there are testers, web".to_owned()),
        ("rules: []", "web v1=1", format!("{path}: no rule web; there is none")),
        (PLUGIN, "web v3=1", "rule web has no subset v3; there are v1, v2".to_owned()),
        (PLUGIN, "testers v2=1", "rule testers has the fixed subset v2 and no weights; take the rule out, or change the subset".to_owned()),
        (PLUGIN, "testers --rollback", "rule testers has the fixed subset v2 and no weights; take the rule out, or change the subset".to_owned()),
        (PLUGIN, "web v2", "\"v2\" is not SUBSET=WEIGHT, as in v2=20".to_owned()),
        (PLUGIN, "web v2=4294967296", "v2: \"4294967296\" is no weight of 0 to 4294967295".to_owned()),
        (PLUGIN, "web v2=-1", "v2: \"-1\" is no weight of 0 to 4294967295".to_owned()),
        (PLUGIN, "web v2=+1", "v2: \"+1\" is no weight of 0 to 4294967295".to_owned()),
        (PLUGIN, "web v2=", "v2: \"\" is no weight of 0 to 4294967295".to_owned()),
        (PLUGIN, "web v2=1 v2=2", "v2 is given twice".to_owned()),
        (PLUGIN, "web v1=0 v2=0", "rule web would have a fault: rules[1].split: the weights add up to 0; at least one must be positive".to_owned()),
        (PLUGIN, "web v2=4294967295", "rule web would have a fault: rules[1].split: the weights add up to 4294967375, which is more than 4294967295".to_owned()),
        (&PLUGIN.replace(", weight: 20", ""), "web v2=1", "rule web: v2 has no weight; write one into the file first".to_owned()),
        (&PLUGIN.replace("20}", "'20'}"), "web v2=1", format!("{path}:11:30: the weight of v2 is no number of 0 to 4294967295; mend it first")),
        (&anchored, "web v1=1", format!("{path}: cannot be edited without changing more than the weights; is one read elsewhere by an alias?\n")),
        (&anchored, "web v2=1", format!("{path}:11:30: the weight of v2 stands in or behind an alias, and says something elsewhere too; edit it by hand")),
        (&merged, "web v2=1", format!("{path}:6:20: the weight of v2 stands in or behind an alias, and says something elsewhere too; edit it by hand")),
        (&aliased, "web v2=1", format!("{path}:11:30: the weight of v2 stands in or behind an alias, and says something elsewhere too; edit it by hand")),
        (&two, "web v2=1", format!("{path}: several WasmPlugins of this filter; choose by --plugin: canary-split, other")),
        (&two, "web v2=1 --plugin x", format!("{path}: no WasmPlugin x of this filter; there are canary-split, other")),
        ("a: b", "web v2=1", format!("{path}: no WasmPlugin of this filter and no pluginConfig")),
        ("a: {", "web v2=1", format!("{path}:1:5: not YAML: ")),
        (&PLUGIN.replace("    rules:", "    seal: geheim\n    rules:"), "web v2=1", "the filter would refuse the config: seal: a seal of 6 bytes; it has 16 to 128".to_owned()),
    ];
    for (text, arguments, problem) in table {
        folder.file("a.yaml", text);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (out, error, code) = ended(&tool(&[&["set", &path][..], &arguments].concat()));
        assert_eq!((out.as_str(), code, error.lines().count()), ("", 2, 1), "{arguments:?}: {error}");
        assert!(error.starts_with(&format!("canary-split: {problem}")), "{error} is not {problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), *text, "{arguments:?}");
    }
    let kustomization = "manifests/overlays/sticky";
    let (_, error, code) = ended(&tool(&["set", kustomization, "httpbin", "v1=1"]));
    let expected = format!("canary-split: {kustomization}: a folder; name the file in it that holds the WasmPlugin\n");
    assert_eq!((error, code), (expected, 2));
    assert_eq!(folder.names(), ["a.yaml"]);
}

#[test]
fn one_of_several_plugins_is_chosen_by_name() {
    let folder = Folder::new("several");
    let other = PLUGIN.replace("name: canary-split", "name: canary-split, namespace: x");
    let renamed = PLUGIN.replace("name: canary-split", "name: other");
    for (plugin, expected) in [
        ("x/canary-split", format!("{}---\n{renamed}", other.replace("20}", "1}"))),
        ("other", format!("{other}---\n{}", renamed.replace("20}", "1}"))),
    ] {
        let file = folder.file("a.yaml", &format!("{other}---\n{renamed}"));
        let (_, error, code) = ended(&tool(&["set", &file, "web", "v2=1", "--plugin", plugin]));
        assert_eq!((error.as_str(), code), ("", 0));
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    }
}

#[test]
fn what_changes_nothing_and_what_is_only_tried_is_not_written() {
    let folder = Folder::new("nothing");
    let file = folder.file("a.yaml", PLUGIN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    // One that is written is another file of the same name.
    let number = || fs::metadata(&file).unwrap().ino();
    let before = number();
    let (out, _, code) = ended(&tool(&["set", &file, "web", "v1=80", "v2=20"]));
    assert_eq!((out, code), (format!("{file}: rule web has these weights already; nothing is written\n"), 0));
    let (out, _, code) = ended(&tool(&["set", &file, "web", "v1=50", "v2=50", "--dry-run"]));
    assert!(
        out.starts_with(&format!("{file}: rule web: v1 80 → 50, v2 20 → 50; nothing is written\n\nrule web\n")),
        "{out}"
    );
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), code), (PLUGIN, 0));
    assert_eq!(number(), before);
    // A pipe goes on with what came in.
    let (out, error, code) = ended(&fed(&["set", "-", "web", "v2=20"], PLUGIN));
    assert_eq!((out.as_str(), code), (PLUGIN, 0));
    assert_eq!(error, "standard input: rule web has these weights already; nothing is written\n");
    let (out, error, _) = ended(&fed(&["set", "-", "web", "v2=2", "--dry-run"], PLUGIN));
    assert!(out.starts_with("standard input: rule web: v2 20 → 2; nothing is written\n") && error.is_empty(), "{out}");
}

#[test]
fn another_rule_with_faults_is_a_warning() {
    let folder = Folder::new("faults");
    let text = PLUGIN.replace("exact: geheim", "exakt: geheim");
    let file = folder.file("a.yaml", &text);
    let (out, error, code) = ended(&tool(&["set", &file, "web", "v2=0"]));
    assert_eq!(code, 1, "{out}{error}");
    assert!(
        error.lines().all(|line| line.starts_with("canary-split: warning: ")) && error.contains("rule testers is off")
    );
    assert!(!error.contains("geheim"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text.replace("20}", "0}"));
}

#[test]
fn a_file_is_replaced_behind_its_link_with_its_permissions() {
    let folder = Folder::new("links");
    let file = folder.file("real.yaml", PLUGIN);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.0.join("link.yaml");
    symlink("real.yaml", &link).unwrap();
    let (_, error, code) = ended(&tool(&["set", link.to_str().unwrap(), "web", "v2=0"]));
    assert_eq!((error.as_str(), code), ("", 0));
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), PLUGIN.replace("20}", "0}"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(folder.names(), ["link.yaml", "real.yaml"]);
}

#[test]
fn programs_are_told_what_was_edited() {
    let folder = Folder::new("json");
    let file = folder.file("a.yaml", PLUGIN);
    let (out, _, code) = ended(&tool(&["set", &file, "--rollback", "web", "--output", "json"]));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let edits = serde_json::json!([{"subset": "v2", "old": "20", "new": 0, "line": 11}]);
    assert_eq!((&json["edits"], &json["written"], &json["rule"], code), (&edits, &true.into(), &"web".into(), 0));
    assert_eq!(json["diff"]["differs"], true);
}
