//! Whether the cookie's domain is that of every host of its rule.

use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::plugin::{Plugin, hosts};
use crate::world::site::Site;
use canary_split::rule::Rule;

const DOMAIN: Code = Code {
    name: "cookie-domain",
    severity: Severity::Error,
    why: "a browser refuses a cookie for a domain that the host is not in: visitors of that host are drawn again with each request",
    fix: "leave domain out, or give the hosts of each domain a rule of their own with the same split and salt",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&DOMAIN];

/// Looks at the rules of every plugin.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        let entries = plugin.config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
        for (place, rule) in &plugin.rules {
            let domain = |key: &str| entries.get(*place)?.at(&[key, "cookie", "domain"]);
            for domain in ["sticky", "remember"].into_iter().filter_map(domain) {
                check_domain(plugin, rule, domain, sites, findings);
            }
        }
    }
}

fn check_domain(plugin: &Plugin, rule: &Rule, node: &Node, sites: &[Site], findings: &mut Vec<Finding>) {
    let Some(domain) = node.text().map(|text| text.trim_start_matches('.').to_ascii_lowercase()) else { return };
    if let Some(host) = all_hosts(plugin, rule, sites).iter().find(|host| !covers(&domain, host)) {
        let message = format!("rule {} is for {host} too, which is not in the domain {domain}", rule.name);
        findings.push(Finding::new(&DOMAIN, &plugin.config.source, &node.span, message));
    }
}

/// The hosts of a rule; of a rule for every host those that are known to have routes for it.
fn all_hosts(plugin: &Plugin, rule: &Rule, sites: &[Site]) -> Vec<String> {
    let named = hosts(rule);
    if !named.iter().any(|host| host == "*") {
        return named;
    }
    let is_its = |site: &&Site| std::ptr::eq(site.plugin, plugin) && site.rule.name == rule.name;
    let known = sites.iter().filter(is_its).map(|site| site.host.1.to_ascii_lowercase());
    known.filter(|host| host != "*").collect()
}

/// Whether a browser takes a cookie for a domain from a host, or from each host that a wildcard stands for.
fn covers(domain: &str, host: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_domain_is_itself_and_whatever_is_below_it() {
        let table = [
            ("example.com", "example.com", true),
            ("example.com", "shop.example.com", true),
            ("example.com", "*.example.com", true),
            ("example.com", "*.shop.example.com", true),
            ("shop.example.com", "*.example.com", false),
            ("example.com", "notexample.com", false),
            ("example.com", "shop.example.org", false),
            ("example.com", "com", false),
            ("example.com", "10.0.0.1", false),
        ];
        for (domain, host, expected) in table {
            assert_eq!(covers(domain, host), expected, "{domain} {host}");
        }
    }
}
