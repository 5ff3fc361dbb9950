//! The subsets and Services that routes use, and the pods behind subsets that are no longer used.

use crate::edit::{Edit, Step};
use crate::input::manifest::Object;
use crate::world::World;
use crate::world::host::ServiceName;
use crate::world::labels::Labels;
use crate::world::namespace::is_same_namespace;
use crate::world::service::DestinationRule;
use serde_json::Value;

/// A destination of a route, of a connection or of copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// The Service, or another host.
    host: Host,
    /// Empty: all of it.
    pub subset: String,
}

#[derive(Clone, Debug)]
enum Host {
    Service { name: String, namespace: String },
    Other(String),
}

/// An object without a namespace may be in any.
impl PartialEq for Host {
    fn eq(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Service { name, namespace }, Host::Service { name: other, namespace: others }) => {
                name == other && is_same_namespace(namespace, others)
            }
            (Host::Other(own), Host::Other(other)) => own.eq_ignore_ascii_case(other),
            _ => false,
        }
    }
}

impl Host {
    fn of(host: &str, namespace: &str) -> Host {
        match ServiceName::of(host, namespace) {
            Some(ServiceName { name, namespace }) => {
                Host::Service { name: name.to_owned(), namespace: namespace.to_owned() }
            }
            None => Host::Other(host.to_owned()),
        }
    }
}

impl Used {
    /// All destinations below a value of a routing in this namespace, including those without a weight.
    pub fn all(value: &Value, namespace: &str) -> Vec<Used> {
        let mut all = Vec::new();
        collect(value, namespace, &mut all);
        all
    }

    /// A backend of the Gateway API, if it is a Service.
    fn of_backend(backend: &Value, namespace: &str) -> Option<Used> {
        let text = |key: &str| backend.get(key).and_then(Value::as_str);
        let is_service = text("kind").is_none_or(|kind| kind == "Service");
        let namespace = text("namespace").unwrap_or(namespace).to_owned();
        let host = Host::Service { name: text("name").filter(|_| is_service)?.to_owned(), namespace };
        Some(Used { host, subset: String::new() })
    }

    /// Whether a DestinationRule is for its host.
    pub fn is_of(&self, rule: &DestinationRule) -> bool {
        !rule.is_wildcard() && Host::of(rule.host, &rule.object.namespace) == self.host
    }

    /// The workloads that only it led to.
    pub fn idle<'o>(&self, world: &World<'o>, still: &[Used]) -> Vec<&'o Object> {
        let Host::Service { name, namespace } = &self.host else { return Vec::new() };
        let labels = |used: &Used| -> Option<Labels<'o>> {
            let rule = world.destination_rules.iter().find(|rule| used.is_of(rule))?;
            let subset = rule.subset(&used.subset)?;
            subset.get("labels").map_or(Some(Labels::default()), Labels::of)
        };
        let own = if self.subset.is_empty() { Some(Labels::default()) } else { labels(self) };
        let Some(own) = own else { return Vec::new() };
        let services = world.services_called(&ServiceName { name, namespace });
        let all = services.iter().flat_map(|service| world.pods_behind(service));
        let is_used = |pods: &Labels| {
            let same = still.iter().filter(|used| used.host == self.host);
            same.into_iter()
                .any(|used| used.subset.is_empty() || labels(used).is_none_or(|labels| labels.selects(pods)))
        };
        let is_elsewhere = |object: &Object| {
            // Another Service that is in use may select them.
            still.iter().filter(|used| used.host != self.host).any(|used| match &used.host {
                Host::Service { name, namespace } => world
                    .services_called(&ServiceName { name, namespace })
                    .iter()
                    .any(|service| world.pods_behind(service).iter().any(|pods| std::ptr::eq(pods.object, object))),
                Host::Other(_) => false,
            })
        };
        let idle = all.filter(|pods| own.selects(&pods.labels) && !is_used(&pods.labels) && pods.is_serving());
        idle.map(|pods| pods.object).filter(|object| !is_elsewhere(object)).collect()
    }
}

fn collect(value: &Value, namespace: &str, all: &mut Vec<Used>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let text = |key: &str| inner.get(key).and_then(Value::as_str);
                if let (true, Some(host)) = (["destination", "mirror"].contains(&name.as_str()), text("host")) {
                    let subset = text("subset").unwrap_or_default().to_owned();
                    all.push(Used { host: Host::of(host, namespace), subset });
                }
                let backends = match (name.as_str(), inner) {
                    ("backendRefs", Value::Array(backends)) => backends.as_slice(),
                    ("backendRef", backend) => std::slice::from_ref(backend),
                    _ => &[],
                };
                all.extend(backends.iter().filter_map(|backend| Used::of_backend(backend, namespace)));
                collect(inner, namespace, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, namespace, all)),
        _ => {}
    }
}

/// The edits that remove these subsets from a DestinationRule.
pub fn without(rule: &DestinationRule, gone: &[Used]) -> Vec<Edit> {
    let is_gone = |name: Option<&str>| gone.iter().any(|used| used.is_of(rule) && name == Some(&*used.subset));
    let subsets = rule.subsets().enumerate();
    let gone = subsets.filter(|(_, subset)| is_gone(subset.get("name").and_then(crate::input::yaml::Node::text)));
    let remove = |(at, _)| Edit::remove(vec!["spec".into(), "subsets".into(), Step::Item(at)]);
    let mut edits: Vec<Edit> = gone.map(remove).collect();
    // From the last one backwards, so that the places of the others stay.
    edits.reverse();
    edits
}
