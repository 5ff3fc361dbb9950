//! The kinds that are read from the API server.

use super::refusal;
use crate::input::manifest::GATEWAY_API;
use http::Request;
use kube::{Client, Error};
use serde_json::Value;
use std::collections::HashMap;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As in a manifest.
    pub name: &'static str,
    /// Its API group.
    pub group: &'static str,
    /// As in the path of a request.
    pub plural: &'static str,
    /// The version, if it is not the one that the API server prefers for the group.
    version: Option<&'static str>,
}

const fn kind(name: &'static str, group: &'static str, plural: &'static str) -> Kind {
    Kind { name, group, plural, version: None }
}

/// The plugins.
pub const PLUGINS: Kind = kind("WasmPlugin", "extensions.istio.io", "wasmplugins");
/// The objects that follow from them.
pub const EXTENSIONS: Kind = kind("TrafficExtension", "extensions.istio.io", "trafficextensions");
/// The plugins of Envoy Gateway.
pub const POLICIES: Kind = kind("EnvoyExtensionPolicy", "gateway.envoyproxy.io", "envoyextensionpolicies");
/// The pods.
pub const PODS: Kind = kind("Pod", "", "pods");
/// Everything else that plugins and routes work with.
pub const OTHERS: [Kind; 14] = [
    kind("VirtualService", "networking.istio.io", "virtualservices"),
    kind("DestinationRule", "networking.istio.io", "destinationrules"),
    kind("Gateway", "networking.istio.io", "gateways"),
    Kind { version: Some("v1alpha3"), ..kind("EnvoyFilter", "networking.istio.io", "envoyfilters") },
    kind("HTTPRoute", GATEWAY_API, "httproutes"),
    kind("GRPCRoute", GATEWAY_API, "grpcroutes"),
    kind("Gateway", GATEWAY_API, "gateways"),
    kind("GatewayClass", GATEWAY_API, "gatewayclasses"),
    Kind { version: Some("v1beta1"), ..kind("ReferenceGrant", GATEWAY_API, "referencegrants") },
    kind("Service", "", "services"),
    kind("Deployment", "apps", "deployments"),
    kind("StatefulSet", "apps", "statefulsets"),
    kind("DaemonSet", "apps", "daemonsets"),
    kind("Certificate", "cert-manager.io", "certificates"),
];

/// What tells on which gateways a plugin is that names something else.
pub const ATTACHED: [Kind; 4] = [
    kind("HTTPRoute", GATEWAY_API, "httproutes"),
    kind("GRPCRoute", GATEWAY_API, "grpcroutes"),
    kind("Gateway", GATEWAY_API, "gateways"),
    kind("Service", "", "services"),
];

/// What may name the waypoint of a Service instead of it.
pub const NAMESPACES: Kind = kind("Namespace", "", "namespaces");

/// The number of objects in one answer.
const PAGE: usize = 500;

/// The versions that the API server prefers, by group.
#[derive(Default)]
pub struct Versions(HashMap<String, String>);

impl Versions {
    /// Asks for them.
    pub async fn ask(client: &Client) -> Result<Versions, String> {
        let groups = client.list_api_groups().await.map_err(|error| refusal::said(&error))?;
        let preferred = |group: k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroup| {
            let version = group.preferred_version.or(group.versions.into_iter().next())?;
            Some((group.name, version.version))
        };
        Ok(Versions(groups.groups.into_iter().filter_map(preferred).collect()))
    }

    /// `GROUP/VERSION` of a kind; `None`: the cluster does not know the group.
    pub fn of(&self, kind: Kind) -> Option<String> {
        match kind.group {
            "" => Some("v1".to_owned()),
            group => self.0.get(group).map(|version| format!("{group}/{}", kind.version.unwrap_or(version))),
        }
    }
}

/// The path of the objects of a kind: those of a namespace, or all.
pub fn path(version: &str, kind: Kind, namespace: Option<&str>) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    let within = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
    format!("/{root}/{version}/{within}{}", kind.plural)
}

/// All objects of a kind, with the fields that entries of a list leave out; none if the cluster does not know the kind.
pub async fn list(
    client: &Client,
    versions: &Versions,
    kind: Kind,
    namespace: Option<&str>,
) -> Result<Vec<Value>, Error> {
    let Some(version) = versions.of(kind) else { return Ok(Vec::new()) };
    let path = path(&version, kind, namespace);
    let (mut objects, mut next) = (Vec::new(), String::new());
    loop {
        let page = if next.is_empty() { String::new() } else { format!("&continue={next}") };
        let request = Request::get(format!("{path}?limit={PAGE}{page}")).body(Vec::new()).map_err(Error::HttpError)?;
        let mut answer: Value = match client.request(request).await {
            Err(error) if refusal::is_missing(&error) => return Ok(objects),
            answer => answer?,
        };
        next = answer.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
        let items = answer.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        objects.extend(items.into_iter().map(|mut object| {
            if let Some(fields) = object.as_object_mut() {
                fields.insert("apiVersion".to_owned(), version.as_str().into());
                fields.insert("kind".to_owned(), kind.name.into());
            }
            object
        }));
        if next.is_empty() {
            return Ok(objects);
        }
    }
}
