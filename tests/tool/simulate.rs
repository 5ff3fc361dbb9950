//! The tool's table of who moves, as people see it.

use crate::tool;
use std::process::Output;

fn simulate(arguments: &[&str]) -> Output {
    tool(&[&["simulate"], arguments].concat())
}

fn table(arguments: &[&str]) -> Vec<Vec<String>> {
    let output = simulate(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect()
}

fn percent(cell: &str) -> f64 {
    cell.trim_end_matches(" %").parse().unwrap()
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let readme = include_str!("../../README.md");
    let printed = String::from_utf8(simulate(&[]).stdout).unwrap();
    assert!(printed.lines().count() > 10);
    for line in printed.lines() {
        assert!(readme.lines().any(|shown| shown == line), "not in the README: {line}");
    }
}

#[test]
fn an_edit_of_ones_own_is_simulated() {
    let rows = table(&["80,20", "50,50", "--visitors", "20000"]);
    assert_eq!(rows.len(), 1);
    let (least, ours) = (percent(&rows[0][2]), percent(&rows[0][3]));
    assert_eq!(least, 30.0);
    // Five standard deviations of 20,000 visitors.
    assert!((ours - least).abs() < 5.0 * 100.0 * (0.3_f64 * 0.7 / 20_000.0).sqrt(), "{ours}");
}

#[test]
fn a_plan_is_walked_by_visitors_who_come_back() {
    // The plan and its scheme, then moved, least possible, back, canary to canary.
    let rows = table(&["100,0", "50,50", "100,0", "0,0,100", "--visitors", "20000"]);
    let numbers: Vec<Vec<f64>> =
        rows.iter().map(|row| row[2..].iter().map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!(rows.iter().map(|row| row[1].as_str()).next_back(), Some("canary-split, keep"));
    let close = |a: f64, b: f64| (a - b).abs() < 2.0;
    // Half go and come back, then all go to another one.
    assert!(close(numbers[0][0], 200.0) && numbers[0][1] == 200.0 && close(numbers[0][2], 50.0), "{numbers:?}");
    assert_eq!(numbers[0][3], 0.0);
    assert_eq!(numbers[4], [0.0, 200.0, 0.0, 0.0], "keep moves nobody whose subset is there");
    let evicted = table(&["50,0,50", "50,50", "50,50", "--visitors", "20000"]);
    let last = evicted.last().unwrap();
    assert!(close(last[2].parse().unwrap(), 50.0), "whose subset is gone must go: {last:?}");
}

#[test]
fn nothing_moves_where_no_share_changes() {
    for row in [table(&["80,20", "8,2"]), table(&["1,1,1", "7,7,7"])].concat() {
        assert_eq!(row[3], "0.0 %", "{row:?}");
    }
}

#[test]
fn bad_weights_are_named() {
    let cases = [
        (["80,x", "50,50"], "\"80,x\": \"x\" is no weight of 0 to 4294967295"),
        (["0,0", "50,50"], "[0, 0]: the weights add up to 0"),
        (["4294967295,1", "1"], "[4294967295, 1]: the weights add up to 4294967296, which is more than 4294967295"),
    ];
    for (arguments, error) in cases {
        let output = simulate(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(error), "{output:?}");
    }
}
