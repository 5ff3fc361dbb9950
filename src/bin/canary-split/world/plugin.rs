//! A plugin with this filter, and the good rules of its config.

use super::api_match::Precedence;
use super::gateway::Gateway;
use super::gateway_api::NAME_LABEL;
use super::labels::Labels;
use super::namespace::{ROOT_NAMESPACE, is_same_namespace};
use super::routing::Routing;
use crate::input::manifest::{Carrier, GATEWAY_API, Object, PluginConfig};
use crate::input::yaml::Node;
use crate::report::plan::ever_has_weight;
use canary_split::config::General;
use canary_split::rule::hosts::HostPattern;
use canary_split::rule::{Rule, Target};
use canary_split::subset::Subset;
use std::ops::Range;

/// A plugin, or a bare config.
#[derive(Debug)]
pub struct Plugin {
    /// Its config, and the place of that.
    pub config: PluginConfig,
    /// The request header that it writes; `None` if the whole config is refused.
    pub header: Option<String>,
    /// Whether it has a seal.
    pub has_seal: bool,
    /// Its good rules, with their places in the list.
    pub rules: Vec<(usize, Rule)>,
    /// Whether all its rules are good.
    pub is_whole: bool,
}

/// A subset that a rule names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'r> {
    /// Its name, and the value of the header.
    pub subset: &'r Subset,
    /// Whether a request can get it now or later in a ramp: not with a weight of 0, unless visitors are kept there.
    pub is_chosen: bool,
    /// Whether it is stable: it holds whatever the others do not.
    pub is_stable: bool,
}

impl Plugin {
    /// Reads the good part of a config.
    pub fn new(config: PluginConfig) -> Plugin {
        let text = config.json();
        let (mut header, mut has_seal, mut rules, mut is_whole) = (None, false, Vec::new(), false);
        if let Ok((general, errors)) = General::parse(text.as_bytes()) {
            is_whole = errors.is_empty();
            for (place, entry) in general.rules().enumerate() {
                match entry.rule {
                    Ok(rule) => rules.push((place, rule)),
                    Err(_) => is_whole = false,
                }
            }
            has_seal = general.seal.is_some();
            header = Some(general.headers.request);
        }
        Plugin { config, header, has_seal, rules, is_whole }
    }

    /// The request headers that only it writes.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let adopted = self.rules.iter().filter_map(|(_, rule)| match &rule.target {
            Target::Adopted(adopted) => Some(&*adopted.header),
            Target::Fixed(_) | Target::Split(_) => None,
        });
        self.header.as_deref().into_iter().chain(adopted)
    }

    /// The object; for a bare config none exists.
    pub fn object(&self) -> Option<&Object> {
        self.config.object.as_ref()
    }

    /// The module's part of the object.
    pub fn module(&self) -> Option<&Node> {
        self.config.module()
    }

    /// Whether it is a policy of Envoy Gateway, which is on routes and not on pods.
    pub fn is_policy(&self) -> bool {
        self.object().is_some() && matches!(self.config.carrier, Carrier::Policy(_))
    }

    /// Who orders the routes of the Gateway API that it is on.
    pub fn precedence(&self) -> Precedence {
        if self.is_policy() { Precedence::EnvoyGateway } else { Precedence::Istio }
    }

    /// The labels of the pods that it selects; `None` if it does not select by labels.
    pub fn selector(&self) -> Option<Labels<'_>> {
        Labels::of(self.object()?.at(&["spec", "selector", "matchLabels"])?)
    }

    /// The targets that it names instead of selecting pods by labels.
    pub fn targets(&self) -> Vec<&Node> {
        self.object().map_or_else(Vec::new, targets)
    }

    /// Whether it may run on the pods of a gateway.
    pub fn may_be_on(&self, gateway: &Gateway) -> bool {
        if gateway.is_of_api() {
            return self.may_be_at(&gateway.object.namespace, &gateway.object.name);
        }
        !self.is_policy() && self.selector().is_none_or(|selector| selector.contradiction(&gateway.selector).is_none())
    }

    /// Whether it may run on the pods of a Gateway of the Gateway API.
    pub fn may_be_at(&self, namespace: &str, name: &str) -> bool {
        let Some(object) = self.object() else { return true };
        let is_there = is_same_namespace(&object.namespace, namespace);
        let targets = self.targets();
        if self.is_policy() || !targets.is_empty() {
            let may_be = |target: &&Node| {
                let target = Aim::of(target);
                if target.is("Gateway", GATEWAY_API) {
                    return is_there && target.name == name && is_same_namespace(target.namespace, namespace);
                }
                // A route's gateways may be in any namespace.
                self.is_policy()
            };
            return targets.iter().any(may_be) || !self.target_selectors().is_empty();
        }
        let labels = self.selector().unwrap_or_default();
        let is_its = labels.get(NAME_LABEL).is_none_or(|own| own == name);
        is_its && (is_there || object.namespace == ROOT_NAMESPACE)
    }

    /// The selectors by which a policy of Envoy Gateway finds its targets.
    pub fn target_selectors(&self) -> &[Node] {
        self.object().map_or(&[], |object| object.items(&["spec", "targetSelectors"]))
    }

    /// Whether a policy of Envoy Gateway is on all routes of an object, by its name or by its gateway's.
    pub fn covers(&self, routing: &Routing) -> bool {
        let own = self.object().map_or("", |policy| &policy.namespace);
        let is_gateway = |target: &&Node| {
            let target = Aim::of(target);
            let mut gateways = routing.parents.iter().filter(|parent| is_same_namespace(parent.namespace, own));
            target.is("Gateway", GATEWAY_API) && gateways.any(|parent| parent.name == target.name)
        };
        self.covers_by_name(routing) || self.may_cover_anything() || self.targets().iter().any(is_gateway)
    }

    /// Whether a policy of Envoy Gateway is where a selector finds something, or at a set of listeners.
    fn may_cover_anything(&self) -> bool {
        let is_unknown = |target: &&Node| Aim::of(target).is("ListenerSet", GATEWAY_API);
        !self.target_selectors().is_empty() || self.targets().iter().any(is_unknown)
    }

    /// The namespace of a policy of Envoy Gateway, and the names that all routes have which it covers, or their gateways; `None`: it
    /// may cover anything.
    pub fn names_covered(&self) -> Option<(&str, impl Iterator<Item = &str>)> {
        let names = self.targets().into_iter().map(|target| Aim::of(target).name);
        Some((self.object().map_or("", |policy| &policy.namespace), names)).filter(|_| !self.may_cover_anything())
    }

    /// Whether a policy of Envoy Gateway names a route.
    pub fn covers_by_name(&self, routing: &Routing) -> bool {
        self.object()
            .is_some_and(|policy| targets(policy).into_iter().any(|target| Aim::of(target).names(policy, routing)))
    }

    /// Where the module is to be fetched, and its digest.
    pub fn url(&self) -> (Option<&Node>, Option<&Node>) {
        let module = self.module();
        let of = |key: &str| {
            let places = [&[][..], &["code", "image"], &["code", "http"]];
            places.into_iter().find_map(|place| module?.at(place)?.get(key))
        };
        (of("url"), of("sha256"))
    }

    /// The place of a host of a rule.
    pub fn place_of_host(&self, rule: usize, host: usize) -> Range<usize> {
        self.config.locate(&format!("rules[{rule}].hosts[{host}]"), false)
    }

    /// The place of a part of a rule.
    pub fn place_in(&self, rule: &Rule, what: &str) -> Range<usize> {
        let place = self.rules.iter().find(|(_, own)| std::ptr::eq(own, rule)).map_or(0, |(place, _)| *place);
        self.config.locate(&format!("rules[{place}].{what}"), false)
    }

    /// The subsets that a rule names.
    pub fn subsets<'r>(&self, rule: &'r Rule) -> Vec<Named<'r>> {
        match &rule.target {
            Target::Fixed(subset) => {
                let is_stable =
                    self.rules.iter().any(|(_, rule)| stable(rule).is_some_and(|name| *name == *subset.name));
                vec![Named { subset, is_chosen: true, is_stable }]
            }
            Target::Adopted(_) => Vec::new(),
            Target::Split(split) => {
                let keeps = split.sticky.as_ref().is_some_and(|sticky| sticky.keep.is_some());
                let named = |(place, subset): (usize, &'r Subset)| Named {
                    subset,
                    is_chosen: ever_has_weight(split, place) || keeps,
                    is_stable: place == 0,
                };
                split.subsets.iter().enumerate().map(named).collect()
            }
        }
    }
}

