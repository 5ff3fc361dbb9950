//! The commands against an API server that has the Gateway API and Envoy Gateway; `tests/istio/cluster` has a real one.

use crate::standin::{Server, missing};
use crate::{Temporary, ended, tool};
use canary_split::config::fingerprint;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What is wrong with a cluster.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Trouble {
    #[default]
    None,
    /// The first write is refused.
    Denied,
    /// Somebody else writes just before the first write.
    Overtaken,
    /// The gateways never get what is written.
    Lagging,
    /// The guard has removed v2 of rule shop.
    Tripped,
}

/// The objects of a cluster, and what it was asked to write.
#[derive(Default)]
struct State {
    objects: Vec<Value>,
    patches: Vec<Value>,
    trouble: Trouble,
    /// What the gateways have, if they get nothing new.
    stuck: Option<Vec<Value>>,
}

/// A stand-in for an API server, with the pods behind it.
pub struct Cluster {
    state: Arc<Mutex<State>>,
    /// How the tool finds it.
    pub kubeconfig: Temporary,
    /// As long as it is needed.
    _server: Server,
}

impl Cluster {
    pub fn new(objects: Vec<Value>) -> Cluster {
        Cluster::with(objects, Trouble::None)
    }

    pub fn with(objects: Vec<Value>, trouble: Trouble) -> Cluster {
        let stuck = (trouble == Trouble::Lagging).then(|| objects.clone());
        let state = Arc::new(Mutex::new(State { objects, trouble, stuck, ..State::default() }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |method, path, body| respond(method, path, body, &mut shared.lock().unwrap()));
        Cluster { state, kubeconfig: server.kubeconfig(), _server: server }
    }

    /// Runs the tool on it.
    pub fn tool(&self, arguments: &[&str]) -> (String, String, i32) {
        let path = self.kubeconfig.0.display().to_string();
        ended(&tool(&[arguments, &["--kubeconfig", &path]].concat()))
    }

    /// What it was asked to write.
    pub fn patches(&self) -> Vec<Value> {
        self.state.lock().unwrap().patches.clone()
    }
}

/// The kinds of the cluster: group, version, plural, kind.
const KINDS: [(&str, &str, &str, &str); 8] = [
    ("", "v1", "pods", "Pod"),
    ("", "v1", "services", "Service"),
    ("extensions.istio.io", "v1alpha1", "wasmplugins", "WasmPlugin"),
    ("extensions.istio.io", "v1alpha1", "trafficextensions", "TrafficExtension"),
    ("gateway.envoyproxy.io", "v1alpha1", "envoyextensionpolicies", "EnvoyExtensionPolicy"),
    ("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
    ("gateway.networking.k8s.io", "v1", "gateways", "Gateway"),
    // The last one, as the paths of others begin with it.
    ("", "v1", "namespaces", "Namespace"),
];

fn respond(method: &str, target: &str, body: &str, state: &mut State) -> (u16, String) {
    let path = target.split('?').next().unwrap();
    if path == "/apis" {
        let mut groups = Vec::new();
        for (group, version, ..) in KINDS.iter().filter(|(group, ..)| !group.is_empty()) {
            let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
            groups.push(json!({"name": group, "versions": [version.clone()], "preferredVersion": version}));
        }
        return (200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}).to_string());
    }
    if let Some((pod, _)) = path.split_once("/proxy/stats/prometheus") {
        let trip =
            if state.trouble == Trouble::Tripped { "canary_tripped{rule=\"shop\",subset=\"v2\"} 1\n" } else { "" };
        return (200, statistics(pod, state.stuck.as_ref().unwrap_or(&state.objects)) + trip);
    }
    let found = KINDS.iter().find_map(|(group, version, plural, kind)| {
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let rest = path.strip_prefix(&root)?;
        let (within, name) = rest.split_once(&format!("/{plural}"))?;
        Some((
            *kind,
            *group,
            within.strip_prefix("/namespaces/").unwrap_or_default(),
            name.strip_prefix('/').unwrap_or(name),
        ))
    });
    let Some((kind, group, namespace, name)) = found else { return missing() };
    let is_it = |object: &&mut Value| {
        object["kind"] == kind
            && object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |(group, _)| group) == group
            && (namespace.is_empty() || object["metadata"]["namespace"] == namespace)
            && (name.is_empty() || object["metadata"]["name"] == name)
    };
    if method == "PATCH" {
        let patch: Value = serde_json::from_str(body).unwrap();
        let Some(object) = state.objects.iter_mut().find(is_it) else { return missing() };
        state.patches.push(patch.clone());
        match state.trouble {
            Trouble::Denied if state.patches.len() == 1 => {
                let status =
                    json!({"kind": "Status", "reason": "Forbidden", "code": 403, "message": "it is forbidden"});
                return (403, status.to_string());
            }
            Trouble::Overtaken if state.patches.len() == 1 => object["metadata"]["resourceVersion"] = json!("9"),
            _ => {}
        }
        if json_patch::patch(object, &serde_json::from_value::<json_patch::Patch>(patch).unwrap()).is_err() {
            return (422, json!({"kind": "Status", "reason": "Invalid", "code": 422}).to_string());
        }
        object["metadata"]["resourceVersion"] = json!("2");
        return (200, object.to_string());
    }
    let items: Vec<Value> = state.objects.iter_mut().filter(is_it).map(|object| object.clone()).collect();
    (200, json!({"kind": format!("{kind}List"), "metadata": {}, "items": items}).to_string())
}

