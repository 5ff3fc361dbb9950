//! What becomes of a unit: its rules, and the split that each of its routes goes by.

use super::alone;
use super::around;
use super::extra::Extras;
use super::owner;
use super::refusal::Refusal;
use super::rule::{self, Rule, Target, conditions, name, path_name, unique};
use super::unit::Unit;
use super::weighted::{self, Found, Weighted};
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::routing::VirtualService;
use canary_split::config::DEFAULT_HEADER;
use serde_json::Value;

/// The rules of a unit, and its routes.
#[derive(Debug)]
pub struct Plan<'w, 'o> {
    /// The VirtualServices that it is about.
    pub unit: Unit<'w, 'o>,
    /// In their order.
    pub rules: Vec<Rule>,
    /// The VirtualServices that have weights, with their routes.
    pub routes: Vec<(&'w VirtualService<'o>, Vec<Weighted<'o>>)>,
    /// The split's stable of each of these routes: by VirtualService and route.
    pub stables: Vec<Vec<String>>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// Plans; `None`: there are no weights.
pub fn of<'w, 'o>(
    objects: &Objects,
    world: &'w World<'o>,
    unit: Unit<'w, 'o>,
    stable: Option<&str>,
    extras: &Extras,
) -> Result<Option<Plan<'w, 'o>>, Refusal> {
    let mut routes = Vec::new();
    let mut to_one = None;
    for service in unit.members() {
        let Found { routes: found, to_one: one } = weighted::of(service.object, extras.of(service.object))?;
        to_one = to_one.or(one.map(|node| (service, node)));
        if !found.is_empty() {
            routes.push((service, found));
        }
    }
    let asking = unit.members().find_map(|service| Some((service, asked(service)?)));
    if let Some((service, node)) = asking.filter(|_| !routes.is_empty() || to_one.is_some()) {
        return Err(Refusal::at(
            service.object,
            node,
            format!("a match asks for {DEFAULT_HEADER}: it is converted already"),
        ));
    }
    let Some((first, first_routes)) = routes.first() else {
        let Some((service, node)) = to_one else { return Ok(None) };
        owned(objects, world, service, extras)?;
        let reason = "all of the weight is on one destination: there is nothing to convert";
        return Err(Refusal::at(service.object, node, reason));
    };
    for (service, _) in &routes {
        owned(objects, world, service, extras)?;
    }
    for root in &unit.roots {
        at_gateways(world, root)?;
    }
    let hosts = hosts(&unit.roots, extras)?;
    let mut notes = Vec::new();
    let base = name(&unit.roots.first().unwrap_or(first).object.name);
    let all: Vec<(&VirtualService, &Weighted)> =
        routes.iter().flat_map(|(service, own)| own.iter().map(move |route| (*service, route))).collect();
    let reference = first_routes.first();
    let differing = all.iter().find(|(_, route)| reference.is_some_and(|first| !first.is_alike(route)));
    let (mut rules, stables) = match (reference, differing) {
        (Some(reference), None) => {
            let split = split(first.object, reference, stable)?;
            let name_of_stable = split.first().map(|(name, _)| name.clone()).unwrap_or_default();
            let stables = routes.iter().map(|(_, own)| vec![name_of_stable.clone(); own.len()]).collect();
            let matches = if unit.delegates.is_empty() { only_for(first, first_routes) } else { Vec::new() };
            let rules = rule::of_route(&base, &hosts, &matches, reference, split);
            (rules.map_err(|reason| Refusal::at(first.object, reference.node, reason))?, stables)
        }
        (Some(reference), Some((service, other))) => {
            if let Some(delegate) = unit.delegates.first() {
                let reason = format!(
                    "other shares here ({}) than in http[{}] of {} ({}), and {} is a delegate, whose paths depend on who delegates; give all routes the same shares",
                    other.shown(),
                    reference.at,
                    first.object.title(),
                    reference.shown(),
                    delegate.object.title()
                );
                return Err(Refusal::at(service.object, other.node, reason));
            }
            let (rules, stables) = by_path(&base, &hosts, first, first_routes, stable)?;
            notes.push(format!(
                "{} has other shares on other paths, so it has {} rules: a visitor has a draw, and a cookie, for each of them",
                first.object.title(),
                rules.iter().filter(|rule| matches!(rule.target, Target::Split(_))).count()
            ));
            (rules, vec![stables])
        }
        (None, _) => return Ok(None),
    };
    if let ([root], [], [own]) = (unit.roots.as_slice(), unit.delegates.as_slice(), stables.as_slice()) {
        let elsewhere: Vec<String> =
            alone::elsewhere(root, first_routes).iter().map(|at| format!("http[{at}]")).collect();
        notes.extend(around::elsewhere(root.object, &elsewhere, &rules));
        let fixed = alone::of(&base, &hosts, root, first_routes, own, &rules);
        rules.splice(0..0, fixed);
    }
    Ok(Some(Plan { unit, rules, routes, stables, notes }))
}

/// Whether a controller writes the weights, and will go on to do so.
fn owned(objects: &Objects, world: &World, service: &VirtualService, extras: &Extras) -> Result<(), Refusal> {
    if extras.of(service.object).is_some_and(|known| known.is_left) {
        return Ok(());
    }
    let Some(owner) = owner::of(objects, world, service) else { return Ok(()) };
    let node = owner.node.or(service.object.at(&["metadata"])).unwrap_or(&service.object.node);
    let reason = format!(
        "{} owns these weights ({}), and would write them again; what fits is to adopt them: the owner moves the weights, and the filter makes them sticky. If {} is to go, give its {} too, and --leave",
        owner.name,
        owner.by,
        owner.name,
        owner.kind()
    );
    Err(Refusal::at(service.object, node, reason))
}

/// Whether a VirtualService is for gateways alone, with all that it delegates to.
fn at_gateways(world: &World, root: &VirtualService) -> Result<(), Refusal> {
    let object = root.object;
    if root.gateways().next().is_none() {
        let node = object.at(&["spec", "gateways"]).or(object.at(&["spec", "hosts"])).unwrap_or(&object.node);
        return Err(Refusal::at(
            object,
            node,
            "for sidecars alone: the filter decides at a gateway, so name the Gateway in gateways, and its public host in hosts",
        ));
    }
    if root.is_for_mesh() {
        let node = object.at(&["spec", "gateways"]).unwrap_or(&object.node);
        return Err(Refusal::at(
            object,
            node,
            "for sidecars too: nobody decides there, and all of their requests would go to stable; give mesh a VirtualService of its own that keeps the weights",
        ));
    }
    match root.routes.iter().find(|route| route.is_delegated() && world.delegate(root, route).is_none()) {
        Some(route) => {
            let node = route.node.get("delegate").unwrap_or(route.node);
            Err(Refusal::at(
                object,
                node,
                "the VirtualService that this delegates to is not given, and may have weights too",
            ))
        }
        None => Ok(()),
    }
}

/// What asks for the filter's header.
fn asked<'o>(service: &VirtualService<'o>) -> Option<&'o Node> {
    let entries = service.routes.iter().filter_map(|route| route.node.get("match")).flat_map(Node::items);
    let maps = entries.flat_map(|entry| ["headers", "withoutHeaders"].map(|key| entry.get(key))).flatten();
    let mut conditions = maps.flat_map(Node::entries);
    conditions.find(|(key, _)| key.name.eq_ignore_ascii_case(DEFAULT_HEADER)).map(|(_, node)| node)
}

