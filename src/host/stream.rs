//! One request and its response.

use super::active::{Active, Counted};
use super::envoy::{property, second};
use super::failures::{count_failure, is_cut_off};
use super::response::{Outcome, response_header};
use super::vm::fresh;
use crate::decide::{Answer, Choice, Decision, answer};
use crate::request::Request;
use crate::request::claim::ClaimPath;
use crate::request::metadata::{JWT_AUTHN, PAYLOAD, providers};
use crate::split::Draw;
use crate::visitor::new_cookie::NewCookie;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};
use smallvec::SmallVec;
use std::rc::Rc;

/// One request and its response.
pub(super) struct Stream {
    active: Rc<Active>,
    /// The places of the rule and the subset: request headers can no longer be read when the response comes.
    decided: Option<(usize, usize)>,
    /// For a visitor of a rule with a guard.
    draw: Option<Draw>,
    /// Whether the request was seen, so that its response counts.
    counts: bool,
    cookie: Option<NewCookie>,
    /// Cookies to remove.
    forgotten: Vec<NewCookie>,
    /// A response that has begun well and has not ended.
    open: Option<Open>,
}

/// What is known about it.
#[derive(Clone, Copy)]
struct Open {
    outcome: Outcome,
    /// Whether it counts when it ends: gRPC's status comes last.
    counts: bool,
}

impl Stream {
    pub(super) fn new(active: &Rc<Active>) -> Stream {
        Stream {
            active: Rc::clone(active),
            decided: None,
            draw: None,
            counts: false,
            cookie: None,
            forgotten: Vec::new(),
            open: None,
        }
    }

    fn count_response(&self, outcome: Outcome) {
        self.active.count(self.decided, Counted::Response(outcome.class()));
    }

    /// Tells the guard of the rule, if it has one, about a failure.
    fn blame_if(&self, has_failed: impl FnOnce() -> bool) {
        if let (Some(decided), Some(draw)) = (self.decided, self.draw)
            && has_failed()
        {
            count_failure(&self.active, decided, draw);
        }
    }
}

/// Sets or removes a cookie, if this response may. Its `location` is asked for once.
fn set_cookie(cookie: &NewCookie, status: u16, location: &mut Option<Option<Vec<u8>>>) {
    let location = || location.get_or_insert_with(|| response_header("location")).clone();
    if cookie.may_go_out(status, location) {
        // `add`: `set` would destroy the application's cookies.
        let _ = hostcalls::add_map_value(MapType::HttpResponseHeaders, "set-cookie", &cookie.header);
    }
}

/// Gives a request header a value of ours, or removes what a client says there. `set` and removal leave no other line of that name.
fn write<'c>(request: &mut Asked<'c>, header: &'c str, value: Option<&str>) {
    if value.is_some() || request.header(header).is_some() {
        let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, header, value);
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let active = Rc::clone(&self.active);
        let mut request = Asked::default();
        let Answer { decision, forgotten } = answer(&active.config, &mut request, fresh, second);
        self.forgotten = forgotten;
        // Clients must not decide: these headers are ours, or absent. A write also makes Envoy choose the route again; it does so
        // by itself for plugins of this ABI (0.2.1), not for those of a newer one. A write costs ten times as much as the answer
        // that there is nothing to remove.
        let choice = decision.as_ref().map(|decision| decision.choice);
        let subset = choice.and_then(Choice::subset).map(|subset| &*subset.header_value);
        write(&mut request, &active.config.header, subset);
        for header in &active.config.position_headers {
            let position = choice.and_then(|choice| choice.position_in(header)).map(|position| position.to_string());
            write(&mut request, header, position.as_deref());
        }
        let source = decision.as_ref().map(|decision| decision.source);
        if let Some(Decision { rule_at, subset_at, draw, cookie, .. }) = decision {
            self.decided = Some((rule_at, subset_at));
            self.cookie = cookie;
            self.draw = draw.filter(|_| active.rollout(rule_at).is_some_and(|rollout| rollout.guard.is_some()));
        }
        self.counts = true;
        active.count(self.decided, Counted::Request(source));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, is_all: bool) -> Action {
        if self.counts {
            let outcome = Outcome::of_headers(is_all);
            let counts_later = !is_all && outcome.may_be_grpc();
            if !counts_later {
                self.count_response(outcome);
            }
            if outcome.looks_good() {
                self.open = (!is_all).then_some(Open { outcome, counts: counts_later });
            } else {
                self.blame_if(|| outcome.is_failure());
            }
            let (status, mut location) = (outcome.status(), None);
            if !self.forgotten.is_empty() {
                std::mem::take(&mut self.forgotten).iter().for_each(|cookie| set_cookie(cookie, status, &mut location));
            }
            if let Some(cookie) = self.cookie.take() {
                set_cookie(&cookie, status, &mut location);
            }
            if let Some(header) = &self.active.config.response_header
                && let Some(subset) = self.decided.and_then(|decided| self.active.subset(decided))
            {
                // `set`: the application's own value would say something else.
                let _ = hostcalls::set_map_value(MapType::HttpResponseHeaders, header, Some(subset));
            }
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if let Some(Open { mut outcome, counts: true }) = self.open {
            self.open = None;
            outcome.add_trailers();
            self.count_response(outcome);
            self.blame_if(|| outcome.is_failure());
        }
        Action::Continue
    }
}

