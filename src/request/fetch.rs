//! What kind of request a browser makes, by what the Fetch standard has it say.

use super::Request;

/// A CORS preflight: it carries no cookies and must not set any.
pub fn is_preflight<'c>(request: &mut impl Request<'c>) -> bool {
    // What hardly any request has comes first: to be told so costs an eighth of a value.
    request.header("access-control-request-method").is_some()
        && request.header("origin").is_some()
        && request.header(":method") == Some(b"OPTIONS")
}

/// A page that somebody goes to: `sec-fetch-mode: navigate`, or, of a client that says no mode, an `accept` with `text/html` in any
/// letter case.
pub fn is_navigation<'c>(request: &mut impl Request<'c>) -> bool {
    const HTML: &[u8] = b"text/html";
    match request.header("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => request
            .header("accept")
            .is_some_and(|accept| accept.windows(HTML.len()).any(|part| part.eq_ignore_ascii_case(HTML))),
    }
}
