//! The routes of a VirtualService, including those of delegates, of all VirtualServices of a host at a gateway, or of all routes of the
//! Gateway API at a listener, in the order in which a request at a gateway meets them.

use super::api_match::Precedence;
use super::asked::{Asked, Subject, Written};
use super::routing::{Form, Route, Routing};
use super::text::Taken;
use crate::input::yaml::Node;
use std::collections::HashMap;

/// The most conditions without an index that are compared.
const MAX_LOOSE: usize = 64;
/// The most entries of routes and their delegates that are combined.
const MAX_COMBINED: usize = 4096;

/// The routes of a VirtualService, or those of a listener.
#[derive(Debug)]
pub struct Table<'w, 'o> {
    /// In their order.
    pub steps: Vec<Step<'w, 'o>>,
    /// Whether no other routes come before them: they are all of a listener's for a host.
    pub is_alone: bool,
    /// Whether it is known in which order the objects are that they are from.
    is_order_known: bool,
    /// Steps and entries by their first condition.
    index: HashMap<(&'w Subject<'o>, &'w str), Vec<(usize, usize)>>,
    /// The first that takes everything, and others that cannot be looked up.
    loose: Vec<(usize, usize)>,
}

/// A route.
#[derive(Debug)]
pub struct Step<'w, 'o> {
    /// The object in which it is written.
    pub service: &'w Routing<'o>,
    /// The route.
    pub route: &'w Route<'o>,
    /// The route of another VirtualService that delegates to it.
    around: Option<&'w Route<'o>>,
    /// Any of these may hold.
    pub entries: Vec<Entry<'w, 'o>>,
    /// Which of several VirtualServices for one host it belongs to.
    owner: usize,
    /// Whether it takes everything, and so comes after the routes of all of them.
    is_last: bool,
}

/// Conditions that must all hold.
#[derive(Debug)]
pub struct Entry<'w, 'o> {
    /// Their place; for a route without any, the route.
    pub node: &'o Node,
    /// The conditions.
    pub asked: Vec<&'w Asked<'o>>,
    /// Those of the route itself, without those of one that delegates to it.
    own: &'w [Asked<'o>],
}

/// An entry that requests meet.
#[derive(Clone, Copy, Debug)]
pub struct Met<'t, 'w, 'o> {
    /// The place of its route.
    pub place: usize,
    /// Its route.
    pub step: &'t Step<'w, 'o>,
    /// The entry.
    pub entry: &'t Entry<'w, 'o>,
    /// How many of the requests it takes.
    pub taken: Taken,
    /// Whether an earlier entry may take all of them; unknown.
    is_doubtful: bool,
}

impl<'w, 'o> Table<'w, 'o> {
    /// Reads one; `delegate` knows the VirtualService that a route delegates to.
    pub fn of(service: &'w Routing<'o>, delegate: impl Fn(&'w Route<'o>) -> Option<&'w Routing<'o>>) -> Table<'w, 'o> {
        Table::new(steps(service, delegate), false)
    }

    /// Those of one host at a port that these gateways share, as Istio merges them: the older first, of each the routes up to the first that takes
    /// everything, and these last.
    pub fn of_gateway(
        mut services: Vec<&'w Routing<'o>>,
        delegate: impl Fn(&'w Routing<'o>, &'w Route<'o>) -> Option<&'w Routing<'o>>,
        port: Option<u32>,
        gateways: &[(&str, &str)],
    ) -> Table<'w, 'o> {
        let made = |service: &Routing<'o>| service.object.text(&["metadata", "creationTimestamp"]);
        services.sort_by_key(|service| (made(service), &service.object.name, &service.object.namespace));
        let is_order_known = services.len() < 2 || services.iter().all(|service| made(service).is_some());
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (owner, service) in services.into_iter().enumerate() {
            for step in steps(service, |route| delegate(service, route)) {
                let is_met = |asked: &Asked| asked.is_met_at(port, gateways, &service.object.namespace);
                let (step, open) = Step { owner, ..step }.met(is_met).parted();
                first.extend(step);
                if let Some(open) = open {
                    last.push(open);
                    break;
                }
            }
        }
        first.append(&mut last);
        Table { is_order_known, ..Table::new(first, true) }
    }

