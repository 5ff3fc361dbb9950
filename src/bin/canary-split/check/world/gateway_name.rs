//! Names of Gateways as VirtualServices write them.

/// What is written for all sidecars.
pub const MESH: &str = "mesh";

/// The namespace and the name that Istio reads in a VirtualService of this namespace: `NAMESPACE/NAME`, `./NAME`, `NAME`, and as
/// of old `NAME.NAMESPACE`, with anything after it.
pub fn resolved<'n>(written: &'n str, own: &'n str) -> (&'n str, &'n str) {
    match written.split_once('/') {
        Some((".", name)) => (own, name),
        Some((namespace, name)) => (namespace, name),
        None => match written.split_once('.') {
            Some((name, rest)) => (rest.split('.').next().unwrap_or(rest), name),
            None => (own, written),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn names_are_read_as_in_istio() {
        let table = [
            ("public", ("shop", "public")),
            ("./public", ("shop", "public")),
            ("edge/public", ("edge", "public")),
            ("edge/public.example", ("edge", "public.example")),
            ("public.edge", ("edge", "public")),
            ("public.edge.svc", ("edge", "public")),
            ("public.edge.svc.cluster.local", ("edge", "public")),
        ];
        for (written, expected) in table {
            assert_eq!(resolved(written, "shop"), expected, "{written}");
        }
    }
}
