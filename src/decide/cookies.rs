//! The cookies that follow from a decision.

use crate::request::Request;
use crate::split::Draw;
use crate::visitor::cookie::{Cookie, Minutes, Secure};
use crate::visitor::new_cookie::NewCookie;
use crate::visitor::remember::Remember;

/// A cookie that makes the decision stick.
pub(super) fn new_cookie<'c>(
    cookie: &Cookie,
    kept: Option<(&str, u64)>,
    draw: Draw,
    now: Minutes,
    request: &mut impl Request<'c>,
) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    NewCookie {
        header: cookie.write(draw, now, kept, https),
        keeps: kept.is_some(),
        plain_at: plain_at(cookie, https, request),
    }
}

/// It keeps a subset: a broken version must not hold a visitor whom it never served.
pub(super) fn remembering_cookie<'c>(remember: &Remember, now: Minutes, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    let plain_at = plain_at(&remember.cookie, https, request);
    NewCookie { header: remember.write(now, https), keeps: true, plain_at }
}

/// It goes out with a server's error too: a visitor who wants to leave may.
pub(super) fn removing_cookie<'c>(remember: &Remember, request: &mut impl Request<'c>) -> NewCookie {
    let https = request.header(":scheme") == Some(b"https");
    let plain_at = plain_at(&remember.cookie, https, request);
    NewCookie { header: remember.remove(https), keeps: false, plain_at }
}

/// See [`NewCookie::plain_at`].
fn plain_at<'c>(cookie: &Cookie, https: bool, request: &mut impl Request<'c>) -> Option<Vec<u8>> {
    let goes_by_scheme = cookie.secure == Secure::WhenHttps && !https;
    if goes_by_scheme { request.header(":authority").map(<[u8]>::to_vec) } else { None }
}