    /// All routes of the Gateway API that a listener has for a host: the most specific first, then those of the older object.
    pub fn of_listener(mut routings: Vec<&'w Routing<'o>>, precedence: Precedence) -> Table<'w, 'o> {
        routings.sort_by_key(|routing| {
            let object = routing.object;
            (object.text(&["metadata", "creationTimestamp"]), &object.namespace, &object.name)
        });
        let routes = routings.into_iter().flat_map(|routing| routing.routes.iter().map(move |route| (routing, route)));
        let mut steps: Vec<Step> = routes.map(|(routing, route)| Step::of(routing, route, None)).collect();
        steps.sort_by_key(|step| step.route.specificity(precedence));
        Table::new(steps, true)
    }

    fn new(steps: Vec<Step<'w, 'o>>, is_alone: bool) -> Table<'w, 'o> {
        let (mut index, mut loose, mut is_open) = (HashMap::<_, Vec<_>>::new(), Vec::new(), false);
        let entries = |(place, step): (usize, &Step<'w, 'o>)| {
            let entries = step.entries.iter().enumerate();
            entries.map(|(number, entry)| (place, number, entry.asked.clone())).collect::<Vec<_>>()
        };
        for (place, number, asked) in steps.iter().enumerate().flat_map(entries) {
            let keys = || asked.iter().copied().filter_map(Asked::key);
            // Paths differ more than anything else.
            let uris = keys().filter(|(subject, _)| **subject == Subject::Uri);
            let key = uris.max_by_key(|(_, text)| text.len()).or_else(|| keys().next());
            match key {
                Some(key) => index.entry(key).or_default().push((place, number)),
                None if asked.is_empty() && !is_open => {
                    is_open = true;
                    loose.push((place, number));
                }
                None if loose.len() < MAX_LOOSE => loose.push((place, number)),
                None => {}
            }
        }
        Table { steps, is_alone, is_order_known: true, index, loose }
    }

    /// All conditions of its routes.
    pub fn asked(&self) -> impl Iterator<Item = &Asked<'o>> {
        self.steps.iter().flat_map(|step| &step.entries).flat_map(|entry| entry.asked.iter().copied())
    }

    /// The entries that requests with these properties meet, up to the first that surely takes all the rest.
    pub fn met<'t>(&'t self, known: &[&Asked]) -> Vec<Met<'t, 'w, 'o>> {
        let mut met: Vec<Met> = Vec::new();
        let mut is_doubtful = false;
        for (place, step) in self.steps.iter().enumerate() {
            let before = met.len();
            for entry in &step.entries {
                let taken = step.taken(entry, known);
                if taken != Taken::None {
                    met.push(Met { place, step, entry, taken, is_doubtful });
                }
            }
            let of_step = || met.iter().skip(before);
            if of_step().any(|met| met.taken == Taken::All) {
                break;
            }
            is_doubtful |= of_step().any(|met| met.taken == Taken::Unknown);
        }
        met
    }

    /// The first route from a place on that surely takes all requests with these properties.
    pub fn taker(&self, known: &[&Asked], from: usize) -> Option<(usize, &Step<'w, 'o>)> {
        let keys = known.iter().flat_map(|asked| asked.implied());
        let lists = keys.filter_map(|key| self.index.get(&key)).chain([&self.loose]);
        let takes = |(place, number): &&(usize, usize)| {
            let step = self.steps.get(*place);
            let entry = step.and_then(|step| Some((step, step.entries.get(*number)?)));
            entry.is_some_and(|(step, entry)| step.taken(entry, known) == Taken::All)
        };
        // Each list is in the order of the steps.
        let first = |list: &'_ Vec<(usize, usize)>| {
            let start = list.partition_point(|(place, _)| *place < from);
            list.get(start..)?.iter().find(takes).copied()
        };
        let (place, _) = lists.filter_map(first).min()?;
        Some((place, self.steps.get(place)?))
    }

    /// Whether a route of another VirtualService may take requests with these properties before a step does.
    pub fn is_disputed(&self, step: &Step, known: &[&Asked]) -> bool {
        let is_rival = |other: &&Step| other.owner != step.owner && other.is_last == step.is_last;
        let takes = |other: &Step| other.entries.iter().any(|entry| other.taken(entry, known) != Taken::None);
        !self.is_order_known && self.steps.iter().filter(is_rival).any(takes)
    }

    /// Whether requests with these properties surely get to an entry.
    pub fn reaches(&self, met: &Met, known: &[&Asked]) -> bool {
        let narrowed: Vec<&Asked> = known.iter().chain(&met.entry.asked).copied().collect();
        let is_first = self.taker(&narrowed, 0).is_none_or(|(place, _)| place >= met.place);
        met.taken >= Taken::Some && !met.is_doubtful && is_first
    }
}

