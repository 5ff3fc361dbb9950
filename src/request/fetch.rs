//! Which kind of request a browser makes, by the headers of the Fetch standard.

use super::Request;

/// A CORS preflight: it carries no cookies and must not set any.
pub fn is_preflight<'c>(request: &mut impl Request<'c>) -> bool {
    // First a header that few requests have: its absence costs an eighth of a value.
    request.header("access-control-request-method").is_some()
        && request.header("origin").is_some()
        && request.header(":method") == Some(b"OPTIONS")
}

/// A page navigation: `sec-fetch-mode: navigate`, or, without a mode, an `accept` with `text/html` in any letter case.
pub fn is_navigation<'c>(request: &mut impl Request<'c>) -> bool {
    const HTML: &[u8] = b"text/html";
    match request.header("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => request
            .header("accept")
            .is_some_and(|accept| accept.windows(HTML.len()).any(|part| part.eq_ignore_ascii_case(HTML))),
    }
}
