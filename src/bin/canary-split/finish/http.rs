//! The HTTP routes of a VirtualService, or the rules of a route of the Gateway API, by their conditions on the filter's header.

use super::entry::{self, are_overlapping, is_within};
use crate::edit::{Edit, Step};
use crate::input::manifest::Object;
use crate::input::yaml::Node;
use crate::world::api_match::Precedence;
use crate::world::routing::{Form, Route, Routing};
use serde_json::{Map, Value};

/// The routes of a VirtualService, or the rules of a route of the Gateway API.
pub struct Http<'w, 'o> {
    /// Where they are.
    pub service: &'w Routing<'o>,
    /// All of them as JSON.
    pub routes: Vec<Value>,
    /// The condition of each route.
    pub kinds: Vec<Kind>,
    /// The other conditions of the entries of each rule, in the order of the text; of a VirtualService nobody asks for them.
    entries: Vec<Vec<Value>>,
    /// Who orders the entries of the Gateway API.
    precedence: Precedence,
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
    pub fn of(service: &'w Routing<'o>, header: &str, precedence: Precedence) -> Http<'w, 'o> {
        let json = |node: &Node| serde_json::from_str(&node.to_json()).unwrap_or_default();
        if service.is_virtual_service() {
            let routes: Vec<Value> = service.routes.iter().map(|route| json(route.node)).collect();
            let kinds = routes.iter().map(|route| Kind::of(route, header)).collect();
            return Http { service, routes, kinds, entries: Vec::new(), precedence };
        }
        let routes: Vec<Value> = service.object.items(&["spec", "rules"]).iter().map(json).collect();
        let read: Vec<Vec<entry::Entry>> =
            routes.iter().map(|rule| entry::of_rule(rule, &service.object.kind.to_ascii_lowercase(), header)).collect();
        let kinds = read.iter().map(|entries| Kind::of_entries(entries)).collect();
        let entries = read.into_iter().map(|entries| entries.into_iter().map(|entry| entry.rest).collect()).collect();
        Http { service, routes, kinds, entries, precedence }
    }

