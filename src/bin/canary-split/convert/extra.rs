//! Settings that another tool adds to the weights of a VirtualService: overrides, stickiness and a ramp.

use super::steps::Steps;
use crate::input::manifest::Object;
use serde_json::{Map, Value};

/// Settings for one weighted route. Destinations are indexes into the route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// The stable destination; `None`: the one with the largest weight.
    pub stable: Option<usize>,
    /// Requests that bypass the weights; the first match wins.
    pub overrides: Vec<Override>,
    /// Sticky keys in the form of a rule; they replace those of `--sticky`.
    pub keys: Vec<Value>,
    /// Options of the filter's cookie that differ from the defaults.
    pub cookie: Map<String, Value>,
    /// Whether visitors keep their subset when the weights change.
    pub keeps: bool,
    /// The planned weights.
    pub ramp: Option<Steps>,
}

/// Requests that go to one destination whatever the weights are.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The end of the rule's name, after the name of the split's rule.
    pub suffix: String,
    /// Match entries, of which one must hold.
    pub matches: Vec<Value>,
    /// The destination's index in the route.
    pub to: usize,
}

/// The settings for one VirtualService.
#[derive(Debug, Default)]
pub struct Known {
    /// The VirtualService's namespace and name.
    pub service: (String, String),
    /// The Ingress that the VirtualService was made from: refusals point to it.
    pub origin: Option<Object>,
    /// Settings by the route's index in `http`.
    pub routes: Vec<(usize, Extra)>,
    /// A host that Flagger adds for itself and that no visitor uses.
    pub own_host: Option<String>,
    /// Whether `--leave` removes the owner of the weights.
    pub is_left: bool,
    /// How the owner is removed.
    pub leaves: Option<Leave>,
}

/// How something is removed that is no longer needed, and brought back.
#[derive(Clone, Debug)]
pub struct Leave {
    /// The step that removes it, or a part of it.
    pub step: String,
    /// The step that brings it back.
    pub back: String,
    /// It as it is now.
    pub object: Object,
}

/// The settings for all VirtualServices.
#[derive(Debug, Default)]
pub struct Extras(pub Vec<Known>);

impl Extras {
    /// The settings for a VirtualService.
    pub fn of(&self, service: &Object) -> Option<&Known> {
        self.0.iter().find(|known| known.service.0 == service.namespace && known.service.1 == service.name)
    }
}

impl Known {
    /// The settings for a route, by its index in `http`.
    pub fn route(&self, at: usize) -> Option<&Extra> {
        self.routes.iter().find(|(place, _)| *place == at).map(|(_, extra)| extra)
    }
}

/// Merges two match entries into one that demands both; `None`: they contradict each other.
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

/// One match that holds if both hold: an entry for each pair. An empty match always holds.
///
/// `None`: the entries of some pair contradict each other.
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