/// What a gateway's pod says: it has every plugin in force that it can have, under the name by which its controller calls it.
pub fn statistics(pod: &str, objects: &[Value]) -> String {
    let is_envoy_gateways = pod.ends_with(":19001");
    assert!(is_envoy_gateways || pod.ends_with(":15090"), "{pod}");
    let mut text = "canary_config_rules{state=\"active\"} 1\n".to_owned();
    for object in objects {
        let metadata = &object["metadata"];
        let text_of = |key: &str| metadata[key].as_str().unwrap_or_default();
        let istio = format!("{}.{}", text_of("namespace"), text_of("name"));
        let (label, config) = match object["kind"].as_str().unwrap() {
            "WasmPlugin" => (format!("{istio}~istio-translated-wasmplugin"), &object["spec"]["pluginConfig"]),
            "TrafficExtension" => (istio, &object["spec"]["wasm"]["pluginConfig"]),
            "EnvoyExtensionPolicy" => {
                let modules = object["spec"]["wasm"].as_array().unwrap();
                let module = modules.last().unwrap();
                (module["name"].as_str().unwrap().to_owned(), &module["config"])
            }
            _ => continue,
        };
        if is_envoy_gateways == (object["kind"] == "EnvoyExtensionPolicy") {
            let print = fingerprint::of_text(config.to_string().as_bytes());
            text += &format!("canary_config_fingerprint{{plugin=\"{label}\"}} {print}\n");
            text += &format!("canary_config_faults{{plugin=\"{label}\"}} 0\n");
        }
    }
    text
}

