//! The rules of a route that have weights.

use crate::convert::extra::Extra;
use crate::convert::names;
use crate::convert::refusal::Refusal;
use crate::convert::weighted::{Branch, Weighted};
use crate::input::manifest::Object;
use crate::input::yaml::{Node, Value};
use canary_split::subset::is_label;

/// The rules by which requests go to several backends, and one with several all of whose requests go to one.
pub fn of(object: &Object) -> Result<(Vec<Weighted<'_>>, Option<&Node>), Refusal> {
    let (mut found, mut to_one) = (Vec::new(), None);
    for (at, node) in object.items(&["spec", "rules"]).iter().enumerate() {
        let Some(backends) = node.get("backendRefs").filter(|backends| backends.items().len() > 1) else { continue };
        let weights: Result<Vec<u32>, _> = backends.items().iter().map(|backend| weight(object, backend)).collect();
        let weights = weights?;
        if weights.iter().filter(|weight| **weight > 0).count() < 2 {
            to_one = to_one.or(Some(backends));
            continue;
        }
        let names = names(object, backends)?;
        let branches = names.into_iter().zip(weights).enumerate();
        let branches = branches.map(|(at, (name, weight))| Branch { at, name, weight }).collect();
        found.push(Weighted { at, node, branches, extra: Extra::default() });
    }
    Ok((found, to_one))
}

/// A backend without a weight has one of 1.
fn weight(object: &Object, backend: &Node) -> Result<u32, Refusal> {
    let Some(node) = backend.get("weight").filter(|node| !matches!(node.value, Value::Null)) else { return Ok(1) };
    node.number().ok_or_else(|| Refusal::at(object, node, format!("{} is no weight", node.to_json())))
}

/// What a rule of the plugin calls the backends, in their order.
fn names(object: &Object, backends: &Node) -> Result<Vec<String>, Refusal> {
    let backends = backends.items();
    let text = |backend: &'_ Node, key: &str| backend.get(key).and_then(Node::text).map(str::to_owned);
    let written: Vec<Option<&str>> = backends.iter().map(|backend| backend.get("name")?.text()).collect();
    let mut names: Vec<String> = Vec::new();
    for (backend, name) in backends.iter().zip(names::called(&written)) {
        let refuse = |reason: String| Err(Refusal::at(object, backend, reason));
        let Some(name) = name else { return refuse("a backend without a name".to_owned()) };
        if !is_label(name.as_bytes()) {
            return refuse(format!(
                "a rule cannot name a subset {name}: lower-case letters, digits and - alone; give it a Service of another name"
            ));
        }
        let earlier = names.iter().position(|known| known == name).and_then(|at| backends.get(at));
        if let Some(earlier) = earlier {
            let is_same = |key: &str| text(earlier, key) == text(backend, key);
            let is_one = ["group", "kind", "name", "namespace"].into_iter().all(is_same);
            let port = |backend: &Node| backend.get("port").and_then(Node::number);
            return refuse(match (is_one, port(earlier) == port(backend)) {
                (true, true) => format!("{name} is there twice; add the weights up in one backend"),
                (true, false) => format!(
                    "{name} is there twice, with another port; ports do not tell pods apart, so give each version a Service"
                ),
                _ => format!("two backends would both be called {name}; give them Services of different names"),
            });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
