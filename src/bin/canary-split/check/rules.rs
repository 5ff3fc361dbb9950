//! Whether there are rules, and each of them can decide.

use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::plugin::Plugin;
use canary_split::rule::Rule;
use canary_split::rule::hosts::HostPattern;

const NEVER: Code = Code {
    name: "rule-never-decides",
    severity: Severity::Warning,
    why: "the first rule that matches decides: the earlier one takes every request for the hosts of this one",
    fix: "put the rule with the narrower match or host first",
};

const NO_RULE: Code = Code {
    name: "no-rule",
    severity: Severity::Error,
    why: "without a rule the filter writes no header: everybody sees stable; the cluster accepts an empty or misspelt config",
    fix: "put the rules into spec.pluginConfig.rules of the WasmPlugin",
};

/// The codes of this file.
pub const CODES: [&Code; 2] = [&NEVER, &NO_RULE];

/// Looks at the rules of every config.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        never(plugin, findings);
        none(world, plugin, findings);
    }
}

fn never(plugin: &Plugin, findings: &mut Vec<Finding>) {
    for (number, (place, rule)) in plugin.rules.iter().enumerate() {
        let mut earlier = plugin.rules.iter().take(number).map(|(_, earlier)| earlier);
        if let Some(earlier) = earlier.find(|earlier| takes_all(earlier) && has_hosts_of(earlier, rule)) {
            let message = format!("rule {} never decides: rule {} takes all of its requests", rule.name, earlier.name);
            let span = plugin.config.locate(&format!("rules[{place}].name"), false);
            findings.push(Finding::new(&NEVER, &plugin.config.source, &span, message));
        }
    }
}

/// Whether a rule holds for every request of its hosts: it has no match, and forgets nobody.
fn takes_all(rule: &Rule) -> bool {
    rule.matches.is_empty() && rule.forget.is_empty()
}

/// Whether all hosts of a rule are another one's too.
pub fn has_hosts_of(wide: &Rule, narrow: &Rule) -> bool {
    let is_covered = |host: &HostPattern| wide.hosts.iter().any(|wide| covers(wide, host));
    wide.hosts.is_empty()
        || wide.hosts.contains(&HostPattern::Any)
        || !narrow.hosts.is_empty() && narrow.hosts.iter().all(is_covered)
}

fn covers(wide: &HostPattern, narrow: &HostPattern) -> bool {
    match (wide, narrow) {
        (HostPattern::Any, _) => true,
        (HostPattern::Below(domain), HostPattern::Exact(host)) => is_below(host, domain),
        (HostPattern::Below(domain), HostPattern::Below(other)) => domain == other || is_below(other, domain),
        _ => wide == narrow,
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// No rule, although routes ask for the header that only a rule can write.
fn none(world: &World, plugin: &Plugin, findings: &mut Vec<Finding>) {
    let (Some(object), Some(header)) = (plugin.object(), plugin.header.as_deref()) else { return };
    let is_empty = |plugin: &Plugin| plugin.is_whole && plugin.rules.is_empty();
    if !world.writers_of(header).all(is_empty) {
        return;
    }
    // A policy that has its config elsewhere is another finding.
    if plugin.is_policy() && plugin.module().is_some_and(|module| module.get("pluginConfig").is_some()) {
        return;
    }
    let beside = world.beside(plugin);
    let Some(service) = beside.iter().find(|service| service.asks_for(header)) else { return };
    let field = plugin.config.carrier.config_field();
    let config = plugin.module().and_then(|module| module.get(field));
    let what = if config.is_some() { "rule" } else { field };
    let message = format!("{} has no {what}, but {} asks for {header}", object.title(), service.object.title());
    let node = config.and_then(|config| config.get("rules")).or(config);
    let node = node.or(object.at(&["metadata", "name"])).unwrap_or(&object.node);
    findings.push(Finding::new(&NO_RULE, &object.source, &node.span, message));
}
