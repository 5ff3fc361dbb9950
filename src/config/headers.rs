//! The headers that the filter writes.

use super::fields::{Errors, Place, quoted, string};
use super::json::Json;
use super::names::{is_token, why_no_token};

/// The request header that carries the subset unless the config says otherwise.
pub const DEFAULT_HEADER: &str = "x-canary-subset";

/// The headers that the filter writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The request header that carries the subset.
    pub request: String,
    /// The response header that names it, if any.
    pub response: Option<String>,
}

impl Default for Headers {
    fn default() -> Self {
        Headers { request: DEFAULT_HEADER.to_owned(), response: None }
    }
}

/// The longest header name that can be configured.
const MAX_HEADER: usize = 64;

/// Headers that HTTP, Envoy, Istio, tracing and proxies already use; `…-` means every name that begins this way.
pub const USED_HEADERS: &str = "\
    accept accept- access-control- age allow alt- authorization b3 baggage cache-control cdn-loop client-cert \
    client-cert-chain connection content- cookie cookie2 date dnt early-data end-user etag expect expires forwarded \
    from grpc- host http2-settings if- jwt keep-alive last-modified link location max-forwards origin pragma \
    priority proxy- range referer referrer- save-data sec- server set-cookie set-cookie2 strict-transport-security \
    te traceparent tracestate trailer transfer-encoding true-client-ip upgrade upgrade-insecure-requests user-agent \
    vary via want- warning www-authenticate x-b3- x-client-trace-id x-cloud-trace-context x-datadog- x-envoy- \
    x-forwarded- x-http-method-override x-istio- x-ot-span-context x-real-ip x-request-id x-requested-with";

pub(super) fn check_header(json: &Json, place: &Place, errors: &mut Errors) {
    if let Some(problem) = string(json, place, errors).and_then(header_problem) {
        errors.add(place, problem);
    }
}

/// Why this cannot be the header that carries the subset.
pub(super) fn header_problem(header: &str) -> Option<String> {
    let shown = quoted(header);
    if header.len() > MAX_HEADER {
        Some(format!("{shown} has {} bytes, more than {MAX_HEADER}", header.len()))
    } else if header.starts_with(':') {
        Some(format!("{shown} is a pseudo-header"))
    } else if !is_token(header) {
        Some(format!("{shown} is not a header name: {}", why_no_token(header)))
    } else if header.bytes().any(|b| b.is_ascii_uppercase()) {
        Some(format!("{shown} is not in lower case"))
    } else if header.contains('_') {
        Some(format!("{shown} contains a _, which Envoy may drop or refuse"))
    } else if USED_HEADERS.split(' ').any(|used| header == used || (used.ends_with('-') && header.starts_with(used)))
        || header == "x-forwarded"
    {
        Some(format!("{shown} has a meaning of its own in HTTP, Envoy or Istio"))
    } else {
        None
    }
}
