//! The HTTP routes of a VirtualService, by their conditions on the filter's header.

use crate::edit::{Edit, Step};
use crate::input::manifest::Object;
use crate::world::routing::{Route, VirtualService};
use serde_json::{Map, Value};

/// The routes of a VirtualService.
pub struct Http<'w, 'o> {
    /// The VirtualService.
    pub service: &'w VirtualService<'o>,
    /// Its routes as JSON.
    pub routes: Vec<Value>,
    /// The condition of each route.
    pub kinds: Vec<Kind>,
}

/// The condition of a route on the header.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// None; with the other conditions of its entries.
    Plain(Vec<Value>),
    /// Exactly this value in each entry; with their other conditions.
    ByHeader(String, Vec<Value>),
    /// Something else.
    Mixed,
}

impl<'w, 'o> Http<'w, 'o> {
    /// Reads them.
    pub fn of(service: &'w VirtualService<'o>, header: &str) -> Http<'w, 'o> {
        let json = |route: &Route| serde_json::from_str(&route.node.to_json()).unwrap_or_default();
        let routes: Vec<Value> = service.routes.iter().map(json).collect();
        let kinds = routes.iter().map(|route| Kind::of(route, header)).collect();
        Http { service, routes, kinds }
    }

    /// Its object.
    pub fn object(&self) -> &'o Object {
        self.service.object
    }

    /// The path to a route.
    pub fn path(at: usize) -> Vec<Step> {
        vec!["spec".into(), "http".into(), at.into()]
    }

    /// The place and name of a route in messages.
    pub fn place(&self, at: usize) -> String {
        let object = self.object();
        let start = self.service.routes.get(at).map_or(object.node.span.start, |route| route.node.span.start);
        format!("{}:{}: http[{at}] of {}", object.source.name, object.source.position(start).0, object.title())
    }

    /// The routes that ask for exactly this value.
    pub fn asking<'h>(&'h self, value: &'h str) -> impl Iterator<Item = usize> + 'h {
        let is_it = move |(_, kind): &(usize, &Kind)| matches!(kind, Kind::ByHeader(own, _) if own == value);
        self.kinds.iter().enumerate().filter(is_it).map(|(at, _)| at)
    }

    /// The conditions of a route's entries apart from the header.
    pub fn rest(&self, at: usize) -> &[Value] {
        match self.kinds.get(at) {
            Some(Kind::Plain(rest) | Kind::ByHeader(_, rest)) => rest,
            _ => &[],
        }
    }

    /// The later routes that take some of its requests if these have no header, in their order.
    pub fn behind(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let takes = move |later: &usize| {
            matches!(self.kinds.get(*later), Some(Kind::Plain(_))) && are_overlapping(self.rest(at), self.rest(*later))
        };
        (at + 1..self.routes.len()).filter(takes)
    }

    /// Whether all requests of a route go to the subset of this name in a rule.
    pub fn leads_to(&self, at: usize, name: &str) -> bool {
        let destinations = self.service.routes.get(at).map_or(&[][..], |route| &route.destinations);
        !destinations.is_empty() && destinations.iter().all(|destination| destination.is_called(name))
    }

    /// The edits that make a route do the same as another one; its conditions and its name stay.
    pub fn made_like(&self, at: usize, other: usize) -> Vec<Edit> {
        let (Some(old), Some(new)) = (self.routes.get(at), self.routes.get(other)) else { return Vec::new() };
        let mut edits = Vec::new();
        between(&done(old), &done(new), &Http::path(at), &mut edits);
        edits
    }
}

impl Kind {
    fn of(route: &Value, header: &str) -> Kind {
        let entries = route.get("match").and_then(Value::as_array).filter(|entries| !entries.is_empty());
        let Some(entries) = entries else { return Kind::Plain(vec![all()]) };
        let is_header = |name: &String| name.eq_ignore_ascii_case(header);
        let (mut values, mut rests) = (Vec::new(), Vec::new());
        for entry in entries {
            let mut rest = entry.as_object().cloned().unwrap_or_default();
            rest.remove("name");
            let shuns = rest.get("withoutHeaders").and_then(Value::as_object);
            if shuns.is_some_and(|headers| headers.keys().any(is_header)) {
                return Kind::Mixed;
            }
            let mut value = None;
            if let Some(headers) = rest.get_mut("headers").and_then(Value::as_object_mut) {
                let key = headers.keys().find(|name| is_header(name)).cloned();
                value = key.and_then(|key| headers.remove(&key));
                if headers.is_empty() {
                    rest.remove("headers");
                }
            }
            values.push(match &value {
                None => None,
                Some(asked) => match asked.get("exact").and_then(Value::as_str) {
                    Some(exact) => Some(exact.to_owned()),
                    None => return Kind::Mixed,
                },
            });
            rests.push(Value::from(without_all(rest)));
        }
        rests.sort_by_key(Value::to_string);
        match values.first() {
            Some(first) if values.iter().any(|value| value != first) => Kind::Mixed,
            Some(Some(value)) => Kind::ByHeader(value.clone(), rests),
            _ => Kind::Plain(rests),
        }
    }
}

/// Conditions that always hold.
fn all() -> Value {
    Value::from(Map::new())
}

/// Without a path condition that always holds.
fn without_all(mut entry: Map<String, Value>) -> Map<String, Value> {
    if entry.get("uri").is_some_and(|uri| *uri == serde_json::json!({"prefix": "/"})) {
        entry.remove("uri");
    }
    entry
}

/// Whether one request may match an entry of both.
pub fn are_overlapping(one: &[Value], other: &[Value]) -> bool {
    one.iter().any(|one| other.iter().any(|other| !are_disjoint(one, other)))
}

fn are_disjoint(one: &Value, other: &Value) -> bool {
    let ignores = |entry: &Value| entry.get("ignoreUriCase").is_some_and(|value| *value == Value::Bool(true));
    let uri = |entry: &Value, key: &str| entry.get("uri")?.get(key)?.as_str().map(str::to_owned);
    let exact = (uri(one, "exact"), uri(other, "exact"));
    let prefix = (uri(one, "prefix"), uri(other, "prefix"));
    if ignores(one) || ignores(other) {
        return false;
    }
    match (exact, prefix) {
        ((Some(one), Some(other)), _) => one != other,
        ((Some(exact), _), (_, Some(prefix))) | ((_, Some(exact)), (Some(prefix), _)) => !exact.starts_with(&prefix),
        (_, (Some(one), Some(other))) => !one.starts_with(&other) && !other.starts_with(&one),
        _ => false,
    }
}

/// The fields that say what a route does with its requests.
fn done(route: &Value) -> Value {
    let mut fields = route.as_object().cloned().unwrap_or_default();
    fields.retain(|name, _| !["match", "name"].contains(&name.as_str()));
    fields.into()
}

/// The smallest edits that turn one value into another.
fn between(old: &Value, new: &Value, path: &[Step], edits: &mut Vec<Edit>) {
    let at = |step: Step| [path, &[step]].concat();
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) if !new.is_empty() => {
            for (name, value) in new {
                match old.get(name) {
                    Some(known) => between(known, value, &at(Step::from(&**name)), edits),
                    None => edits.push(Edit::set(at(Step::from(&**name)), value.clone())),
                }
            }
            let gone = old.keys().filter(|name| !new.contains_key(*name));
            edits.extend(gone.map(|name| Edit::remove(at(Step::from(&**name)))));
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).enumerate().for_each(|(place, (old, new))| between(old, new, &at(place.into()), edits));
        }
        _ => edits.push(Edit::set(path.to_vec(), new.clone())),
    }
}
