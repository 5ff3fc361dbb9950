//! Names of Gateways as VirtualServices write them.

use super::namespace::is_same_namespace;
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use std::collections::HashMap;

/// The name for all sidecars.
pub const MESH: &str = "mesh";

/// The namespace and the name that Istio reads in a VirtualService of this namespace: `NAMESPACE/NAME`, `./NAME`, `NAME`, and the
/// old form `NAME.NAMESPACE`, with anything after it.
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

/// The Gateways that a VirtualService names, without sidecars.
#[derive(Debug)]
pub struct Gateways<'o> {
    by_name: HashMap<&'o str, Vec<&'o str>>,
    own: &'o str,
    /// Their number.
    pub count: usize,
}

impl<'o> Gateways<'o> {
    /// Reads them.
    pub fn of(object: &'o Object) -> Gateways<'o> {
        let names = object.items(&["spec", "gateways"]).iter().filter_map(Node::text).filter(|name| *name != MESH);
        let mut gateways = Gateways { by_name: HashMap::new(), own: &object.namespace, count: 0 };
        for (namespace, name) in names.map(|name| resolved(name, &object.namespace)) {
            gateways.by_name.entry(name).or_default().push(namespace);
            gateways.count += 1;
        }
        gateways
    }

    /// Whether an entry of a route's `match` may be met at one of them. A delegate does not say at which gateways it is met.
    pub fn may_meet(&self, entry: &Node) -> bool {
        let named = entry.get("gateways").map_or(&[][..], Node::items);
        let is_one = |written: &str| {
            let (namespace, name) = resolved(written, self.own);
            let mut known = self.by_name.get(name).into_iter().flatten();
            self.count == 0 || known.any(|known| is_same_namespace(known, namespace))
        };
        named.is_empty() || named.iter().any(|name| name.text().is_none_or(|name| name != MESH && is_one(name)))
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
