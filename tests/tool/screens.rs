//! What people see: help texts, and lines that fit the screen.

use crate::{Temporary, ended, fed, with};

const COLUMNS: &str = "80";

fn help(arguments: &[&str]) -> String {
    let (out, error, code) = ended(&with("COLUMNS", "200", arguments));
    assert_eq!((error.as_str(), code), ("", 0));
    out
}

/// The commands as the tool lists them, each with what it does.
fn commands() -> Vec<(String, String)> {
    let help = help(&["-h"]);
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let command = |line: &str| {
        let (name, what) = line.trim().split_once(' ').unwrap();
        (name.to_owned(), what.trim().to_owned())
    };
    list.lines().map(command).filter(|(name, _)| name != "help").collect()
}

#[test]
fn every_command_is_an_imperative_in_one_line_with_examples_in_its_help() {
    let commands = commands();
    assert!(commands.len() > 8, "{commands:?}");
    for (name, what) in commands {
        let verb = what.split([' ', ':']).next().unwrap();
        let verbs = [
            "Show", "Look", "Set", "Roll", "Check", "Explain", "Compare", "Simulate", "Print", "Promote", "Remove",
            "Write", "Convert", "Adopt",
        ];
        assert!(verbs.contains(&verb), "{name}: {what}");
        for flag in ["-h", "--help"] {
            let text = help(&[&name, flag]);
            let (_, examples) = text.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{name}: no examples"));
            assert!(examples.contains(&format!("canary-split {name}")), "{examples}");
        }
    }
}

#[test]
fn no_line_of_a_help_text_is_wider_than_80_characters() {
    let names: Vec<String> = commands().into_iter().map(|(name, _)| name).collect();
    for flag in ["-h", "--help"] {
        let of_commands = names.iter().map(|name| vec![name.as_str(), flag]);
        for arguments in of_commands.chain([vec![flag]]) {
            for line in help(&arguments).lines() {
                assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
            }
        }
    }
}

const OLD: &str = "rules:
- name: shop
  split:
  - {subset: v1, weight: 70}
  - {subset: v2, weight: 10}
  - {subset: v3, weight: 20}
  sticky: {cookie: {}, keys: [{claim: sub}], onWeightChange: keep}
  ramp:
    start: 2026-12-01T09:00:00Z
    steps:
    - {after: 0s, weights: {v1: 70, v2: 10, v3: 20}}
    - {after: 24h, weights: {v1: 0, v2: 70, v3: 30}}
  guard: {}
";

#[test]
fn lines_fit_the_screen() {
    let (old, new) = (Temporary::new(OLD), Temporary::new(&OLD.replace("24h", "48h").replace(": keep", ": rebalance")));
    let path = |file: &Temporary| file.0.display().to_string();
    let (old, new) = (path(&old), path(&new));
    let now = ["--now", "2026-12-01T12:00:00Z"];
    let table: &[&[&str]] = &[
        &["diff", &old, &new],
        &["set", "--pause", "-f", &old, "--dry-run"],
        &["rollback", "--evict", "-f", &old, "--dry-run"],
        &["explain", "-f", &old, "1.5f2e6049.1c8cf84"],
        &["simulate", "-f", &old],
        &["simulate", "90/10", "70/30", "0/100", "--days", "4", "--visitors", "100"],
        &["check", "--list"],
    ];
    for arguments in table {
        let is_timed = ["diff", "set", "rollback", "explain"].contains(&arguments[0]) || arguments[1] == "-f";
        let more = if is_timed { &now[..] } else { &[] };
        let arguments = [*arguments, more].concat();
        let (out, error, code) = ended(&with("COLUMNS", COLUMNS, &arguments));
        assert!(code < 2, "{arguments:?}: {error}");
        // A path is as long as it is.
        for line in out.lines().filter(|line| !line.contains(&old)) {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
        // Into a pipe nothing is broken.
        let (whole, ..) = ended(&fed(&arguments, ""));
        assert!(whole.lines().count() <= out.lines().count(), "{arguments:?}");
    }
}

#[test]
fn colours_are_for_those_who_ask_for_them() {
    let files = [OLD, &OLD.replace("weight: 10}", "weight: 10%}"), &OLD.replace("70, v2: 10", "60, v2: 20")];
    let files = files.map(Temporary::new);
    let [old, faulty, new] = files.each_ref().map(|file| file.0.display().to_string());
    let now = "2026-12-01T12:00:00Z";
    let table = [&["check", &faulty][..], &["diff", &old, &new, "--now", now], &["simulate", "-f", &old, "--now", now]];
    for arguments in table {
        let is_coloured = |more: &[&str]| ended(&fed(&[arguments, more].concat(), "")).0.contains('\x1b');
        let seen = [&[][..], &["--color", "never"], &["--color", "always"]].map(is_coloured);
        assert_eq!(seen, [false, false, true], "{arguments:?}");
    }
}
