//! The filter takes every config that we ship or print, and every link of a page leads where it says.

use canary_split::config::Config;
use canary_split::rule::Target;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

/// The fenced blocks of a Markdown text in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(&format!("{language}\n")))
        .map(str::to_owned)
        .collect()
}

/// What people read: every Markdown file but those of dependencies.
fn pages() -> Vec<PathBuf> {
    let of_the_top = top().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let of_the_top = of_the_top.filter(|path| path.is_file() && path.extension().is_some_and(|e| e == "md"));
    let below = ["docs", "manifests", "tests/cases"].into_iter().flat_map(|folder| files(&top().join(folder), "md"));
    let others = ["wasmplugin/README.md", "tests/PITFALLS.md", "tests/RUNBOOK.md"].map(|file| top().join(file));
    of_the_top.chain(below).chain(others).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(top().join(file)).unwrap()
}

#[track_caller]
fn assert_taken(config: &Value, place: &str) -> Config {
    Config::from_json(config.to_string().as_bytes()).unwrap_or_else(|errors| {
        panic!("{place}: {}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })
}

#[test]
fn every_block_of_the_documents_is_a_config_that_is_taken() {
    let mut taken = 0;
    // The findings show what is wrong.
    for page in pages().into_iter().filter(|page| !page.ends_with("docs/checks.md")) {
        let text = std::fs::read_to_string(&page).unwrap();
        let file = page.display().to_string();
        for block in blocks(&text, "yaml") {
            let value: Value = serde_saphyr::from_str(&block).unwrap_or_else(|e| panic!("{file}: {e}\n{block}"));
            // The others are for CI, routes and editors.
            let config = match value {
                Value::Object(ref object) if object.contains_key("rules") => &value,
                _ if value["kind"] == "WasmPlugin" => &value["spec"]["pluginConfig"],
                _ => continue,
            };
            assert_taken(config, &file);
            taken += 1;
        }
    }
    assert!(taken > 4, "{taken}");
}

#[test]
fn the_hook_for_pre_commit_exists_and_runs_the_tool() {
    let parsed = |text: &str| -> Value { serde_saphyr::from_str(text).unwrap() };
    let page = include_str!("../docs/ci.md");
    let used = blocks(page, "yaml").iter().map(|block| parsed(block)).find(|value| value.get("repos").is_some());
    let hook = &parsed(include_str!("../.pre-commit-hooks.yaml"))[0];
    assert_eq!(used.unwrap()["repos"][0]["hooks"][0]["id"], hook["id"]);
    assert_eq!(hook["entry"], "canary-split check");
    let tool = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    assert!(tool.contains("[[bin]]\nname = \"canary-split\"\n"));
}

#[test]
fn every_shipped_wasmplugin_has_a_config_that_is_taken() {
    let mut overlays = 0;
    for folder in ["wasmplugin", "manifests"] {
        let files = files(&top().join(folder), "yaml").into_iter();
        // The chart's templates are no YAML; tests/manifests/test_chart.py looks at what they make.
        for file in files.filter(|file| !file.starts_with(top().join("wasmplugin/chart/templates"))) {
            let text = std::fs::read_to_string(&file).unwrap();
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            for document in documents.iter().filter(|document| document["kind"] == "WasmPlugin") {
                let config = assert_taken(&document["spec"]["pluginConfig"], &file.display().to_string());
                overlays += usize::from(!config.rules.is_empty());
                for rule in &config.rules {
                    if let Target::Split(split) = &rule.target {
                        assert_eq!(&*split.subsets[0].name, "v1", "{}: stable comes first", file.display());
                    }
                }
            }
        }
    }
    assert_eq!(overlays, 8);
}

#[test]
fn every_shipped_policy_of_envoy_gateway_has_a_config_that_is_taken() {
    let policy: Value = serde_saphyr::from_str(&read("manifests/envoy-gateway/policy.yaml")).unwrap();
    let sticky: Value = serde_saphyr::from_str(&read("manifests/overlays/sticky/wasmplugin.yaml")).unwrap();
    let config = &policy["spec"]["wasm"][0]["config"];
    assert_taken(config, "manifests/envoy-gateway");
    assert_eq!(*config, sticky["spec"]["pluginConfig"], "the same as for Istio");
}

/// What a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// A text without its blocks of code and what is between backticks.
fn prose(text: &str) -> String {
    let without_blocks = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    without_blocks.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Where a page leads within the repository: the file, and the heading or nothing.
fn links(page: &Path) -> Vec<(PathBuf, String)> {
    let text = prose(&std::fs::read_to_string(page).unwrap());
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links
        .filter(|link| !link.starts_with("http"))
        .map(|link| {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
            let target = target.canonicalize().unwrap_or_else(|e| panic!("{}: {link}: {e}", page.display()));
            (if target.is_dir() && !heading.is_empty() { target.join("README.md") } else { target }, heading.to_owned())
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        for (target, heading) in links(&page) {
            let headings = || std::fs::read_to_string(&target).unwrap();
            let known =
                heading.is_empty() || headings().lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(known, "{}: {}#{heading}", page.display(), target.display());
        }
    }
}

#[test]
fn the_readme_is_read_in_a_minute() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 200, "{lines} lines");
}

/// Paragraphs and items of lists, sentence by sentence; tables are none.
fn sentences(page: &Path) -> Vec<String> {
    let text = prose(&std::fs::read_to_string(page).unwrap());
    let parts = text.split("\n\n").flat_map(|paragraph| paragraph.split("\n- ")).filter(|part| !part.starts_with('|'));
    let parts: Vec<String> = parts.map(|part| part.replace('\n', " ")).collect();
    parts.iter().flat_map(|part| part.split(". ")).map(|sentence| sentence.trim().to_owned()).collect()
}

#[test]
fn no_sentence_is_in_two_places() {
    let mut seen = BTreeSet::new();
    // The sections of checks are printed one by one.
    let is_one = |page: &PathBuf| !page.starts_with(top().join("tests")) && !page.ends_with("docs/checks.md");
    for page in pages().into_iter().filter(is_one) {
        for sentence in sentences(&page).into_iter().filter(|sentence| sentence.chars().count() > 60) {
            assert!(seen.insert(sentence.clone()), "{}: {sentence}", page.display());
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
}

#[test]
fn a_search_finds_what_people_ask_for() {
    let text: String =
        files(&top().join("docs"), "md").iter().map(|page| std::fs::read_to_string(page).unwrap()).collect();
    let asked = [
        "no healthy pod",
        "Argo Rollouts",
        "Flagger",
        "into the mesh",
        "link for testers",
        "CIDR",
        "X-Forwarded-For",
        "two tiers",
        "ping-pong",
        "TrafficExtension",
        "FAIL_OPEN",
        "istio#53279",
        "mbient",
        "HTTPRoute",
        "waypoint",
        "targetRefs",
        "kind create cluster",
        "minikube",
        "Helm",
        "macOS",
        "arm64",
        "downgrade",
        "RBAC",
        "several teams",
        "ignoreDifferences",
        "consent",
        "CDN",
        "Envoy Gateway",
    ];
    for term in asked {
        assert!(text.contains(term), "{term}");
    }
}

#[test]
fn every_page_of_docs_is_reached_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut next = vec![top().join("README.md").canonicalize().unwrap()];
    while let Some(page) = next.pop() {
        if page.extension().is_some_and(|e| e == "md") && reached.insert(page.clone()) {
            next.extend(links(&page).into_iter().map(|(target, _)| target));
        }
    }
    for page in files(&top().join("docs"), "md") {
        assert!(reached.contains(&page.canonicalize().unwrap()), "nothing leads to {}", page.display());
    }
}

/// Whether a test of this name exists: a function, a case, a mistake or a step of the story in the cluster.
fn is_a_test() -> impl Fn(&str) -> bool {
    let all = |extension| {
        let folders = ["tests", "src"].map(|folder| files(&top().join(folder), extension)).concat();
        folders.into_iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<Vec<String>>()
    };
    let sources = [all("rs"), all("py"), all("go")].concat();
    let tables = all("yaml");
    move |test| {
        let defined = ["fn", "def", "func"].map(|f| format!("{f} {test}("));
        let step = format!("{{{test:?}, (*story)");
        sources.iter().any(|text| defined.iter().chain([&step]).any(|f| text.contains(f)))
            || tables.iter().flat_map(|text| text.lines()).any(|line| {
                line.strip_prefix("- name: ").or(line.strip_prefix("- mistake: ")).is_some_and(|name| name == test)
            })
    }
}

/// The texts between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_claim_about_security_names_tests_that_are_there() {
    let is_a_test = is_a_test();
    let text = read("docs/security.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.contains("| tests |")).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let tests = quoted(row.trim_end_matches(" |").rsplit_once(" | ").unwrap().1);
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(is_a_test(test), "no test {test}");
        }
    }
}

#[test]
fn every_section_of_the_runbook_begins_with_a_command_and_has_been_tried() {
    let is_a_test = is_a_test();
    let (text, tried) = (read("docs/runbook.md"), read("tests/RUNBOOK.md"));
    let sections: Vec<(&str, &str)> =
        text.split("\n### ").skip(1).map(|section| section.split_once("\n\n").unwrap()).collect();
    assert!(sections.len() > 10);
    for (title, section) in sections {
        assert!(section.starts_with("```"), "{title}");
        let start = format!("| [{title}](../docs/runbook.md#{}) | ", anchor(title));
        let row = tried.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{title}"));
        assert!(!quoted(row).is_empty());
        for test in quoted(row) {
            assert!(is_a_test(test), "no test {test}");
        }
    }
}

#[test]
fn every_pitfall_is_pinned_by_a_test_that_is_there() {
    let is_a_test = is_a_test();
    let text = read("tests/PITFALLS.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let numbers: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=58).collect::<Vec<_>>());
    for row in rows {
        let tests = quoted(row[3]);
        assert!(!tests.is_empty(), "{row:?}");
        for test in tests {
            assert!(is_a_test(test), "{}: no test {test}", row[0]);
        }
    }
}
