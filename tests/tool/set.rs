//! `set` and `rollback` in files.

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

/// A text in which `«80→50»` means the values before and after.
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

/// The command with these words, for the rule `web` unless another one is named.
fn command<'w>(words: &[&'w str]) -> Vec<&'w str> {
    match words {
        ["rollback", rest @ ..] => [&["rollback", "web"], rest].concat(),
        ["set", ..] => words.to_vec(),
        words => [&["set", "web"], words].concat(),
    }
}

#[test]
fn only_the_numbers_change() {
    let table: &[(&str, &str)] = &[
        ("v1=50 v2=50", &PLUGIN.replace("80}", "«80→50»}").replace("20}", "«20→50»}")),
        ("v2=0%", &PLUGIN.replace("80}", "«80→100»}").replace("20}", "«20→0»}")),
        // Comments, order, quotes, blank lines and line ends stay.
        (
            "v1=5 v2=95",
            "# ü\r\nrules:   # all\r\n\r\n- split:\r\n  -   \"weight\":   «80→5»   # eighty\r\n      'subset': 'v1'\r\n  - subset: \"v2\"\r\n    weight: «20.0→95»\r\n  name: \"web\"",
        ),
        (
            "v1=50 v2=10",
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
        ("rollback", &PLUGIN.replace("20}", "«20→0»}")),
        (
            "rollback",
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
        let (out, error, code) = ended(&tool(&[&command(&arguments)[..], &["-f", &file]].concat()));
        assert_eq!((code, error.as_str()), (0, ""), "{before}");
        assert_eq!(fs::read_to_string(&file).unwrap(), after);
        assert!(out.starts_with(&format!("{file}: rule web: ")) && out.contains("\n\nrule web\n  old  "), "{out}");
        let sum_is_another =
            ["v1=5 v2=95 ", "v1=50 v2=10", "v1=80 v2=10", "v1=1000000 v2=7"].contains(&arguments.join(" ").as_str());
        assert_eq!(out.contains("  note: the weights add up to "), sum_is_another, "{out}");
        assert_eq!(folder.names(), ["a.yaml"]);
        // The same by the standard input.
        let (out, error, code) = ended(&fed(&[&command(&arguments)[..], &["-f", "-"]].concat(), &before));
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
        (PLUGIN, "set shop v1=1", "WasmPlugin canary-split has no rule \"shop\"; it has testers, web".to_owned()),
        ("rules: []", "v1=1", format!("{path} has no rule \"web\"; it has no rules")),
        ("rules: []", "set v1=1", format!("{path} has no rule with a split")),
        (&PLUGIN.replace("subset: v2}\n    - name", "split: [{subset: v1, weight: 1}]}\n    - name"), "set v1=1", "WasmPlugin canary-split has several rules with a split; name one of them: testers, web".to_owned()),
        (PLUGIN, "set", "which weights? As in v2=25%; or --pause, or --resume".to_owned()),
        (PLUGIN, "set web", "which weights? As in v2=25%; or --pause, or --resume".to_owned()),
        (PLUGIN, "set v2=1 --pause", "--pause and --resume go without weights".to_owned()),
        (PLUGIN, "v3=1", "rule web: \"v3=1\": no subset \"v3\"; there are v1, v2".to_owned()),
        (PLUGIN, "set testers v2=1", "rule testers has the fixed subset v2 and no weights; remove the rule, or change its subset".to_owned()),
        (PLUGIN, "v2", "rule web: \"v2\": no weights; write v2=25%, v1=75 v2=25, or 75/25".to_owned()),
        (PLUGIN, "v2=25", "rule web: \"v2=25\": the weights would add up to 105 instead of 100; write v2=25% for 25 of 100 requests, or v1=75 v2=25 for weights that add up to 100".to_owned()),
        (PLUGIN, "v1=0 v2=0", "rule web would have a fault: rules[1].split: the weights add up to 0; at least one must be positive".to_owned()),
        (PLUGIN, "v1=80 v2=4294967295", "rule web would have a fault: rules[1].split: the weights add up to 4294967375, which is more than 4294967295".to_owned()),
        (&PLUGIN.replace("20}", "'20'}"), "v1=80", "rule web: the present weight of v2 is not from 0 to 4294967295; give all weights, as in 75/25: v1, v2".to_owned()),
        (&anchored, "v1=1 v2=80", format!("{path}: rule web cannot be edited without changing more than that; is it read elsewhere by an alias? Edit it by hand\n")),
        (&anchored, "v1=80 v2=1", format!("{path}:11:30: split[1].weight of rule web is in or behind an alias, and is also used elsewhere; edit it by hand")),
        (&merged, "v1=80 v2=1", format!("{path}:6:20: split[1].weight of rule web is in or behind an alias, and is also used elsewhere; edit it by hand")),
        (&aliased, "set web v1=80 v2=1", format!("{path}:11:30: split[1].weight of rule web is in or behind an alias, and is also used elsewhere; edit it by hand")),
        (&two, "v2=1%", format!("{path}: several WasmPlugins of this filter; choose with --plugin: canary-split, other")),
        (&two, "v2=1% --plugin x", format!("{path}: no WasmPlugin x of this filter; there are canary-split, other")),
        ("a: b", "v2=1%", format!("{path}: no WasmPlugin of this filter and no pluginConfig")),
        ("a: {", "v2=1%", format!("{path}:1:5: not YAML: ")),
        (&PLUGIN.replace("    rules:", "    seal: geheim\n    rules:"), "v2=1%", "the filter would refuse the config: seal: a seal of 6 bytes; it needs 16 to 128".to_owned()),
    ];
    for (text, arguments, problem) in table {
        folder.file("a.yaml", text);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let (out, error, code) = ended(&tool(&[&command(&arguments)[..], &["-f", &path]].concat()));
        assert_eq!((out.as_str(), code, error.lines().count()), ("", 2, 1), "{arguments:?}: {error}");
        assert!(error.starts_with(&format!("canary-split: {problem}")), "{error} is not {problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), *text, "{arguments:?}");
    }
    let kustomization = "manifests/overlays/sticky";
    let (_, error, code) = ended(&tool(&["set", "httpbin", "v1=1", "-f", kustomization]));
    let expected = format!("canary-split: {kustomization}: a folder; name the file in it that holds the WasmPlugin\n");
    assert_eq!((error, code), (expected, 2));
    let (_, error, code) = ended(&tool(&["set", "v2=25%"]));
    assert_eq!(
        (error.as_str(), code),
        ("canary-split: this is not a terminal, so nobody can be asked: give --yes, or --dry-run\n", 2)
    );
    assert_eq!(folder.names(), ["a.yaml"]);
}

#[test]
fn one_of_several_plugins_is_chosen_by_name() {
    let folder = Folder::new("several");
    let other = PLUGIN.replace("name: canary-split", "name: canary-split, namespace: x");
    let renamed = PLUGIN.replace("name: canary-split", "name: other");
    for (plugin, expected) in [
        ("x/canary-split", format!("{}---\n{renamed}", other.replace("80}", "99}").replace("20}", "1}"))),
        ("other", format!("{other}---\n{}", renamed.replace("80}", "99}").replace("20}", "1}"))),
    ] {
        let file = folder.file("a.yaml", &format!("{other}---\n{renamed}"));
        let (_, error, code) = ended(&tool(&["set", "web", "v2=1%", "--plugin", plugin, "-f", &file]));
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
    let (out, _, code) = ended(&tool(&["set", "web", "v1=80", "v2=20", "-f", &file]));
    assert_eq!((out, code), (format!("{file}: rule web has these weights already; nothing is written\n"), 0));
    let (out, _, code) = ended(&tool(&["set", "50/50", "--dry-run", "-f", &file]));
    assert!(
        out.starts_with(&format!("{file}: rule web: v1 80 → 50, v2 20 → 50; nothing is written\n\nrule web\n")),
        "{out}"
    );
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), code), (PLUGIN, 0));
    assert_eq!(number(), before);
    // A pipe goes on with what came in.
    let (out, error, code) = ended(&fed(&["set", "v2=20", "-f", "-"], PLUGIN));
    assert_eq!((out.as_str(), code), (PLUGIN, 0));
    assert_eq!(error, "standard input: rule web has these weights already; nothing is written\n");
    let (out, error, _) = ended(&fed(&["set", "v2=2%", "-f", "-", "--dry-run"], PLUGIN));
    assert!(
        out.starts_with("standard input: rule web: v1 80 → 98, v2 20 → 2; nothing is written\n") && error.is_empty(),
        "{out}"
    );
}

#[test]
fn another_rule_with_faults_is_a_warning() {
    let folder = Folder::new("faults");
    let text = PLUGIN.replace("exact: geheim", "exakt: geheim");
    let file = folder.file("a.yaml", &text);
    let (out, error, code) = ended(&tool(&["rollback", "-f", &file]));
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
    let (_, error, code) = ended(&tool(&["rollback", "-f", link.to_str().unwrap()]));
    assert_eq!((error.as_str(), code), ("", 0));
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), PLUGIN.replace("20}", "0}"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(folder.names(), ["link.yaml", "real.yaml"]);
}

#[test]
fn programs_are_told_what_was_edited() {
    let folder = Folder::new("json");
    let file = folder.file("a.yaml", &format!("{PLUGIN}      sticky: {{cookie: {{}}}}\n"));
    let (out, _, code) = ended(&tool(&["rollback", "-f", &file, "web", "-o", "json"]));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let edits = serde_json::json!([{"subset": "v2", "old": "20", "new": 0, "line": 11}]);
    assert_eq!((&json["edits"], &json["written"], &json["rule"], code), (&edits, &true.into(), &"web".into(), 0));
    assert_eq!(json["diff"]["differs"], true);
    let parts = ["plugin", "old", "new", "moved", "gateways", "notes"].map(|part| json[part].clone());
    let moved = f64::from(u32::MAX / 5) / 2_f64.powi(32);
    let note = "rule testers still sends its requests to v2: a rollback moves weights alone; change its subset, or remove the rule: canary-split remove testers";
    let expected = serde_json::json!(["canary-split", {"v1": 80, "v2": 20}, {"v1": 80, "v2": 0}, moved, null, [note]]);
    assert_eq!(serde_json::json!(parts), expected);
    assert!(json["tookMs"].is_u64(), "{json}");
}

const KEEP: &str = "rules:
- name: web
  split:
  - {subset: v1, weight: 60}
  - subset: v2 # the new one
    weight: 30
  - subset: v3
    weight: 10
  sticky:
    cookie: {}
    onWeightChange: keep
  guard: {margin: 2%}
  ramp:
    start: 2026-12-01T09:00:00Z
    # slowly
    steps:
    - {after: 0s, weights: {v1: 60, v2: 30, v3: 10}}
    - {after: 1h, weights: {v1: 0, v2: 90, v3: 10}}
- {name: api, split: [{subset: v1, weight: 0}, {subset: v2, weight: 7}]}
";

/// A text after a rollback, what was said, and the exit code.
fn rolled_back(text: &str, arguments: &[&str]) -> (String, String, i32) {
    let folder = Folder::new(&format!("rollback-{:?}", std::thread::current().id()));
    let file = folder.file("a.yaml", text);
    let (out, error, code) = ended(&tool(&[&["rollback", "-f", &file], arguments].concat()));
    (fs::read_to_string(&file).unwrap(), (out + &error).replace(&file, "FILE"), code)
}

#[test]
fn a_rollback_does_what_is_right_for_each_rule_and_says_it() {
    let ramp = KEEP.find("  ramp:").unwrap()..KEEP.find("- {name: api").unwrap();
    let without = KEEP.replace(&KEEP[ramp], "");
    let zero = without.replace("weight: 30", "weight: 0").replace("weight: 10", "weight: 0");
    let gone = without.replace("  - subset: v2 # the new one\n    weight: 30\n  - subset: v3\n    weight: 10\n", "");
    let plain = KEEP.replace("\n    onWeightChange: keep", "").replace("  guard: {margin: 2%}\n", "");
    let plain_zero = zero.replace("\n    onWeightChange: keep", "").replace("  guard: {margin: 2%}\n", "");
    let api = |text: &str| text.replace("weight: 0}, {subset: v2, weight: 7}", "weight: 7}, {subset: v2, weight: 0}");
    let table: &[(&str, &[&str], &str, &[&str])] = &[
        (
            KEEP,
            &["web"],
            &zero,
            &[
                "FILE: rule web: v2 30 → 0, v3 10 → 0, ramp removed\n",
                "  note: its ramp is removed: these weights stay until a new plan is written\n",
                "  note: visitors who are kept in v2, v3 stay there (onWeightChange: keep); --evict sends them to stable\n",
                "  note: a trip of its guard ends with this edit; the weight of 0 takes its place\n",
            ],
        ),
        (
            KEEP,
            &["web", "--evict"],
            &gone,
            &[
                "FILE: rule web: v2, v3 evicted, ramp removed\n",
                "  note: evicted: the visitors of v2, v3 go to stable with their next request and are kept there; a subset that returns to the split starts with new visitors\n",
            ],
        ),
        (
            &plain,
            &["web", "--evict"],
            &plain_zero,
            &[
                "  note: --evict has nothing to do: rule web keeps nobody, and a weight of 0 sends everybody to stable\n",
            ],
        ),
        (KEEP, &["api"], &api(KEEP), &["FILE: rule api: v1 0 → 7, v2 7 → 0\n"]),
        (KEEP, &["--all"], &api(&zero), &["FILE: rule web: v2 30 → 0", "FILE: rule api: v1 0 → 7, v2 7 → 0\n"]),
        (&api(&zero), &["--all"], &api(&zero), &["FILE: rule web has these weights already; nothing is written\n"]),
        // Weights that no split may have: their sum is 0, or too large.
        (
            &without.replace("60", "0").replace("30", "0").replace("10", "0"),
            &["web"],
            &zero.replace("60", "100"),
            &["rule web: v1 0 → 100\n"],
        ),
        (
            &without.replace("60", "0").replace("30", "4294967295"),
            &["web"],
            &zero.replace("60", "4294967295"),
            &["rule web: v1 0 → 4294967295, v2 4294967295 → 0, v3 10 → 0\n"],
        ),
        // Paused, or not begun yet.
        (&KEEP.replace("    # slowly", "    pausedAt: 2026-12-01T09:10:00Z"), &["web"], &zero, &["ramp removed"]),
        (&KEEP.replace("2026-12-01T09", "2036-12-01T09"), &["web"], &zero, &["ramp removed"]),
        // Faults: weights, and optional fields.
        (&without.replace("weight: 30", "weight: 30%"), &["web"], &zero, &["rule web: v2 ? → 0, v3 10 → 0\n"]),
        (&KEEP.replace("after: 1h", "after: 1d"), &["web"], &zero, &["ramp removed\n"]),
        (
            &without.replace("2%", "two"),
            &["web"],
            &zero.replace("{margin: 2%}", "{}"),
            &[
                "v3 10 → 0, guard.margin removed\n",
                "  note: guard.margin is removed, since it has a fault: rules[0].guard.margin: \"two\" is not a percentage",
            ],
        ),
        (
            &without.replace("  guard:", "  gaurd:"),
            &["web"],
            &zero.replace("  guard: {margin: 2%}\n", ""),
            &["v3 10 → 0, gaurd removed\n"],
        ),
        (
            &without.replace("    cookie: {}", "    cookie: {ttl: 30d, path: /}"),
            &["web"],
            &zero.replace("    cookie: {}", "    cookie: {path: /}"),
            &["sticky.cookie.ttl removed\n"],
        ),
        // A key that asks for nothing would be a fault too: the smallest part without which there is none is removed.
        (
            &without.replace("    cookie: {}", "    cookie: {}\n    keys: [{header: 'a b'}]"),
            &["web"],
            &zero,
            &["v3 10 → 0, sticky.keys removed\n"],
        ),
    ];
    for (before, arguments, after, said) in table {
        let (text, told, code) = rolled_back(before, arguments);
        assert_eq!((text.as_str(), code), (*after, 0), "{arguments:?} of {before}: {told}");
        for line in *said {
            assert!(told.contains(line), "{line} is not in {told}");
        }
    }
}

#[test]
fn a_rollback_names_the_rules_that_still_send_visitors_to_the_canary() {
    let rule = |name: &str, hosts: &str, subset: &str| format!("- {{name: {name}, {hosts}subset: {subset}}}\n");
    let text = [
        "rules:\n".to_owned(),
        rule("always", "hosts: ['*.acme.io'], match: [{headers: {x-canary: {exact: always}}}], ", "v2"),
        rule("everywhere", "match: [{headers: {x-t: {}}}], ", "v2"),
        rule("never", "match: [{headers: {x-canary: {exact: never}}}], ", "v1"),
        rule("other", "hosts: [other.acme.org], ", "v2"),
        "- {name: web, hosts: [shop.acme.io], split: [{subset: v1, weight: 80}, {subset: v2, weight: 20}]}\n"
            .to_owned(),
    ];
    let (_, said, code) = rolled_back(&text.concat(), &[]);
    let notes: Vec<&str> = said.lines().filter(|line| line.contains("still sends")).collect();
    let note = |name: &str| {
        format!(
            "  note: rule {name} still sends its requests to v2: a rollback moves weights alone; change its subset, or remove the rule: canary-split remove {name}"
        )
    };
    assert_eq!((code, notes), (0, vec![&*note("always"), &*note("everywhere")]), "{said}");
}

#[test]
fn what_no_rollback_can_do_is_said() {
    let refused = KEEP.replace("rules:\n", "header: Host\nrules:\n");
    let matched = KEEP.replace("  guard:", "  match: [{uri: {}}]\n  guard:");
    let table: &[(&str, &[&str], &str, i32)] = &[
        (KEEP, &[], "FILE has several rules with a split; name one of them: web, api\n", 2),
        (KEEP, &["shop"], "FILE has no rule \"shop\"; it has web, api\n", 2),
        ("rules: []", &["--all"], "FILE has no rule with a split\n", 2),
        (
            &refused,
            &["web"],
            "the filter refuses the whole config, so that no rollback reaches the gateways: header: ",
            1,
        ),
        (&matched, &["web"], "rule web has a fault that no rollback can remove: rules[0].match[0].uri: ", 1),
    ];
    for (text, arguments, problem, expected) in table {
        let (after, told, code) = rolled_back(text, arguments);
        assert_eq!((after.as_str(), code), (*text, *expected), "{told}");
        assert!(told.starts_with(&format!("canary-split: {problem}")), "{told}");
    }
    // One that fails does not stop the others.
    let (after, told, code) = rolled_back(&matched, &["--all"]);
    let expected = matched.replace("weight: 0}, {subset: v2, weight: 7}", "weight: 7}, {subset: v2, weight: 0}");
    assert_eq!((after, code), (expected, 1), "{told}");
    assert!(told.contains("rule web has a fault that") && told.contains("rule api: v1 0 → 7, v2 7 → 0\n"), "{told}");
}

#[test]
fn a_policy_and_a_traffic_extension_are_edited_where_their_config_is() {
    let text = include_str!("envoy_gateway.yaml");
    let plugin = include_str!("gateway_api.yaml").replace("kind: WasmPlugin", "kind: TrafficExtension");
    let (head, spec) = plugin.split_once("  url: oci").unwrap();
    let deeper: String = format!("  url: oci{spec}").lines().map(|line| format!("  {line}\n")).collect();
    let extension = format!("{head}  wasm:\n{deeper}");
    let folder = Folder::new("carriers");
    for (name, text) in [("policy.yaml", text), ("extension.yaml", &extension)] {
        let file = folder.file(name, text);
        let old = "split: [{subset: v1, weight: 80}, {subset: v2, weight: 20}]";
        let weights = |v1: u32, v2: u32| old.replace("80", &v1.to_string()).replace("20", &v2.to_string());
        for (command, expected) in
            [(&["set", "httpbin", "v2=30%"][..], weights(70, 30)), (&["rollback", "httpbin"], weights(70, 0))]
        {
            let (out, error, code) = ended(&tool(&[command, &["-f", file.as_str()]].concat()));
            assert_eq!((error.as_str(), code), ("", 0), "{out}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text.replace(old, &expected), "{name}");
        }
        let before = folder.file("before.yaml", text);
        let (out, error, code) = ended(&tool(&["diff", &before, &file]));
        assert_eq!((error.as_str(), code), ("", 1), "{out}");
        assert!(out.contains("20 % move, the least possible"), "{out}");
    }
}
