//! What another tool says of a VirtualService's weights, next to the weights: who goes where whatever they say, who stays, and what comes next.

use super::steps::Steps;
use crate::input::manifest::Object;
use serde_json::{Map, Value};

/// What else is known of a route with weights. Destinations are known by their places in the route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// Which destination is stable; absent: the one with the largest weight.
    pub stable: Option<usize>,
    /// Who goes where whatever the weights are; the first that holds counts.
    pub overrides: Vec<Override>,
    /// By what visitors stay, whatever is asked for otherwise: keys as a rule has them.
    pub keys: Vec<Value>,
    /// What a cookie of the filter has that is no default.
    pub cookie: Map<String, Value>,
    /// Whether visitors stay where they are whatever the weights become.
    pub keeps: bool,
    /// The weights to come.
    pub ramp: Option<Steps>,
}

/// Requests that go to one destination whatever the weights are.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// What its rule is called, behind the name of the split's.
    pub suffix: String,
    /// Any of these holds.
    pub matches: Vec<Value>,
    /// The place of the destination.
    pub to: usize,
}

/// What is known of one VirtualService.
#[derive(Debug, Default)]
pub struct Known {
    /// Its namespace and name.
    pub service: (String, String),
    /// The object that says it: what is refused is refused there.
    pub origin: Option<Object>,
    /// Of each route that it is about, by its place.
    pub routes: Vec<(usize, Extra)>,
    /// A host of it that is no visitor's.
    pub own_host: Option<String>,
    /// Whether its owner leaves.
    pub is_left: bool,
    /// How the owner leaves, and how it comes back.
    pub leaves: Option<[String; 2]>,
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Extras(pub Vec<Known>);

impl Extras {
    /// What is known of a VirtualService.
    pub fn of(&self, service: &Object) -> Option<&Known> {
        self.0.iter().find(|known| known.service.0 == service.namespace && known.service.1 == service.name)
    }
}

impl Known {
    /// What is known of a route.
    pub fn route(&self, at: usize) -> Option<&Extra> {
        self.routes.iter().find(|(place, _)| *place == at).map(|(_, extra)| extra)
    }
}

/// Both of two entries of a match; `None`: they ask for one thing twice.
pub fn both(one: &Value, other: &Value) -> Option<Value> {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return None };
    let mut all = one.clone();
    for (key, asked) in other {
        match all.get_mut(key) {
            None => {
                all.insert(key.clone(), asked.clone());
            }
            Some(Value::Object(known)) if !["uri", "method"].contains(&&**key) => {
                for (name, asked) in asked.as_object()? {
                    if known.get(name).is_some_and(|known| known != asked) {
                        return None;
                    }
                    known.insert(name.clone(), asked.clone());
                }
            }
            Some(known) if known == asked => {}
            Some(_) => return None,
        }
    }
    Some(Value::Object(all))
}

/// An entry for each pair of two matches of which both hold; an empty match always does. `None`: some pair asks for one thing twice.
pub fn pairs(one: &[Value], other: &[Value]) -> Option<Vec<Value>> {
    match (one, other) {
        ([], all) | (all, []) => Some(all.to_vec()),
        _ => other.iter().flat_map(|other| one.iter().map(move |one| both(one, other))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;
    use serde_json::json;

    #[test]
    fn what_both_ask_for_is_one_entry() {
        let paths = [json!({"uri": {"exact": "/a"}}), json!({"uri": {"prefix": "/a/"}})];
        let always = [json!({"headers": {"x": {"exact": "1"}}})];
        let expected = [
            json!({"uri": {"exact": "/a"}, "headers": {"x": {"exact": "1"}}}),
            json!({"uri": {"prefix": "/a/"}, "headers": {"x": {"exact": "1"}}}),
        ];
        assert_eq!(pairs(&paths, &always), Some(expected.to_vec()));
        assert_eq!(pairs(&[], &always), Some(always.to_vec()));
        assert_eq!(pairs(&paths, &[]), Some(paths.to_vec()));
        assert_eq!(pairs(&always, &[json!({"headers": {"x": {"exact": "2"}}})]), None);
        assert_eq!(
            pairs(&always, &[json!({"headers": {"y": {}}})]),
            Some(vec![json!({"headers": {"x": {"exact": "1"}, "y": {}}})])
        );
        assert_eq!(pairs(&paths, &paths), None);
    }
}
