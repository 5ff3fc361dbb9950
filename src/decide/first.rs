//! The first rule that holds.

use super::clock::Clock;
use super::recall::recall;
use super::source::Source;
use crate::config::Config;
use crate::request::Request;
use crate::rollout::ramp::Second;
use crate::rule::Rule;
use crate::visitor::new_cookie::NewCookie;

/// A rule that holds.
pub(super) struct HeldRule<'c> {
    pub(super) at: usize,
    pub(super) rule: &'c Rule,
    /// For a rule that remembers its visitors: why it holds, and which cookie follows.
    pub(super) remembered: Option<Box<(Source, Option<NewCookie>)>>,
}

/// The cookies of rules that forget the visitor on the way are added to `forgotten`.
pub(super) fn first_that_holds<'c>(
    config: &'c Config,
    request: &mut impl Request<'c>,
    clock: &mut Clock<impl FnOnce() -> Second>,
    forgotten: &mut Vec<NewCookie>,
) -> Option<HeldRule<'c>> {
    let authority = if config.hosts.needs_host() { request.header(":authority").unwrap_or_default() } else { &[] };
    let mut candidates = config.hosts.rules(authority).map(|at| at as usize);
    let mut next = candidates.next();
    while let Some(at) = next {
        if config.paths.knows(at) {
            let path = request.header(":path").unwrap_or_default();
            if config.paths.rules_out(at, path) {
                // With a hundred rules for a host, the time is spent here.
                next = candidates.find(|&at| !config.paths.rules_out(at, path));
                continue;
            }
        }
        if let Some(rule) = config.rules.get(at) {
            match &rule.remember {
                None if rule.matches(request) => return Some(HeldRule { at, rule, remembered: None }),
                None => {}
                Some(remember) => {
                    let remembered = recall(rule, remember, request, clock, forgotten);
                    if remembered.is_some() {
                        return Some(HeldRule { at, rule, remembered });
                    }
                }
            }
        }
        next = candidates.next();
    }
    None
}
