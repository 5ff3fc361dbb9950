//! A rule that remembers its visitors.

use super::clock::Clock;
use super::cookies::{remembering_cookie, removing_cookie};
use super::source::Source;
use crate::request::Request;
use crate::request::fetch::{is_navigation, is_preflight};
use crate::rollout::ramp::Second;
use crate::rule::Rule;
use crate::visitor::new_cookie::NewCookie;
use crate::visitor::remember::Remember;

/// Whether a rule that remembers its visitors holds: why, and which cookie follows.
#[inline(never)]
pub(super) fn recall<'c>(
    rule: &'c Rule,
    remember: &'c Remember,
    request: &mut impl Request<'c>,
    clock: &mut Clock<impl FnOnce() -> Second>,
    forgotten: &mut Vec<NewCookie>,
) -> Option<Box<(Source, Option<NewCookie>)>> {
    if rule.forgets(request) {
        // Even if no cookie was sent: it may be for another path, or not be sent from another site.
        if !is_preflight(request) {
            forgotten.push(removing_cookie(remember, request));
        }
        return None;
    }
    let matches = rule.matches(request);
    let made = request.header("cookie").and_then(|header| remember.made(header));
    let made = made.filter(|&made| remember.counts(made, clock.minute()));
    if !matches && made.is_none() {
        return None;
    }
    let source = if matches { Source::Fixed } else { Source::Remembered };
    let is_due = made.is_none_or(|made| remember.is_due(made, clock.minute(), matches));
    let is_for_this = |request: &mut _| !remember.cookie.pages_only || is_navigation(request);
    let is_given = is_due && !is_preflight(request) && is_for_this(request);
    let cookie = if is_given { Some(remembering_cookie(remember, clock.minute(), request)) } else { None };
    Some(Box::new((source, cookie)))
}
