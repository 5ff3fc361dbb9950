//! Pods, and the gateways among them that a plugin is on.

use crate::input::manifest::{Carrier, GATEWAY_API, Object};
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::gateway::Gateway;
use crate::world::gateway_api::NAME_LABEL;
use crate::world::host::ServiceName;
use crate::world::labels::Labels;
use crate::world::namespace::{ROOT_NAMESPACE, is_same_namespace};
use crate::world::plugin::{Aim, Plugin};
use crate::world::routing::Routing;
use serde_json::Value;
use std::collections::BTreeMap;

/// The labels of those that Envoy Gateway has made: the Gateway's name and its namespace, which need not be that of the pods.
const OWNER: [&str; 2] =
    ["gateway.envoyproxy.io/owning-gateway-name", "gateway.envoyproxy.io/owning-gateway-namespace"];
/// With `mergeGateways` in its place: the GatewayClass whose Gateways have one fleet.
pub const OWNING_CLASS: &str = "gateway.envoyproxy.io/owning-gatewayclass";

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.labels`
    pub labels: BTreeMap<String, String>,
    /// Whether it gets requests.
    pub is_ready: bool,
    /// Whether its containers run, and it is not about to end.
    is_running: bool,
    /// Its proxy, by its arguments.
    role: Role,
}

/// Where a proxy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Its statistics, for everybody.
    pub statistics: u16,
    /// Envoy's admin interface, on the loopback of the pod.
    pub admin: u16,
}

/// The proxy of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A gateway.
    Gateway,
    /// A waypoint.
    Waypoint,
    /// Next to an application.
    Sidecar,
    /// No proxy, or one that is started in an unknown way.
    Unknown,
    /// An Envoy without a cluster.
    Alone,
}

/// For what Envoy Gateway has made a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<'p> {
    /// A Gateway, by namespace and name.
    Gateway(&'p str, &'p str),
    /// All Gateways of a GatewayClass.
    Class(&'p str),
}

impl Role {
    fn of(containers: &[&Value]) -> Role {
        let is_told = |role: &str| {
            containers.iter().any(|container| {
                let arguments = container.get("args").and_then(Value::as_array);
                let mut texts = arguments.into_iter().flatten().map(Value::as_str);
                texts.next() == Some(Some("proxy")) && texts.next() == Some(Some(role))
            })
        };
        match () {
            () if is_told("router") => Role::Gateway,
            () if is_told("waypoint") => Role::Waypoint,
            () if is_told("sidecar") => Role::Sidecar,
            () => Role::Unknown,
        }
    }
}

impl Pod {
    /// Reads one.
    pub fn of(object: &Value) -> Pod {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let list = |path: &str| object.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels =
            labels.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let is_condition = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        let containers: Vec<&Value> = list("/spec/containers").chain(list("/spec/initContainers")).collect();
        Pod {
            namespace: text("/metadata/namespace").to_owned(),
            name: text("/metadata/name").to_owned(),
            labels: labels.collect(),
            is_ready: list("/status/conditions").any(is_condition),
            is_running: text("/status/phase") == "Running" && object.pointer("/metadata/deletionTimestamp").is_none(),
            role: Role::of(&containers),
        }
    }

    /// An Envoy without a cluster: all plugins that are read are on it.
    pub fn alone(namespace: &str, address: &str) -> Pod {
        Pod {
            namespace: namespace.to_owned(),
            name: address.to_owned(),
            labels: BTreeMap::new(),
            is_ready: true,
            is_running: true,
            role: Role::Alone,
        }
    }

    /// Where its proxy answers.
    pub fn ports(&self) -> Ports {
        match self.owner() {
            Some(_) => Ports { statistics: 19001, admin: 19000 },
            None => Ports { statistics: 15090, admin: 15000 },
        }
    }

    /// For what Envoy Gateway has made it.
    fn owner(&self) -> Option<Owner<'_>> {
        let label = |name: &str| self.labels.get(name).map(String::as_str);
        match (OWNER.map(label), label(OWNING_CLASS)) {
            ([Some(name), Some(namespace)], _) => Some(Owner::Gateway(namespace, name)),
            (_, class) => class.map(Owner::Class),
        }
    }

    /// `NAMESPACE/NAME`
    pub fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it has these labels.
    pub fn has(&self, labels: &Labels) -> bool {
        labels.pairs().all(|(name, value)| self.labels.get(name).is_some_and(|own| own == value))
    }

    /// Whether it is one of a Gateway's that Istio has made.
    fn is_gateway(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.labels.get(NAME_LABEL).is_some_and(|own| own == name)
    }

    /// Whether it is running and has a role.
    pub fn is_one_of(&self, namespace: &str, labels: &Labels) -> bool {
        self.is_running && self.namespace == namespace && self.has(labels)
    }
}

/// What Envoy calls a plugin: Istio says its namespace and name, Envoy Gateway the module's `name`.
pub fn called(plugin: &Plugin) -> String {
    let Some(object) = plugin.object() else { return String::new() };
    let own = plugin.module().and_then(|module| module.get("name")?.text());
    match plugin.config.carrier {
        Carrier::Policy(at) => own.map_or_else(
            || format!("envoyextensionpolicy/{}/{}/wasm/{at}", object.namespace, object.name),
            str::to_owned,
        ),
        Carrier::WasmPlugin | Carrier::TrafficExtension => format!("{}.{}", object.namespace, object.name),
    }
}

/// The running gateway pods that a plugin is on. `world`: its targets, and what they are attached to.
pub fn of_plugin<'p>(plugin: &Plugin, world: &World, pods: &'p [Pod]) -> Vec<&'p Pod> {
    let Some(object) = plugin.object() else { return Vec::new() };
    let targets = plugin.targets();
    let selector = plugin.selector().unwrap_or_default();
    let is_policy = plugin.is_policy();
    let owners = if is_policy { owners(&gateways_of_policy(plugin, object, world), world) } else { Vec::new() };
    let waypoints: Vec<(&str, &str)> =
        targets.iter().filter_map(|target| waypoint(Aim::of(target), object, world)).collect();
    let is_for_waypoints =
        object.namespace == ROOT_NAMESPACE && targets.iter().any(|target| Aim::of(target).is_class_of_waypoints());
    let is_targeted = |pod: &Pod| {
        object.namespace == pod.namespace && targets.iter().any(|target| is_target(target, pod))
            || waypoints.iter().any(|(namespace, name)| pod.is_gateway(namespace, name))
            || is_for_waypoints && pod.role == Role::Waypoint
    };
    let is_selected = |pod: &Pod| {
        if pod.role == Role::Alone {
            true
        } else if is_policy || pod.owner().is_some() {
            pod.owner().is_some_and(|owner| owners.contains(&owner))
        } else if targets.is_empty() {
            // No selector reaches a waypoint.
            pod.role != Role::Waypoint
                && (object.namespace == pod.namespace || object.namespace == ROOT_NAMESPACE)
                && pod.has(&selector)
        } else {
            is_targeted(pod)
        }
    };
    // A plugin that selects no labels is on every gateway.
    let is_one = |pod: &Pod| match pod.role {
        Role::Gateway | Role::Waypoint | Role::Alone => true,
        Role::Sidecar => false,
        Role::Unknown => is_policy || !targets.is_empty() || !selector.is_empty(),
    };
    pods.iter().filter(|pod| pod.is_running && is_one(pod) && is_selected(pod)).collect()
}

/// The Gateways that a policy of Envoy Gateway is on, by namespace and name: its targets, and those of the routes that are its targets.
fn gateways_of_policy<'w>(plugin: &'w Plugin, object: &'w Object, world: &'w World) -> Vec<(&'w str, &'w str)> {
    let targets = plugin.targets().into_iter().map(Aim::of).filter(|target| target.is("Gateway", GATEWAY_API));
    let mut all: Vec<(&str, &str)> = targets.map(|target| (&*object.namespace, target.name)).collect();
    let is_selected = |other: &Object| {
        is_same_namespace(&other.namespace, &object.namespace)
            && plugin.target_selectors().iter().any(|selector| selects(selector, other))
    };
    let gateways = world.gateways.iter().filter(|gateway| gateway.is_of_api() && is_selected(gateway.object));
    all.extend(gateways.map(|gateway| (&*gateway.object.namespace, &*gateway.object.name)));
    let routes = world.routings.iter().filter(|routing| !routing.is_virtual_service());
    let routes = routes.filter(|routing| plugin.covers_by_name(routing) || is_selected(routing.object));
    all.extend(routes.flat_map(Routing::gateways));
    all
}

/// For what the pods of these Gateways may be made: each of them, or their classes.
fn owners<'w>(gateways: &[(&'w str, &'w str)], world: &'w World) -> Vec<Owner<'w>> {
    let is_one = |gateway: &&Gateway| {
        let object = gateway.object;
        gateway.is_of_api() && gateways.contains(&(&object.namespace, &object.name))
    };
    let classes = world.gateways.iter().filter(is_one);
    let classes = classes.filter_map(|gateway| gateway.object.text(&["spec", "gatewayClassName"])).map(Owner::Class);
    gateways.iter().map(|(namespace, name)| Owner::Gateway(namespace, name)).chain(classes).collect()
}

/// Whether an entry of `targetSelectors` finds an object.
fn selects(selector: &Node, object: &Object) -> bool {
    let asked = selector.get("matchLabels").and_then(Labels::of).unwrap_or_default();
    let own = object.at(&["metadata", "labels"]).and_then(Labels::of).unwrap_or_default();
    selector.get("kind").and_then(Node::text) == Some(object.kind) && !asked.is_empty() && asked.selects(&own)
}

/// The waypoint of a Service that a plugin aims at.
fn waypoint<'w>(target: Aim, object: &Object, world: &'w World) -> Option<(&'w str, &'w str)> {
    if !target.is_service() {
        return None;
    }
    let service = ServiceName { name: target.name, namespace: &object.namespace };
    world.waypoint_of(world.services_called(&service).into_iter().next()?)
}

fn is_target(target: &Node, pod: &Pod) -> bool {
    let text = |key: &str| target.get(key).and_then(Node::text);
    text("kind") == Some("Gateway") && pod.labels.get(NAME_LABEL).map(String::as_str) == text("name")
}

#[cfg(test)]
mod tests {
    use super::{Pod, of_plugin};
    use crate::input::manifest::Objects;
    use crate::input::sources::{Source, Unit};
    use crate::world::World;
    use serde_json::{Value, json};
    use std::rc::Rc;

    fn pod(namespace: &str, name: &str, arguments: Value, labels: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": labels},
            "spec": {"containers": [{"name": "main"}, {"name": "istio-proxy", "args": arguments}]}, "status": {"phase": "Running"}})
    }

    /// The names of the pods that a plugin is on, next to other objects.
    fn on(object: &Value, others: &str, pods: &[Value]) -> Vec<String> {
        let sources = [&object.to_string(), others].map(|text| Rc::new(Source::new("given", text.to_owned())));
        let objects = Objects::of(&Unit { folder: String::new(), sources: sources.to_vec() }).unwrap();
        let (world, pods) = (World::of(&objects), pods.iter().map(Pod::of).collect::<Vec<_>>());
        of_plugin(&world.plugins[0], &world, &pods).iter().map(|pod| pod.name.clone()).collect()
    }

    #[test]
    fn a_policy_is_on_the_pods_of_its_gateway() {
        let of = |name: &str, gateway: &str, namespace: &str| {
            let labels = json!({"gateway.envoyproxy.io/owning-gateway-name": gateway,
                "gateway.envoyproxy.io/owning-gateway-namespace": namespace});
            pod("envoy-gateway-system", name, json!([]), labels)
        };
        let pods = [of("public", "public", "edge"), of("inner", "inner", "edge"), of("other", "public", "other")];
        let config = json!({"rules": [{"name": "a", "subset": "v1"}]});
        for (kind, expected) in [("Gateway", &["public"][..]), ("HTTPRoute", &[])] {
            let target = json!({"group": "gateway.networking.k8s.io", "kind": kind, "name": "public"});
            let spec = json!({"targetRefs": [target], "wasm": [{"name": "canary-split", "config": config}]});
            let policy = json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
                "metadata": {"namespace": "edge", "name": "canary-split"}, "spec": spec});
            assert_eq!(on(&policy, "", &pods), expected, "{kind}");
        }
    }

    #[test]
    fn a_pod_that_ends_or_does_not_run_is_no_gateway() {
        let labels = json!({"istio": "ingressgateway"});
        let with = |name: &str, path: &str, value: Value| {
            let mut pod = pod("edge", name, json!(["proxy", "router"]), labels.clone());
            pod[path.split_once('/').unwrap().0][path.split_once('/').unwrap().1] = value;
            pod
        };
        let pods = [
            with("runs", "status/phase", json!("Running")),
            with("waits", "status/phase", json!("Pending")),
            with("ends", "metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
            pod("edge", "another", json!(["run", "sidecar"]), labels.clone()),
        ];
        let spec =
            json!({"selector": {"matchLabels": labels}, "pluginConfig": {"rules": [{"name": "a", "subset": "v1"}]}});
        let plugin = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": {"namespace": "edge", "name": "canary-split"}, "spec": spec});
        assert_eq!(on(&plugin, "", &pods), ["runs", "another"]);
        for (kind, status, expected) in
            [("Ready", "True", true), ("Ready", "False", false), ("Initialized", "True", false)]
        {
            let conditions = json!([{"type": kind, "status": status}]);
            assert_eq!(Pod::of(&with("x", "status/conditions", conditions)).is_ready, expected, "{kind} {status}");
        }
    }

    #[test]
    fn a_plugin_is_on_the_gateways_that_it_selects() {
        let (router, waypoint) = (json!(["proxy", "router", "--x"]), json!(["proxy", "waypoint"]));
        let (sidecar, none) = (json!(["proxy", "sidecar"]), json!([]));
        let (istio, own) =
            (json!({"istio": "ingressgateway"}), json!({"gateway.networking.k8s.io/gateway-name": "public"}));
        let pods = [
            pod("istio-system", "classic", router.clone(), istio.clone()),
            pod("edge", "elsewhere", router, istio.clone()),
            pod("edge", "custom", none.clone(), istio.clone()),
            pod("shop", "application", sidecar, istio),
            pod("edge", "of-the-api", json!(["proxy", "router"]), own.clone()),
            pod("edge", "waypoint", waypoint, own),
            pod("shop", "stranger", none, json!({})),
        ];
        let by_label = json!({"selector": {"matchLabels": {"istio": "ingressgateway"}}});
        let target = |kind: &str, name: &str| json!({"targetRefs": [{"kind": kind, "group": "gateway.networking.k8s.io", "name": name}]});
        let (by_target, all_waypoints) = (target("Gateway", "public"), target("GatewayClass", "istio-waypoint"));
        for (namespace, spec, expected) in [
            ("istio-system", by_label.clone(), vec!["classic", "elsewhere", "custom"]),
            ("edge", by_label, vec!["elsewhere", "custom"]),
            ("edge", by_target.clone(), vec!["of-the-api", "waypoint"]),
            ("istio-system", by_target, vec![]),
            ("istio-system", all_waypoints.clone(), vec!["waypoint"]),
            ("istio-system", target("GatewayClass", "istio"), vec![]),
            ("edge", all_waypoints, vec![]),
            ("istio-system", json!({}), vec!["classic", "elsewhere", "of-the-api"]),
        ] {
            let mut spec = spec;
            spec["pluginConfig"] = json!({"rules": [{"name": "a", "subset": "v1"}]});
            let plugin = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
                "metadata": {"namespace": namespace, "name": "canary-split"}, "spec": spec});
            assert_eq!(on(&plugin, "", &pods), expected, "{namespace} {spec}");
        }
    }

    #[test]
    fn a_plugin_is_on_the_gateways_of_what_it_names() {
        let owned = |namespace: &str, name: &str| json!({"gateway.envoyproxy.io/owning-gateway-name": name, "gateway.envoyproxy.io/owning-gateway-namespace": namespace});
        let of_istio = |name: &str| json!({"gateway.networking.k8s.io/gateway-name": name});
        let (none, waypoint) = (json!([]), json!(["proxy", "waypoint"]));
        let pods = [
            pod("envoy-gateway-system", "public", none.clone(), owned("edge", "public")),
            pod("envoy-gateway-system", "inner", none.clone(), owned("edge", "inner")),
            pod("envoy-gateway-system", "of-shop", none, owned("shop", "public")),
            pod("shop", "waypoint", waypoint.clone(), of_istio("waypoint")),
            pod("mesh", "shared", waypoint, of_istio("shared")),
        ];
        let api = "apiVersion: gateway.networking.k8s.io/v1";
        let others = format!(
            "{{{api}, kind: HTTPRoute, metadata: {{namespace: shop, name: shop, labels: {{team: a}}}}, spec: {{parentRefs: [{{name: public, namespace: edge}}, {{name: public}}]}}}}
---
{{{api}, kind: GRPCRoute, metadata: {{namespace: shop, name: shop}}, spec: {{parentRefs: [{{name: inner, namespace: edge, sectionName: a}}]}}}}
---
{{{api}, kind: Gateway, metadata: {{namespace: shop, name: public, labels: {{team: a}}}}, spec: {{gatewayClassName: eg}}}}
---
{{{api}, kind: Gateway, metadata: {{namespace: shop, name: waypoint}}, spec: {{gatewayClassName: istio-waypoint}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{namespace: shop, name: shop}}, spec: {{}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{namespace: shop, name: cart, labels: {{istio.io/use-waypoint: shared, istio.io/use-waypoint-namespace: mesh}}}}, spec: {{}}}}
"
        );
        let target = |kind: &str, name: &str| {
            let group = if kind == "Service" { "" } else { "gateway.networking.k8s.io" };
            json!({"targetRefs": [{"kind": kind, "group": group, "name": name}]})
        };
        let selector = |kind: &str| json!({"targetSelectors": [{"kind": kind, "group": "gateway.networking.k8s.io", "matchLabels": {"team": "a"}}]});
        for (is_policy, spec, expected) in [
            (true, target("Gateway", "public"), vec!["of-shop"]),
            (true, target("HTTPRoute", "shop"), vec!["public", "of-shop"]),
            (true, target("GRPCRoute", "shop"), vec!["inner"]),
            (true, target("HTTPRoute", "cart"), vec![]),
            (true, selector("Gateway"), vec!["of-shop"]),
            (true, selector("HTTPRoute"), vec!["public", "of-shop"]),
            (false, target("Service", "shop"), vec!["waypoint"]),
            (false, target("Service", "cart"), vec!["shared"]),
            (false, target("HTTPRoute", "shop"), vec![]),
        ] {
            let mut spec = spec;
            let config = json!({"rules": [{"name": "a", "subset": "v1"}]});
            let (group, kind) = if is_policy {
                spec["wasm"] = json!([{"name": "canary-split", "config": config}]);
                ("gateway.envoyproxy.io", "EnvoyExtensionPolicy")
            } else {
                spec["pluginConfig"] = config;
                ("extensions.istio.io", "WasmPlugin")
            };
            let plugin = json!({"apiVersion": format!("{group}/v1alpha1"), "kind": kind,
                "metadata": {"namespace": "shop", "name": "canary-split"}, "spec": spec});
            assert_eq!(on(&plugin, &others, &pods), expected, "{spec}");
        }
    }

    #[test]
    fn gateways_of_a_class_may_have_one_fleet() {
        let of = |class: &str| {
            pod("envoy-gateway-system", class, json!([]), json!({"gateway.envoyproxy.io/owning-gatewayclass": class}))
        };
        let pods = [of("merged"), of("other")];
        let api = "apiVersion: gateway.networking.k8s.io/v1";
        let gateway = |namespace: &str, name: &str, class: &str| {
            format!(
                "{{{api}, kind: Gateway, metadata: {{namespace: {namespace}, name: {name}}}, spec: {{gatewayClassName: {class}}}}}\n---\n"
            )
        };
        let others = [("edge", "public", "merged"), ("edge", "inner", "other"), ("shop", "public", "other")]
            .map(|(namespace, name, class)| gateway(namespace, name, class))
            .concat()
            + &format!(
                "{{{api}, kind: HTTPRoute, metadata: {{namespace: edge, name: shop}}, spec: {{parentRefs: [{{name: public}}, {{name: inner}}]}}}}"
            );
        for (kind, name, expected) in [
            ("Gateway", "public", &["merged"][..]),
            ("Gateway", "inner", &["other"]),
            ("Gateway", "absent", &[]),
            ("HTTPRoute", "shop", &["merged", "other"]),
        ] {
            let target = json!({"group": "gateway.networking.k8s.io", "kind": kind, "name": name});
            let config = json!({"rules": [{"name": "a", "subset": "v1"}]});
            let spec = json!({"targetRefs": [target], "wasm": [{"name": "canary-split", "config": config}]});
            let policy = json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
                "metadata": {"namespace": "edge", "name": "canary-split"}, "spec": spec});
            assert_eq!(on(&policy, &others, &pods), expected, "{kind} {name}");
        }
    }

    #[test]
    fn the_label_of_a_service_comes_before_that_of_its_namespace() {
        let of = |namespace: &str, name: &str| {
            let labels = json!({"gateway.networking.k8s.io/gateway-name": name});
            pod(namespace, &format!("{namespace}-{name}"), json!(["proxy", "waypoint"]), labels)
        };
        let pods = [of("shop", "own"), of("shop", "all"), of("mesh", "all")];
        let labels = |name: &str, namespace: &str| match (name, namespace) {
            ("", _) => String::new(),
            (_, "") => format!("istio.io/use-waypoint: {name}"),
            _ => format!("istio.io/use-waypoint: {name}, istio.io/use-waypoint-namespace: {namespace}"),
        };
        for (service, namespace, expected) in [
            (("own", ""), Some(("all", "mesh")), &["shop-own"][..]),
            (("", ""), Some(("all", "mesh")), &["mesh-all"]),
            (("", ""), Some(("all", "")), &["shop-all"]),
            // Each label has its namespace next to it.
            (("all", ""), Some(("none", "mesh")), &["shop-all"]),
            (("none", ""), Some(("all", "")), &[]),
            (("", ""), Some(("none", "")), &[]),
            (("", ""), Some(("", "")), &[]),
            // Without the right to read Namespaces.
            (("", ""), None, &["shop-own"]),
        ] {
            let others = format!(
                "{{apiVersion: v1, kind: Service, metadata: {{namespace: shop, name: shop, labels: {{{}}}}}, spec: {{}}}}\n---\n\
                 {{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{namespace: shop, name: own}}, spec: {{gatewayClassName: istio-waypoint}}}}\n",
                labels(service.0, service.1)
            ) + &namespace.map_or_else(String::new, |(name, of)| {
                format!(
                    "---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {{{}}}}}}}",
                    labels(name, of)
                )
            });
            for group in ["", "core"] {
                let spec = json!({"targetRefs": [{"kind": "Service", "group": group, "name": "shop"}], "pluginConfig": {"rules": [{"name": "a", "subset": "v1"}]}});
                let plugin = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
                    "metadata": {"namespace": "shop", "name": "canary-split"}, "spec": spec});
                assert_eq!(on(&plugin, &others, &pods), expected, "{service:?} {namespace:?}");
            }
        }
    }
}
