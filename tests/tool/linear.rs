//! Trial 33: twice as much takes about twice as long.

use crate::check::rendered;
use crate::{ended, fed};
use std::time::{Duration, Instant};

const CHECK: &[&str] = &["check", "--output", "json", "-"];

fn time(arguments: &[&str], text: &str) -> Duration {
    let start = Instant::now();
    let code = fed(arguments, text).status.code();
    assert!(code == Some(0) || code == Some(1), "{code:?}");
    start.elapsed()
}

/// The sound manifests with this many more of something.
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
        assert_linear(what, CHECK, count, &|count| with(count, old, &more));
    }
}

fn assert_linear(what: &str, arguments: &[&str], count: usize, text: &dyn Fn(usize) -> String) {
    let texts = [count, 4 * count].map(text);
    let mut measured = Vec::new();
    // Four times as much: 4 if it is linear, 16 if it is quadratic; below 100 ms it is mostly the start of a process. Something
    // else may take the machine's time, so it is tried again.
    let is_linear = (0..3).any(|_| {
        let [few, many] = [time(arguments, &texts[0]), time(arguments, &texts[1])];
        measured.push((few, many));
        many < few.max(Duration::from_millis(100)) * 9
    });
    assert!(is_linear, "{what}: {count}, and four times as many, take {measured:?}");
}