fn stable(rule: &Rule) -> Option<&str> {
    if let Target::Split(split) = &rule.target { split.subsets.first().map(|subset| &*subset.name) } else { None }
}

/// What a plugin or a policy aims at.
pub fn targets(object: &Object) -> Vec<&Node> {
    let one = object.at(&["spec", "targetRef"]).filter(|target| !target.entries().is_empty());
    let several = object.items(&["spec", "targetRefs"]);
    if several.is_empty() { one.into_iter().collect() } else { several.iter().collect() }
}

/// One of these.
#[derive(Clone, Copy, Debug)]
pub struct Aim<'o> {
    /// `kind`
    pub kind: &'o str,
    /// `group`
    pub group: &'o str,
    /// `name`
    pub name: &'o str,
    /// `namespace`; empty: its own.
    pub namespace: &'o str,
}

impl<'o> Aim<'o> {
    /// Reads an entry of `targetRefs`.
    pub fn of(target: &'o Node) -> Aim<'o> {
        let text = |key: &str| target.get(key).and_then(Node::text).unwrap_or_default();
        Aim { kind: text("kind"), group: text("group"), name: text("name"), namespace: text("namespace") }
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: &str, group: &str) -> bool {
        (self.kind, self.group) == (kind, group)
    }

    /// Whether it is a Service.
    pub fn is_service(&self) -> bool {
        ["", "core"].contains(&self.group) && self.kind == "Service"
    }

    /// Whether it is all waypoints, for a plugin in Istio's root namespace.
    pub fn is_class_of_waypoints(&self) -> bool {
        self.is("GatewayClass", GATEWAY_API) && self.name == "istio-waypoint"
    }

    /// Whether it is a route, for a policy of this name.
    pub fn names(&self, policy: &Object, routing: &Routing) -> bool {
        let object = routing.object;
        self.is(object.kind, GATEWAY_API)
            && self.name == object.name
            && is_same_namespace(&policy.namespace, &object.namespace)
    }
}

/// The hosts of a rule as a VirtualService would write them.
pub fn hosts(rule: &Rule) -> Vec<String> {
    let written = |host: &HostPattern| match host {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Below(domain) => format!("*.{domain}"),
        HostPattern::Any => "*".to_owned(),
    };
    if rule.hosts.is_empty() { vec!["*".to_owned()] } else { rule.hosts.iter().map(written).collect() }
}
