//! Which routes the requests of a rule may meet: by their paths, by the rules before it, and by the routes before them.

use super::entry::{are_overlapping, is_within};
use super::http::Http;
use crate::world::plugin::{Plugin, hosts};
use canary_split::rule::Rule;
use canary_split::rule::condition::{Condition, StringMatch};
use serde_json::{Map, Value, json};

/// What takes no requests from later ones, since it goes.
#[derive(Clone, Copy)]
pub enum Gone<'g> {
    Nothing,
    Rule(&'g Rule),
    /// The routes that ask for this value.
    Routes(&'g str),
}

/// Whether a request of a rule may meet a route; unknown counts as yes.
pub fn reaches(plugin: &Plugin, rule: &Rule, http: &Http, at: usize, gone: Gone) -> bool {
    let is = |one: &Rule, other: &Rule| std::ptr::eq(one, other);
    let before = plugin.rules.iter().map(|(_, earlier)| earlier).take_while(|earlier| !is(earlier, rule));
    let before = before.filter(|earlier| !matches!(gone, Gone::Rule(gone) if is(earlier, gone)));
    let taken: Vec<Value> = before.filter(|earlier| has_hosts_of(earlier, rule)).flat_map(taken_whole).collect();
    let left_out = if let Gone::Routes(value) = gone { Some(value) } else { None };
    paths(rule).iter().any(|path| {
        http.conditions(at).iter().enumerate().any(|(place, entry)| {
            are_overlapping(std::slice::from_ref(path), std::slice::from_ref(entry))
                && !taken.iter().any(|taken| is_within(path, taken) || is_within(entry, taken))
                && !http.is_taken_before(at, place, path, left_out)
        })
    })
}

/// Whether a rule is for every host of another one.
fn has_hosts_of(rule: &Rule, other: &Rule) -> bool {
    let own = hosts(rule);
    let has = |own: &str, host: &str| match own.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => own == host,
    };
    hosts(other).iter().all(|host| own.iter().any(|own| has(own, host)))
}

/// The path of each alternative of a rule, as an entry of a match.
fn paths(rule: &Rule) -> Vec<Value> {
    let path = |conditions: &[Condition]| {
        let uri = conditions.iter().find_map(|condition| match condition {
            Condition::Uri(StringMatch::Exact(path)) => Some(json!({ "exact": path })),
            Condition::Uri(StringMatch::Prefix(path)) => Some(json!({ "prefix": path })),
            _ => None,
        });
        Value::from(uri.map(|uri| ("uri".to_owned(), uri)).into_iter().collect::<Map<_, _>>())
    };
    match rule.needed_matches() {
        [] => vec![path(&[])],
        all => all.iter().map(|alternative| path(&alternative.conditions)).collect(),
    }
}

/// The paths of which a rule takes every request.
fn taken_whole(rule: &Rule) -> Vec<Value> {
    // It may forget visitors, too.
    if rule.remember.is_some() {
        return Vec::new();
    }
    let is_whole = |conditions: &[Condition]| {
        matches!(conditions, [] | [Condition::Uri(StringMatch::Exact(_) | StringMatch::Prefix(_))])
    };
    let mut all = paths(rule);
    if !rule.matches.is_empty() {
        let mut whole = rule.matches.iter().map(|alternative| is_whole(&alternative.conditions));
        all.retain(|_| whole.next() == Some(true));
    }
    // What the Gateway API calls a prefix is two alternatives of a rule.
    let text = |entry: &Value, kind: &str| Some(entry.get("uri")?.get(kind)?.as_str()?.to_owned());
    let exact: Vec<String> = all.iter().filter_map(|entry| text(entry, "exact")).collect();
    let prefixes: Vec<String> = all.iter().filter_map(|entry| text(entry, "prefix")).collect();
    let both = exact.into_iter().filter(|path| prefixes.contains(&format!("{path}/")));
    all.extend(both.map(|path| json!({"uri": {"below": path}})));
    all
}
