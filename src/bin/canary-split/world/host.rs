//! Names of hosts, as Istio compares and completes them.

use super::namespace::is_same_namespace;

/// Whether both include a common host; a `*` at the beginning means anything.
pub fn overlap(one: &str, other: &str) -> bool {
    match (one.strip_prefix('*'), other.strip_prefix('*')) {
        (Some(one), Some(other)) => ends_with(one, other) || ends_with(other, one),
        (Some(end), None) => ends_with(other, end),
        (None, Some(end)) => ends_with(one, end),
        (None, None) => one.eq_ignore_ascii_case(other),
    }
}

/// Whether the first includes all hosts of the second.
pub fn covers(wide: &str, narrow: &str) -> bool {
    match (wide.strip_prefix('*'), narrow.strip_prefix('*')) {
        (Some(wide), Some(narrow)) => ends_with(narrow, wide),
        (None, Some(_)) => false,
        (_, None) => overlap(wide, narrow),
    }
}

/// Whether a host of a VirtualService of this namespace is this host; Istio completes names without a dot.
pub fn is_host_of(own: &str, namespace: &str, host: &str) -> bool {
    let completed = || format!("{own}.{namespace}.svc.cluster.local");
    own.eq_ignore_ascii_case(host) || !own.contains('.') && own != "*" && completed().eq_ignore_ascii_case(host)
}

fn ends_with(host: &str, end: &str) -> bool {
    let start = host.len().checked_sub(end.len());
    start.and_then(|start| host.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// A Service as a destination names it.
#[derive(Clone, Copy, Debug)]
pub struct ServiceName<'n> {
    /// `metadata.name`
    pub name: &'n str,
    /// Its namespace; empty: the one that everything is applied to.
    pub namespace: &'n str,
}

impl<'n> ServiceName<'n> {
    /// The Service that a destination in an object of this namespace means: a name without a dot is completed, any other must be
    /// complete.
    pub fn of(host: &'n str, namespace: &'n str) -> Option<ServiceName<'n>> {
        let mut parts = host.splitn(4, '.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(name), None, ..) if !name.is_empty() && name != "*" => Some(ServiceName { name, namespace }),
            (Some(name), Some(namespace), Some("svc"), Some(domain)) if name != "*" && !domain.is_empty() => {
                Some(ServiceName { name, namespace })
            }
            _ => None,
        }
    }

    /// Whether both are the same Service.
    pub fn is(&self, other: &ServiceName) -> bool {
        self.name == other.name && is_same_namespace(self.namespace, other.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::{ServiceName, covers, overlap};

    #[test]
    fn wildcards_overlap_as_in_istio() {
        let table = [
            ("a.example.com", "A.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "b.a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "*.a.example.com", true),
            ("*.example.com", "*.example.org", false),
            ("*", "anything", true),
            ("a.example.com", "b.example.com", false),
        ];
        for (one, other, expected) in table {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn a_wildcard_covers_narrower_ones() {
        let table = [
            ("*.example.com", "*.a.example.com", true),
            ("*.a.example.com", "*.example.com", false),
            ("*.example.com", "*.example.com", true),
            ("*", "*.example.com", true),
            ("*.example.com", "a.Example.com", true),
            ("a.example.com", "*.example.com", false),
            ("a.example.com", "a.example.com", true),
            ("a.example.com", "b.example.com", false),
        ];
        for (wide, narrow, expected) in table {
            assert_eq!(covers(wide, narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_short_name_is_completed_and_a_half_one_is_not() {
        let table = [
            ("httpbin", Some(("httpbin", "canary"))),
            ("httpbin.other.svc.cluster.local", Some(("httpbin", "other"))),
            ("httpbin.other.svc.example.org", Some(("httpbin", "other"))),
            ("httpbin.other", None),
            ("httpbin.other.svc", None),
            ("www.example.com", None),
            ("*.other.svc.cluster.local", None),
            ("*", None),
            ("", None),
        ];
        for (host, expected) in table {
            let service = ServiceName::of(host, "canary").map(|service| (service.name, service.namespace));
            assert_eq!(service, expected, "{host}");
        }
    }
}
