//! Every config that we ship or print is one that the filter takes.

use canary_split::config::Config;
use canary_split::rule::Target;
use serde_json::Value;
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

#[track_caller]
fn assert_taken(config: &Value, place: &str) -> Config {
    Config::from_json(config.to_string().as_bytes()).unwrap_or_else(|errors| {
        panic!("{place}: {}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })
}

#[test]
fn every_block_of_the_documents_is_a_config_that_is_taken() {
    let mut taken = 0;
    for file in ["README.md", "docs/ROLLOUT.md", "wasmplugin/README.md", "manifests/README.md"] {
        let text = std::fs::read_to_string(top().join(file)).unwrap();
        for block in blocks(&text, "yaml") {
            let value: Value = serde_saphyr::from_str(&block).unwrap_or_else(|e| panic!("{file}: {e}\n{block}"));
            let config = if value.get("spec").is_some() { &value["spec"]["pluginConfig"] } else { &value };
            // The others are for CI.
            if value.get("spec").is_some() || value.get("rules").is_some() {
                assert_taken(config, file);
                taken += 1;
            }
        }
        for block in blocks(&text, "json") {
            assert_taken(&serde_json::from_str(&block).unwrap_or_else(|e| panic!("{file}: {e}\n{block}")), file);
        }
    }
    assert!(taken > 0);
}

#[test]
fn the_hook_that_the_readme_names_is_there_and_runs_the_tool() {
    let parsed = |text: &str| -> Value { serde_saphyr::from_str(text).unwrap() };
    let readme = include_str!("../README.md");
    let used = blocks(readme, "yaml").iter().map(|block| parsed(block)).find(|value| value.get("repos").is_some());
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
        for file in files(&top().join(folder), "yaml") {
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
    assert_eq!(overlays, 6);
}

/// What a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let documents = [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
        "docs/CHECKS.md",
        "docs/CLUSTER.md",
        "docs/COMING-FROM.md",
        "docs/RELEASES.md",
        "docs/ROLLOUT.md",
        "docs/RUNBOOK.md",
        "docs/TOOL.md",
        "manifests/README.md",
        "wasmplugin/README.md",
        "tests/cases/README.md",
        "tests/PITFALLS.md",
    ];
    for file in documents.map(|file| top().join(file)) {
        let text = std::fs::read_to_string(&file).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let mut target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link}", file.display());
            if target.is_dir() {
                target.push("README.md");
            }
            let headings = || std::fs::read_to_string(&target).unwrap();
            let known =
                heading.is_empty() || headings().lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(known, "{}: {link}", file.display());
        }
    }
}

/// Whether there is a test of this name: a function, a case, a mistake or a step of the story in the cluster.
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

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_claim_about_security_names_tests_that_are_there() {
    let is_a_test = is_a_test();
    let text = std::fs::read_to_string(top().join("SECURITY.md")).unwrap();
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
fn every_section_of_the_runbook_has_been_tried() {
    let is_a_test = is_a_test();
    let text = std::fs::read_to_string(top().join("docs/RUNBOOK.md")).unwrap();
    let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
    assert!(sections.len() > 10);
    for section in sections {
        let tried = section.lines().find(|line| line.starts_with("*Tried by ")).unwrap_or_else(|| panic!("{section}"));
        assert!(!quoted(tried).is_empty());
        for test in quoted(tried) {
            assert!(is_a_test(test), "no test {test}");
        }
    }
}

#[test]
fn every_pitfall_is_pinned_by_a_test_that_is_there() {
    let is_a_test = is_a_test();
    let text = std::fs::read_to_string(top().join("tests/PITFALLS.md")).unwrap();
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
