//! Trial 31 again: no secret on a shown line is readable.

use super::{ended, fed, tool};

const SECRET: &str = "THE-SECRET";

/// What is below `pluginConfig`; every entry holds the secret.
const CONFIGS: [&str; 43] = [
    "{Seal: THE-SECRET, rules: [{name: a, subset: v1}]}",
    "{sael: THE-SECRET, rules: [{name: a, subset: v1}]}",
    "{rules: [{name: a, subset: v1, seal: THE-SECRET}]}",
    "{seal: {THE-SECRET: x}, rules: [{name: a, subset: v1}]}",
    "{seal: [THE-SECRET], rules: [{name: a, subset: v1}]}",
    "{seal: THE-SECRET, seal: short, rules: [{name: a, subset: v1}]}",
    "{seal: short, seal: THE-SECRET, rules: [{name: a, subset: v1}]}",
    "{rules: [{name: a, subset: v1, match: [{header: {x-k: {exact: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{Headers: {x-k: {exact: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{cookie: {k: {prefix: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{cookie: THE-SECRET}]}]}",
    "{rules: [{name: a, subset: v1, match: [{queryParam: {q: {exact: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{query: {q: THE-SECRET}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{claim: {q: {regex: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{params: [THE-SECRET]}]}]}",
    "{rules: [{name: a, subset: v1, match: {headers: {x-k: {exact: THE-SECRET}}}}]}",
    "{rules: [{name: a, subset: v1, match: {header: [{name: x-k, value: THE-SECRET}]}}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: [{x-k: {exact: THE-SECRET}}]}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {exact: {THE-SECRET: x}}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {exact: THE-SECRET, exact: x}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {exact: x}}, headers: {x-k: {exact: THE-SECRET}}}]}]}",
    "{rules: [{name: a, subset: v1}], forget: [{header: {x-k: {exact: THE-SECRET}}}]}",
    "{rules: [{name: a, subset: v1}], forget: {cookie: {x-k: THE-SECRET}}}",
    "{rules: [{name: a, subset: v1, headers: [{x-k: {exact: THE-SECRET}}]}]}",
    "{rule: {name: a, subset: v1, match: [{headers: {x-k: {exact: THE-SECRET}}}]}}",
    "'{\"seal\": \"THE-SECRET\", \"rules\": [{\"name\": \"a\", \"subset\": \"v1\"}]}'",
    "[{seal: THE-SECRET}, THE-SECRET]",
    "{rules: [{name: a, subset: v1, if: {x-k: THE-SECRET}}]}",
    "{rules: [{name: a, subset: v1, only: [THE-SECRET]}]}",
    "{rules: [{name: a, subset: v1, remember: {sael: THE-SECRET}}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {THE-SECRET}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {THE-SECRET: }}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {THE-SECRET: x}}}]}]}",
    "{config: {seal: THE-SECRET}, rules: [{name: a, subset: v1}]}",
    "{seal: x} # it was THE-SECRET",
    // What a merge replaces, and what replaces what is merged.
    "{seal: THE-SECRET, <<: {seal: x}, rules: [{name: a, subset: v1}]}",
    "{<<: {seal: THE-SECRET}, seal: x, rules: [{name: a, subset: v1}]}",
    "{<<: [{seal: x}, {seal: THE-SECRET}], rules: [{name: a, subset: v1}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {exact: THE-SECRET, <<: {exact: x}}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{headers: {x-k: {<<: {exact: {THE-SECRET: x}}, exact: x}}}]}]}",
    "{rules: [{name: a, subset: v1, match: [{<<: {headers: {x-k: {exact: THE-SECRET}}}, headers: {x-k: {exact: x}}}]}]}",
    // A comment on a line without a secret.
    "{rules: [{name: a, subset: v1}]} # THE-SECRET",
    "{rules: [{name: \"a\", subset: 'v1'}]} # 'THE-SECRET'",
];

