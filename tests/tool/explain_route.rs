//! `explain`: which server or listener a request comes to, and which of the routes there takes it.

use crate::check::Folder;
use crate::{ended, fed, tool};
use serde_json::{Value, json};

const ISTIO: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: canary-split, namespace: edge}
spec:
  SELECTION
  pluginConfig: {rules: [{name: shop, hosts: [shop.example.com], split: [{subset: v1, weight: 1}]}]}
";
const ENVOY_GATEWAY: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: canary-split, namespace: edge}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]
  wasm:
  - name: canary-split
    rootID: canary-split
    code: {type: Image, image: {url: example.com/canary-split}}
    config: {rules: [{name: shop, hosts: [shop.example.com], split: [{subset: v1, weight: 1}]}]}
";

/// A server of Istio's, or a listener, with the port, the host and more.
fn server(of: &str, host: &str, more: &str) -> String {
    let (is_api, protocol, port) = match of.split_once(' ').unwrap() {
        ("listener", port) => (true, if port.ends_with("80") { "HTTP" } else { "HTTPS" }, port),
        (protocol, port) => (false, protocol, port),
    };
    if is_api {
        let host = if host == "*" { String::new() } else { format!("hostname: \"{host}\", ") };
        let name = match port {
            "80" => "http",
            "443" => "https",
            _ => "other",
        };
        let allowed = if more.is_empty() { "allowedRoutes: {namespaces: {from: All}}" } else { more };
        return format!("{{name: {name}, port: {port}, protocol: {protocol}, {host}{allowed}}}");
    }
    format!("{{port: {{number: {port}, name: p{port}, protocol: {protocol}}}, hosts: [\"{host}\"]{more}}}")
}

fn gateway(name: &str, servers: &[(&str, &str, &str)]) -> String {
    let is_api = servers[0].0.starts_with("listener");
    let (group, selection, key) = match is_api {
        true => ("gateway.networking.k8s.io", "gatewayClassName: any", "listeners"),
        false => ("networking.istio.io", "selector: {istio: public}", "servers"),
    };
    let servers: Vec<_> = servers.iter().map(|(of, host, more)| server(of, host, more)).collect();
    let servers = servers.join(", ");
    format!(
        "
apiVersion: {group}/v1
kind: Gateway
metadata: {{name: {name}, namespace: edge}}
spec: {{{selection}, {key}: [{servers}]}}
"
    )
}

