//! Bad input: for any damage to manifests, `check` and `explain` end by themselves, and their JSON is valid.

use crate::check::top;
use crate::{ended, fed};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const PIECES: [&str; 40] = [
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a",
    "\t",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "!!str ",
    "---\n",
    "\u{feff}",
    "ü",
    "%",
    " #",
    "null",
    "9e99",
    "\r\n",
    "\n\n",
    "  ",
    ",",
    "? ",
    "\\ud83d",
    "...\n",
    "-1",
    "~",
    "::1",
    "{{ x }}",
    "${X}",
    "{}",
    "[]",
    "4294967296",
    ".inf",
    "\u{2028}",
    "\u{1f600}",
];

/// Every manifest of the repository, and what is rendered of it.
fn manifests() -> Vec<String> {
    let mut files: Vec<PathBuf> = vec![top().join("manifests"), top().join("wasmplugin")];
    let mut texts = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let is_ours = |path: &PathBuf| !path.ends_with("node_modules");
            files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).filter(is_ours));
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "json") {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts.sort();
    let overlays =
        ["sealed", "sticky", "testers"].map(|name| crate::check::rendered(&format!("manifests/overlays/{name}")));
    // Those in which everything refers to something are the most fruitful.
    overlays.iter().cycle().take(3 * texts.len()).cloned().chain(texts).collect()
}

/// A text with pieces put in, parts left out, and lines moved.
fn mutated(text: &str, random: &mut fastrand::Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let from = if lines.len() > 400 { random.usize(..lines.len() - 300) } else { 0 };
    lines = lines.split_off(from);
    lines.truncate(300);
    for _ in 0..random.usize(1..4) {
        if lines.is_empty() {
            break;
        }
        let (at, other) = (random.usize(..lines.len()), random.usize(..lines.len()));
        match random.u8(..6) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, other),
            2 => lines.insert(other, lines[at].clone()),
            3 => lines[at].insert_str(0, &" ".repeat(random.usize(..5))),
            _ => {
                let mut text: Vec<char> = lines[at].chars().collect();
                let start = random.usize(..=text.len());
                let end = (start + random.usize(..8)).min(text.len());
                text.splice(start..end, PIECES[random.usize(..PIECES.len())].chars());
                lines[at] = text.into_iter().collect();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn thousands_of_mutations_end_with_json_or_with_lines_on_the_standard_error() {
    const ROUNDS: usize = 10_000;
    let texts = manifests();
    let (next, ends) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; 3]);
    let work = || {
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round >= ROUNDS {
                return;
            }
            let mut random = fastrand::Rng::with_seed(round as u64);
            let text = mutated(&texts[random.usize(..texts.len())], &mut random);
            let command: &[&str] = if round % 4 == 0 {
                &[
                    "explain",
                    "--output",
                    "json",
                    "--config",
                    "-",
                    "-H",
                    "x-user: a",
                    "--client-ip",
                    "10.0.0.1",
                    "https://canary.example.com/",
                ]
            } else {
                &["check", "--output", "json", "-"]
            };
            let (out, error, code) = ended(&fed(command, &text));
            assert!((0..3).contains(&code), "round {round} ended with {code}: {error}\n{text}");
            assert!(error.lines().all(|line| line.starts_with("canary-split: ")), "round {round}: {error}\n{text}");
            let is_json = out.is_empty() || serde_json::from_str::<Value>(&out).is_ok();
            assert!(is_json && (code == 2 || !out.is_empty()), "round {round}: {out}\n{text}");
            ends[code as usize].fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let ends = ends.map(AtomicUsize::into_inner);
    assert!(ends.iter().all(|&count| count > 100), "{ends:?}: good, found, unreadable");
}
