//! Which objects make or represent pods, and which do not.

use super::service::Workload;
use crate::input::manifest::{GATEWAY_API, Object, Objects};
use crate::input::yaml::Node;
use std::collections::HashSet;

/// API groups without such kinds.
const GROUPS: [&str; 52] = [
    "acme.cert-manager.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "autoscaling.k8s.io",
    "bitnami.com",
    "cert-manager.io",
    "certificates.k8s.io",
    "cilium.io",
    "cloud.google.com",
    "config.istio.io",
    "configuration.konghq.com",
    "constraints.gatekeeper.sh",
    "coordination.k8s.io",
    "crd.projectcalico.org",
    "discovery.k8s.io",
    "elbv2.k8s.aws",
    "events.k8s.io",
    "extensions.istio.io",
    "external-secrets.io",
    "externaldns.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "gateway.networking.k8s.io",
    "generators.external-secrets.io",
    "getambassador.io",
    "grafana.integreatly.org",
    "image.toolkit.fluxcd.io",
    "kustomize.config.k8s.io",
    "kyverno.io",
    "metrics.k8s.io",
    "networking.gke.io",
    "networking.k8s.io",
    "node.k8s.io",
    "notification.toolkit.fluxcd.io",
    "policy",
    "projectcalico.org",
    "projectcontour.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "secrets-store.csi.x-k8s.io",
    "security.istio.io",
    "snapshot.storage.k8s.io",
    "source.toolkit.fluxcd.io",
    "storage.k8s.io",
    "telemetry.istio.io",
    "templates.gatekeeper.sh",
    "traefik.io",
    "trust.cert-manager.io",
    "wgpolicyk8s.io",
];

/// Kinds of other groups that do not.
const KINDS: [(&str, &str); 14] = [
    ("networking.istio.io", "EnvoyFilter"),
    ("networking.istio.io", "ProxyConfig"),
    ("networking.istio.io", "Sidecar"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "Probe"),
    ("monitoring.coreos.com", "PrometheusRule"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("keda.sh", "ScaledObject"),
    ("keda.sh", "TriggerAuthentication"),
    ("argoproj.io", "AnalysisTemplate"),
    ("argoproj.io", "AppProject"),
    ("extensions", "Ingress"),
    ("extensions", "NetworkPolicy"),
    ("opentelemetry.io", "Instrumentation"),
];

/// Whether an object of an unknown kind may make or represent pods.
fn may_make_pods(node: &Node) -> bool {
    let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    // The makers of pods in the core group are known.
    let Some((group, _)) = version.split_once('/') else { return version != "v1" };
    let is_gateway = (group, kind) == (GATEWAY_API, "Gateway");
    is_gateway || !GROUPS.contains(&group) && !KINDS.contains(&(group, kind))
}

/// The namespaces of pods with unknown labels: another object has them, or only a template shows that an object of this kind
/// makes pods.
pub fn obscure(objects: &Objects) -> HashSet<&str> {
    let without_labels = objects.workloads().filter(|pods| Workload::of(pods).is_none()).map(|pods| &*pods.namespace);
    let has_template = |node: &Node| {
        let spec = node.get("spec").map_or(&[][..], Node::entries);
        spec.iter().any(|(key, _)| key.name.to_ascii_lowercase().ends_with("template"))
    };
    let makers = unknown(objects).filter(|maker| has_template(maker.node));
    without_labels.chain(makers.map(|maker| maker.namespace)).collect()
}

/// Whether an object in a cluster has no pods: an earlier version of a Deployment, or a pod that has ended.
pub fn is_past(object: &Object) -> bool {
    let replicas = object.at(&["spec", "replicas"]).and_then(Node::number);
    let is_earlier = !object.items(&["metadata", "ownerReferences"]).is_empty() && replicas == Some(0);
    match object.kind {
        "ReplicaSet" => is_earlier,
        "Pod" => object.text(&["status", "phase"]).is_some_and(|phase| ["Succeeded", "Failed"].contains(&phase)),
        _ => false,
    }
}

/// An object that may make pods with unknown labels.
#[derive(Clone, Copy, Debug)]
pub struct Maker<'o> {
    /// All of it.
    pub node: &'o Node,
    /// Its namespace; empty if it is not given.
    pub namespace: &'o str,
}

/// Objects of unknown kinds that may make pods, and the Gateways of the Gateway API, for which somebody makes them.
pub fn unknown(objects: &Objects) -> impl Iterator<Item = Maker<'_>> {
    let unknown = objects.unknown.iter().filter(|unknown| may_make_pods(&unknown.node));
    let unknown = unknown.map(|unknown| Maker { node: &unknown.node, namespace: &unknown.namespace });
    let gateways = objects.of_gateway_api("Gateway");
    unknown.chain(gateways.map(|gateway| Maker { node: &gateway.node, namespace: &gateway.namespace }))
}