/// A VirtualService at a gateway, or an HTTPRoute at a listener, for a host.
fn route(name: &str, at: &str, host: &str, routes: &[(&str, &str)]) -> String {
    let section = ["http", "https", "other", ""].contains(&at);
    let (group, kind, parents, hosts, key) = match (section, at) {
        (false, _) => ("networking.istio.io", "VirtualService", format!("gateways: [edge/{at}]"), "hosts", "http"),
        (true, at) => {
            let section = if at.is_empty() { String::new() } else { format!(", sectionName: {at}") };
            let parents = format!("parentRefs: [{{name: public, namespace: edge{section}}}]");
            ("gateway.networking.k8s.io", "HTTPRoute", parents, "hostnames", "rules")
        }
    };
    let to = |target: &str| match (target, section) {
        ("https", false) => "redirect: {scheme: https}".to_owned(),
        ("https", true) => "filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]".to_owned(),
        (host, false) => format!("route: [{{destination: {{host: {host}}}}}]"),
        (name, true) => format!("backendRefs: [{{name: {name}, port: 80}}]"),
    };
    let one = |(asked, target): &(&str, &str)| match (*asked, section) {
        ("", _) => format!("{{{}}}", to(target)),
        (asked, false) => format!("{{match: [{asked}], {}}}", to(target)),
        (asked, true) => format!("{{matches: [{asked}], {}}}", to(target)),
    };
    let routes: Vec<_> = routes.iter().map(one).collect();
    let routes = routes.join(", ");
    format!(
        "
apiVersion: {group}/v1
kind: {kind}
metadata: {{name: {name}, namespace: shop}}
spec: {{{parents}, {hosts}: [\"{host}\"], {key}: [{routes}]}}
"
    )
}

/// What is said of the route: the plugin is that of the gateway.
fn said(plugin: &str, objects: &[String], url: &str) -> String {
    let text = format!("{plugin}---{}", objects.join("---"));
    let (out, error, code) = ended(&fed(&["explain", "-f", "-", url], &text));
    assert_eq!((error.as_str(), code), ("", 0), "{url} {text}");
    let after = out.lines().skip_while(|line| !line.starts_with("route "));
    let lines = after.enumerate().take_while(|(at, line)| *at == 0 || line.starts_with(' '));
    let lines: Vec<_> = lines.map(|(_, line)| line.strip_prefix("route").unwrap_or(line).trim()).collect();
    lines.join(" ").replace("VirtualService shop/", "").replace("HTTPRoute shop/", "").replace(" port 80", "")
}

const HOST: &str = "shop.example.com";
const NOT_SERVED: &str = "none: no Gateway with the filter serves the routes of this host over";
const SENT: &str = "none: the Gateway sends every http request of this host to https";
const HTTPS: (&str, &str, &str) = ("HTTPS 443", "*", ", tls: {mode: SIMPLE, credentialName: c}");
const HTTP: (&str, &str, &str) = ("HTTP 80", "*", "");
const REDIRECT: (&str, &str, &str) = ("HTTP 80", "*", ", tls: {httpsRedirect: true}");

#[test]
fn scheme_and_port_choose_the_server_of_istio() {
    let plugin = ISTIO.replace("SELECTION", "selector: {matchLabels: {istio: public}}");
    let web = |at: &str| route("shop", at, HOST, &[("", "web")]);
    let one = |servers: &[(&str, &str, &str)]| vec![gateway("public", servers), web("public")];
    let two = vec![
        gateway("plain", &[HTTP]),
        gateway("tls", &[HTTPS]),
        route("a-redirect", "plain", HOST, &[("", "https")]),
        web("tls"),
    ];
    let tls = ", tls: {mode: SIMPLE, credentialName: c}";
    let ports = vec![
        gateway("one", &[HTTPS]),
        gateway("two", &[("HTTPS 8443", "*", tls)]),
        route("a", "one", HOST, &[("", "a")]),
        route("b", "two", HOST, &[("", "b")]),
    ];
    let asking = |asked: &str| {
        vec![gateway("public", &[HTTP, HTTPS]), route("shop", "public", HOST, &[(asked, "asked"), ("", "web")])]
    };
    let at_one = |name: &str| {
        let asked = format!("{{gateways: [edge/{name}]}}");
        let both = route("shop", "plain, edge/tls", HOST, &[(&asked, "https"), ("", "web")]);
        vec![gateway("plain", &[HTTP]), gateway("tls", &[HTTPS]), both]
    };
    let sent = [REDIRECT, HTTPS, ("HTTP 8080", "*", "")];
    let named = |host: &'static str| {
        vec![
            gateway("public", &[("HTTPS 443", host, tls)]),
            route("a", "public", "*.example.com", &[("", "wild")]),
            route("b", "public", HOST, &[("{uri: {prefix: /api}}", "api")]),
        ]
    };
    let by_name = vec![
        gateway("own", &[("HTTPS 443", HOST, tls)]),
        gateway("wide", &[HTTPS]),
        route("a", "wide", HOST, &[("", "wide")]),
        route("b", "own", HOST, &[("", "own")]),
    ];
    let table = [
        (two.clone(), "https://shop.example.com/", "shop http[0] → web"),
        (two, "http://shop.example.com/", "a-redirect http[0] redirect"),
        (one(&sent), "http://shop.example.com/", SENT),
        (one(&sent), "http://shop.example.com:8080/", "shop http[0] → web"),
        (one(&sent), "https://shop.example.com/", "shop http[0] → web"),
        (ports.clone(), "https://shop.example.com/", "a http[0] → a"),
        (ports.clone(), "https://shop.example.com:8443/", "b http[0] → b"),
        // A Service may show another port.
        (ports, "https://shop.example.com:9443/", "a http[0], if no other one takes it before → a"),
        (one(&[("HTTP 8080", "*", "")]), "http://shop.example.com/", "shop http[0] → web"),
        // Envoy compares the first of two.
        (asking("{queryParams: {q: {exact: \"1\"}}}"), "https://shop.example.com/?q=1&q=2", "shop http[0] → asked"),
        (asking("{port: 443}"), "https://shop.example.com/", "shop http[0] → asked"),
        (asking("{port: 80}"), "https://shop.example.com/", "shop http[1] → web"),
        (asking("{scheme: {exact: https}}"), "https://shop.example.com/", "shop http[0] → asked"),
        (asking("{scheme: {exact: https}}"), "http://shop.example.com/", "shop http[1] → web"),
        (at_one("plain"), "http://shop.example.com/", "shop http[0] redirect"),
        (at_one("plain"), "https://shop.example.com/", "shop http[1] → web"),
        (at_one("tls"), "http://shop.example.com/", "shop http[1] → web"),
        // The narrower one of both hosts is what the gateway looks for.
        (named(HOST), "https://shop.example.com/", "a http[0] → wild"),
        (named(HOST), "https://shop.example.com/api", "b http[0] → api"),
        (named("*"), "https://shop.example.com/", "none takes it: 404"),
        (by_name, "https://shop.example.com/", "b http[0] → own"),
        (one(&[("HTTPS 443", "other.example.com", tls)]), "https://shop.example.com/", &format!("{NOT_SERVED} https")),
        (one(&[("HTTPS 443", "other/*", tls)]), "https://shop.example.com/", &format!("{NOT_SERVED} https")),
        (
            one(&[("TLS 443", "*", ", tls: {mode: PASSTHROUGH}")]),
            "https://shop.example.com/",
            &format!("{NOT_SERVED} https"),
        ),
        (one(&[HTTP]), "https://shop.example.com/", &format!("{NOT_SERVED} https")),
        (one(&[HTTPS]), "http://shop.example.com/", &format!("{NOT_SERVED} http")),
        // The gateway may be anywhere.
        (vec![web("public")], "https://shop.example.com/", "shop http[0] → web"),
    ];
    for (objects, url, expected) in table {
        assert_eq!(said(&plugin, &objects, url), expected, "{url} {}", objects.join("---"));
    }
}

#[test]
fn that_no_gateway_serves_a_host_is_said_to_programs_too() {
    let plugin = ISTIO.replace("SELECTION", "selector: {matchLabels: {istio: public}}");
    let objects = [plugin, gateway("public", &[HTTP]), route("shop", "public", HOST, &[("", "web")])];
    let (out, error, code) =
        ended(&fed(&["explain", "-f", "-", "-o", "json", "https://shop.example.com/"], &objects.join("---")));
    assert_eq!((error.as_str(), code), ("", 0));
    let explanation: Value = serde_json::from_str(&out).unwrap();
    let route = &explanation["routes"][0];
    assert_eq!((&route["instead"], &route["route"]), (&json!("notServed"), &Value::Null), "{out}");
}

#[test]
fn scheme_and_port_choose_the_listener() {
    let target = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]";
    let plain = "{path: {type: PathPrefix, value: /.well-known}}";
    let both = gateway("public", &[("listener 80", "*", ""), ("listener 443", "*", "")]);
    let acme = vec![
        both.clone(),
        route("acme", "http", HOST, &[(plain, "acme"), ("", "https")]),
        route("shop", "https", HOST, &[("", "web")]),
    ];
    let header = "{headers: [{name: x-canary-subset, value: v1}]}";
    let open = vec![
        both.clone(),
        route("redir", "", HOST, &[("", "https")]),
        route("shop", "https", HOST, &[(header, "canary"), ("", "web")]),
    ];
    let ports = vec![
        gateway("public", &[("listener 443", "*", ""), ("listener 8443", "*", "")]),
        route("a", "https", HOST, &[("", "a")]),
        route("b", "other", HOST, &[("", "b")]),
    ];
    let own = |host: &'static str| {
        vec![
            gateway("public", &[("listener 443", host, "")]),
            route("a", "", "*.example.com", &[("", "wild")]),
            route("b", "", HOST, &[("{path: {value: /api}}", "api")]),
        ]
    };
    let one = |listener| vec![gateway("public", &[listener]), route("shop", "", HOST, &[("", "web")])];
    let unknown = acme.iter().skip(1).cloned().collect::<Vec<_>>();
    let table = [
        (acme.clone(), "https://shop.example.com/.well-known/x", "shop rules[0] → web"),
        (acme.clone(), "http://shop.example.com/.well-known/x", "acme rules[0].matches[0] → acme"),
        (acme, "http://shop.example.com/", "acme rules[1] redirect"),
        (open.clone(), "https://shop.example.com/", "shop rules[0].matches[0] → canary"),
        (open, "http://shop.example.com/", "redir rules[0] redirect"),
        (ports.clone(), "https://shop.example.com:8443/", "b rules[0] → b"),
        (ports, "https://shop.example.com/", "a rules[0] → a"),
        (own(HOST), "https://shop.example.com/", "a rules[0] → wild"),
        (own("*"), "https://shop.example.com/", "none takes it: 404"),
        (one(("listener 443", "other.example.com", "")), "https://shop.example.com/", &format!("{NOT_SERVED} https")),
        (one(("listener 80", "*", "")), "https://shop.example.com/", &format!("{NOT_SERVED} https")),
        (
            one(("listener 443", "*", "allowedRoutes: {namespaces: {from: Same}}")),
            "https://shop.example.com/",
            &format!("{NOT_SERVED} https"),
        ),
        // Without the Gateway nobody knows what its listeners are.
        (unknown, "http://shop.example.com/", "acme rules[1], if no other one takes it before redirect"),
    ];
    for plugin in [ISTIO.replace("SELECTION", target), ENVOY_GATEWAY.to_owned()] {
        for (objects, url, expected) in &table {
            assert_eq!(said(&plugin, objects, url), *expected, "{url} {}", objects.join("---"));
        }
    }
}

