//! Requests of which everything is known, as witnesses of where visitors go: which kinds of them a rule takes, and which routes they meet.

use super::asked::Asked;
use super::table::{Entry, Step, Table};
use super::text::Taken;
use canary_split::request::Request;
use canary_split::request::claim::ClaimPath;
use canary_split::rule::Rule;
use canary_split::rule::condition::{Condition, Match, StringMatch};
use std::collections::HashSet;

/// A path that no route names.
const ANY_PATH: &str = "/any-other-path";
/// The most alternatives of a rule that are tried.
const MAX_KINDS: usize = 8;

/// What an alternative of a rule's `match` asks for.
#[derive(Debug, Default)]
pub struct Kind<'r> {
    paths: Vec<String>,
    method: Option<&'r str>,
    headers: Vec<(&'r str, String)>,
    params: Vec<(&'r str, &'r str)>,
}

/// A request.
#[derive(Debug)]
pub struct Witness<'s> {
    host: &'s str,
    path: &'s str,
    method: &'s str,
    scheme: Option<&'static str>,
    headers: Vec<(&'s str, &'s str)>,
    params: &'s [(&'s str, &'s str)],
    /// The path with the query.
    target: String,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub enum Way<'t, 'w, 'o> {
    /// To this route, by this entry.
    Route(&'t Step<'w, 'o>, &'t Entry<'w, 'o>),
    /// No route takes it.
    Nowhere,
    /// It depends on what is not known.
    Unclear,
}

/// The kinds of requests that a rule takes, without those that depend on a token, an address or a regex.
pub fn kinds(rule: &Rule) -> Vec<Kind<'_>> {
    if rule.matches.is_empty() {
        return vec![Kind::default()];
    }
    rule.matches.iter().filter_map(Kind::of).take(MAX_KINDS).collect()
}

impl<'r> Kind<'r> {
    fn of(one: &'r Match) -> Option<Kind<'r>> {
        let mut kind = Kind::default();
        let mut cookies: Vec<String> = Vec::new();
        for condition in &one.conditions {
            match condition {
                Condition::Uri(StringMatch::Exact(path)) => kind.paths.push(path.clone()),
                Condition::Uri(StringMatch::Prefix(begin)) => {
                    kind.paths.push(begin.clone());
                    kind.paths.push(format!("{}{ANY_PATH}", begin.trim_end_matches('/')));
                }
                // Those of the routes are tried.
                Condition::Uri(_) | Condition::WithoutHeader(..) => {}
                Condition::Method(asked) => kind.method = Some(sample(asked)?),
                Condition::Header(name, asked) => kind.headers.push((name, sample(asked)?.to_owned())),
                Condition::QueryParam(name, asked) => kind.params.push((name, sample(asked)?)),
                Condition::Cookie(name, asked) => cookies.push(format!("{name}={}", sample(asked)?)),
                Condition::RemoteIpBlocks(_) | Condition::Claim(..) => return None,
            }
        }
        if !cookies.is_empty() {
            kind.headers.push(("cookie", cookies.join("; ")));
        }
        Some(kind)
    }

    /// Whether a path and a method say everything about its requests.
    pub fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.params.is_empty()
    }

    /// Paths and methods to try, each once: those that say most come first.
    pub fn tried<'s>(&'s self, table: &'s Table) -> Vec<(&'s str, &'s str)> {
        let own: Vec<&str> = match self.paths.as_slice() {
            [] => vec!["/", ANY_PATH],
            paths => paths.iter().map(String::as_str).collect(),
        };
        let methods = |method: Option<&'s str>| match self.method.or(method) {
            Some(method) => vec![method],
            None => vec!["GET", "POST"],
        };
        let mut tried: Vec<_> =
            own.iter().flat_map(|path| methods(None).into_iter().map(move |method| (*path, method))).collect();
        let entries = table.steps.iter().flat_map(|step| &step.entries);
        let first = own.first().copied().unwrap_or("/");
        tried.extend(entries.filter_map(|entry| {
            let samples = entry.asked.iter().map(|asked| asked.sample());
            let (path, method) =
                samples.fold((None, None), |(path, method), (one, other)| (path.or(one), method.or(other)));
            let method = self.method.or(method).unwrap_or("GET");
            (path.is_some() || method != "GET").then_some((path.unwrap_or(first), method))
        }));
        let mut seen = HashSet::new();
        tried.retain(|one| seen.insert(*one));
        tried
    }
}

