//! For any files, the tool ends by itself: with a result or with one line.

use crate::{ended, fed};
use std::fs::{self, File};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The fuzzers' corpus of configs; a line is a JSON string, of which a character is a byte.
fn corpus() -> Vec<String> {
    let lines = include_str!("../fuzz/corpus/config.jsonl").lines();
    lines.map(|line| serde_json::from_str::<String>(line).unwrap()).collect()
}

/// The shipped sticky overlay with some of its lines changed.
fn spoiled(rounds: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    let good = include_str!("../../manifests/overlays/sticky/wasmplugin.yaml");
    let pieces = [
        "- ", ": ", "{", "]", "&a ", "*a", "<<: *a", "\t", "'", "\"", "|\n", "!!str ", "---\n", "\u{feff}", "ü", "%",
        "#", "null", "9e99", "\r",
    ];
    (0..rounds)
        .map(|_| {
            let mut text: Vec<char> = good.chars().collect();
            for _ in 0..random.usize(1..5) {
                let from = random.usize(..text.len());
                let to = (from + random.usize(..12)).min(text.len());
                let new = if random.bool() { pieces[random.usize(..pieces.len())] } else { "" };
                text.splice(from..to, new.chars());
            }
            text.into_iter().collect()
        })
        .collect()
}

#[test]
fn no_file_makes_the_tool_panic_or_say_more_than_a_line_about_each_document_that_it_cannot_read() {
    let as_plugin = |config: &String| {
        format!(
            r#"{{"apiVersion":"extensions.istio.io/v1","kind":"WasmPlugin","metadata":{{"name":"c"}},"spec":{{"pluginName":"canary-split","pluginConfig":{config}}}}}"#
        )
    };
    let bare = corpus();
    let texts: Vec<String> = bare.iter().map(as_plugin).chain(spoiled(300)).chain(bare.iter().cloned()).collect();
    let good = "manifests/overlays/sticky/wasmplugin.yaml";
    let commands: [&[&str]; 5] = [
        &["check", "-"],
        &["explain", "--config", "-", "-b", "canary-httpbin=00000000", "https://canary.example.com/"],
        &["diff", good, "-"],
        &["diff", "-", good],
        &["set", "httpbin", "v1=1", "v2=2", "-f", "-"],
    ];
    let (next, ends) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; 3]);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for command in commands {
                        let (_, error, code) = ended(&fed(command, text));
                        let is_clear = code != 2 || error.lines().all(|line| line.starts_with("canary-split: "));
                        assert!(is_clear && (0..3).contains(&code), "{command:?} ended with {code}: {error}\n{text}");
                        ends[code as usize].fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let ends = ends.map(AtomicUsize::into_inner);
    assert!(ends.iter().all(|&count| count > 50), "{ends:?}: good, found, unreadable");
}

#[test]
fn folders_that_cannot_be_read_and_files_that_are_no_text_are_named() {
    let folder = std::env::temp_dir().join(format!("canary-split-hostile-{}", std::process::id()));
    fs::create_dir_all(folder.join("empty")).unwrap();
    fs::write(folder.join("bytes.yaml"), b"a: \xff").unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let cases = [
        (at("empty"), "neither a WasmPlugin nor"),
        (at("bytes.yaml"), "not UTF-8 from byte 3 on"),
        (at("missing.yaml"), "No such file or directory\n"),
        ("/proc/self/mem".to_owned(), "/proc/self/mem: "),
        ("/dev/zero".to_owned(), "/dev/zero: more than 256 MiB, which is the limit\n"),
    ];
    for (path, problem) in cases {
        let (out, error, code) = ended(&fed(&["check", &path], ""));
        assert_eq!((out.as_str(), code, error.lines().count()), ("", 2, 1), "{path}: {error}");
        assert!(error.contains(problem) && error.contains(&path), "{error}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_standard_input_without_end_is_read_up_to_the_limit() {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_canary-split"));
    let (out, error, code) =
        ended(&tool.args(["check", "-"]).stdin(File::open("/dev/zero").unwrap()).output().unwrap());
    let said = "canary-split: standard input: more than 256 MiB, which is the limit\n";
    assert_eq!((&*out, &*error, code), ("", said, 2));
}

