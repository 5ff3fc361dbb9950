//! The fuzzers' starting points and finds, with some thousands of variations; `make fuzz` continues from there.

#[path = "fuzz/checks.rs"]
mod checks;
#[allow(dead_code, reason = "of the cases only what is sent is used")]
mod common;
#[path = "fuzz/oracle.rs"]
mod oracle;

use std::fs;
use std::path::{Path, PathBuf};

const VARIATIONS: usize = 20_000;

/// Returns whether the input meant anything.
type Check = fn(&[u8]) -> bool;

const TARGETS: [(&str, Check); 4] = [
    ("config", checks::config),
    ("cookie", checks::cookie),
    ("matches", checks::matches),
    ("decision", checks::decision),
];

/// A target's inputs: the cases, what libFuzzer has found worth keeping, and what has ever failed.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let mut inputs = seeds(target);
    for kind in ["corpus", "finds"] {
        let text = fs::read_to_string(kept(kind, target)).unwrap_or_default();
        inputs.extend(text.lines().map(|line| common::bytes(&serde_json::from_str::<String>(line).unwrap())));
    }
    inputs
}

/// Inputs in the repository: a line is a JSON string, of which a character is a byte.
fn kept(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(kind).join(format!("{target}.jsonl"))
}

/// The case table in a target's format.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for case in common::cases() {
        if target == "config" {
            seeds.push(case.iter().map(|phase| phase.config.clone()).collect::<Vec<_>>().join(&b"\n---\n"[..]));
        }
        for phase in &case {
            let requests = phase.requests.iter().map(|request| request.sent(NOW));
            match target {
                "cookie" => seeds.extend(requests.filter_map(|sent| {
                    let cookie = sent.headers.into_iter().find(|(name, _)| name == "cookie")?.1;
                    Some(String::from_utf8_lossy(&cookie).replace("canary-httpbin=", "c=").into_bytes())
                })),
                "matches" => {
                    let json: serde_json::Value = serde_json::from_slice(&phase.config).unwrap_or_default();
                    let entries =
                        json["rules"].as_array().into_iter().flatten().flat_map(|rule| rule["match"].as_array());
                    let entries: Vec<String> = entries.flatten().map(ToString::to_string).collect();
                    for sent in requests {
                        seeds.extend(entries.iter().map(|entry| lines(entry.as_bytes(), &sent)));
                    }
                }
                "decision" => seeds.extend(requests.map(|sent| lines(&phase.config, &sent))),
                _ => {}
            }
        }
    }
    seeds
}

const NOW: u32 = 0x1c8_9b43;

fn lines(config: &[u8], sent: &common::Sent) -> Vec<u8> {
    let mut text: Vec<u8> = config.iter().copied().filter(|&b| b != b'\n').collect();
    let address = ("address".to_owned(), sent.visitor.address.clone().into_bytes());
    for (name, value) in sent.headers.iter().chain([&address]) {
        text.extend([b"\n", name.as_bytes(), b": ", value].concat());
    }
    text
}

fn replay(nth: usize) {
    let (target, check) = TARGETS[nth];
    match std::env::var("CORPORA").as_deref() {
        Err(_) => {}
        Ok("unpack") => unpack(target),
        Ok("pack") => pack(target, check),
        Ok(other) => panic!("CORPORA={other}: it is unpack (make fuzz) or pack (make corpora)"),
    }
    let inputs = inputs(target);
    let seeds = seeds(target).len();
    assert!(inputs.len() > seeds, "{target}: no corpus next to the {seeds} cases");
    let meant = inputs.iter().filter(|input| check(input)).count();
    assert!(
        inputs.len() > 30 && meant > inputs.len() / 4,
        "{target}: {meant} of {} inputs mean anything",
        inputs.len()
    );
    let mut random = fastrand::Rng::with_seed(7);
    let mut meant = 0;
    for _ in 0..VARIATIONS {
        let mut input = inputs[random.usize(..inputs.len())].clone();
        for _ in 0..random.usize(1..4) {
            vary(&mut input, &inputs[random.usize(..inputs.len())], &mut random);
        }
        meant += usize::from(check(&input));
    }
    assert!(meant > VARIATIONS / 50, "{target}: {meant} of {VARIATIONS} variations mean anything");
}

/// A byte or a piece changed, cut out, or taken from another input.
fn vary(input: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    let start = random.usize(..=input.len());
    let end = input.len().min(start + [0, 1, 1, 4, 30][random.usize(..5)]);
    let from = random.usize(..=other.len());
    let piece = &other[from..other.len().min(from + [1, 4, 30][random.usize(..3)])];
    let new: Vec<u8> = match random.u8(..4) {
        0 => vec![random.u8(..)],
        1 => Vec::new(),
        2 => input.get(start..end).map(|piece| piece.repeat(2)).unwrap_or_default(),
        _ => piece.to_vec(),
    };
    input.splice(start..end, new);
}

#[test]
fn any_config_is_evaluated() {
    replay(0);
}

#[test]
fn any_cookie_header_is_read_as_the_oracle_reads_it() {
    replay(1);
}

#[test]
fn any_match_holds_where_the_oracle_says_so() {
    replay(2);
}

#[test]
fn any_request_is_decided_as_the_oracle_decides() {
    replay(3);
}

/// Where libFuzzer works.
fn workshop(kind: &str, target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz").join(kind).join(target);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes the inputs as files for libFuzzer.
fn unpack(target: &str) {
    workshop("finds", target);
    let folder = workshop("corpus", target);
    for (at, input) in inputs(target).iter().enumerate() {
        fs::write(folder.join(format!("kept-{at}")), input).unwrap();
    }
}

/// Writes what libFuzzer has kept and found into the repository.
fn pack(target: &str, check: Check) {
    for kind in ["corpus", "finds"] {
        let file = kept(kind, target);
        let mut lines: Vec<String> = match kind {
            "corpus" => Vec::new(),
            _ => fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect(),
        };
        for entry in workshop(kind, target).read_dir().unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            if kind == "finds" || check(&input) {
                let text: String = input.iter().map(|&b| char::from(b)).collect();
                lines.push(serde_json::to_string(&text).unwrap());
            }
        }
        lines.sort_by_key(|line| (line.len(), line.clone()));
        lines.dedup();
        // Of those that mean anything, the shortest say the most for what they weigh in the repository.
        lines.truncate(if kind == "corpus" { 250 } else { usize::MAX });
        if !lines.is_empty() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, lines.join("\n") + "\n").unwrap();
        }
    }
}