    /// Its object.
    pub fn object(&self) -> &'o Object {
        self.service.object
    }

    /// The field that has them.
    fn field(&self) -> &'static str {
        if self.service.is_virtual_service() { "http" } else { "rules" }
    }

    /// The path to a route.
    pub fn path(&self, at: usize) -> Vec<Step> {
        vec!["spec".into(), self.field().into(), at.into()]
    }

    /// A route in a sentence.
    pub fn called(&self, at: usize) -> String {
        format!("{}[{at}]", self.field())
    }

    /// The place and name of a route in messages.
    pub fn place(&self, at: usize) -> String {
        let object = self.object();
        let start = self.of_place(at).next().map_or(object.node.span.start, |route| route.node.span.start);
        let line = object.source.position(start).0;
        format!("{}:{line}: {} of {}", object.source.name, self.called(at), object.title())
    }

    /// What Envoy has of a route: of a rule one for each of its entries.
    fn of_place(&self, at: usize) -> impl Iterator<Item = &'w Route<'o>> {
        self.service.routes.iter().filter(move |route| match route.form {
            Form::Http(place) => place == at,
            Form::Rule { rule, .. } => rule == at,
        })
    }

    /// When an entry of a rule is asked: the smallest first.
    fn turn(&self, at: usize, entry: usize) -> Option<impl Ord + Copy> {
        let route = self.of_place(at).nth(entry)?;
        Some((route.specificity(self.precedence)?, at, entry))
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

    /// The same in the order of the text, where that counts.
    pub fn conditions(&self, at: usize) -> &[Value] {
        if self.service.is_virtual_service() { self.rest(at) } else { self.entries.get(at).map_or(&[], Vec::as_slice) }
    }

    /// Whether an earlier route takes all requests of a path that meet an entry; those that ask for the value that is left out do not.
    pub fn is_taken_before(&self, at: usize, entry: usize, path: &Value, left_out: Option<&str>) -> bool {
        let takes = |earlier: &usize| match (self.kinds.get(*earlier), self.kinds.get(at)) {
            (Some(Kind::ByHeader(one, _)), _) if left_out == Some(one.as_str()) => false,
            (Some(Kind::Plain(_)), _) => true,
            (Some(Kind::ByHeader(one, _)), Some(Kind::ByHeader(other, _))) => one == other,
            _ => false,
        };
        let is_before = |earlier: usize, place: usize| {
            if self.service.is_virtual_service() {
                return earlier < at;
            }
            self.turn(earlier, place) < self.turn(at, entry)
        };
        let own = self.conditions(at).get(entry);
        let has_all = |theirs: &Value| is_within(path, theirs) || own.is_some_and(|own| is_within(own, theirs));
        (0..self.routes.len()).filter(|earlier| *earlier != at).filter(takes).any(|earlier| {
            let mut entries = self.conditions(earlier).iter().enumerate();
            entries.any(|(place, theirs)| is_before(earlier, place) && has_all(theirs))
        })
    }

    /// The first route of another object that takes some requests of a route after it and sends them anywhere.
    pub fn first_behind(&self, at: usize, other: &Http, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let rank = self.of_place(at).filter_map(|route| route.specificity(self.precedence)).min();
        let is_behind = |later: usize| {
            let mut all = other.of_place(later);
            self.service.is_virtual_service() || all.any(|route| route.specificity(self.precedence) > rank)
        };
        let takes = |later: &usize| {
            matches!(other.kinds.get(*later), Some(Kind::Plain(_)))
                && are_overlapping(self.rest(at), other.rest(*later))
                && other.of_place(*later).any(|route| !route.destinations.is_empty())
        };
        (0..other.routes.len()).filter(takes).find(|later| is_behind(*later) && is_it(*later))
    }

    /// The later routes that take some of its requests if these have no header, in their order.
    pub fn behind(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let takes = move |later: &usize| {
            matches!(self.kinds.get(*later), Some(Kind::Plain(_))) && are_overlapping(self.rest(at), self.rest(*later))
        };
        let mut all: Vec<usize>;
        if self.service.is_virtual_service() {
            all = (at + 1..self.routes.len()).filter(takes).collect();
        } else {
            let first = |later: &usize| self.shared(at, *later).map(|(_, theirs)| self.turn(*later, theirs)).min();
            all = (0..self.routes.len()).filter(|later| *later != at).filter(takes).collect();
            all.retain(|later| {
                self.shared(at, *later).any(|(own, theirs)| self.turn(*later, theirs) > self.turn(at, own))
            });
            all.sort_by_key(first);
        }
        all.into_iter()
    }

    /// The entries of two rules that one request may meet.
    fn shared(&self, at: usize, other: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let of = |at: usize| self.entries.get(at).into_iter().flatten().enumerate();
        let pairs = of(at).flat_map(move |own| of(other).map(move |theirs| (own, theirs)));
        pairs
            .filter(|((_, own), (_, theirs))| {
                are_overlapping(std::slice::from_ref(*own), std::slice::from_ref(*theirs))
            })
            .map(|((own, _), (theirs, _))| (own, theirs))
    }

    /// A route that takes requests which a route takes from it, before the default route for these does; not one that does the same.
    pub fn between(&self, at: usize, default: usize) -> Option<usize> {
        let is_another = |later: &usize| !self.made_like(at, *later).is_empty();
        if self.service.is_virtual_service() {
            return self.behind(at).filter(is_another).find(|later| *later < default);
        }
        let entry = |at: usize, place: usize| self.entries.get(at).and_then(|entries| entries.get(place));
        let is_before = |later: usize, (own, theirs): (usize, usize)| {
            let defaults = self.entries.get(default).map_or(0, Vec::len);
            let mut defaults = (0..defaults).filter(|place| entry(default, *place) == entry(at, own));
            let turn = self.turn(later, theirs);
            turn > self.turn(at, own) && defaults.any(|place| turn < self.turn(default, place))
        };
        self.behind(at)
            .filter(|later| *later != default)
            .filter(is_another)
            .find(|later| self.shared(at, *later).any(|pair| is_before(*later, pair)))
    }

    /// Another rule that asks for this value and has an entry in common: only one of them takes these requests.
    pub fn twin(&self, at: usize, value: &str) -> Option<usize> {
        let entries = |at: usize| self.entries.get(at).into_iter().flatten();
        let is_it = |other: &usize| *other != at && entries(at).any(|own| entries(*other).any(|theirs| own == theirs));
        self.asking(value).find(is_it)
    }

    /// A rule that asks for this value, and one of another route that does so for the same path: while one of them is edited and the
    /// other is not, the one that still asks for the value takes requests of both.
    pub fn rival(&self, other: &Http, value: &str) -> Option<(usize, usize)> {
        let is_one_path = |own: &Value, theirs: &Value| {
            own.get("uri") == theirs.get("uri")
                && are_overlapping(std::slice::from_ref(own), std::slice::from_ref(theirs))
        };
        let entries = |http: &'_ Http, at: usize| http.entries.get(at).cloned().unwrap_or_default();
        let meet = |(own, theirs): &(usize, usize)| {
            let theirs = entries(other, *theirs);
            entries(self, *own).iter().any(|own| theirs.iter().any(|theirs| is_one_path(own, theirs)))
        };
        self.asking(value).flat_map(|own| other.asking(value).map(move |theirs| (own, theirs))).find(meet)
    }

    /// Where the exact values of a header are in a route, from the object's root.
    pub fn values(&self, at: usize, header: &str) -> Vec<Vec<Step>> {
        let route = self.routes.get(at);
        let key = if self.service.is_virtual_service() { "match" } else { "matches" };
        let entries = route.and_then(|route| route.get(key)?.as_array()).into_iter().flatten().enumerate();
        let way = |(place, entry): (usize, &Value)| {
            let headers = entry.get("headers")?;
            let here = [&self.path(at)[..], &[key.into(), place.into(), "headers".into()]].concat();
            let end: [Step; 2] = match headers {
                Value::Array(headers) => {
                    let is_it = |asked: &Value| {
                        asked.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(header))
                    };
                    [headers.iter().position(is_it)?.into(), "value".into()]
                }
                _ => {
                    let key = headers.as_object()?.keys().find(|key| key.eq_ignore_ascii_case(header))?;
                    [Step::from(&**key), "exact".into()]
                }
            };
            Some([&here[..], &end].concat())
        };
        entries.filter_map(way).collect()
    }

    /// Whether all requests of a route go to the subset of this name in a rule.
    pub fn leads_to(&self, at: usize, name: &str) -> bool {
        let destinations = self.of_place(at).next().map_or(&[][..], |route| &route.destinations);
        !destinations.is_empty() && destinations.iter().all(|destination| destination.is_called(name))
    }

    /// The edits that make a route do the same as another one; its conditions and its name stay.
    pub fn made_like(&self, at: usize, other: usize) -> Vec<Edit> {
        let (Some(old), Some(new)) = (self.routes.get(at), self.routes.get(other)) else { return Vec::new() };
        let mut edits = Vec::new();
        between(&done(old), &done(new), &self.path(at), &mut edits);
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
        Kind::of_all(&values, rests)
    }

    fn of_entries(entries: &[entry::Entry]) -> Kind {
        let values: Option<Vec<Option<String>>> = entries.iter().map(|entry| entry.value.clone().ok()).collect();
        match values {
            Some(values) => Kind::of_all(&values, entries.iter().map(|entry| entry.rest.clone()).collect()),
            None => Kind::Mixed,
        }
    }

    fn of_all(values: &[Option<String>], mut rests: Vec<Value>) -> Kind {
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

/// The fields that say what a route does with its requests.
fn done(route: &Value) -> Value {
    let mut fields = route.as_object().cloned().unwrap_or_default();
    fields.retain(|name, _| !["match", "matches", "name"].contains(&name.as_str()));
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