impl<'w, 'o> Step<'w, 'o> {
    fn of(service: &'w Routing<'o>, route: &'w Route<'o>, around: Option<&'w Route<'o>>) -> Step<'w, 'o> {
        let inner = |outer: &[&'w Asked<'o>]| {
            let entry = |(node, asked): &'w (&'o Node, Vec<Asked<'o>>)| Entry {
                node,
                asked: outer.iter().copied().chain(asked).filter(|asked| !asked.is_any()).collect(),
                own: asked,
            };
            route.asked.iter().map(entry).collect::<Vec<_>>()
        };
        let entries = match around {
            None => inner(&[]),
            Some(around) => {
                around.asked.iter().flat_map(|(_, asked)| inner(&asked.iter().collect::<Vec<_>>())).collect()
            }
        };
        Step { service, route, around, entries, owner: 0, is_last: false }
    }

    /// What of it is met where it is known of some conditions whether they hold.
    fn met(mut self, is_met: impl Fn(&Asked) -> Option<bool>) -> Step<'w, 'o> {
        self.entries.retain(|entry| !entry.asked.iter().any(|asked| is_met(asked) == Some(false)));
        self.entries.iter_mut().for_each(|entry| entry.asked.retain(|asked| is_met(asked).is_none()));
        self
    }

    /// What comes before the first of its entries that takes everything, and that entry.
    fn parted(mut self) -> (Option<Step<'w, 'o>>, Option<Step<'w, 'o>>) {
        let around = self.around.into_iter().flat_map(|around| &around.asked).flat_map(|(_, asked)| asked);
        let is_known = !self.route.is_delegated() && !around.into_iter().any(Asked::is_any_unknown_to_istio);
        let is_open = |entry: &Entry| entry.asked.is_empty() && !entry.own.iter().any(Asked::is_any_unknown_to_istio);
        let Some(at) = self.entries.iter().position(|entry| is_known && is_open(entry)) else {
            return (Some(self), None);
        };
        let open = self.entries.split_off(at).into_iter().take(1).collect();
        let Step { service, route, around, owner, .. } = self;
        let open = Step { service, route, around, entries: open, owner, is_last: true };
        (Some(self).filter(|step| !step.entries.is_empty()), Some(open))
    }

    /// `http[PLACE] of VirtualService NAMESPACE/NAME`, or `rules[PLACE].matches[PLACE] of HTTPRoute NAMESPACE/NAME`
    pub fn title(&self) -> String {
        format!("{} of {}", self.path(), self.service.object.title())
    }

    /// Its place in the object that it is written in, as in `http[0]`.
    pub fn path(&self) -> Form {
        self.route.form
    }

    /// The names of the routes that Istio makes of it: from its name and those of its entries, each after those of the delegating route.
    pub fn names(&self) -> Vec<String> {
        if let Form::Rule { rule, .. } = self.route.form {
            let object = self.service.object;
            let given = self.route.node.get("name").and_then(Node::text).map(str::to_owned);
            return vec![given.unwrap_or_else(|| format!("{}.{}.{rule}", object.namespace, object.name))];
        }
        let own = |node: &Node| node.get("name").and_then(Node::text).unwrap_or_default().to_owned();
        let joined = |outer: &str, inner: &str, between: &str| match (outer.is_empty(), inner.is_empty()) {
            (false, false) => format!("{outer}{between}{inner}"),
            _ => format!("{outer}{inner}"),
        };
        let entries = |route: &Node| -> Vec<String> {
            let names: Vec<String> = route.get("match").map_or(&[][..], Node::items).iter().map(own).collect();
            if names.is_empty() { vec![String::new()] } else { names }
        };
        let outer = self.around.map(|around| around.node);
        let base = joined(&outer.map(own).unwrap_or_default(), &own(self.route.node), "-");
        let inner = entries(self.route.node);
        let mut names = Vec::new();
        for outer in outer.map_or_else(|| vec![String::new()], entries) {
            for inner in &inner {
                let entry = joined(&outer, inner, "-");
                let name = if entry.is_empty() { base.clone() } else { format!("{base}.{entry}") };
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// How many of the requests with these properties an entry takes.
    fn taken(&self, entry: &Entry, known: &[&Asked]) -> Taken {
        // It is unknown what a missing delegate takes.
        let most = if self.route.is_delegated() { Taken::Unknown } else { Taken::All };
        let mut all = entry.asked.iter().map(|asked| asked.taken_of(known));
        let taken = all.try_fold(Taken::All, |taken, next| Some(taken.and(next)).filter(|taken| *taken != Taken::None));
        match taken.unwrap_or(Taken::None) {
            Taken::All => most,
            taken => taken,
        }
    }

    /// Whether it takes a request because of a header.
    pub fn takes(&self, header: &str, value: &str) -> bool {
        self.entries.iter().flat_map(|entry| &entry.asked).any(|asked| asked.takes(header, value))
    }

    /// The same for a request for one of these hosts; none: any host.
    pub fn takes_at(&self, header: &str, value: &str, hosts: &[&str]) -> bool {
        let is_of_another = |asked: &&Asked| {
            let is_none = |host: &&str| asked.taken_of(&[&Asked::host(host)]) == Taken::None;
            asked.is_about_host() && !hosts.is_empty() && hosts.iter().all(is_none)
        };
        let mut entries = self.entries.iter().filter(|entry| !entry.asked.iter().any(is_of_another));
        entries.any(|entry| entry.asked.iter().any(|asked| asked.takes(header, value)))
    }

    /// Whether it may take requests with these properties because of a header.
    pub fn may_take(&self, header: &str, known: &[&Asked]) -> bool {
        let asking = self.entries.iter().filter(|entry| entry.asks_for_value(header));
        asking.into_iter().any(|entry| self.taken(entry, known) != Taken::None)
    }

    /// Whether it asks for a value of a header.
    pub fn asks_for(&self, header: &str) -> bool {
        self.entries.iter().any(|entry| entry.asks_for_value(header))
    }

    /// Whether it asks for the host.
    pub fn asks_for_host(&self) -> bool {
        self.entries.iter().flat_map(|entry| &entry.asked).any(|asked| asked.is_about_host())
    }

    /// Its conditions on paths.
    pub fn uris(&self) -> Vec<Option<String>> {
        let uri = |entry: &Entry<'_, 'o>| entry.node.get("uri").or(entry.node.get("path")).map(Node::to_json);
        let mut uris: Vec<_> = self.entries.iter().map(uri).collect();
        uris.sort();
        uris
    }

    /// A setting, which may come from the route that delegates to it.
    pub fn setting(&self, key: &str) -> Option<&'o Node> {
        self.route.setting(key).or(self.around.and_then(|around| around.setting(key)))
    }
}

impl<'o> Entry<'_, 'o> {
    /// Whether it asks for a header.
    pub fn asks_for(&self, header: &str) -> bool {
        self.asked.iter().any(|asked| asked.is_about(header))
    }

    /// The condition of the route itself on a header that asks for a value.
    pub fn condition(&self, header: &str) -> Option<(&Asked<'o>, Written<'o>)> {
        let mut own = self.own.iter().filter(|asked| asked.is_about(header));
        own.find_map(|asked| Some((asked, asked.value_asked()?)))
    }

    /// Whether it asks for a value of a header, and not for its absence.
    pub fn asks_for_value(&self, header: &str) -> bool {
        self.asked.iter().any(|asked| asked.is_about(header) && !asked.is_negative())
    }

    /// Its conditions, except on a header.
    pub fn without<'e>(&'e self, header: &'e str) -> impl Iterator<Item = &'e Asked<'o>> {
        self.asked.iter().copied().filter(|asked| !asked.is_about(header))
    }
}

/// The routes of a VirtualService, with those of delegates in place of the delegating ones.
fn steps<'w, 'o>(
    service: &'w Routing<'o>,
    delegate: impl Fn(&'w Route<'o>) -> Option<&'w Routing<'o>>,
) -> Vec<Step<'w, 'o>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut combined = 0usize;
    for route in &service.routes {
        let known = delegate(route).filter(|delegate| {
            combined = combinations(route, delegate).saturating_add(combined);
            combined <= MAX_COMBINED
        });
        match known {
            Some(delegate) => steps.extend(delegate.routes.iter().map(|inner| Step::of(delegate, inner, Some(route)))),
            None => steps.push(Step::of(service, route, None)),
        }
    }
    steps
}

fn combinations(route: &Route, delegate: &Routing) -> usize {
    let inner: usize = delegate.routes.iter().map(|inner| inner.asked.len()).sum();
    route.asked.len().saturating_mul(inner)
}