/// The hosts of a rule; none: every host.
fn hosts(roots: &[&VirtualService], extras: &Extras) -> Result<Vec<String>, Refusal> {
    let mut hosts: Vec<String> = Vec::new();
    let mut is_any = false;
    for root in roots {
        let own = extras.of(root.object).and_then(|known| known.own_host.as_deref());
        for (node, host) in root.hosts.iter().filter(|(_, host)| root.hosts.len() < 2 || Some(*host) != own) {
            let host = match host.strip_prefix('*') {
                Some("") => {
                    is_any = true;
                    continue;
                }
                Some(rest) if rest.starts_with('.') && !rest.contains('*') => (*host).to_owned(),
                Some(_) => {
                    return Err(Refusal::at(
                        root.object,
                        node,
                        format!(
                            "a rule cannot have the host {host}: a * is for all before a point, as in *.example.com"
                        ),
                    ));
                }
                None if host.contains('.') => (*host).to_owned(),
                None => {
                    let reason = format!(
                        "the short host {host} is {host}.NAMESPACE.svc.cluster.local to visitors; write it in full"
                    );
                    return Err(Refusal::at(root.object, node, reason));
                }
            };
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    Ok(if is_any { Vec::new() } else { hosts })
}

/// The split of a route: stable first, then the others in their order.
pub fn split(object: &Object, route: &Weighted, stable: Option<&str>) -> Result<Vec<(String, u32)>, Refusal> {
    let known = route.extra.stable.and_then(|at| route.branches.iter().find(|branch| branch.at == at));
    let first = match stable {
        Some(name) => route.branch(name).ok_or_else(|| {
            Refusal::at(object, route.node, format!("--stable {name}: there is only {}", route.shown()))
        })?,
        // Of several with the same weight the first.
        None => match known.or_else(|| route.branches.iter().rev().max_by_key(|branch| branch.weight)) {
            Some(branch) => branch,
            None => return Ok(Vec::new()),
        },
    };
    let others = route.branches.iter().filter(|branch| branch.at != first.at);
    Ok([first].into_iter().chain(others).map(|branch| (branch.name.clone(), branch.weight)).collect())
}

/// Routes one behind the other that have one split.
struct Group<'r, 'o> {
    /// What it is called.
    name: String,
    /// The first of them.
    route: &'r Weighted<'o>,
    /// What any of them asks for.
    matches: Vec<Value>,
    /// Stable first.
    split: Vec<(String, u32)>,
}

/// The rules for each of the shares, in the order of the routes; and what is stable in each route.
fn by_path(
    base: &str,
    hosts: &[String],
    service: &VirtualService,
    routes: &[Weighted],
    stable: Option<&str>,
) -> Result<(Vec<Rule>, Vec<String>), Refusal> {
    let (mut groups, mut stables): (Vec<Group>, Vec<String>) = (Vec::new(), Vec::new());
    for route in routes {
        let entries = route.node.get("match").map_or(&[][..], Node::items);
        let matches = conditions(service.object, entries, &route.shown())?;
        match groups.last_mut().filter(|group| group.route.is_alike(route)) {
            // One that takes all that is left.
            Some(last) if matches.is_empty() => last.matches.clear(),
            Some(last) => last.matches.extend(matches),
            None => {
                let split = split(service.object, route, stable)?;
                let name = unique(&path_name(base, &matches), |name| groups.iter().any(|group| group.name == name));
                groups.push(Group { name, route, matches, split });
            }
        }
        let first = groups.last().and_then(|group| group.split.first());
        stables.push(first.map(|(name, _)| name.clone()).unwrap_or_default());
    }
    let mut rules = Vec::new();
    for Group { name, route, matches, split } in groups {
        let own = rule::of_route(&name, hosts, &matches, route, split);
        rules.extend(own.map_err(|reason| Refusal::at(service.object, route.node, reason))?);
    }
    Ok((rules, stables))
}

/// What all routes with weights ask for; nothing if one asks for nothing, or for what no rule can.
fn only_for(service: &VirtualService, routes: &[Weighted]) -> Vec<Value> {
    let mut all = Vec::new();
    for route in routes {
        let entries = route.node.get("match").map_or(&[][..], Node::items);
        match conditions(service.object, entries, "") {
            Ok(own) if !weighted::takes_all(route.node) => all.extend(own),
            _ => return Vec::new(),
        }
    }
    all
}