fn pod(namespace: &str, name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"containers": [{"name": "envoy"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn config(weight: u32) -> Value {
    json!({"rules": [{"name": "shop", "hosts": ["shop.acme.io"], "split": [
        {"subset": "v1", "weight": 100 - weight}, {"subset": "v2", "weight": weight}], "sticky": {"cookie": {}}}]})
}

/// A cluster with the routes of the Gateway API, and the filter as an object of this kind.
pub fn objects(kind: &str, weight: u32) -> Vec<Value> {
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}]);
    let spec = match kind {
        "WasmPlugin" => json!({"targetRefs": target, "pluginConfig": config(weight)}),
        "TrafficExtension" => json!({"targetRefs": target, "wasm": {"pluginConfig": config(weight)}}),
        // A policy may have several modules.
        _ => {
            json!({"targetRefs": target, "wasm": [{"name": "auth"}, {"name": "canary-split", "config": config(weight)}]})
        }
    };
    let (group, _, _, _) = KINDS.iter().find(|(.., own)| *own == kind).unwrap();
    let class = if kind == "EnvoyExtensionPolicy" { "eg" } else { "istio" };
    let backend = |version: &str| json!([{"name": format!("shop-{version}"), "port": 80}]);
    let service = |version: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": format!("shop-{version}")},
            "spec": {"selector": {"app": "shop", "version": version}, "ports": [{"port": 80, "name": "http"}]}})
    };
    let header = json!([{"headers": [{"type": "Exact", "name": "x-canary-subset", "value": "v2"}], "path": {"type": "PathPrefix", "value": "/"}}]);
    vec![
        json!({"apiVersion": format!("{group}/v1alpha1"), "kind": kind,
            "metadata": {"namespace": "edge", "name": "canary-split", "resourceVersion": "1"}, "spec": spec}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"namespace": "edge", "name": "public"},
            "spec": {"gatewayClassName": class, "listeners": [
                {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "shop.acme.io", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"namespace": "shop", "name": "shop", "resourceVersion": "1"},
            "spec": {"parentRefs": [{"name": "public", "namespace": "edge"}], "hostnames": ["shop.acme.io"], "rules": [
                {"matches": header, "backendRefs": backend("v2")},
                {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backend("v1")}]}}),
        service("v1"),
        service("v2"),
        pod("shop", "shop-v1", &json!({"app": "shop", "version": "v1"})),
        pod("shop", "shop-v2", &json!({"app": "shop", "version": "v2"})),
        pod("edge", "public-istio", &json!({"gateway.networking.k8s.io/gateway-name": "public"})),
        pod(
            "envoy-gateway-system",
            "envoy-edge-public",
            &json!({
            "gateway.envoyproxy.io/owning-gateway-name": "public", "gateway.envoyproxy.io/owning-gateway-namespace": "edge"}),
        ),
        pod(
            "envoy-gateway-system",
            "envoy-other-public",
            &json!({
            "gateway.envoyproxy.io/owning-gateway-name": "public", "gateway.envoyproxy.io/owning-gateway-namespace": "other"}),
        ),
    ]
}

/// Each kind of object that has the filter, and where the config is in it.
const CARRIERS: [(&str, &str); 3] = [
    ("WasmPlugin", "/spec/pluginConfig"),
    ("TrafficExtension", "/spec/wasm/pluginConfig"),
    ("EnvoyExtensionPolicy", "/spec/wasm/1/config"),
];

