//! The tool's table of who moves, as people see it.

use crate::{ended, tool, with};
use std::process::Output;

fn simulate(arguments: &[&str]) -> Output {
    tool(&[&["simulate"], arguments].concat())
}

fn table(arguments: &[&str]) -> Vec<Vec<String>> {
    let output = simulate(&[arguments, &["--form", "markdown"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect()
}

fn percent(cell: &str) -> f64 {
    cell.trim_end_matches(" %").parse().unwrap()
}

#[test]
fn the_page_about_the_algorithm_shows_what_the_command_prints() {
    let page = include_str!("../../docs/algorithm.md");
    let printed = String::from_utf8(simulate(&["--form", "markdown"]).stdout).unwrap();
    assert!(printed.lines().count() > 10);
    for line in printed.lines() {
        assert!(page.lines().any(|shown| shown == line), "not in docs/algorithm.md: {line}");
    }
}

#[test]
fn an_edit_of_ones_own_is_simulated() {
    let rows = table(&["80/20", "50/50", "--visitors", "20000"]);
    assert_eq!(rows.len(), 1);
    let (least, ours) = (percent(&rows[0][2]), percent(&rows[0][3]));
    assert_eq!(least, 30.0);
    // Five standard deviations of 20,000 visitors.
    assert!((ours - least).abs() < 5.0 * 100.0 * (0.3_f64 * 0.7 / 20_000.0).sqrt(), "{ours}");
}

#[test]
fn a_plan_is_walked_by_visitors_who_come_back() {
    // The plan and its scheme, then moved, least possible, back, canary to canary.
    let rows = table(&["100/0", "50/50", "100/0", "0/0/100", "--visitors", "20000"]);
    let numbers: Vec<Vec<f64>> =
        rows.iter().map(|row| row[2..].iter().map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!(rows.iter().map(|row| row[1].as_str()).next_back(), Some("canary-split, keep"));
    let close = |a: f64, b: f64| (a - b).abs() < 2.0;
    // Half go and come back, then all go to another one.
    assert!(close(numbers[0][0], 200.0) && numbers[0][1] == 200.0 && close(numbers[0][2], 50.0), "{numbers:?}");
    assert_eq!(numbers[0][3], 0.0);
    assert_eq!(numbers[4], [0.0, 200.0, 0.0, 0.0], "keep moves nobody whose subset is there");
    let evicted = table(&["50/0/50", "50/50", "50/50", "--visitors", "20000"]);
    let last = evicted.last().unwrap();
    assert!(close(last[2].parse().unwrap(), 50.0), "whose subset is gone must go: {last:?}");
}

#[test]
fn nothing_moves_where_no_share_changes() {
    for row in [table(&["80/20", "8/2"]), table(&["1/1/1", "7/7/7"])].concat() {
        assert_eq!(row[3], "0.0 %", "{row:?}");
    }
}

#[test]
fn bad_weights_are_named() {
    let cases = [
        (["80/x", "50/50"], "\"80/x\": \"x\" is not a weight: an integer from 0 to 4294967295"),
        (["80,20", "50/50"], "\"80,20\": weights are divided by a slash, as in 75/25"),
        (["0/0", "50/50"], "\"0/0\": the weights add up to 0"),
        (["4294967295/1", "1"], "\"4294967295/1\": the weights add up to 4294967296, which is more than 4294967295"),
    ];
    for (arguments, error) in cases {
        let output = simulate(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(error), "{output:?}");
    }
}

/// `simulate` with days, as JSON.
fn days(arguments: &[&str]) -> serde_json::Value {
    let output = simulate(&[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A figure of each subset, day by day.
fn figures(simulation: &serde_json::Value, name: &str) -> Vec<Vec<f64>> {
    let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
    let of_day = |day: &serde_json::Value| list(&day["subsets"]).iter().map(|s| s[name].as_f64().unwrap()).collect();
    list(&simulation["days"]).iter().map(of_day).collect()
}

#[test]
fn under_rebalance_each_days_share_is_the_weight_and_a_ramp_moves_nobody_twice() {
    let simulation = days(&["100/0", "75/25", "50/50", "0/100", "--days", "8", "--visitors", "8000"]);
    let (shares, configured) = (figures(&simulation, "share"), figures(&simulation, "configured"));
    let weights: Vec<f64> = configured.iter().map(|day| day[1]).collect();
    assert_eq!(weights, [0.0, 0.0, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0]);
    for (share, weight) in shares.iter().flatten().zip(configured.iter().flatten()) {
        // Five standard deviations of the thousand visitors of the first day.
        assert!(
            (share - weight).abs() < 5.0 * (weight * (1.0 - weight) / 1000.0).sqrt() + 1e-9,
            "{share}, not {weight}"
        );
    }
    let changed = &simulation["visitorsWhoChanged"];
    assert_eq!(changed["moreOften"], 0);
    assert_eq!(figures(&simulation, "came").iter().flatten().sum::<f64>(), changed["once"].as_f64().unwrap());
    assert!(figures(&simulation, "draining").iter().flatten().all(|&count| count == 0.0));
}

#[test]
fn whoever_returns_every_day_is_seen_every_day_and_whoever_never_does_once() {
    for (rate, visits) in [("1", [100, 200, 300, 400]), ("0", [100; 4])] {
        let simulation = days(&["1/1", "--days", "4", "--visitors", "400", "--return-rate", rate]);
        for (day, visits) in simulation["days"].as_array().unwrap().iter().zip(visits) {
            assert_eq!((&day["visits"], &day["firstVisits"]), (&visits.into(), &100.into()), "{rate}");
        }
    }
    let simulation = days(&["1", "--days", "2", "--visitors", "10000", "--return-rate", "0.25"]);
    let again = simulation["days"][1]["visits"].as_f64().unwrap() - 5000.0;
    assert!((again - 1250.0).abs() < 5.0 * (5000.0_f64 * 0.25 * 0.75).sqrt(), "{again}");
}

#[test]
fn under_keep_a_subset_of_weight_0_drains_and_one_that_is_gone_is_left_at_once() {
    let plan = ["1/1@1", "1/0@3", "1@5", "--days", "6", "--visitors", "6000", "--return-rate", "1"];
    let kept = days(&[&plan[..], &["--on-weight-change", "keep"]].concat());
    let v2 = |name| figures(&kept, name).iter().map(|day| day[1]).collect::<Vec<_>>();
    let visits = v2("visits");
    let there = visits[1];
    assert!(there > 800.0, "half of two days' visitors: {visits:?}");
    assert_eq!(visits[2..], [there, there, 0.0, 0.0]);
    assert_eq!(v2("draining"), [0.0, 0.0, there, there, 0.0, 0.0]);
    let back: Vec<_> = figures(&kept, "came").iter().map(|day| day[0]).collect();
    assert_eq!(back, [0.0, 0.0, 0.0, 0.0, there, 0.0]);
    assert_eq!(kept["visitorsWhoChanged"]["once"].as_f64(), Some(there));
    // Under rebalance they have gone with the weight.
    let came: Vec<_> = figures(&days(&plan), "came").iter().map(|day| day[0]).collect();
    assert_eq!(came, [0.0, 0.0, there, 0.0, 0.0, 0.0]);
}

#[test]
fn the_same_seed_is_the_same_simulation_in_every_form() {
    let plan = ["90/10", "50/25/25", "--days", "5", "--visitors", "500"];
    let print = |more: &[&str]| String::from_utf8(simulate(&[&plan[..], more].concat()).stdout).unwrap();
    assert_eq!(print(&[]), print(&["--seed", "7"]));
    assert_ne!(print(&[]), print(&["--seed", "8"]));
    let json = days(&plan);
    let csv = print(&["--form", "csv"]);
    let lines: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 5 * 3);
    for (line, (visits, weight)) in
        lines.iter().zip(figures(&json, "visits").iter().flatten().zip(figures(&json, "configured").iter().flatten()))
    {
        assert_eq!((line[4].parse(), line[3].parse()), (Ok(*visits), Ok(*weight)), "{line:?}");
    }
    assert_eq!(lines[2][..4], ["1", "v3", "", "0.000000"]);
    let plot = print(&["--form", "plot"]);
    let bars: Vec<&str> = plot.lines().filter(|line| line.contains("90/10 ") || line.contains("50/25/25 ")).collect();
    assert_eq!(bars.len(), 5, "{plot}");
    assert!(plot.lines().all(|line| line.chars().count() <= 80), "{plot}");
    for bar in bars {
        assert_eq!(bar.matches('|').count(), 2, "{bar}");
    }
    assert!(print(&["--form", "plot", "--color", "always"]).contains("\x1b[30;44ma\x1b[0m"));
}

#[test]
fn a_plan_that_fits_no_days_is_named() {
    let cases: &[(&[&str], &str)] = &[
        (&["1", "2", "3", "--days", "2"], "3 steps are more than 2 days"),
        (&["1/1@2", "--days", "3"], "\"1/1@2\": the first step begins on day 1"),
        (&["1/1", "1/2@4", "--days", "3"], "\"1/2@4\": the day is not from 1 to 3"),
        (&["1/1", "1/2@x", "--days", "3"], "\"1/2@x\": the day is not from 1 to 3"),
        (
            &["1/1", "1/2@3", "1/3@3", "--days", "3"],
            "\"1/3@3\": day 3 is not after day 3, on which the step before begins",
        ),
        (&["1/1", "1/2@2", "1/3", "--days", "3"], "\"1/3\": on which day?"),
        (&["1/1", "0/0", "--days", "3"], "\"0/0\": the weights add up to 0"),
        (&["1/1", "--days", "0"], "0 is not in 1..=100000"),
        (&["1/1", "--days", "2", "--return-rate", "1.1"], "a rate is a number from 0 to 1"),
        (&["1/1", "--days", "2", "--return-rate", "nan"], "a rate is a number from 0 to 1"),
        (&["1/1", "2/1", "--return-rate", "1"], "--days"),
        (&["--days", "2"], "WEIGHTS"),
        (&["1/1", "2/1", "--form", "csv"], "--form csv and --form plot need --days"),
        (&["1/1"], "1/1: one step is not an edit; give a second one, or --days"),
    ];
    for (arguments, error) in cases {
        let output = simulate(arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(error), "{output:?}");
    }
}

#[test]
fn programs_get_the_tables_too() {
    let edit = days(&["80/20", "50/50", "--visitors", "1000"]);
    let row = &edit["edits"][0];
    assert_eq!((&row["old"], &row["schemes"][0]["scheme"]), (&serde_json::json!([80, 20]), &"canary-split".into()));
    assert!((row["leastPossible"].as_f64().unwrap() - 0.3).abs() < 1e-9);
    assert!((row["schemes"][0]["moved"].as_f64().unwrap() - 0.3).abs() < 0.08, "{row}");
    let plan = days(&["1/0", "1/1", "0/1", "--visitors", "1000"]);
    let keep = plan["plans"][0]["schemes"].as_array().unwrap().last().unwrap();
    assert_eq!((&keep["scheme"], &keep["moved"]), (&"canary-split, keep".into(), &0.0.into()));
}

#[test]
fn a_table_fits_the_screen() {
    for (arguments, columns) in [
        (&["--visitors", "100"][..], 80),
        (&["100/0", "95/5", "0/100", "--days", "4", "--visitors", "100"], 80),
        (&["--guard", "--rate", "10", "--canary", "5", "--days", "1", "--runs", "1"], 80),
    ] {
        let lines = |columns: &str| {
            let arguments = [&["simulate"], arguments].concat();
            let (out, error, code) = ended(&with("COLUMNS", columns, &arguments));
            assert_eq!((error.as_str(), code), ("", 0));
            out.lines().map(|line| line.chars().count()).collect::<Vec<_>>()
        };
        let narrow = lines(&columns.to_string());
        assert!(narrow.iter().all(|length| *length <= columns), "{arguments:?} {narrow:?}");
        assert!(lines("200").len() <= narrow.len(), "{arguments:?}");
    }
}
