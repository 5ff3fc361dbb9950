//! Conditions that no request meets.

use crate::input::sources::Source;
use crate::input::yaml::Node;
use crate::report::finding::{Code, Finding, Severity};
use crate::world::World;
use crate::world::asked::Asked;
use crate::world::plugin::Plugin;
use crate::world::routing::Form;
use crate::world::site::Site;
use crate::world::text::Taken;
use std::rc::Rc;

const NEVER: Code = Code {
    name: "condition-never-holds",
    severity: Severity::Error,
    why: "no request meets this condition: the rule decides nothing by it, or the route takes nobody and the default route takes the canary's visitors",
    fix: "write paths with a slash at the start and without the query, methods in capitals, and leave out conditions that exclude each other",
};

/// The codes of this file.
pub const CODES: [&Code; 1] = [&NEVER];

const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Looks at the rules, and at the routes by the header of one.
pub fn check(world: &World, sites: &[Site], findings: &mut Vec<Finding>) {
    for plugin in &world.plugins {
        rules(plugin, findings);
    }
    for site in sites {
        for step in site.steps().filter(|step| matches!(step.route.form, Form::Http(_)) && step.asks_for(site.header)) {
            let object = step.service.object;
            for entry in step.entries.iter().filter(|entry| entry.asks_for_value(site.header)) {
                let found = problem(entry.node, &entry.asked);
                let said = |problem| format!("{} of {}: {problem}", step.path(), object.title());
                findings.extend(found.map(|(node, problem)| finding(&object.source, node, said(problem))));
            }
        }
    }
}

fn rules(plugin: &Plugin, findings: &mut Vec<Finding>) {
    let entries = plugin.config.node.as_ref().and_then(|node| node.get("rules")).map_or(&[][..], Node::items);
    for (place, rule) in &plugin.rules {
        let matches = entries.get(*place).and_then(|entry| entry.get("match")).map_or(&[][..], Node::items);
        for entry in matches {
            let asked = Asked::of_entry(entry, 0);
            let found = problem(entry, &asked.iter().collect::<Vec<_>>());
            let said = |problem| format!("rule {}: {problem}", rule.name);
            findings.extend(found.map(|(node, problem)| finding(&plugin.config.source, node, said(problem))));
        }
    }
}

fn finding(source: &Rc<Source>, node: &Node, message: String) -> Finding {
    Finding::new(&NEVER, source, &node.span, message)
}

/// Why the conditions of an entry never hold together.
fn problem<'n>(entry: &'n Node, asked: &[&Asked<'n>]) -> Option<(&'n Node, String)> {
    let text = |field: &str| {
        let [(key, value)] = entry.get(field)?.entries() else { return None };
        Some((&*key.name, value, value.text()?))
    };
    if let Some((kind, node, path)) = text("uri")
        && let Some(problem) = of_path(kind, path)
    {
        return Some((node, format!("uri: {{{kind}: {path}}} never holds: {problem}")));
    }
    if let Some((kind @ ("exact" | "prefix"), node, method)) = text("method") {
        let capital = method.to_ascii_uppercase();
        if capital != method && METHODS.contains(&capital.as_str()) {
            return Some((node, format!("method: {{{kind}: {method}}} never holds: write {capital}")));
        }
    }
    let without = entry.get("withoutHeaders")?;
    let is_excluded = |name: &str| {
        let positive: Vec<&Asked> =
            asked.iter().copied().filter(|asked| asked.is_about(name) && !asked.is_negative()).collect();
        let mut negative = asked.iter().filter(|asked| asked.is_about(name) && asked.is_negative());
        !positive.is_empty() && negative.any(|asked| asked.taken_of(&positive) == Taken::None)
    };
    let (key, node) = without.entries().iter().find(|(key, _)| is_excluded(&key.name))?;
    Some((node, format!("{} is asked for in headers and excluded in withoutHeaders", key.name)))
}

/// Why no path is like this. The path of a request begins with a slash, except for that of `OPTIONS *`, and is compared without its query.
fn of_path(kind: &str, path: &str) -> Option<String> {
    match kind {
        "exact" | "prefix" if path.is_empty() || path == "*" => None,
        "exact" | "prefix" if path.contains(['?', '#']) => {
            Some("the path is compared without the query; ask for that by queryParams".to_owned())
        }
        "exact" | "prefix" => (!path.starts_with('/')).then(|| format!("write /{path}")),
        "regex" => {
            let mut letters = path.chars();
            let is_letter = letters.next().is_some_and(|first| first.is_ascii_alphanumeric());
            let may_lack_it = letters.next().is_some_and(|next| ['?', '*', '{'].contains(&next));
            (is_letter && !may_lack_it && !path.contains('|')).then(|| "all of the path has to match it".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of_path;

    #[test]
    fn a_path_begins_with_a_slash_and_has_no_query() {
        let table = [
            ("prefix", "/checkout", true),
            ("prefix", "", true),
            ("prefix", "checkout", false),
            ("exact", "/x?beta=1", false),
            ("exact", "*", true),
            ("exact", "x", false),
            ("regex", "/checkout/.*", true),
            ("regex", ".*/checkout", true),
            ("regex", "checkout/.*", false),
            ("regex", "c?/.*", true),
            ("regex", "checkout|/.*", true),
            ("regex", "^/checkout", true),
        ];
        for (kind, path, may_hold) in table {
            assert_eq!(of_path(kind, path).is_none(), may_hold, "{kind} {path}");
        }
    }
}