/// A plugin and a route whose names and values clear the screen, change its title and turn the text around.
const NAMES: &str = r#"
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: "canary-split\e[2J\u202e", namespace: "istio\a\u202e"}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  url: oci://registry.example.com/canary-split@sha256:0000
  phase: "AU\e[2J\u202e"
  pluginConfig:
    rules:
    - name: "shop\e[2J\u202e"
      hosts: ["shop.example.com\e[2J"]
      split: [{subset: "v1\e[2J\u202e", weight: 90}, {subset: v2, weight: 10}]
    - name: testers
      match: [{headers: {"x-\u202e": {exact: "\e[2J"}}}]
      split: [{subset: "v1", weight: 90}, {subset: "v2\e]0;title\a", weight: 10}]
---
"#;
const ROUTES: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: "sh\e[2J\u202eop", namespace: "sh\rop"}
spec:
  hosts: [shop.example.com, "\e[2J\u202e.example.com"]
  gateways: ["istio-system/g\e[2J\u202e"]
  http:
  - name: "\e[2J\u202e"
    match: [{uri: {prefix: "/\e[2J\u202e"}}]
    route:
    - {destination: {host: "sh\e[2J\u202e\x9b2J\u3164\e[8m\nforged: line", subset: SUBSET}, weight: 80}
    - {destination: {host: shop, subset: v2}, weight: 20}
"#;

/// A plugin without a fault.
const FINE: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: canary-split, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  url: oci://registry.example.com/canary-split@sha256:0000
  pluginConfig: {rules: [{name: shop, hosts: [shop.example.com], split: [{subset: v1, weight: 9}, {subset: v2, weight: 1}]}]}
---
";

#[test]
fn a_terminal_obeys_no_name_and_no_value_of_a_file() {
    let routes = |subset: &str| ROUTES.replace("SUBSET", subset);
    let both = format!("{NAMES}{}", routes("v1"));
    let routed = format!("{FINE}{}", routes("v1").replace(r#"uri: {prefix: "/\e[2J\u202e"}"#, "uri: {prefix: /}"));
    assert!(routed.contains("{prefix: /}"));
    let texts = [&both, &routed, NAMES, &routes("v1"), &routes(r#""v\e[2J\u202e1""#)];
    let commands: [&[&str]; 11] = [
        &["check", "-o", "json", "-"],
        &["explain", "-o", "json", "https://shop.example.com/", "-f", "-"],
        &["check", "--color", "always", "-"],
        &["convert", "-"],
        &["adopt", "-"],
        &["explain", "https://shop.example.com/", "-f", "-"],
        &["explain", "1.5f2e6049.1c8cf84", "-f", "-"],
        &["set", "testers", "v2=30", "--dry-run", "-f", "-"],
        &["rollback", "--all", "-f", "-"],
        &["simulate", "-f", "-"],
        &["diff", "manifests/overlays/sticky/wasmplugin.yaml", "-"],
    ];
    let mut shown = 0;
    for (text, command) in texts.iter().flat_map(|text| commands.map(|command| (text, command))) {
        let (out, error, code) = ended(&fed(command, text));
        assert!(code < 3, "{command:?}: {error}");
        for said in [out, error] {
            let is_obeyed = said.contains(['\x07', '\r', '\u{202e}', '\u{9b}', '\u{3164}'])
                || ["\x1b[2J", "\x1b[8m", "\x1b]", "\nforged"].iter().any(|obeyed| said.contains(obeyed));
            assert!(!is_obeyed, "{command:?}: {said:?}");
            shown += usize::from(said.contains("\\x1b[2J"));
        }
    }
    assert!(shown > 8, "{shown} of the texts say such a name");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let tool =
        std::process::Command::new(env!("CARGO_BIN_EXE_canary-split")).arg("schema").stdout(full).output().unwrap();
    let (_, error, code) = ended(&tool);
    assert!(code == 2 && error.starts_with("canary-split: standard output: "), "{code}: {error}");
}
