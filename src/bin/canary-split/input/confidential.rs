//! What a config says that no log may show. Misspelt fields hold secrets too, so what is known to be none is left readable.

use super::secret::{Secret, everything, normal, value, values};
use super::yaml::{Node, Value};

/// Conditions whose values let somebody in.
pub const CONDITIONS: [&str; 5] = ["headers", "withoutHeaders", "queryParams", "cookies", "claims"];

/// The same as they may be misspelt.
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
/// Conditions that anybody fulfils.
const OPEN: [&str; 7] = ["uri", "method", "remoteipblocks", "name", "authority", "scheme", "host"];
/// Texts at the top of a config that are no secrets.
const FIELDS: [&str; 8] =
    ["header", "responseheader", "rules", "forget", "name", "subset", "headers", "responseheaders"];
/// How a value is compared, by how the word begins.
const KINDS: [&str; 10] =
    ["exact", "prefix", "regex", "suffix", "contains", "present", "ignore", "invert", "value", "name"];

/// Those of a config.
pub fn of_config(config: &Node, secrets: &mut Vec<Secret>) {
    let Value::Map(entries) = &config.value else { return everything(config, secrets) };
    for (key, node) in entries.iter() {
        let is_scalar = !matches!(node.value, Value::Map(_) | Value::List(_));
        if is_scalar && !FIELDS.contains(&&*normal(&key.name)) {
            value(key, node, secrets);
        }
    }
    within(config, secrets);
}

/// The seal and the values of conditions anywhere below a node.
pub fn within(node: &Node, secrets: &mut Vec<Secret>) {
    for (key, node) in node.entries() {
        let name = normal(&key.name);
        let is_scalar = !matches!(node.value, Value::Map(_) | Value::List(_));
        if is_seal(&name) {
            value(key, node, secrets);
        } else if ["match", "matches", "forget"].contains(&&*name) {
            secrets.push(Secret::behind(key));
            of_match(node, secrets);
        } else if MISSPELT.contains(&&*name) && !is_scalar {
            secrets.push(Secret::behind(key));
            by_name(node, secrets);
        } else {
            within(node, secrets);
        }
    }
    node.items().iter().for_each(|item| within(item, secrets));
}

fn is_seal(name: &str) -> bool {
    name.starts_with("seal") || ["secret", "password", "token"].iter().any(|word| name.contains(word))
}

/// Entries of `match` and `forget`, or what is there instead.
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

/// Conditions by the names of what they are about, which are none.
fn by_name(node: &Node, secrets: &mut Vec<Secret>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| by_name(item, secrets)),
        Value::Map(entries) => {
            for (key, node) in entries.iter() {
                secrets.push(Secret::behind(key));
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
