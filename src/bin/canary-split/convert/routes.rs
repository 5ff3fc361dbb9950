//! Edits of a VirtualService: each weighted route keeps only stable, and a route for each canary comes before it.

use super::weighted::Weighted;
use crate::edit::{Edit, Step, fields};
use canary_split::config::DEFAULT_HEADER;
use serde_json::{Map, Value, json};

/// All edits of an object, from the last route to the first, so that earlier indexes stay valid.
pub fn edits(routes: &[Weighted], stables: &[String]) -> Vec<Edit> {
    routes.iter().zip(stables).rev().flat_map(|(route, stable)| of(route, stable)).collect()
}

fn of(route: &Weighted, stable: &str) -> Vec<Edit> {
    let here = [fields(["spec", "http"]), vec![Step::Item(route.at)]].concat();
    let below = |steps: &[Step]| [&here, steps].concat();
    let mut edits = Vec::new();
    for branch in route.branches.iter().rev().filter(|branch| branch.name != stable) {
        edits.push(Edit::remove(below(&["route".into(), branch.at.into()])));
    }
    let has_weight = route.branch(stable).is_some_and(|stable| weight_of(route, stable.at));
    if has_weight {
        edits.push(Edit::remove(below(&["route".into(), 0.into(), "weight".into()])));
    }
    // In reverse order, because each insertion goes before the previous ones.
    for branch in route.branches.iter().rev().filter(|branch| branch.name != stable) {
        edits.push(Edit::insert(here.clone(), canary(route, branch.at, &branch.name)));
    }
    edits
}

fn weight_of(route: &Weighted, at: usize) -> bool {
    let entries = route.node.get("route").map(|entries| entries.items());
    entries.and_then(|entries| entries.get(at)).is_some_and(|entry| entry.get("weight").is_some())
}

/// The route of a canary: a copy that also matches on the filter's header and has one destination.
fn canary(route: &Weighted, at: usize, name: &str) -> Value {
    let mut entry: Value = serde_json::from_str(&route.node.to_json()).unwrap_or_default();
    let Some(fields) = entry.as_object_mut() else { return entry };
    if let Some(Value::String(own)) = fields.get_mut("name") {
        own.push('-');
        own.push_str(name);
    }
    let mut matches = fields.remove("match").filter(|entries| entries.as_array().is_some_and(|all| !all.is_empty()));
    let entries = matches.get_or_insert_with(|| json!([{}]));
    for asked in entries.as_array_mut().into_iter().flatten() {
        ask(asked, name);
    }
    fields.extend(matches.map(|entries| ("match".to_owned(), entries)));
    let mut destination = fields.get("route").and_then(|all| all.get(at)).cloned().unwrap_or_default();
    if let Some(destination) = destination.as_object_mut() {
        destination.remove("weight");
    }
    fields.insert("route".to_owned(), json!([destination]));
    entry
}

/// Adds the filter's header to a match entry.
fn ask(entry: &mut Value, name: &str) {
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    let Some(entry) = entry.as_object_mut() else { return };
    let headers = entry.entry("headers").or_insert(Value::Null);
    if !headers.is_object() {
        *headers = Value::Object(Map::new());
    }
    if let Some(headers) = headers.as_object_mut() {
        headers.insert(DEFAULT_HEADER.to_owned(), json!({"exact": name}));
    }
}
