//! Which controller writes the weights of a VirtualService or a route of the Gateway API.

use crate::input::manifest::{Object, Objects};
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::namespace::is_same_namespace;
use crate::world::routing::VirtualService;

/// A controller, and by what it is known.
pub struct Owner<'o> {
    /// What it is called.
    pub name: &'static str,
    /// Where that can be seen.
    pub by: String,
    /// The same in the VirtualService, if it is there.
    pub node: Option<&'o Node>,
}

impl Owner<'_> {
    /// The kind of the object by which it is told what to do.
    pub fn kind(&self) -> &'static str {
        if self.name == FLAGGER { "Canary" } else { "Rollout" }
    }
}

/// Why weights of the Gateway API cannot be adopted.
pub const NOT_ADOPTED: &str = "while one backend has all of the weight, Istio makes a plain cluster of the rule, and an Envoy that is to pick by a header there refuses all routes of the port";

/// By which Argo Rollouts writes weights of the Gateway API.
pub const GATEWAY_API_PLUGIN: &str = "argoproj-labs/gatewayAPI";

/// Whose routes have no names.
pub const FLAGGER: &str = "Flagger";
const ROLLOUTS: &str = "Argo Rollouts";

/// By what names of labels, annotations and managers a controller is known.
const MARKS: [(&str, &str); 5] = [
    ("flagger", FLAGGER),
    ("argo-rollouts", ROLLOUTS),
    ("rollouts-", ROLLOUTS),
    ("rollout.argoproj.io", ROLLOUTS),
    ("rollouts.argoproj.io", ROLLOUTS),
];

/// Looks for one.
pub fn of<'o>(objects: &Objects, world: &World, service: &VirtualService<'o>) -> Option<Owner<'o>> {
    own_marks(service.object).or_else(|| given(objects, service.object)).or_else(|| marked_rule(world, service))
}

/// Looks for the one of a route of the Gateway API.
pub fn of_route<'o>(objects: &Objects, route: &'o Object) -> Option<Owner<'o>> {
    own_marks(route).or_else(|| canary(objects, route, |provider| provider != "istio")).or_else(|| {
        let (one, several) = (route.kind.replace("Route", "").to_ascii_lowercase() + "Route", "Routes");
        let names_it = |rollout: &&Object| {
            let plugins = rollout.at(&["spec", "strategy", "canary", "trafficRouting", "plugins"]);
            let Some(plugin) = plugins.and_then(|plugins| plugins.get(GATEWAY_API_PLUGIN)) else {
                return false;
            };
            let namespace = plugin.get("namespace").and_then(Node::text).unwrap_or(&rollout.namespace);
            let list = plugin.get(&one.replace("Route", several)).map_or(&[][..], Node::items);
            let names = list.iter().filter_map(|entry| entry.get("name"));
            let mut names = plugin.get(&one).into_iter().chain(names).filter_map(Node::text);
            is_same_namespace(namespace, &route.namespace) && names.any(|name| name == route.name)
        };
        let rollout = objects.of_kind("Rollout").find(names_it)?;
        Some(Owner { name: ROLLOUTS, by: rollout.title(), node: None })
    })
}

fn marked(text: &str) -> Option<&'static str> {
    MARKS.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
}

/// By what is in the metadata.
pub fn own_marks(object: &Object) -> Option<Owner<'_>> {
    for owner in object.items(&["metadata", "ownerReferences"]) {
        let text = |key: &str| owner.get(key).and_then(Node::text).unwrap_or_default();
        let name = match (text("apiVersion").split('/').next(), text("kind")) {
            (Some("flagger.app"), _) => FLAGGER,
            (Some("argoproj.io"), "Rollout") => ROLLOUTS,
            _ => continue,
        };
        return Some(Owner {
            name,
            by: format!("ownerReferences: {} {}", text("kind"), text("name")),
            node: Some(owner),
        });
    }
    for map in ["labels", "annotations"] {
        for (key, value) in object.at(&["metadata", map]).map_or(&[][..], Node::entries) {
            let of_value = || value.text().filter(|_| key.name.ends_with("/managed-by")).and_then(marked);
            if let Some(name) = marked(&key.name).or_else(of_value) {
                return Some(Owner { name, by: format!("{map}: {}", key.name), node: Some(value) });
            }
        }
    }
    let fields = object.items(&["metadata", "managedFields"]).iter();
    let mut managers = fields.filter_map(|field| field.get("manager").and_then(|node| Some((node, node.text()?))));
    managers.find_map(|(node, manager)| {
        marked(manager).map(|name| Owner { name, by: format!("managedFields: {manager}"), node: Some(node) })
    })
}

/// By a Canary for routes of this name, with a provider of which this is true; without one it is the controller's default.
fn canary<'o>(objects: &Objects, service: &Object, is_it: fn(&str) -> bool) -> Option<Owner<'o>> {
    let canaries = objects.unknown.iter().filter(|unknown| {
        let is_its = |keys: &[&str]| unknown.node.at(keys).and_then(Node::text) == Some(&service.name);
        unknown.node.get("apiVersion").and_then(Node::text).is_some_and(|group| group.starts_with("flagger.app/"))
            && unknown.node.get("kind").and_then(Node::text) == Some("Canary")
            && is_same_namespace(&unknown.namespace, &service.namespace)
            && unknown.node.at(&["spec", "provider"]).and_then(Node::text).is_none_or(is_it)
            && (is_its(&["metadata", "name"])
                || is_its(&["spec", "service", "name"])
                || is_its(&["spec", "targetRef", "name"]))
    });
    let name = |node: &Node| node.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default().to_owned();
    let canary = canaries.into_iter().next()?;
    Some(Owner { name: FLAGGER, by: format!("Canary {}", name(&canary.node)), node: None })
}

/// By an object that names the VirtualService.
fn given<'o>(objects: &Objects, service: &Object) -> Option<Owner<'o>> {
    if let Some(owner) = canary(objects, service, |provider| !provider.starts_with("gatewayapi")) {
        return Some(owner);
    }
    let names_it = |rollout: &&Object| {
        let Some(istio) = rollout.at(&["spec", "strategy", "canary", "trafficRouting", "istio"]) else { return false };
        let several = istio.get("virtualServices").map_or(&[][..], Node::items);
        let mut names =
            istio.get("virtualService").into_iter().chain(several).filter_map(|one| one.get("name")?.text());
        names.any(|name| match name.split_once('.') {
            Some((name, namespace)) => name == service.name && is_same_namespace(namespace, &service.namespace),
            None => name == service.name && is_same_namespace(&rollout.namespace, &service.namespace),
        })
    };
    let rollout = objects.of_kind("Rollout").find(names_it)?;
    Some(Owner { name: ROLLOUTS, by: rollout.title(), node: None })
}

/// By the subsets that it leads to.
fn marked_rule<'o>(world: &World, service: &VirtualService<'o>) -> Option<Owner<'o>> {
    let destinations = service.routes.iter().flat_map(|route| &route.destinations);
    let rules = destinations.flat_map(|destination| world.rules_of(destination));
    let mut marks = rules.filter_map(|rule| {
        let labels = rule.subsets().filter_map(|subset| subset.get("labels"));
        let annotations = rule.object.at(&["metadata", "annotations"]);
        let mut keys = labels.chain(annotations).flat_map(Node::entries).map(|(key, _)| &*key.name);
        let mark = keys.find(|key| marked(key).is_some())?;
        Some((marked(mark)?, format!("{mark} in {}", rule.object.title())))
    });
    let (name, by) = marks.next()?;
    Some(Owner { name, by, node: None })
}
