//! Who may ask: whoever has the token, from the page itself.
//!
//! The token is in the address. A page of somebody else cannot read it; and should it guess one, it is refused by its origin, or, if
//! it has given its own name the address 127.0.0.1 (DNS rebinding), by its host.

use axum::http::{HeaderMap, Uri, header};
use subtle::ConstantTimeEq;

/// Bytes of chance in a token.
const BYTES: usize = 24;

/// What every request has to show.
#[derive(Clone)]
pub struct Gate {
    token: String,
}

impl Gate {
    /// With a new token.
    pub fn new() -> Result<Gate, getrandom::Error> {
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Gate { token: bytes.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    /// The first segment of every path.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Why a request is refused.
    pub fn refuses(&self, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
        // Only a proxy is asked for a whole URL.
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Some("a whole URL in place of a path");
        }
        let several = |name| headers.get_all(name).iter().nth(1).is_some();
        if several(header::HOST) || several(header::ORIGIN) {
            return Some("more than one host or origin");
        }
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
            return Some("a request without a host");
        };
        if !is_loopback(host) {
            return Some("a foreign host: this page is at 127.0.0.1 and localhost alone");
        }
        let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes());
        if origin.is_some_and(|origin| origin != format!("http://{host}").as_bytes()) {
            return Some("a foreign origin");
        }
        let token = uri.path().split('/').nth(1).unwrap_or_default();
        let is_right = bool::from(token.as_bytes().ct_eq(self.token.as_bytes()));
        (!is_right).then_some("no token: open the address that canary-split dashboard has printed")
    }
}

/// Whether a host names this machine; any port, because it may be forwarded (`ssh -L`).
fn is_loopback(host: &str) -> bool {
    let (name, rest) = match host.strip_prefix("[::1]") {
        Some(rest) => ("[::1]", rest),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_port = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_number);
    is_port && (["127.0.0.1", "[::1]"].contains(&name) || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
    use std::collections::HashSet;

    #[test]
    fn only_the_page_itself_gets_in() {
        let gate = Gate { token: "5ec7e7".to_owned() };
        let path = "/5ec7e7/state";
        for (path, headers, expected) in [
            (path, &[("host", "127.0.0.1:4000")][..], None),
            (path, &[("host", "localhost:4000"), ("origin", "http://localhost:4000")], None),
            (path, &[("host", "LOCALHOST")], None),
            (path, &[("host", "[::1]:4000"), ("origin", "http://[::1]:4000")], None),
            ("/5ec7e7", &[("host", "127.0.0.1:9")], None),
            (path, &[], Some("without a host")),
            (path, &[("host", "evil.example")], Some("foreign host")),
            (path, &[("host", "127.0.0.1.evil.example:4000")], Some("foreign host")),
            (path, &[("host", "localhost.evil.example")], Some("foreign host")),
            (path, &[("host", "[::1.evil.example]")], Some("foreign host")),
            (path, &[("host", "192.168.0.7:4000")], Some("foreign host")),
            (path, &[("host", "::1")], Some("foreign host")),
            (path, &[("host", "[::1]4000")], Some("foreign host")),
            (path, &[("host", "localhost:")], Some("foreign host")),
            (path, &[("host", "localhost:+80")], Some("foreign host")),
            (path, &[("host", "localhost:65536")], Some("foreign host")),
            (path, &[("host", "me@localhost:4000")], Some("foreign host")),
            ("http://127.0.0.1:4000/5ec7e7/state", &[("host", "127.0.0.1:4000")], Some("whole URL")),
            (path, &[("host", "127.0.0.1:4000"), ("host", "127.0.0.1:4000")], Some("more than one")),
            (path, &[("host", "127.0.0.1"), ("origin", "http://127.0.0.1"), ("origin", "null")], Some("more than one")),
            (path, &[("host", "127.0.0.1:4000"), ("origin", "http://evil.example")], Some("foreign origin")),
            (path, &[("host", "127.0.0.1:4000"), ("origin", "http://127.0.0.1:4001")], Some("foreign origin")),
            (path, &[("host", "127.0.0.1:4000"), ("origin", "https://127.0.0.1:4000")], Some("foreign origin")),
            (path, &[("host", "127.0.0.1:4000"), ("origin", "null")], Some("foreign origin")),
            ("/", &[("host", "127.0.0.1:4000")], Some("no token")),
            ("/state", &[("host", "127.0.0.1:4000")], Some("no token")),
            ("/5ec7e/state", &[("host", "127.0.0.1:4000")], Some("no token")),
            ("/5ec7e71/state", &[("host", "127.0.0.1:4000")], Some("no token")),
            ("/x/5ec7e7/state", &[("host", "127.0.0.1:4000")], Some("no token")),
        ] {
            let headers =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let mut map = HeaderMap::new();
            headers.for_each(|(name, value)| _ = map.append(name, value));
            let headers = map;
            let refused = gate.refuses(&Uri::from_static(path), &headers);
            let is_expected = match expected {
                None => refused.is_none(),
                Some(part) => refused.is_some_and(|why| why.contains(part)),
            };
            assert!(is_expected, "{path} {headers:?}: {refused:?}");
        }
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let tokens: Vec<String> = (0..64).map(|_| Gate::new().unwrap().token).collect();
        assert!(tokens.iter().all(|token| token.len() == 48), "{tokens:?}");
        // All of it is chance.
        for place in 0..48 {
            let digits: HashSet<u8> = tokens.iter().map(|token| token.as_bytes()[place]).collect();
            assert!(digits.len() > 1, "{place}: {tokens:?}");
        }
    }
}