#[test]
fn a_weight_is_set_whatever_has_the_filter() {
    for (kind, place) in CARRIERS {
        let cluster = Cluster::new(objects(kind, 20));
        let (out, error, code) = cluster.tool(&["set", "shop", "v2=50%", "--yes"]);
        assert_eq!((code, error.as_str()), (0, ""), "{kind}: {out}");
        assert!(out.contains(&format!("{kind} edge/canary-split is in force on 1 of 1 gateway pods")), "{kind}: {out}");
        let rule = format!("{place}/rules/0");
        let expected = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
            {"op": "test", "path": format!("{rule}/name"), "value": "shop"},
            {"op": "replace", "path": format!("{rule}/split/0/weight"), "value": 50},
            {"op": "replace", "path": format!("{rule}/split/1/weight"), "value": 50},
        ]);
        let patched = cluster.patches();
        let weights = |patch: &Value| {
            let all = patch.as_array().unwrap().iter();
            all.map(|op| (op["path"].clone(), op["value"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(weights(&patched[0]), weights(&expected), "{kind}");
        let (out, error, code) = cluster.tool(&["rollback", "shop", "--yes"]);
        assert_eq!((code, error.as_str(), cluster.patches().len()), (0, "", 2), "{kind}: {out}");
    }
}

#[test]
fn a_request_is_followed_through_an_httproute() {
    for (kind, _) in CARRIERS {
        let cluster = Cluster::new(objects(kind, 20));
        let (out, error, code) = cluster.tool(&["explain", "https://shop.acme.io/a"]);
        assert_eq!((code, error.as_str()), (0, ""), "{kind}: {out}");
        let routes = "\
route     v1  HTTPRoute shop/shop rules[1].matches[0]
          → shop-v1 port 80: 1 of 1 pods ready
route     v2  HTTPRoute shop/shop rules[0].matches[0]
          → shop-v2 port 80: 1 of 1 pods ready
";
        assert!(out.contains(routes), "{kind}: {out}");
    }
}

#[test]
fn the_end_of_a_canary_edits_an_httproute() {
    for (kind, place) in CARRIERS {
        let cluster = Cluster::new(objects(kind, 100));
        let (out, error, code) = cluster.tool(&["promote", "shop", "v2", "--dry-run", "-o", "json"]);
        assert_eq!((code, error.as_str()), (0, ""), "{kind}: {out}");
        let said: Value = serde_json::from_str(&out).unwrap();
        let patches: Vec<&Value> = said["steps"].as_array().unwrap().iter().map(|step| &step["patch"]).collect();
        let routes = json!([
            {"op": "add", "path": "/spec/rules/0/backendRefs/0/name", "value": "shop-v1"},
            {"op": "add", "path": "/spec/rules/0/matches/0/headers/0/value", "value": "v1"},
            {"op": "add", "path": "/spec/rules/1/backendRefs/0/name", "value": "shop-v2"},
        ]);
        assert_eq!((patches.len(), patches[0]), (2, &routes), "{kind}: {out}");
        assert_eq!(patches[1][0]["path"], format!("{place}/rules/0/split/0/subset"), "{kind}: {out}");
        let cluster = Cluster::new(objects(kind, 0));
        let (out, error, code) = cluster.tool(&["remove", "shop", "--dry-run", "-o", "json"]);
        assert_eq!((code, error.as_str()), (0, ""), "{kind}: {out}");
        let said: Value = serde_json::from_str(&out).unwrap();
        let patches: Vec<&Value> = said["steps"].as_array().unwrap().iter().map(|step| &step["patch"]).collect();
        let expected = [
            json!([{"op": "remove", "path": format!("{place}/rules/0")}]),
            json!([{"op": "remove", "path": "/spec/rules/0"}]),
        ];
        assert_eq!(patches, expected.iter().collect::<Vec<_>>(), "{kind}: {out}");
    }
}

#[test]
fn a_policy_for_one_route_is_on_the_gateways_of_that_route() {
    let mut all = objects("EnvoyExtensionPolicy", 20);
    all[0]["metadata"]["namespace"] = json!("shop");
    all[0]["spec"]["targetRefs"] = json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "shop"}]);
    let cluster = Cluster::new(all);
    assert_on(&cluster, "EnvoyExtensionPolicy shop/canary-split", "envoy-edge-public");
}

#[test]
fn a_policy_is_on_the_fleet_of_its_gateways_class() {
    let mut all = objects("EnvoyExtensionPolicy", 20);
    all.retain(|object| object["metadata"]["namespace"] != "envoy-gateway-system");
    for class in ["eg", "other"] {
        let labels = json!({"gateway.envoyproxy.io/owning-gatewayclass": class});
        all.push(pod("envoy-gateway-system", &format!("envoy-{class}"), &labels));
    }
    assert_on(&Cluster::new(all), "EnvoyExtensionPolicy edge/canary-split", "envoy-eg");
}

#[test]
fn a_plugin_for_a_service_is_on_the_waypoint_that_its_namespace_names() {
    let mut all = objects("WasmPlugin", 20);
    all[0]["metadata"]["namespace"] = json!("shop");
    all[0]["spec"]["targetRefs"] = json!([{"group": "", "kind": "Service", "name": "shop-v1"}]);
    let labels = json!({"istio.io/use-waypoint": "shared", "istio.io/use-waypoint-namespace": "mesh"});
    all.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}));
    for namespace in ["mesh", "shop"] {
        let labels = json!({"gateway.networking.k8s.io/gateway-name": "shared"});
        all.push(pod(namespace, &format!("shared-{namespace}"), &labels));
    }
    assert_on(&Cluster::new(all), "WasmPlugin shop/canary-split", "shared-mesh");
}

