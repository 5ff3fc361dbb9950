//! What a rule takes in, though its requests go elsewhere: hosts below its wildcard that have routes of their own, and paths to other
//! Services. No rule says "no rule at all", so the notes say what follows.

use super::gateway;
use super::gateway_api::read;
use super::plugin::Plugin;
use super::rule::{Rule, Target};
use super::unit::Unit;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::host::covers;

/// The most hosts that a note names.
const MOST_HOSTS: usize = 8;
/// What follows for requests that a rule should not decide.
const FOLLOWS: &str = "visitors get its cookie, and errors count for its subsets";

/// The note about routes of an object that lead to other Services, by their names.
pub fn elsewhere(object: &Object, routes: &[String], rules: &[Rule]) -> Option<String> {
    let split = |rule: &&Rule| matches!(rule.target, Target::Split(_));
    let names: Vec<&str> = rules.iter().filter(split).map(|rule| &*rule.name).collect();
    let stable = rules.iter().find_map(|rule| match &rule.target {
        Target::Split(split) => split.weights.first().map(|(name, _)| name),
        _ => None,
    })?;
    let (decides, one) = if names.len() > 1 { ("decide", "rules") } else { ("decides", "rule") };
    let more = routes.len().saturating_sub(MOST_HOSTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = routes.get(..MOST_HOSTS).unwrap_or(routes).join(", ");
    (!routes.is_empty()).then(|| {
        format!(
            "{}: requests of {shown}{more} go to no version, but {one} {} {decides} for them too: {}; to avoid that, put a rule with these paths and subset: {stable} before it, and remove that together with it",
            object.title(),
            names.join(", "),
            FOLLOWS
        )
    })
}

/// The notes about a plugin's rules for wildcards.
pub fn notes(objects: &Objects, world: &World, plugin: &Plugin) -> Vec<String> {
    let is_wide = |rule: &&Rule| rule.hosts.is_empty() || rule.hosts.iter().any(|host| host.starts_with('*'));
    let mut seen: Vec<&[String]> = Vec::new();
    let (mut notes, mut known) = (Vec::new(), None);
    for rule in plugin.rules.iter().filter(is_wide) {
        let Target::Split(split) = &rule.target else { continue };
        if seen.contains(&&*rule.hosts) {
            continue;
        }
        seen.push(&rule.hosts);
        let known = known.get_or_insert_with(|| hosts(objects, world, plugin));
        let others: Vec<String> = known
            .iter()
            .filter(|(host, _)| is_taken(plugin, rule, host))
            .map(|(host, object)| format!("{host} ({})", object.title()))
            .collect();
        let stable = split.weights.first().map(|(name, _)| &**name).unwrap_or_default();
        let of = if rule.hosts.is_empty() { "every host of its gateway".to_owned() } else { rule.hosts.join(", ") };
        let others = match others.len() {
            0 => "hosts that have routes of their own, of which none are given".to_owned(),
            count if count > MOST_HOSTS => {
                format!("{} and {} more", others.get(..MOST_HOSTS).unwrap_or_default().join(", "), count - MOST_HOSTS)
            }
            _ => others.join(", "),
        };
        notes.push(format!(
            "rule {} is for {of}, so it decides for {others} too, whose requests go to none of its versions: {FOLLOWS}; to avoid that, put a rule with these hosts and subset: {stable} before it, and remove that together with it",
            rule.name
        ));
    }
    notes
}

/// The hosts of all routes at the gateway of a plugin.
fn hosts<'o>(objects: &Objects, world: &World<'o>, plugin: &Plugin) -> Vec<(String, Object)> {
    let mut all = Vec::new();
    for service in world.virtual_services().filter(|service| service.gateways().next().is_some()) {
        let unit = Unit { roots: vec![service], delegates: Vec::new() };
        if gateway::homes(world, &unit, &mut Vec::new()).iter().any(|home| home.is_of(&plugin.home)) {
            all.extend(service.hosts.iter().map(|(_, host)| ((*host).to_owned(), service.object.clone())));
        }
    }
    let Some(aim) = &plugin.home.aim else { return all };
    for route in read::objects(objects) {
        let text = |parent: &Node, key: &str| parent.get(key).and_then(Node::text).map(str::to_owned);
        let is_its = |parent: &Node| {
            let namespace = text(parent, "namespace").unwrap_or_else(|| route.namespace.clone());
            text(parent, "name").as_deref() == Some(&aim.name) && namespace == plugin.home.namespace
        };
        if route.items(&["spec", "parentRefs"]).iter().any(is_its) {
            let hosts = route.items(&["spec", "hostnames"]).iter().filter_map(Node::text).map(str::to_owned);
            all.extend(hosts.map(|host| (host, route.clone())));
        }
    }
    all
}

/// Whether a rule decides for a host that is not its own.
fn is_taken(plugin: &Plugin, rule: &Rule, host: &str) -> bool {
    let is_own = rule.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
    let has = |rule: &Rule| rule.hosts.is_empty() || rule.hosts.iter().any(|own| covers(own, host));
    let mut before = plugin.rules.iter().take_while(|earlier| !std::ptr::eq(*earlier, rule));
    host != "*" && !is_own && has(rule) && !before.any(|earlier| earlier.matches.is_empty() && has(earlier))
}
