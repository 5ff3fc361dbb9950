//! Trial 33: twice as much takes about twice as long.

use crate::check::rendered;
use crate::fed;
use std::time::{Duration, Instant};

fn time(text: &str) -> Duration {
    let start = Instant::now();
    let code = fed(&["check", "--output", "json", "-"], text).status.code();
    assert!(code == Some(0) || code == Some(1), "{code:?}");
    start.elapsed()
}

/// The sound manifests with so many more of something.
fn with(count: usize, old: &str, more: &dyn Fn(usize) -> String) -> String {
    let text = rendered("manifests/overlays/weighted");
    assert!(text.contains(old), "{old}");
    text.replacen(old, &(old.to_owned() + &(0..count).map(more).collect::<String>()), 1)
}

const HEADER: &str = "headers: {x-canary-subset: {exact: v2}}";

fn destination(subset: &str) -> String {
    format!("    - destination: {{host: httpbin.canary.svc.cluster.local, port: {{number: 8001}}, subset: {subset}}}\n")
}

#[test]
fn trial_33_time_grows_with_the_number_of_routes_and_findings() {
    let routes = |subset: &'static str, more: &'static str| {
        move |at: usize| {
            format!(
                "  - match:\n    - uri: {{prefix: /p{at}}}\n      {HEADER}\n    route:\n{}{more}",
                destination(subset)
            )
        }
    };
    type More = Box<dyn Fn(usize) -> String>;
    let table: [(&str, &str, usize, More); 5] = [
        ("routes", "  http:\n", 1000, Box::new(routes("v2", ""))),
        ("routes with timeouts", "  http:\n", 1000, Box::new(routes("v2", "    timeout: 15s\n"))),
        ("routes to no subset", "  http:\n", 500, Box::new(routes("v9", ""))),
        (
            "rules with a bad weight",
            "    rules:\n",
            500,
            Box::new(|at| {
                format!("    - {{name: r{at}, hosts: [h{at}.example.com], split: [{{subset: v1, weight: 1%}}]}}\n")
            }),
        ),
        (
            "paths of stable before routes of the canary",
            "  http:\n",
            500,
            Box::new(|at| {
                let open = format!("  - match: [{{uri: {{prefix: /q{at}}}}}]\n    route:\n{}", destination("v2"));
                open + &format!("  - match: [{{uri: {{prefix: /p{at}}}, {HEADER}}}]\n    route:\n{}", destination("v2"))
            }),
        ),
    ];
    for (what, old, count, more) in table {
        let texts = [count, 4 * count].map(|count| with(count, old, &more));
        let mut measured = Vec::new();
        // Four times as much: 4 if it is linear, 16 if it is quadratic; below 100 ms it is mostly the start of a process. Something
        // else may take the machine's time, so it is tried again.
        let is_linear = (0..3).any(|_| {
            let [few, many] = [time(&texts[0]), time(&texts[1])];
            measured.push((few, many));
            many < few.max(Duration::from_millis(100)) * 9
        });
        assert!(is_linear, "{what}: {count}, and four times as many, take {measured:?}");
    }
}
