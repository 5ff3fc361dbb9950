//! The values in a config that no log may show. Misspelt fields may contain secrets too, so only known harmless values stay readable.

use super::secret::{Secret, everything, normal, value, values};
use super::yaml::{Node, Value};

/// Conditions whose values give access.
pub const CONDITIONS: [&str; 5] = ["headers", "withoutHeaders", "queryParams", "cookies", "claims"];

/// Possible misspellings of these.
const MISSPELT: [&str; 14] = [
    "headers",
    "header",
    "withoutheaders",
    "withoutheader",
    "queryparams",
    "queryparam",
    "queryparameters",
    "query",
    "params",
    "param",
    "cookies",
    "claims",
    "claim",
    "jwt",
];
/// Conditions whose values are public.
const OPEN: [&str; 7] = ["uri", "method", "remoteipblocks", "name", "authority", "scheme", "host"];
/// Fields whose texts are not secret.
const FIELDS: [&str; 41] = [
    "action",
    "after",
    "between",
    "claim",
    "cookie",
    "domain",
    "draw",
    "guard",
    "header",
    "holdfor",
    "hosts",
    "httponly",
    "keys",
    "margin",
    "method",
    "name",
    "on",
    "onweightchange",
    "partitioned",
    "path",
    "pausedat",
    "queryparam",
    "ramp",
    "remember",
    "remoteip",
    "remoteipblocks",
    "renew",
    "responseheader",
    "rules",
    "salt",
    "samesite",
    "secure",
    "split",
    "start",
    "steps",
    "sticky",
    "subset",
    "ttl",
    "uri",
    "weight",
    "weights",
];
/// A shorter text in an unknown field is more likely a subset or a number.
const SHORTEST: usize = 6;
/// Kinds of comparison, by the beginning of the word.
const KINDS: [&str; 10] =
    ["exact", "prefix", "regex", "suffix", "contains", "present", "ignore", "invert", "value", "name"];

/// The secrets of a config.
pub fn of_config(config: &Node, secrets: &mut Vec<Secret>) {
    let Value::Map(entries) = &config.value else { return everything(config, secrets) };
    // At the top only the names of headers have to be readable.
    let texts = entries.iter().filter(|(key, node)| is_scalar(node) && !FIELDS.contains(&&*normal(&key.name)));
    texts.for_each(|(key, node)| value(key, node, secrets));
    within(config, secrets);
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.value, Value::Map(_) | Value::List(_))
}

/// The seal and the values of conditions anywhere below a node.
pub fn within(node: &Node, secrets: &mut Vec<Secret>) {
    for (key, node) in node.entries() {
        let name = normal(&key.name);
        if is_seal(&name) {
            value(key, node, secrets);
        } else if ["match", "matches", "forget"].contains(&&*name) {
            secrets.push(Secret::behind(key));
            of_match(node, secrets);
        } else if MISSPELT.contains(&&*name) && !is_scalar(node) {
            secrets.push(Secret::behind(key));
            by_name(node, secrets);
        } else {
            if !FIELDS.contains(&&*name) {
                let is_long = |text: &&Node| text.text().is_some_and(|text| text.len() >= SHORTEST);
                let texts = node.items().iter().chain([node]).filter(is_long);
                texts.for_each(|text| value(key, text, secrets));
            }
            within(node, secrets);
        }
    }
    node.items().iter().for_each(|item| within(item, secrets));
}

fn is_seal(name: &str) -> bool {
    name.starts_with("seal") || ["secret", "password", "token"].iter().any(|word| name.contains(word))
}

/// Entries of `match` and `forget`, or anything in their place.
fn of_match(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| of_match(item, secrets)),
        Value::Map(entries) => {
            for (key, node) in entries.iter().filter(|(key, _)| !OPEN.contains(&&*normal(&key.name))) {
                secrets.push(Secret::behind(key));
                by_name(node, secrets);
            }
        }
        _ => everything(node, secrets),
    }
}

/// Conditions by names, which are not secret.
fn by_name(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| by_name(item, secrets)),
        Value::Map(entries) => {
            for (key, node) in entries.iter() {
                // A name without a value may be the value.
                let is_alone = matches!(node.value, Value::Null);
                secrets.push(if is_alone { Secret::key(key) } else { Secret::behind(key) });
                condition(node, secrets);
            }
        }
        _ => everything(node, secrets),
    }
}

/// `{exact: …}`, or the value itself.
pub fn condition(node: &Node, secrets: &mut Vec<Secret>) {
    let kinds = node.entries().iter().map(|(key, _)| key).filter(|key| !is_kind(&key.name));
    secrets.extend(kinds.map(Secret::key));
    values(node, secrets);
}

/// Whether a word says how a value is compared.
pub fn is_kind(word: &str) -> bool {
    let word = normal(word);
    KINDS.iter().any(|kind| word.starts_with(kind))
}
