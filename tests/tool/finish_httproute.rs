//! `promote` and `remove` of what is routed by HTTPRoutes: no request is served differently on the way.

use crate::convert::{list, objects};
use crate::convert_httproute::{By, Request, Shares, are_same, requests, route, served};
use crate::{Temporary, ended, fed, tool};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What `convert` makes of random HTTPRoutes, if it can.
fn converted(seed: u64, by: By) -> Option<Vec<Value>> {
    let mut random = Rng::with_seed(seed);
    let hosts: [(&str, &[&str]); 2] = [("shop", &["shop.acme.io", "www.acme.io"]), ("cart", &["shop.acme.io"])];
    let count = random.usize(1..3);
    let routes: Vec<String> =
        hosts.iter().take(count).map(|(name, hosts)| route(&mut random, name, hosts).to_string()).collect();
    let controller = if by == By::Istio { "istio" } else { "envoy-gateway" };
    let (out, _, code) = ended(&fed(&["convert", "-", "--for", controller], &routes.join("\n---\n")));
    (code == 0).then(|| objects(&out))
}

fn title(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// Where the rules of an object are, if it is a plugin.
fn rules_of(object: &Value) -> Option<&'static str> {
    match object["kind"].as_str()? {
        "WasmPlugin" => Some("/spec/pluginConfig/rules"),
        "EnvoyExtensionPolicy" => Some("/spec/wasm/0/config/rules"),
        _ => None,
    }
}

/// Where each request goes.
fn all_served(world: &[Value], by: By) -> Vec<(Request<'static>, Option<Shares>)> {
    let (plugins, routes): (Vec<&Value>, Vec<&Value>) = world.iter().partition(|object| rules_of(object).is_some());
    let rules = plugins.iter().filter_map(|plugin| plugin.pointer(rules_of(plugin)?));
    let rules: Vec<Value> = rules.flat_map(list).cloned().collect();
    let rules: &'static [Value] = Box::leak(rules.into_boxed_slice());
    let one = |mut request: Request<'static>| {
        let shares = served(rules, &routes, &mut request, by);
        (request, shares)
    };
    requests().into_iter().map(one).collect()
}

#[test]
fn each_step_serves_every_request_as_before() {
    let (mut done, mut refused) = (BTreeMap::<(&str, usize), usize>::new(), BTreeMap::<String, usize>::new());
    for seed in 0..200 {
        let by = if seed % 2 == 0 { By::Istio } else { By::EnvoyGateway };
        let Some(world) = converted(seed, by) else { continue };
        let plugin = world.iter().position(|object| rules_of(object).is_some()).unwrap();
        let place = rules_of(&world[plugin]).unwrap();
        let rules = list(world[plugin].pointer(place).unwrap()).to_vec();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule["split"].is_null()) {
            for (command, chosen) in [("promote", 1), ("remove", 0)] {
                let mut world = world.clone();
                let split = world[plugin].pointer_mut(&format!("{place}/{at}/split")).unwrap();
                for (place, part) in split.as_array_mut().unwrap().iter_mut().enumerate() {
                    part["weight"] = json!(if place == chosen { 100 } else { 0 });
                }
                let text: Vec<String> = world.iter().map(Value::to_string).collect();
                let file = Temporary::new(&text.join("\n---\n"));
                let path = file.0.display().to_string();
                let name = rule["name"].as_str().unwrap();
                let subset = rule["split"][chosen]["subset"].as_str().unwrap();
                let arguments: Vec<&str> =
                    [command, name].into_iter().chain((command == "promote").then_some(subset)).collect();
                let (out, error, code) =
                    ended(&tool(&[&arguments[..], &["--dry-run", "-o", "json", "-f", &path]].concat()));
                if code != 0 {
                    let reason = error.split(": ").last().unwrap().replace(char::is_numeric, "0");
                    *refused.entry(reason).or_default() += 1;
                    continue;
                }
                let said: Value = serde_json::from_str(&out).unwrap();
                // A later rule then decides, as a note says.
                if list(&said["notes"]).iter().any(|note| note.as_str().unwrap().contains("may decide its requests")) {
                    continue;
                }
                let before = all_served(&world, by);
                for step in list(&said["steps"]) {
                    let own = step["object"].as_str().unwrap();
                    let object = world.iter_mut().find(|object| title(object) == own).unwrap();
                    json_patch::patch(
                        object,
                        &serde_json::from_value::<json_patch::Patch>(step["patch"].clone()).unwrap(),
                    )
                    .unwrap();
                    for ((request, old), (_, new)) in before.iter().zip(all_served(&world, by)) {
                        if let (Some(old), Some(new)) = (old, new) {
                            assert!(
                                are_same(old, &new),
                                "{seed}: {command} {name}: {own}: {request:?}\n{old:?}\n{new:?}\n{}\n{out}",
                                text.join("\n")
                            );
                        }
                    }
                }
                *done.entry((command, list(&said["steps"]).len())).or_default() += 1;
            }
        }
    }
    assert!(done[&("promote", 2)] > 20 && done[&("remove", 2)] > 20 && refused.len() > 3, "{done:?} {refused:?}");
}

#[test]
fn testers_who_get_the_canary_by_a_route_of_their_own_do_not_stop_its_promotion() {
    let backend = |version: &str, weight: u32| json!({"name": format!("shop-{version}"), "port": 80, "weight": weight});
    let testers = json!({"matches": [{"queryParams": [{"name": "q", "value": "1"}]}], "backendRefs": [{"name": "shop-v2", "port": 80}]});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "public", "namespace": "edge"}], "hostnames": ["shop.acme.io"],
            "rules": [testers, {"backendRefs": [backend("v1", 1), backend("v2", 9)]}]},
    });
    let (out, error, code) = ended(&fed(&["convert", "-", "--stable", "v1"], &route.to_string()));
    assert_eq!(code, 0, "{error}");
    let world = objects(&out.replace("weight: 1}", "weight: 0}"));
    let file = Temporary::new(&world.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n"));
    let path = file.0.display().to_string();
    let (out, error, code) = ended(&tool(&["promote", "shop", "v2", "--dry-run", "-o", "json", "-f", &path]));
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let mut routes = world[1].clone();
    let said: Value = serde_json::from_str(&out).unwrap();
    let patch = serde_json::from_value::<json_patch::Patch>(said["steps"][0]["patch"].clone()).unwrap();
    json_patch::patch(&mut routes, &patch).unwrap();
    let before = all_served(&world, By::Istio);
    for ((request, old), (_, new)) in before.iter().zip(all_served(&[world[0].clone(), routes], By::Istio)) {
        assert!(are_same(old.as_ref().unwrap(), &new.unwrap()), "{request:?}\n{out}");
    }
}