/// What is in a VirtualService's list `http`.
const ROUTES: [&str; 24] = [
    "{headers: {request: {set: {x-api-key: THE-SECRET}}}, ",
    "{headers: {request: {add: {authorization: Bearer THE-SECRET}}}, ",
    "{headers: {response: {set: {set-cookie: 'a=THE-SECRET; Path=/'}}}, ",
    "{headers: {request: {set: {x-canary-subset: v2.THE-SECRET}}}, ",
    "{headers: {request: {set: [x-k, THE-SECRET]}}, ",
    "{Headers: {x-k: THE-SECRET}, ",
    "{appendRequestHeaders: {x-k: THE-SECRET}, ",
    "{match: [{headers: {x-canary-subset: {exact: THE-SECRET-7d1f4c0a}}}], ",
    "{match: [{headers: {x-canary-subset: {exact: THE-SECRET}}}], ",
    "{match: [{headers: {x-canary-subset: {prefix: THE-SECRET, <<: {prefix: x}}}}], ",
    "{match: [{headers: {x-k: {<<: {exact: THE-SECRET}, exact: x}}}], ",
    "{match: [{withoutHeaders: {THE-SECRET}}], ",
    "{requestHeaders: [THE-SECRET], ",
    "{match: [{withoutHeaders: {x-k: THE-SECRET}}], ",
    "{match: [{withoutHeaders: {x-k: {exact: THE-SECRET}}}], ",
    "{match: [{headers: [{x-k: {exact: THE-SECRET}}]}], ",
    "{match: [{headers: [THE-SECRET]}], ",
    "{match: [{header: {x-k: {exact: THE-SECRET}}}], ",
    "{match: [{cookies: {x-k: {exact: THE-SECRET}}}], ",
    "{match: [{anything: THE-SECRET}], ",
    "{match: {headers: {x-k: {exact: THE-SECRET}}}, ",
    "{match: [{headers: {x-k: {exact: {THE-SECRET: x}}}}], ",
    "{match: [{headers: {x-k: {exact: THE-SECRET, exact: x}}}], ",
    "{match: [{queryParams: {q: THE-SECRET}}], match: [{uri: {prefix: /}}], ",
];

const PLUGIN: &str = "apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {name: canary-split, namespace: istio-system";
const DESTINATIONS: &str = "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d}, spec: {host: s, subsets: [{name: v1}]}}";

fn plugin(config: &str) -> String {
    // Two equal keys are found, so the line is shown.
    let (config, comment) =
        config.split_once(" #").map_or((config, String::new()), |(config, comment)| (config, format!(" #{comment}")));
    format!("{{{PLUGIN}, name: canary-split}}, spec: {{url: canary-split, pluginConfig: {config}}}}}{comment}\n")
}

fn service(route: &str) -> String {
    format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: v, name: v}}, spec: {{hosts: [a.example.com], gateways: [g], http: [{route}route: [{{destination: {{host: s, subset: v9}}}}]}}]}}}}"
    )
}

fn texts() -> Vec<String> {
    let plain = "{rules: [{name: a, subset: v1}]}";
    let sealed = plugin("{seal: THE-SECRET, rules: [{name: a, subset: v1}]}");
    let workload = |container: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: p, name: p}}, spec: {{template: {{spec: {{containers: [{container}]}}}}}}}}"
        )
    };
    let mut texts: Vec<String> = CONFIGS.iter().map(|config| plugin(config)).collect();
    texts.extend(ROUTES.iter().map(|route| format!("{}---\n{}\n---\n{DESTINATIONS}", plugin(plain), service(route))));
    texts.extend(ROUTES.iter().map(|route| service(route)));
    let routed = "{route: [{headers: {request: {set: {x-k: THE-SECRET}}}, destination: {host: s, subset: v9}}], ";
    texts.extend([
        service(routed),
        // The seal is known from the plugin, wherever else it is written.
        format!("{sealed}---\n{}\n---\n{DESTINATIONS}", service("{name: v2.THE-SECRET, ")),
        format!("{sealed}---\n{}\n---\n{DESTINATIONS}", service("{redirect: {uri: /?k=THE-SECRET}, ")),
        format!("{sealed}---\n{}", DESTINATIONS.replace("name: v1", "name: v8, labels: {k: THE-SECRET}").replace("name: d", "name: d, name: d")),
        workload("{name: a, env: [{name: P, value: THE-SECRET, value: x}]}"),
        workload("{name: a, env: {P: THE-SECRET}}"),
        workload("{name: a, args: [--password=THE-SECRET]}"),
        format!("{}---\n{}", sealed, workload("{name: a}").replace("name: p,", "annotations: {kubectl.kubernetes.io/last-applied-configuration: THE-SECRET}, name: p,")),
        // What cannot be read is not quoted either.
        plugin("{seal: !!int THE-SECRET, rules: []}"),
        plugin("{seal: !!binary THE-SECRET, rules: []}"),
        plugin("{seal: *THE-SECRET, rules: []}"),
        format!("{{{PLUGIN}}}, spec: {{url: canary-split, pluginConfig: {{\n  rules: [{{name: a, subset: v1}}],\n  rulez: [], seal: x # THE-SECRET\n  }}}}}}\n"),
        format!("{{{PLUGIN}}}, spec: {{url: canary-split, pluginConfig: {{\n  rules: [{{name: a, subset: v1}}],\n  seal: # THE-SECRET\n   [x]}}}}}}\n"),
    ]);
    texts
}