impl Drop for Stream {
    /// The stream has ended, or was cut off. No header can be read here.
    fn drop(&mut self) {
        if let Some(Open { outcome, counts }) = self.open.take() {
            if counts {
                self.count_response(outcome);
            }
            if outcome.status() >= 200 {
                self.blame_if(is_cut_off);
            }
        }
    }
}

/// The request, each value asked for at most once: a value costs ten times as much as anything that we do with it.
#[derive(Default)]
struct Asked<'c> {
    /// Few requests are asked for more: these need no allocation.
    headers: SmallVec<[Told<&'c str>; 6]>,
    claims: SmallVec<[Told<&'c ClaimPath>; 1]>,
    /// Whose claims are not where Istio has them.
    providers: Option<Vec<String>>,
    client_address: Option<Option<Vec<u8>>>,
}

/// A question and its answer.
type Told<Q> = (Q, Option<Vec<u8>>);

impl<'c> Request<'c> for Asked<'c> {
    fn header(&mut self, name: &'c str) -> Option<&[u8]> {
        once(
            &mut self.headers,
            name,
            |a, b| std::ptr::eq(*a, *b) || a == b,
            || hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten(),
        )
    }

    fn claim(&mut self, path: &'c ClaimPath) -> Option<&[u8]> {
        let Asked { claims, providers: known, .. } = self;
        once(claims, path, PartialEq::eq, || {
            claim_of(PAYLOAD, path).or_else(|| {
                let ask = || property(vec!["metadata"]).map_or_else(Vec::new, |metadata| providers(&metadata));
                known.get_or_insert_with(ask).iter().find_map(|provider| claim_of(provider, path))
            })
        })
    }

    fn client_address(&mut self) -> Option<&[u8]> {
        self.client_address.get_or_insert_with(|| property(vec!["source", "address"])).as_deref()
    }
}

/// A claim of a verified token, where its provider's claims are.
fn claim_of(provider: &str, path: &ClaimPath) -> Option<Vec<u8>> {
    property(["metadata", "filter_metadata", JWT_AUTHN, provider].into_iter().chain(path.names()).collect())
}

/// The answer to this question, which is asked unless it was before.
fn once<Q, const N: usize>(
    asked: &mut SmallVec<[Told<Q>; N]>,
    question: Q,
    is_same: impl Fn(&Q, &Q) -> bool,
    ask: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<&[u8]> {
    let at = asked.iter().position(|(known, _)| is_same(known, &question)).unwrap_or_else(|| {
        asked.push((question, ask()));
        asked.len() - 1
    });
    asked.get(at).and_then(|(_, answer)| answer.as_deref())
}