#[test]
fn time_grows_with_the_number_of_objects() {
    let object = |kind: &str, version: &str, name: &str, namespace: &str, spec: &str| {
        format!(
            "{{apiVersion: {version}, kind: {kind}, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{{spec}}}}}\n---\n"
        )
    };
    let istio = |kind: &str, name: &str, namespace: &str, spec: &str| {
        object(kind, "networking.istio.io/v1", name, namespace, spec)
    };
    let routes = |at: usize, name: &str, namespace: &str, gateway: &str, host: &str| {
        let to = |subset: &str| format!("route: [{{destination: {{host: {host}, subset: {subset}}}}}]");
        let http = format!("http: [{{match: [{{{HEADER}}}], {}}}, {{{}}}]", to("v2"), to("v1"));
        istio("VirtualService", name, namespace, &format!("hosts: [h{at}.example.com], gateways: [{gateway}], {http}"))
    };
    let service = |name: &str, namespace: &str| {
        object(
            "Service",
            "v1",
            name,
            namespace,
            &format!("selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]"),
        )
    };
    let rule = |name: &str, namespace: &str| {
        let subset = |name: &str| format!("{{name: {name}, labels: {{version: {name}}}}}");
        let subsets = format!("subsets: [{}, {}]", subset("v1"), subset("v2"));
        istio("DestinationRule", name, namespace, &format!("host: {name}, {subsets}"))
    };
    let pods = |at: usize, version: &str| {
        let labels = format!("metadata: {{labels: {{app: s{at}, version: {version}}}}}");
        let container = "{name: a, image: a, ports: [{containerPort: 80}]}";
        let spec = format!("template: {{{labels}, spec: {{containers: [{container}]}}}}");
        object("Deployment", "apps/v1", &format!("s{at}-{version}"), "shop", &spec)
    };
    let gateway = |name: &str, namespace: &str, host: &str| {
        let server = format!("{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['{host}']}}");
        istio("Gateway", name, namespace, &format!("selector: {{istio: ingressgateway}}, servers: [{server}]"))
    };
    let config = |rules: usize| {
        let rule = |at| {
            format!(
                "{{name: r{at}, hosts: [h{at}.example.com], split: [{{subset: v1, weight: 9}}, {{subset: v2, weight: 1}}]}}"
            )
        };
        let rules: Vec<String> = (0..rules).map(rule).collect();
        let selector = "selector: {matchLabels: {istio: ingressgateway}}";
        let spec = format!("{selector}, url: canary-split, pluginConfig: {{rules: [{}]}}", rules.join(", "));
        object("WasmPlugin", "extensions.istio.io/v1alpha1", "canary-split", "istio-system", &spec)
    };
    type Text<'t> = Box<dyn Fn(usize) -> String + 't>;
    let all = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let named = |prefix: &str, at: usize| format!("{prefix}{at}");
    let api = |kind: &str, name: &str, namespace: &str, spec: &str| {
        object(kind, "gateway.networking.k8s.io/v1", name, namespace, spec)
    };
    let api_gateway = |name: &str, namespace: &str, host: &str| {
        let listener = format!(
            "{{name: http, port: 80, protocol: HTTP, hostname: '{host}', allowedRoutes: {{namespaces: {{from: All}}}}}}"
        );
        api("Gateway", name, namespace, &format!("gatewayClassName: istio, listeners: [{listener}]"))
    };
    let api_routes = |at: usize, name: &str, namespace: &str, gateway: &str| {
        let to = |version: &str| format!("backendRefs: [{{name: s{at}-{version}, port: 80}}]");
        let header = "matches: [{headers: [{name: x-canary-subset, value: v2}]}]";
        let rules = format!("rules: [{{{}}}, {{{header}, {}}}]", to("v1"), to("v2"));
        let parents = format!("parentRefs: [{{name: {gateway}, namespace: edge}}]");
        api("HTTPRoute", name, namespace, &format!("{parents}, hostnames: [h{at}.example.com], {rules}"))
    };
    let policy = |at: usize, target: &str| {
        let config = format!(
            "{{rules: [{{name: r, hosts: [h{at}.example.com], split: [{{subset: v1, weight: 9}}, {{subset: v2, weight: 1}}]}}]}}"
        );
        let spec = format!(
            "targetRefs: [{{group: gateway.networking.k8s.io, {target}}}], wasm: [{{name: canary-split, config: {config}}}]"
        );
        object("EnvoyExtensionPolicy", "gateway.envoyproxy.io/v1alpha1", &format!("p{at}"), "shop", &spec)
    };
    let table: [(&str, Text); 15] = [
        (
            "plugins with one rule",
            Box::new(|count| {
                let one = |at| config(1).replace("name: canary-split,", &format!("name: canary-split{at},"));
                all(count, &one)
            }),
        ),
        (
            "VirtualServices for one host",
            Box::new(|count| {
                let one = |at| {
                    routes(at, &named("a", at), "shop", "edge/g", &named("s", at)).replace(&format!("[h{at}."), "[h0.")
                };
                config(1) + &gateway("g", "edge", "*") + &all(count, &one)
            }),
        ),
        (
            "HTTPRoutes at one Gateway of the Gateway API",
            Box::new(|count| {
                let one = |at| {
                    let services = service(&format!("s{at}-v1"), "shop") + &service(&format!("s{at}-v2"), "shop");
                    services + &api_routes(at, &named("a", at), "shop", "g")
                };
                config(count) + &api_gateway("g", "edge", "*.example.com") + &all(count, &one)
            }),
        ),
        (
            "HTTPRoutes for one host",
            Box::new(|count| {
                let one = |at| api_routes(at, &named("a", at), "shop", "g").replace(&format!("[h{at}."), "[h0.");
                config(1) + &api_gateway("g", "edge", "*.example.com") + &all(count, &one)
            }),
        ),
        (
            "Gateways of the Gateway API with their HTTPRoutes",
            Box::new(|count| {
                let one = |at| {
                    let name = named("g", at);
                    api_gateway(&name, "edge", &format!("h{at}.example.com"))
                        + &api_routes(at, &named("a", at), "shop", &name)
                };
                config(count) + &all(count, &one)
            }),
        ),
        (
            "policies of HTTPRoutes at Gateways of their own",
            Box::new(|count| {
                let one = |at| {
                    policy(at, &format!("kind: HTTPRoute, name: a{at}"))
                        + &api_routes(at, &named("a", at), "shop", &named("g", at))
                };
                all(count, &one)
            }),
        ),
        (
            "policies of HTTPRoutes at one Gateway",
            Box::new(|count| {
                let one = |at| {
                    policy(at, &format!("kind: HTTPRoute, name: a{at}")) + &api_routes(at, &named("a", at), "shop", "g")
                };
                api_gateway("g", "edge", "*.example.com") + &all(count, &one)
            }),
        ),
        (
            "Services and routes in one namespace",
            Box::new(|count| {
                let one = |at| {
                    service(&named("s", at), "shop")
                        + &routes(at, &named("a", at), "shop", "edge/g", &format!("s{at}.shop.svc.cluster.local"))
                };
                config(1) + &gateway("g", "edge", "*") + &all(count, &one)
            }),
        ),
        (
            "Services of one name in many namespaces",
            Box::new(|count| {
                let one = |at| {
                    let namespace = named("n", at);
                    service("s", &namespace) + &rule("s", &namespace) + &routes(at, "a", &namespace, "edge/g", "s")
                };
                config(1) + &gateway("g", "edge", "*") + &all(count, &one)
            }),
        ),
        (
            "DestinationRules of one name that are not where the routes are",
            Box::new(|count| {
                let one = |at| {
                    rule("s", &named("m", at))
                        + &service("s", &named("n", at))
                        + &routes(at, "a", &named("n", at), "edge/g", "s")
                };
                config(1) + &gateway("g", "edge", "*") + &all(count, &one)
            }),
        ),
        (
            "rules with routes",
            Box::new(|count| {
                config(count)
                    + &gateway("g", "edge", "*")
                    + &all(count, &|at| routes(at, &named("a", at), "shop", "edge/g", "s"))
            }),
        ),
        (
            "pods in one namespace",
            Box::new(|count| {
                let one = |at| {
                    service(&named("s", at), "shop")
                        + &rule(&named("s", at), "shop")
                        + &pods(at, "v1")
                        + &pods(at, "v2")
                        + &routes(at, &named("a", at), "shop", "edge/g", &named("s", at))
                };
                config(1) + &gateway("g", "edge", "*") + &all(count, &one)
            }),
        ),
        (
            "Gateways that are in another namespace",
            Box::new(|count| {
                let one = |at| {
                    gateway(&named("g", at), "edge", &format!("h{at}.example.com"))
                        + &routes(at, &named("a", at), "shop", &named("g", at), "s")
                };
                config(count) + &all(count, &one)
            }),
        ),
        (
            "Gateways of one name in many namespaces",
            Box::new(|count| {
                let one = |at| {
                    gateway("g", &named("n", at), &format!("h{at}.example.com"))
                        + &routes(at, "a", &named("n", at), "g", "s")
                };
                config(count) + &all(count, &one)
            }),
        ),
        (
            "routes for sidecars alone",
            Box::new(|count| config(count) + &all(count, &|at| routes(at, &named("a", at), "shop", "mesh", "s"))),
        ),
    ];
    for (what, text) in table {
        assert_linear(what, CHECK, 300, &text);
    }
}

