//! What a document shows on a terminal is what the tool prints.

use crate::{Temporary, ended, fed};
use serde_json::Value;
use std::collections::BTreeMap;

/// What `cat FILE` has shown, by its name; `wasmplugin.yaml` is the sticky overlay's, unless it is shown.
type Files = BTreeMap<String, Temporary>;

fn files() -> Files {
    let sticky = include_str!("../../manifests/overlays/sticky/wasmplugin.yaml");
    BTreeMap::from([("wasmplugin.yaml".to_owned(), Temporary::new(sticky))])
}

/// Runs what the `console` blocks of a section have behind a `$ `; how many commands that were. `cat FILE` shows a file for those after it.
fn run(section: &str, files: &mut Files) -> usize {
    let blocks = section.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut count = 0;
    for command in blocks.flat_map(|block| block.split("$ ").skip(1)) {
        let (line, expected) = command.split_once('\n').unwrap();
        let mut words = line.split(' ');
        match words.next().unwrap() {
            "cat" => {
                files.insert(words.next().unwrap().to_owned(), Temporary::new(expected));
            }
            program => {
                assert_eq!(program, "canary-split");
                let path = |word: &str| files.get(word).map_or(word.to_owned(), |file| file.0.display().to_string());
                let arguments: Vec<String> = words.map(path).collect();
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let (out, error, _) = ended(&fed(&arguments, ""));
                let shown = |text: String, (name, file): (&String, &Temporary)| {
                    text.replace(&file.0.display().to_string(), name)
                };
                assert_shown(&as_shipped(expected), &files.iter().fold(out + &error, shown), line);
                count += 1;
            }
        }
    }
    count
}

/// Whether this is what was printed; a line `…` stands for any lines.
#[track_caller]
fn assert_shown(shown: &str, printed: &str, command: &str) {
    let (shown, printed) = (format!("\n{shown}"), format!("\n{printed}"));
    let parts: Vec<&str> = shown.split("\n…").collect();
    let (last, others) = parts.split_last().unwrap();
    if others.is_empty() {
        assert_eq!(printed, shown, "{command}");
    }
    let mut rest = printed.as_str();
    for (index, part) in others.iter().enumerate() {
        let at = rest.find(part).filter(|at| index > 0 || *at == 0);
        let at = at.unwrap_or_else(|| panic!("{command}: this is not printed:{part}\nbut this is:{rest}"));
        rest = &rest[at + part.len()..];
    }
    assert!(rest.ends_with(last), "{command}: this is not the end:{last}\nbut this is:{rest}");
}

/// What a document shows, with the image of the newest release, or that of `make image`.
fn as_shipped(shown: &str) -> String {
    let plugin = include_str!("../../wasmplugin/wasmplugin.yaml");
    let url = plugin.lines().find(|line| line.starts_with("  url: ")).unwrap();
    let is_open = url.ends_with(&"0".repeat(64));
    let is_said = |line: &&str| is_open || !line.starts_with("note: spec.url of the plugin is still to be filled in");
    let line = |line: &str| if line.starts_with("  url: ") { format!("{url}\n") } else { format!("{line}\n") };
    shown.lines().filter(is_said).map(line).collect()
}

#[test]
fn the_readme_shows_what_the_tool_prints() {
    let readme = include_str!("../../README.md");
    assert_eq!(run(readme, &mut files()), 1);
}

#[test]
fn the_tools_documentation_shows_what_it_prints() {
    let document = include_str!("../../docs/cli.md");
    let sections = document.split("\n## canary-split ").skip(1);
    let silent: Vec<&str> =
        sections.filter(|section| run(section, &mut files()) == 0).filter_map(|s| s.lines().next()).collect();
    // Two are for what runs, the third would be too long.
    assert_eq!(silent, ["status", "dashboard", "schema"]);
}

#[test]
fn the_ways_in_are_shown_as_the_tool_prints_them() {
    let document = include_str!("../../docs/coming-from.md");
    // What the first section shows of files is not shown again.
    let mut files = files();
    let counts: Vec<usize> = document.split("\n## ").skip(1).map(|section| run(section, &mut files)).collect();
    assert_eq!(counts, [1, 1, 0, 1, 1, 1, 2]);
}

/// The objects of a text.
fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn the_readme_goes_from_weights_to_sticky_as_convert_does() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## From weights to sticky\n").unwrap();
    let blocks: Vec<&str> = section.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    let (before, after) = blocks[0].split_once("# after").unwrap();
    let head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop, namespace: shop}\n\
                spec:\n  hosts: [shop.example.com]\n  gateways: [istio-system/public]\n  http:\n";
    let (out, _, code) = ended(&fed(&["convert", "-"], &format!("{head}{before}")));
    assert_eq!(code, 0);
    let objects_after = objects(&out);
    let (_, after) = after.split_once('\n').unwrap();
    assert_eq!(objects_after[1]["spec"]["http"], objects(after)[0]);
    assert_eq!(objects_after[0]["spec"]["pluginConfig"], objects(blocks[1])[0]);
}

#[test]
fn the_three_parts_of_a_service_of_ones_own_fit_together() {
    let page = include_str!("../../docs/your-own-service.md");
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    let [subsets, routes, rules] = blocks[..] else { panic!("{blocks:?}") };
    let rules = rules.replace('\n', "\n    ");
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: canary-split, namespace: istio-system}}\n\
         spec:\n  selector: {{matchLabels: {{istio: ingressgateway}}}}\n  failStrategy: FAIL_OPEN\n  pluginConfig:\n    {rules}"
    );
    let (out, error, code) = ended(&fed(&["check", "-"], &format!("{subsets}---\n{routes}---\n{plugin}\n")));
    assert_eq!((error.as_str(), code), ("", 0), "{out}");
}

#[test]
fn trial_24_the_command_that_asks_a_cluster_fetches_all_pods() {
    let documents = [include_str!("../../docs/troubleshooting.md"), include_str!("../../docs/cli.md")];
    for document in documents {
        let (_, command) = document.split_once("kubectl get -A -o yaml").unwrap();
        let kinds = command.split_whitespace().next().unwrap();
        assert!(kinds.split(',').any(|kind| kind == "pods"), "{kinds}");
    }
}
