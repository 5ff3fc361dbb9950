//! The conditions of rules and routes on a request, and which of them imply others.

use super::gateway_name::resolved;
use super::namespace::is_same_namespace;
use super::text::{Taken, Text};
use crate::input::yaml::Node;
use canary_split::rule::condition::{Condition, StringMatch};
use std::borrow::Cow;
use std::ops::Range;

/// The most prefixes of a path that are looked up.
const MAX_PATH: usize = 256;

/// The subject of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject<'c> {
    /// The path.
    Uri,
    /// The method.
    Method,
    /// A header, by its name in lower case.
    Header(Cow<'c, str>),
    /// A query parameter.
    QueryParam(&'c str),
    /// The host.
    Host,
    /// Any other property of a request.
    Other(&'c str),
    /// The origin of a request, which differs between gateways.
    Origin(&'c str),
}

/// One condition.
#[derive(Debug)]
pub struct Asked<'c> {
    subject: Subject<'c>,
    text: Text<'c>,
    /// Whether it must not hold.
    is_negative: bool,
    ignores_case: bool,
    /// Its place, if it is one of a route on a header.
    written: Option<Written<'c>>,
}

/// Where a route says a condition on a header.
#[derive(Clone, Copy, Debug)]
pub struct Written<'c> {
    /// The header's name.
    pub name: (&'c Range<usize>, &'c str),
    /// The condition.
    pub node: &'c Node,
    /// The exact value, if one is asked for.
    pub exact: Option<(&'c Node, &'c str)>,
}

impl<'c> Asked<'c> {
    /// A header with exactly this value.
    pub fn header(name: &'c str, value: &'c str) -> Asked<'c> {
        let (subject, text) = (Subject::Header(lower(name)), Text::Exact(value));
        Asked { subject, text, is_negative: false, ignores_case: false, written: None }
    }

    /// An absent header.
    pub fn no_header(name: &'c str) -> Asked<'c> {
        let subject = Subject::Header(lower(name));
        Asked { subject, text: Text::Present, is_negative: true, ignores_case: false, written: None }
    }

    /// The host that a request is for.
    pub fn host(host: &'c str) -> Asked<'c> {
        Asked { subject: Subject::Host, text: Text::Exact(host), is_negative: false, ignores_case: true, written: None }
    }

    /// The path of a request.
    pub fn uri(path: &'c str) -> Asked<'c> {
        Asked { subject: Subject::Uri, text: Text::Exact(path), is_negative: false, ignores_case: false, written: None }
    }

    /// The beginning of a request's path.
    pub fn uri_prefix(begin: &'c str) -> Asked<'c> {
        Asked::of_other(Subject::Uri, Text::Prefix(begin))
    }

    /// The method of a request.
    pub fn method(method: &'c str) -> Asked<'c> {
        Asked {
            subject: Subject::Method,
            text: Text::Exact(method),
            is_negative: false,
            ignores_case: false,
            written: None,
        }
    }

    /// The scheme of a request.
    pub fn scheme(scheme: &'c str) -> Asked<'c> {
        Asked::of_other(Subject::Other("scheme"), Text::Exact(scheme))
    }

    /// A query parameter with exactly this value.
    pub fn query_param(name: &'c str, value: &'c str) -> Asked<'c> {
        Asked {
            subject: Subject::QueryParam(name),
            text: Text::Exact(value),
            is_negative: false,
            ignores_case: false,
            written: None,
        }
    }

    /// The absence of its header or query parameter, if it asks for one that is not among the known properties.
    pub fn absent_in(&self, known: &[Asked]) -> Option<Asked<'c>> {
        let can_be_absent = matches!(self.subject, Subject::Header(_) | Subject::QueryParam(_));
        let is_known = known.iter().any(|known| known.subject == self.subject);
        (can_be_absent && !is_known).then(|| Asked {
            subject: self.subject.clone(),
            text: Text::Present,
            is_negative: true,
            ignores_case: false,
            written: None,
        })
    }

    /// A condition of a rule; `None`: a route cannot have the same one.
    pub fn of_rule(condition: &'c Condition) -> Option<Asked<'c>> {
        let (subject, asked) = match condition {
            Condition::Method(asked) => (Subject::Method, asked),
            Condition::Uri(asked) => (Subject::Uri, asked),
            Condition::Header(name, asked) | Condition::WithoutHeader(name, asked) => {
                (Subject::Header(Cow::Borrowed(name)), asked)
            }
            Condition::QueryParam(name, asked) => (Subject::QueryParam(name), asked),
            _ => return None,
        };
        let text = match asked {
            StringMatch::Present => Text::Present,
            StringMatch::Exact(text) => Text::Exact(text),
            StringMatch::Prefix(text) => Text::Prefix(text),
            StringMatch::Regex(regex) => Text::Compiled(regex),
        };
        let is_negative = matches!(condition, Condition::WithoutHeader(..));
        Some(Asked { subject, text, is_negative, ignores_case: false, written: None })
    }

    /// A condition of a route on a header.
    pub fn of_header(text: Text<'c>, written: Written<'c>) -> Asked<'c> {
        let subject = Subject::Header(lower(written.name.1));
        Asked { subject, text, is_negative: false, ignores_case: false, written: Some(written) }
    }

    /// A condition of a route on anything else.
    pub fn of_other(subject: Subject<'c>, text: Text<'c>) -> Asked<'c> {
        Asked { subject, text, is_negative: false, ignores_case: false, written: None }
    }

    /// The conditions of an entry of a route's `match` in a VirtualService at this many gateways.
    pub fn of_entry(entry: &'c Node, gateways: usize) -> Vec<Asked<'c>> {
        let ignores_case = entry.get("ignoreUriCase").is_some_and(Node::is_true);
        let mut all = Vec::new();
        for (key, node) in entry.entries() {
            let mut add = |subject, node, is_negative, ignores_case| {
                all.push(Asked { subject, text: Text::of(node), is_negative, ignores_case, written: None });
            };
            match &*key.name {
                "name" | "statPrefix" | "ignoreUriCase" => {}
                "gateways" if gateways < 2 || node.items().len() >= gateways => {}
                "uri" => add(Subject::Uri, node, false, ignores_case),
                "authority" => add(Subject::Host, node, false, true),
                "method" => add(Subject::Method, node, false, false),
                "headers" | "withoutHeaders" => {
                    let is_negative = &*key.name == "withoutHeaders";
                    for (name, node) in node.entries() {
                        let exact = node.get("exact").and_then(|node| Some((node, node.text()?)));
                        let written = Written { name: (&name.span, &name.name), node, exact };
                        all.push(Asked { is_negative, ..Asked::of_header(Text::of(node), written) });
                    }
                }
                "queryParams" => {
                    node.entries()
                        .iter()
                        .for_each(|(name, node)| add(Subject::QueryParam(&name.name), node, false, false));
                }
                "gateways" | "sourceLabels" | "sourceNamespace" => add(Subject::Origin(&key.name), node, false, false),
                other => add(Subject::Other(other), node, false, false),
            }
        }
        all
    }

    /// Whether it is about this header.
    pub fn is_about(&self, header: &str) -> bool {
        matches!(&self.subject, Subject::Header(name) if name.eq_ignore_ascii_case(header))
    }

    /// Whether it is this header, and may be this.
    pub fn takes(&self, header: &str, value: &str) -> bool {
        self.is_about(header) && !self.is_negative && self.text.holds(value, false) != Some(false)
    }

    /// Whether it is this header, and must not be this.
    pub fn excludes(&self, header: &str, value: &str) -> bool {
        self.is_about(header) && self.is_negative && self.text.holds(value, false) == Some(true)
    }

    /// Whether it must not hold.
    pub fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Where a route asks for a value of a header.
    pub fn value_asked(&self) -> Option<Written<'c>> {
        self.written.filter(|_| !self.is_negative)
    }

    /// Whether it surely takes a value that it does not name: by presence, prefix or regex.
    pub fn takes_unnamed(&self, value: &str) -> bool {
        match &self.text {
            Text::Exact(_) | Text::Prefix("") => false,
            text => text.holds(value, false) == Some(true),
        }
    }

    /// Whether a condition on port or gateway, in a VirtualService of this namespace, holds at one of these gateways; `None`: it is about
    /// something else, or the port is not known.
    pub fn is_met_at(&self, port: Option<u32>, gateways: &[(&str, &str)], own: &str) -> Option<bool> {
        let Text::Unclear(node) = self.text else { return None };
        match self.subject {
            Subject::Other("port") => Some(node.number()? == port?),
            Subject::Origin("gateways") => {
                let named: Vec<_> =
                    node.items().iter().filter_map(Node::text).map(|name| resolved(name, own)).collect();
                let is_it = |(namespace, name): &(&str, &str)| {
                    named.iter().any(|(there, of)| of == name && is_same_namespace(there, namespace))
                };
                Some(gateways.iter().any(is_it))
            }
            _ => None,
        }
    }

    /// Whether Istio takes it for a condition as any other though it always holds: of regexes it knows only this one.
    pub fn is_any_unknown_to_istio(&self) -> bool {
        self.is_any() && matches!(self.text, Text::Regex(regex, _) if regex != ".*")
    }

    /// Whether it is about the host.
    pub fn is_about_host(&self) -> bool {
        self.subject == Subject::Host
    }

    /// Whether it is about where requests come in: the port, the scheme or the gateway.
    pub fn is_about_entrance(&self) -> bool {
        matches!(self.subject, Subject::Other("port" | "scheme") | Subject::Origin("gateways"))
    }

    /// Whether it is about the path.
    pub fn is_about_path(&self) -> bool {
        self.subject == Subject::Uri
    }

    /// The path that it takes with all below it, if it is such a condition.
    pub fn below(&self) -> Option<&str> {
        match self.text {
            Text::Below(path) if self.is_about_path() && !self.is_negative && !self.ignores_case => Some(path),
            _ => None,
        }
    }

    /// Whether it is about something that a visitor can send.
    pub fn is_about_visitors(&self) -> bool {
        matches!(self.subject, Subject::Header(_) | Subject::QueryParam(_)) && !self.is_negative
    }

    /// The key for looking it up, if it has one: conditions that imply it have this key among their [`Asked::implied`].
    pub fn key(&self) -> Option<(&Subject<'c>, &str)> {
        match &self.text {
            _ if self.is_negative || self.ignores_case || self.is_any() => None,
            Text::Exact(text) => Some((&self.subject, text)),
            Text::Prefix(text) | Text::Below(text) if self.subject == Subject::Uri => Some((&self.subject, text)),
            _ => None,
        }
    }

    /// The keys of all conditions that it may imply.
    pub fn implied(&self) -> impl Iterator<Item = (&Subject<'c>, &str)> {
        let text = match &self.text {
            Text::Exact(text) | Text::Prefix(text) | Text::Below(text) if !self.is_negative => text,
            _ => "",
        };
        let is_uri = self.subject == Subject::Uri;
        let begins = text.char_indices().map(|(at, _)| at).take_while(move |at| is_uri && *at <= MAX_PATH);
        begins.filter_map(|end| text.get(..end)).chain([text]).map(|text| (&self.subject, text))
    }

    /// How many of the requests that meet these conditions also meet this one.
    pub fn taken_of(&self, known: &[&Asked]) -> Taken {
        let of_it = known.iter().filter(|known| known.subject == self.subject);
        let mut taken = match self.subject {
            _ if self.is_any() => Taken::All,
            Subject::Origin(_) => self.text.taken_of_gateway(),
            _ => Taken::Some,
        };
        for known in of_it {
            let found = match known.is_negative {
                false => known.implies(self),
                // A request that meets this one would meet the other, and must not.
                true if self.implies(known) == Taken::All => Taken::None,
                true => continue,
            };
            match found {
                Taken::None => taken = Taken::None,
                Taken::All if taken != Taken::None => taken = Taken::All,
                Taken::Unknown if taken == Taken::Some => taken = Taken::Unknown,
                _ => {}
            }
        }
        match (self.is_negative, taken) {
            (true, Taken::None) => Taken::All,
            (true, Taken::All) => Taken::None,
            _ if self.is_negative && known.iter().any(|known| known.is_same(self)) => Taken::All,
            _ => taken,
        }
    }

    /// Whether one request meets this: all of its headers and query parameters are known, but for those that every request has.
    pub fn taken_of_whole(&self, known: &[&Asked]) -> Taken {
        let is_known = || known.iter().any(|known| known.subject == self.subject);
        match &self.subject {
            Subject::Header(name) if is_in_every_request(name) && !is_known() => Taken::Unknown,
            Subject::Header(_) | Subject::QueryParam(_) if !is_known() => {
                if self.is_negative {
                    Taken::All
                } else {
                    Taken::None
                }
            }
            _ => self.taken_of(known),
        }
    }

    /// A path and a method of a request that meets it, if it is about one of these.
    pub fn sample(&self) -> (Option<&'c str>, Option<&'c str>) {
        let text = match self.text {
            Text::Exact(text) | Text::Prefix(text) | Text::Below(text) if !self.is_negative => text,
            _ => return (None, None),
        };
        match self.subject {
            Subject::Uri if text.is_empty() => (Some("/"), None),
            Subject::Uri => (Some(text), None),
            Subject::Method => (None, Some(text)),
            _ => (None, None),
        }
    }

    /// How many of the values that meet this one meet another one about the same subject.
    fn implies(&self, other: &Asked) -> Taken {
        self.text.implies(self.ignores_case, &other.text, other.ignores_case)
    }

    fn is_same(&self, other: &Asked) -> bool {
        self.is_negative == other.is_negative && self.subject == other.subject && self.implies(other) == Taken::All
    }

    /// Whether it always holds.
    pub fn is_any(&self) -> bool {
        self.subject == Subject::Uri
            && matches!(
                self.text,
                Text::Prefix("/" | "") | Text::Below("") | Text::Regex(".*" | "/.*" | "^/.*" | "^/.*$", _)
            )
    }
}

/// Whether browsers or proxies add a header to every request.
fn is_in_every_request(name: &str) -> bool {
    let is_added = |begin: &&str| name.starts_with(begin);
    [":", "x-forwarded-", "x-envoy-"].iter().any(is_added)
        || ["host", "user-agent", "accept", "accept-encoding", "content-type", "x-request-id"].contains(&name)
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
