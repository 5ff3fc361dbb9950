//! Namespaces in files.

/// The namespace whose plugins are on every gateway, unless the mesh is configured otherwise.
pub const ROOT_NAMESPACE: &str = "istio-system";

/// Whether two namespaces may be the same; an empty one is the namespace that everything is applied to.
pub fn is_same_namespace(one: &str, other: &str) -> bool {
    one == other || one.is_empty() || other.is_empty()
}