#[test]
fn a_service_that_no_label_leads_through_a_waypoint_is_found_in_a_cluster() {
    for (labels, is_found) in [(json!({}), true), (json!({"istio.io/use-waypoint": "shared"}), false)] {
        let mut all = objects("WasmPlugin", 20);
        all[0]["metadata"]["namespace"] = json!("shop");
        all[0]["spec"]["targetRefs"] = json!([{"group": "", "kind": "Service", "name": "shop-v1"}]);
        all.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}));
        all.push(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "mesh", "namespace": "shop"},
            "spec": {"parentRefs": [{"group": "", "kind": "Service", "name": "shop-v1"}],
                     "rules": [{"backendRefs": [{"name": "shop-v1", "port": 80}]}]},
        }));
        let (out, error, _) = Cluster::new(all).tool(&["check", "--cluster", "--interval", "1s", "-o", "json"]);
        let why = "aims at Service shop/shop-v1, and neither it nor Namespace shop has the label istio.io/use-waypoint";
        assert_eq!(out.contains(why), is_found, "{labels}: {out}{error}");
    }
}

/// Of all pods, a plugin is on this one.
fn assert_on(cluster: &Cluster, title: &str, pod: &str) {
    let (out, error, _) = cluster.tool(&["status", "--interval", "1s", "-o", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    let gateways = said["plugins"][0]["gateways"].as_array().unwrap().iter();
    let gateways: Vec<(&str, bool)> =
        gateways.map(|pod| (pod["pod"].as_str().unwrap(), pod["current"] == true)).collect();
    assert_eq!(gateways, [(pod, true)], "{out}");
    // An edit reads fewer objects than that.
    for arguments in [&["set", "shop", "v2=50%", "--yes"][..], &["rollback", "shop", "--yes"]] {
        let (out, error, code) = cluster.tool(arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{out}");
        assert!(out.contains(&format!("{title} is in force on 1 of 1 gateway pods")), "{out}");
    }
}

#[test]
fn what_is_for_the_cluster_goes_with_no_file_and_a_server_without_an_answer_is_named() {
    let plugin = "manifests/overlays/sticky/wasmplugin.yaml";
    let either = "-n, --context and --kubeconfig are for the cluster, and -f is for files";
    let kubeconfig = Temporary::new(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], clusters: [{name: a, cluster: {server: \"http://user:secret@127.0.0.1:1\"}}], users: [{name: a, user: {}}]}",
    );
    let empty = Temporary::new("{apiVersion: v1, kind: Config}");
    let (dead, none) = (kubeconfig.0.to_str().unwrap(), empty.0.to_str().unwrap());
    for (arguments, why) in [
        (&["explain", "-f", plugin, "-n", "a", "https://a.test"][..], either),
        (&["set", "v2=20%", "--dry-run", "-f", plugin, "--context", "a"], either),
        (&["rollback", "--dry-run", "-f", plugin, "-n", "a"], either),
        (&["promote", "httpbin", "v2", "-f", plugin, "--kubeconfig", dead], either),
        (&["remove", "httpbin", "-f", plugin, "-n", "a"], either),
        (&["status", "--kubeconfig", dead], "the API server http://127.0.0.1:1 cannot be reached: Connection refused"),
        (&["status", "--kubeconfig", none], "the kubeconfig has no context"),
    ] {
        let (out, error, code) = ended(&tool(arguments));
        assert_eq!((out.as_str(), error, code), ("", format!("canary-split: {why}\n"), 2), "{arguments:?}");
    }
    let (_, error, code) = ended(&tool(&["dashboard", "-f", plugin, "--no-open", "--admin", "envoy"]));
    assert!(
        code == 2 && error.contains("'envoy' for '--admin <ADDRESS>': not HOST:PORT, as in 127.0.0.1:9901"),
        "{error}"
    );
}