#[test]
fn several_virtual_services_of_a_host_are_merged_as_in_istio() {
    let plugin = ISTIO.replace("SELECTION", "selector: {matchLabels: {istio: public}}");
    let virtual_service = |name: &str, routes: &[(&str, &str)]| route(name, "public", HOST, routes);
    let dated = |text: &str, year: &str| {
        text.replacen(
            "namespace: shop}",
            &format!("namespace: shop, creationTimestamp: \"{year}-01-01T00:00:00Z\"}}"),
            1,
        )
    };
    let api = "{uri: {prefix: /api}}";
    let (web, own) = (virtual_service("a", &[("", "web")]), virtual_service("b", &[(api, "api")]));
    let ended = virtual_service("a", &[("", "web"), (api, "never")]);
    let regex = virtual_service("a", &[("{uri: {regex: \"/.*\"}}", "regex")]);
    let rival = virtual_service("c", &[(api, "rival")]);
    let other = virtual_service("d", &[("", "other")]);
    let doubt = ", if no other one takes it before";
    let table = [
        // What takes everything is last.
        (vec![web.clone(), own.clone()], "/api", "b http[0] → api".to_owned()),
        (vec![web.clone(), own.clone()], "/", "a http[0] → web".to_owned()),
        (vec![ended, own.clone()], "/api", "b http[0] → api".to_owned()),
        // Files do not tell which one is older.
        (vec![rival.clone(), own.clone(), web.clone()], "/api", format!("b http[0]{doubt} → api")),
        (vec![rival.clone(), own.clone(), web.clone()], "/", "a http[0] → web".to_owned()),
        (vec![web.clone(), other.clone()], "/", format!("a http[0]{doubt} → web")),
        (vec![dated(&own, "2026"), dated(&rival, "2025")], "/api", "c http[0] → rival".to_owned()),
        (vec![dated(&other, "2025"), dated(&web, "2026")], "/", "d http[0] → other".to_owned()),
        // To Istio this is a regex as any other.
        (vec![regex, own], "/api", format!("a http[0]{doubt} → regex")),
    ];
    for (mut objects, path, expected) in table {
        objects.push(gateway("public", &[HTTPS]));
        let url = format!("https://shop.example.com{path}");
        assert_eq!(said(&plugin, &objects, &url), expected, "{url} {}", objects.join("---"));
    }
}

