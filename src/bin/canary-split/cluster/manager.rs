//! Controllers that also write an object and will revert a live edit.

use serde::Serialize;
use serde_json::Value;

/// A controller that applies objects from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// Argo CD.
    ArgoCd,
    /// Flux.
    Flux,
    /// Helm.
    Helm,
}

impl Manager {
    /// Its name, and when it reverts a live edit.
    pub fn said(self) -> &'static str {
        match self {
            Manager::ArgoCd => {
                "Argo CD, which reverts a live edit at its next sync unless self-healing is off or the field is ignored"
            }
            Manager::Flux => "Flux, which reverts a live edit at its next reconciliation",
            Manager::Helm => "Helm, whose next upgrade may revert a live edit",
        }
    }

    /// The manager of an object, by its labels and annotations, or by the field manager that applied it.
    pub fn of(object: &Value) -> Option<Manager> {
        let has = |map: &str, names: &[&str]| {
            let map = object.pointer(map).and_then(Value::as_object);
            map.is_some_and(|map| names.iter().any(|name| map.contains_key(*name)))
        };
        let (labels, annotations) = ("/metadata/labels", "/metadata/annotations");
        let managed_by = object.pointer("/metadata/labels/app.kubernetes.io~1managed-by").and_then(Value::as_str);
        let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let managers: Vec<&str> =
            fields.into_iter().flatten().filter_map(|field| field.get("manager")?.as_str()).collect();
        let writes = |names: &[&str]| managers.iter().any(|manager| names.contains(manager));
        if has(annotations, &["argocd.argoproj.io/tracking-id"])
            || has(labels, &["argocd.argoproj.io/instance"])
            || writes(&["argocd-controller", "argocd-application-controller"])
        {
            return Some(Manager::ArgoCd);
        }
        let flux = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
        if has(labels, &flux) || writes(&["kustomize-controller", "helm-controller"]) {
            return Some(Manager::Flux);
        }
        let is_helms =
            managed_by == Some("Helm") || has(annotations, &["meta.helm.sh/release-name"]) || writes(&["helm"]);
        is_helms.then_some(Manager::Helm)
    }
}

#[cfg(test)]
mod tests {
    use super::Manager;
    use serde_json::json;

    #[test]
    fn a_manager_is_known_by_its_marks() {
        for (metadata, expected) in [
            (json!({}), None),
            (json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), Some(Manager::Helm)),
            (json!({"labels": {"app.kubernetes.io/managed-by": "me"}}), None),
            (json!({"annotations": {"meta.helm.sh/release-name": "shop"}}), Some(Manager::Helm)),
            (json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}), Some(Manager::Flux)),
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "Helm", "helm.toolkit.fluxcd.io/name": "shop"}}),
                Some(Manager::Flux),
            ),
            (json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:…"}}), Some(Manager::ArgoCd)),
            (json!({"labels": {"argocd.argoproj.io/instance": "shop"}}), Some(Manager::ArgoCd)),
            (
                json!({"managedFields": [{"manager": "kubectl"}, {"manager": "argocd-controller"}]}),
                Some(Manager::ArgoCd),
            ),
            (json!({"managedFields": [{"manager": "kustomize-controller"}]}), Some(Manager::Flux)),
            (json!({"managedFields": [{"manager": "helm"}]}), Some(Manager::Helm)),
            (json!({"managedFields": [{"manager": "kubectl-client-side-apply"}]}), None),
        ] {
            assert_eq!(Manager::of(&json!({ "metadata": metadata })), expected, "{metadata}");
        }
    }
}