#[test]
fn time_grows_with_the_number_of_config_errors() {
    let listed = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    type Text<'t> = Box<dyn Fn(usize) -> String + 't>;
    let rule = |more: String| format!("rules: [{{name: a, subset: v1, {more}}}]");
    let table: [(&str, Text); 5] = [
        ("rules without anything", Box::new(|count| format!("rules: [{}]", listed(count, &|_| "{}".to_owned())))),
        ("fields that nobody knows", Box::new(|count| rule(listed(count, &|at| format!("a{at}: 1"))))),
        ("one field again and again", Box::new(|count| rule(listed(count, &|_| "a: 1".to_owned())))),
        (
            "conditions that are none",
            Box::new(|count| rule(format!("match: [{}]", listed(count, &|_| "1".to_owned())))),
        ),
        (
            "headers that are compared with nothing",
            Box::new(|count| rule(format!("match: [{{headers: {{{}}}}}]", listed(count, &|at| format!("a{at}: 1"))))),
        ),
    ];
    for (what, text) in table {
        assert_linear(what, CHECK, 2000, &text);
        assert_linear(what, &["explain", "--config", "-", "a.test"], 2000, &text);
    }
    // Of thousands some are shown, with their number.
    let (out, ..) = ended(&fed(CHECK, &format!("rules: [{}]", listed(2000, &|_| "{}".to_owned()))));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let findings = answer["findings"].as_array().unwrap();
    let last = findings.last().unwrap()["message"].as_str().unwrap();
    assert_eq!(findings.len(), 1000);
    assert!(last.ends_with("; 3000 more errors of this config are not shown"), "{last}");
    // In an object as well as alone.
    let plugin = "{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {name: c}, spec: {url: canary-split, pluginConfig: {";
    assert_linear("fields in a plugin", CHECK, 2000, &|count| {
        format!("{plugin}{}}}}}}}", rule(listed(count, &|at| format!("a{at}: 1"))))
    });
}

#[test]
fn time_grows_with_the_number_of_converted_routes() {
    let gateway = "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: public, namespace: shop}, \
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com']}]}}\n";
    let one = |at: usize| {
        let to =
            |subset: &str, weight: u32| format!("{{destination: {{host: s{at}, subset: {subset}}}, weight: {weight}}}");
        let http = format!("http: [{{route: [{}, {}]}}]", to("v1", 80), to("v2", 20));
        format!(
            "---\n{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: v{at}, namespace: shop}}, \
             spec: {{hosts: [h{at}.example.com], gateways: [public], {http}}}}}\n"
        )
    };
    assert_linear("VirtualServices with weights", &["convert", "-"], 200, &|count| {
        gateway.to_owned() + &(0..count).map(one).collect::<String>()
    });
    // As `kubectl get` prints them.
    let item = |at: usize| one(at).replace("---\n", "- ");
    assert_linear("VirtualServices of a List", &["convert", "-"], 100, &|count| {
        format!("kind: List\napiVersion: v1\nitems:\n- {gateway}{}", (0..count).map(item).collect::<String>())
    });
}
