//! The attributes of a cookie, and the note that a cookie loses its meaning.

use super::note::Note;
use canary_split::visitor::cookie::Cookie;

/// The note that a cookie loses its meaning.
pub fn unread(cookie: &Cookie, why: &str) -> Note {
    let end = if cookie.ttl == 0 { "the browser's session ends" } else { "it expires" };
    Note::new("cookie", format!("cookie {} loses its meaning: {why}; browsers keep it until {end}", cookie.name))
}

/// The value of an attribute.
pub fn attribute<'c>(cookie: &'c Cookie, name: &str) -> Option<&'c str> {
    cookie.attributes.split("; ").find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix('='))
}

/// Where it is sent.
pub fn path(cookie: &Cookie) -> &str {
    attribute(cookie, "Path").unwrap_or("/")
}

/// Whether it has an attribute without a value.
pub fn is_attribute(cookie: &Cookie, name: &str) -> bool {
    cookie.attributes.split("; ").any(|attribute| attribute == name)
}
