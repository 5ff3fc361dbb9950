//! `check`: two versions of an object that has nothing to do with the plugin or a route.

use crate::check::{Folder, versions};

const REDIS: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: redis}, spec: {template: {metadata: {labels: {app: redis}}}}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: redis}, spec: {selector: {app: redis}, ports: [{port: 6379}]}}\n";

const NOTE: &str =
    "Deployment redis exists twice (a/redis.yaml:1, b/redis.yaml:1); neither the plugin nor a route has to do with it";

/// The documents of a text that are of this kind, and the others.
fn split(text: &str, kind: &str) -> (String, String) {
    let is_it = |document: &&str| document.contains(&format!("\nkind: {kind}\n"));
    let (these, others): (Vec<&str>, Vec<&str>) = text.split("\n---\n").partition(is_it);
    (these.join("\n---\n"), others.join("\n---\n"))
}

#[test]
fn trial_19_strangers_do_not_part_plugin_and_routes() {
    let (good, bad) = versions();
    let (plugin, _) = split(&good, "WasmPlugin");
    for (routes, expected) in [(&good, vec![]), (&bad, vec!["shop/routes.yaml header-mismatch".to_owned()])] {
        let (_, routes) = split(routes, "WasmPlugin");
        let files = [
            ("gateway/plugin.yaml", plugin.as_str()),
            ("shop/routes.yaml", &routes),
            ("a/redis.yaml", REDIS),
            ("b/redis.yaml", REDIS),
        ];
        let (findings, notes, code) = Folder::new("strangers", &files).checked(&["."]);
        assert_eq!((&findings, notes, code), (&expected, vec![NOTE.to_owned()], i32::from(!expected.is_empty())));
    }
}

#[test]
fn trial_20_strangers_alone_are_a_note() {
    let files = [("a/redis.yaml", REDIS), ("b/redis.yaml", REDIS)];
    let (findings, notes, code) = Folder::new("alone", &files).checked(&["."]);
    assert_eq!((findings, notes, code), (vec![], vec![NOTE.to_owned()], 0));
    // Also if no folder separates them, and if routes for something else exist.
    let (good, _) = versions();
    let (_, routes) = split(&good, "WasmPlugin");
    let twice = format!("{REDIS}---\n{REDIS}");
    for (name, files) in [
        ("one", vec![("all.yaml", twice.as_str())]),
        ("routes", vec![("all.yaml", twice.as_str()), ("routes.yaml", &routes)]),
        ("plugin", vec![("all.yaml", twice.as_str()), ("routes.yaml", &good)]),
    ] {
        let (findings, notes, code) = Folder::new(name, &files).checked(&["."]);
        assert_eq!((findings, code), (vec![], 0), "{name}");
        assert!(notes[0].starts_with("Deployment redis exists twice (all.yaml:1, all.yaml:5)"), "{notes:?}");
    }
}

#[test]
fn trial_20_without_a_canary_two_versions_are_a_note() {
    let route = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: redis}, spec: {hosts: [redis], http: [{route: [{destination: {host: redis}}]}]}}\n";
    let text = format!("{route}---\n{route}---\n{REDIS}---\n{REDIS}");
    let (findings, notes, code) = Folder::new("routed", &[("all.yaml", &text)]).checked(&["."]);
    assert_eq!((findings, notes.len(), code), (vec![], 1, 0), "{notes:?}");
}

#[test]
fn trial_20_what_a_route_leads_to_is_no_stranger() {
    let (good, _) = versions();
    for kind in ["WasmPlugin", "VirtualService", "DestinationRule", "Gateway", "Service"] {
        let (again, _) = split(&good, kind);
        let files = [("all.yaml", good.as_str()), ("more.yaml", &again)];
        let (findings, _, code) = Folder::new("again", &files).checked(&["."]);
        assert_eq!((findings, code), (vec!["more.yaml twice".to_owned()], 1), "{kind}");
    }
}
