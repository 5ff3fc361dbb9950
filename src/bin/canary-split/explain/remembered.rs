//! Why cookies that should remember a visitor do not.

use super::shown::quoted;
use canary_split::request::cookies;
use canary_split::visitor::cookie::{Held, Minutes};
use canary_split::visitor::remember::Remember;

/// The cookies of a rule that remember nobody, and why.
pub fn ignored(remember: &Remember, line: &[u8], now: Minutes) -> Vec<(String, &'static str)> {
    let name = &remember.cookie.name;
    let why = |value: &[u8]| match Held::parse(value) {
        None => Some("it is not of the filter's form"),
        Some(held) => match remember.made_of(&held) {
            None => Some("it was made for another subset or under another seal, or altered"),
            Some(made) if !remember.counts(made, now) => Some("it is older than its ttl"),
            Some(_) => None,
        },
    };
    let told = |value: &[u8]| Some((format!("cookie {name}={}", quoted(value)), why(value)?));
    cookies::values(line, name).filter_map(told).collect()
}