#[test]
fn trial_31_no_line_that_is_shown_has_a_secret_on_it() {
    let mut shown = Vec::new();
    for text in texts() {
        assert!(text.contains(SECRET), "{text}");
        for arguments in [
            &["check", "-"][..],
            &["check", "--output", "json", "-"],
            &["explain", "--config", "-", "https://a.example.com/"],
            &["explain", "--output", "json", "--config", "-", "https://a.example.com/"],
            &["set", "a", "v1=100%", "-f", "-"],
        ] {
            let (out, error, code) = ended(&fed(arguments, &text));
            assert!(arguments[0] != "check" || code > 0, "nothing is found in {text}: {out}");
            assert!((0..3).contains(&code), "{error}");
            // What is set is written as it was.
            let out = if arguments[0] == "set" { String::new() } else { out };
            if format!("{out}{error}").contains(SECRET) {
                shown.push(format!("{arguments:?}\n{text}\n{out}{error}"));
            }
        }
    }
    assert!(shown.is_empty(), "{} times:\n{}", shown.len(), shown.join("\n\n"));
}

#[test]
fn trial_31_what_is_no_secret_stays_readable() {
    let config = "{header: x-canary-subset, rules: [{name: team, match: [{method: POST, uri: {prefix: /shop}, headers: {x-team: {exact: internal}}}], split: [{subset: v1, weight: 25}, {subset: v2, weight: 75}]}]}";
    let route = "{name: canary, match: [{uri: {prefix: /shop}, port: 8443, headers: {x-canary-subset: {exact: v2}}}], headers: {request: {set: {x-canary-subset: v2}, remove: [x-team]}}, ";
    let text = format!("{}---\n{}\n---\n{DESTINATIONS}", plugin(config), service(route));
    let (out, ..) = ended(&fed(&["check", "--output", "json", "-"], &text));
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    let lines: String = said["findings"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    for readable in [
        "a.example.com",
        "host: s",
        "subset: v9",
        "metadata: {name: v",
        "namespace: istio-system",
        "x-canary-subset: {exact: v2}",
        "{x-canary-subset: v2}",
        "remove: [x-team]",
        "port: 8443",
        "header: x-canary-subset",
        "name: team",
        "method: POST, uri: {prefix: /shop}",
        "{subset: v1, weight: 25}",
    ] {
        assert!(lines.contains(readable), "{readable}: {lines}");
    }
    assert!(!lines.contains("internal"), "{lines}");
    let (shown, ..) = ended(&fed(&["check", "--show-secrets", "-"], &plugin(CONFIGS[0])));
    assert!(shown.contains(SECRET), "{shown}");
}

#[test]
fn the_line_of_a_file_that_is_rendered_has_no_secret_on_it() {
    let kubectl = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/kubectl");
    assert!(std::path::Path::new(kubectl).exists(), "tests/setup.sh puts kubectl into .venv/bin");
    let folder = std::env::temp_dir().join(format!("canary-split-masked-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plugin = "apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: canary-split, namespace: istio-system}
spec:
  pluginConfig: {seal: gehe1mgehe1mgehe1m, rules: [{name: a, match: [{headers: {x: {exact: abc1}}}], subset: V2}]} # abc1
";
    std::fs::write(folder.join("plugin.yaml"), plugin).unwrap();
    std::fs::write(folder.join("kustomization.yaml"), "resources: [plugin.yaml]\n").unwrap();
    let path = folder.display().to_string();
    let (out, ..) = ended(&tool(&["check", &path]));
    let (shown, ..) = ended(&tool(&["check", "--show-secrets", &path]));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(out.contains("plugin.yaml:5:") && out.contains("pluginConfig: {seal: ***"), "{out}");
    assert!(!out.contains("gehe1m") && !out.contains("abc1"), "{out}");
    assert!(shown.contains("gehe1mgehe1mgehe1m") && shown.contains("exact: abc1"), "{shown}");
}