#[test]
fn a_kustomization_next_to_the_plugin_has_its_routes_unless_it_is_one_of_several_versions() {
    let plugin = ISTIO.replace("SELECTION", "selector: {matchLabels: {istio: public}}");
    let (public, web) = (gateway("public", &[HTTPS]), route("shop", "public", HOST, &[("", "web")]));
    let other = web.replace("host: web", "host: other");
    let rule = |version: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web, namespace: shop}}
spec: {{host: web, subsets: [{{name: v1, labels: {{version: {version}}}}}]}}
"
        )
    };
    let (first, second) = (rule("first"), rule("second"));
    let files = [("plugin.yaml", &*plugin), ("gateway.yaml", &*public)];
    let table = [
        ("one", vec![("app/kustomization.yaml", "resources: [route.yaml]"), ("app/route.yaml", &web)], &["route"][..]),
        ("plain", vec![("app/route.yaml", &*web)], &["route"]),
        ("versions", vec![("prod/route.yaml", &*web), ("staging/route.yaml", &*other)], &["note"]),
        // What has no versions counts.
        (
            "subsets",
            vec![("route.yaml", &*web), ("prod/rule.yaml", &*first), ("staging/rule.yaml", &*second)],
            &["route", "note"],
        ),
    ];
    for (name, more, expected) in table {
        let folder = Folder::new(&format!("explain-{name}"), &[&files[..], &more].concat());
        let path = folder.0.display().to_string();
        let (out, error, code) = ended(&tool(&["explain", "-f", &path, "https://shop.example.com/"]));
        assert_eq!((error.as_str(), code), ("", 0), "{name}");
        let words = out.lines().filter_map(|line| line.split(' ').next());
        let said: Vec<&str> = words.filter(|word| ["route", "note"].contains(word)).collect();
        assert_eq!(said, expected, "{name}: {out}");
        assert_eq!(out.contains("are versions of which one is applied"), expected.contains(&"note"), "{out}");
    }
}

#[test]
fn a_service_at_a_waypoint_is_known_by_every_name_that_callers_write() {
    let said = |host: &str| {
        let url = format!("http://{host}:8000/");
        let (out, error, code) = ended(&tool(&["explain", "-f", "manifests/gateway-api/waypoint", &url]));
        assert_eq!((error.as_str(), code), ("", 0), "{host}");
        out.lines().any(|line| line == "route     v2  HTTPRoute canary/httpbin rules[0].matches[0]")
    };
    for host in ["httpbin", "httpbin.canary", "httpbin.canary.svc", "httpbin.canary.svc.cluster.local"] {
        assert!(said(host), "{host}");
    }
    for host in ["httpbin.other", "httpbin.canary.example.com", "other.canary"] {
        assert!(!said(host), "{host}");
    }
}
