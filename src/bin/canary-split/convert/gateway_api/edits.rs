//! The edits of a route: before each rule with weights one for each canary, and stable alone in the rule itself.

use crate::convert::refusal::Refusal;
use crate::convert::rule::unique;
use crate::convert::weighted::Weighted;
use crate::edit::{Edit, Step, fields};
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use canary_split::config::DEFAULT_HEADER;
use serde_json::{Value, json};

/// The most rules of a route.
const MAX_RULES: usize = 16;
/// The most matches of all of them.
const MAX_MATCHES: usize = 128;
/// The most headers of a match.
const MAX_HEADERS: usize = 16;

/// All edits of a route, from the last rule to the first, so that places stay right.
///
/// # Errors
///
/// A limit of the Gateway API.
pub fn of(object: &Object, weighted: &[Weighted], stables: &[String]) -> Result<Vec<Edit>, Refusal> {
    limits(object, weighted)?;
    let mut names: Vec<String> = object
        .items(&["spec", "rules"])
        .iter()
        .filter_map(|rule| rule.get("name")?.text().map(str::to_owned))
        .collect();
    let mut edits = Vec::new();
    for (weighted, stable) in weighted.iter().zip(stables).rev() {
        let here = [fields(["spec", "rules"]), vec![Step::Item(weighted.at)]].concat();
        let below = |steps: &[Step]| [&here, steps].concat();
        let canaries = || weighted.branches.iter().rev().filter(|branch| branch.name != *stable);
        for branch in canaries() {
            edits.push(Edit::remove(below(&["backendRefs".into(), branch.at.into()])));
        }
        let backends = weighted.node.get("backendRefs").map_or(&[][..], Node::items);
        let stable = weighted.branch(stable).and_then(|stable| backends.get(stable.at));
        if stable.is_some_and(|backend| backend.get("weight").is_some()) {
            edits.push(Edit::remove(below(&["backendRefs".into(), 0.into(), "weight".into()])));
        }
        // The last first: each is put before the ones that are there already.
        for branch in canaries() {
            let rule = canary(weighted, branch.at, &branch.name, &mut names);
            edits.push(Edit::insert(here.clone(), rule));
        }
    }
    Ok(edits)
}

/// The rule of a canary: all as it is, but for the header that it asks for, and its one backend.
fn canary(weighted: &Weighted, at: usize, name: &str, names: &mut Vec<String>) -> Value {
    let mut rule: Value = serde_json::from_str(&weighted.node.to_json()).unwrap_or_default();
    let Some(fields) = rule.as_object_mut() else { return rule };
    if let Some(Value::String(own)) = fields.get_mut("name") {
        *own = unique(&format!("{own}-{name}"), |name| names.iter().any(|known| known == name));
        names.push(own.clone());
    }
    let asked = json!({"name": DEFAULT_HEADER, "value": name});
    let matches = fields.entry("matches").or_insert(Value::Null);
    if matches.as_array().is_none_or(Vec::is_empty) {
        *matches = json!([{}]);
    }
    for entry in matches.as_array_mut().into_iter().flatten() {
        let Some(entry) = entry.as_object_mut() else { continue };
        match entry.get_mut("headers") {
            Some(Value::Array(headers)) => headers.push(asked.clone()),
            _ => {
                entry.insert("headers".to_owned(), json!([asked]));
            }
        }
    }
    let mut backend = fields.get("backendRefs").and_then(|all| all.get(at)).cloned().unwrap_or_default();
    if let Some(backend) = backend.as_object_mut() {
        backend.remove("weight");
    }
    fields.insert("backendRefs".to_owned(), json!([backend]));
    rule
}

fn limits(object: &Object, weighted: &[Weighted]) -> Result<(), Refusal> {
    let rules = object.at(&["spec", "rules"]).unwrap_or(&object.node);
    let matches = |rule: &Node| rule.get("matches").map_or(1, |matches| matches.items().len().max(1));
    let more: usize = weighted.iter().map(|weighted| weighted.branches.len() - 1).sum();
    let count = rules.items().len() + more;
    if count > MAX_RULES {
        let reason = format!(
            "it would have {count} rules, and the Gateway API allows {MAX_RULES}; move some of them into another {}",
            object.kind
        );
        return Err(Refusal::at(object, rules, reason));
    }
    let count: usize = rules.items().iter().map(matches).sum::<usize>()
        + weighted.iter().map(|weighted| matches(weighted.node) * (weighted.branches.len() - 1)).sum::<usize>();
    if count > MAX_MATCHES {
        let reason = format!(
            "its rules would have {count} matches, and the Gateway API allows {MAX_MATCHES}; move some of them into another {}",
            object.kind
        );
        return Err(Refusal::at(object, rules, reason));
    }
    let entries = weighted.iter().filter_map(|weighted| weighted.node.get("matches")).flat_map(Node::items);
    let headers = |entry: &&Node| entry.get("headers").is_some_and(|headers| headers.items().len() >= MAX_HEADERS);
    match entries.into_iter().find(headers) {
        None => Ok(()),
        Some(entry) => Err(Refusal::at(
            object,
            entry,
            format!("a match asks for {MAX_HEADERS} headers already, and the Gateway API allows no more"),
        )),
    }
}
