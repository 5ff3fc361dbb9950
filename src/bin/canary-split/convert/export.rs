//! Texts that a cluster has printed (`kubectl get -o yaml`). Of such a text only the edited objects are written, each without what the
//! cluster alone may say: applied again, an old resourceVersion would be refused, and old replicas would take effect.

use super::pieces::Item;
use crate::edit::text::edited;
use crate::edit::{Edit, Step, Style, fields, patch};
use crate::input::manifest::{GATEWAY_API, Objects};
use crate::input::sources::{Source, Unit};
use crate::input::yaml::{self, Node};
use serde_json::Value;
use std::rc::Rc;

/// What a cluster writes into the metadata of an object, in addition to its annotation.
const METADATA: [&str; 6] = ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink"];
/// What only an object from a cluster has.
const SIGNS: [&[&str]; 4] =
    [&["metadata", "resourceVersion"], &["metadata", "uid"], &["metadata", "managedFields"], &["status"]];
/// The whole object as kubectl has applied it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether an object comes from a cluster.
pub fn is_from_cluster(object: &Node) -> bool {
    let is_said = |node: &Node| !["null", "{}", "[]", "\"\""].contains(&&*node.to_json());
    SIGNS.iter().any(|path| object.at(path).is_some_and(is_said))
}

/// Whether a text is JSON.
pub fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// An object without what a cluster has written.
fn value(node: &Node) -> Value {
    let mut value = serde_json::from_str(&node.to_json()).unwrap_or_default();
    // What cannot be removed is not there.
    let _ = patch::apply(&mut value, &cleaning(node));
    value
}

fn block(value: &Value) -> String {
    Style::of("").block(value, 0) + "\n"
}

/// The same as a YAML document.
pub fn document(object: &Node) -> String {
    block(&value(object))
}

/// The objects of a part of a text, if `is_meant` says so by their titles; without what a cluster has written.
pub fn values(part: &str, item: Option<Item>, is_meant: impl Fn(&str) -> bool) -> Vec<Value> {
    match (item, yaml::documents(part)) {
        (Some(item), Ok(documents)) => item.of(&documents).map(value).into_iter().collect(),
        _ => {
            let sources = vec![Rc::new(Source::new(String::new(), part))];
            let objects = Objects::readable(&Unit { folder: String::new(), sources }).objects;
            objects.iter().filter(|object| is_meant(&object.title())).map(|object| value(&object.node)).collect()
        }
    }
}

/// The same as YAML documents; their comments stay where that is possible.
pub fn documents(part: &str, item: Option<Item>, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    match kept(part, item) {
        Some(text) => vec![text],
        None => values(part, item, is_meant).iter().map(block).collect(),
    }
}

/// A part with one object, without what a cluster has written. All else stays, but for the margin of an item.
fn kept(part: &str, item: Option<Item>) -> Option<String> {
    let text = match item {
        Some(Item::Dashed) => undashed(part)?,
        Some(Item::Braced) => return None,
        None if is_json(part) => return None,
        None => part.to_owned(),
    };
    let documents = yaml::documents(&text).ok()?;
    let [root] = documents.as_slice() else { return None };
    if root.get("items").is_some() {
        return None;
    }
    let edits = cleaning(root);
    let mut text = if edits.is_empty() { text.clone() } else { edited(&text, &root.span, &edits).ok()?.text };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Some(text)
}

/// An item of a list as a text of its own, if that says the same.
fn undashed(part: &str) -> Option<String> {
    let documents = yaml::documents(part).ok()?;
    let item = Item::Dashed.of(&documents)?;
    let begin = part.get(..item.span.start)?.rfind('\n').map_or(0, |end| end + 1);
    let margin = item.span.start - begin;
    let of_line = |(number, line): (usize, &str)| {
        let blanks = line.bytes().take(margin).take_while(|byte| *byte == b' ').count();
        line.get(if number == 0 { margin } else { blanks }..).unwrap_or_default().to_owned()
    };
    let text: String = part.get(begin..)?.split_inclusive('\n').enumerate().map(of_line).collect();
    let alone = yaml::documents(&text).ok()?;
    matches!(alone.as_slice(), [alone] if alone.to_json() == item.to_json()).then_some(text)
}

/// The edits that remove what a cluster has written.
fn cleaning(object: &Node) -> Vec<Edit> {
    // Of two routes of the Gateway API that ask for the same, the older one wins: check has to know that too.
    let version = object.get("apiVersion").and_then(Node::text).unwrap_or_default();
    let is_kept = |name: &str| name == "creationTimestamp" && version.starts_with(GATEWAY_API);
    let mut edits: Vec<Edit> = METADATA
        .iter()
        .filter(|name| object.at(&["metadata", name]).is_some() && !is_kept(name))
        .map(|name| Edit::remove(fields(["metadata", name])))
        .collect();
    let annotations = object.at(&["metadata", "annotations"]).filter(|all| all.get(LAST_APPLIED).is_some());
    if let Some(annotations) = annotations {
        let all = fields(["metadata", "annotations"]);
        let is_only = annotations.entries().len() == 1;
        edits.push(Edit::remove(if is_only { all } else { [all, vec![Step::from(LAST_APPLIED)]].concat() }));
    }
    if object.get("status").is_some() {
        edits.push(Edit::remove(fields(["status"])));
    }
    edits
}