/// A value that meets a condition; `None`: it is not known of any.
fn sample(asked: &StringMatch) -> Option<&str> {
    match asked {
        StringMatch::Present => Some("1"),
        StringMatch::Exact(text) | StringMatch::Prefix(text) => Some(text),
        StringMatch::Regex(_) => None,
    }
}

impl<'s> Witness<'s> {
    /// A request of a kind; its scheme may not be known.
    pub fn new(
        kind: &'s Kind<'s>,
        host: &'s str,
        scheme: Option<&'static str>,
        (path, method): (&'s str, &'s str),
    ) -> Witness<'s> {
        let query: Vec<String> = kind.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let between = if query.is_empty() { "" } else { "?" };
        let own = [(":authority", host), (":path", path), (":method", method)];
        let of_scheme = scheme.into_iter().flat_map(|scheme| [(":scheme", scheme), ("x-forwarded-proto", scheme)]);
        let of_kind = kind.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = own.into_iter().chain(of_scheme).chain(of_kind).collect();
        let target = format!("{path}{between}{}", query.join("&"));
        Witness { host, path, method, scheme, headers, params: &kind.params, target }
    }

    /// All of its properties after the filter has written its header.
    pub fn known<'k>(&'k self, header: &'k str, value: &'k str) -> Vec<Asked<'k>> {
        let own = [Asked::host(self.host), Asked::uri(self.path), Asked::method(self.method)];
        let sent = self.headers.iter().filter(|(name, _)| *name != header);
        let headers = sent.map(|(name, value)| Asked::header(name, value));
        let params = self.params.iter().map(|(name, value)| Asked::query_param(name, value));
        let all = own.into_iter().chain(self.scheme.map(Asked::scheme)).chain(headers).chain(params);
        all.chain([Asked::header(header, value)]).collect()
    }

    /// As in `GET https://shop.example.com/cart`, without the query, which may be a secret.
    pub fn title(&self) -> String {
        let (scheme, between) = self.scheme.map_or(("", ""), |scheme| (scheme, "://"));
        format!("{} {scheme}{between}{}{}", self.method, self.host, self.path)
    }

    /// Whether it comes in over https, as far as that is known.
    pub fn is_https(&self) -> bool {
        self.scheme == Some("https")
    }
}

impl<'c> Request<'c> for Witness<'_> {
    fn header(&mut self, name: &'c str) -> Option<&[u8]> {
        if name == ":path" {
            return Some(self.target.as_bytes());
        }
        let name = if name == "host" { ":authority" } else { name };
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }

    fn claim(&mut self, _: &'c ClaimPath) -> Option<&[u8]> {
        None
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        None
    }
}

impl<'w, 'o> Table<'w, 'o> {
    /// Where a request goes that is wholly known.
    pub fn way<'t>(&'t self, known: &[&Asked]) -> Way<'t, 'w, 'o> {
        for step in &self.steps {
            for entry in &step.entries {
                let mut all = entry.asked.iter().map(|asked| asked.taken_of_whole(known));
                let taken =
                    all.try_fold(Taken::All, |taken, next| Some(taken.and(next)).filter(|taken| *taken != Taken::None));
                match taken {
                    None => {}
                    Some(Taken::All) if !step.route.is_delegated() && !self.is_disputed(step, known) => {
                        return Way::Route(step, entry);
                    }
                    Some(_) => return Way::Unclear,
                }
            }
        }
        Way::Nowhere
    }

    /// Whether an entry that counts takes a request that is the same but for other headers and query parameters.
    pub fn may_take(&self, known: &[&Asked], counts: impl Fn(&Entry) -> bool) -> bool {
        let may_hold = |entry: &&Entry| entry.asked.iter().all(|asked| asked.taken_of(known) != Taken::None);
        self.steps.iter().flat_map(|step| &step.entries).filter(|entry| counts(entry)).any(|entry| may_hold(&entry))
    }
}
