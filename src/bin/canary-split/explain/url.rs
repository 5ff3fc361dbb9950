//! A URL as `curl` takes it → scheme, authority and path.

use super::shown::quoted;

/// The parts of a URL in a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host, and the port if it is not the scheme's own.
    pub authority: Vec<u8>,
    /// The port, which may be the scheme's own.
    pub port: u16,
    /// The path and the query, without dot segments and without the fragment.
    pub path: Vec<u8>,
}

impl Url {
    /// Reads a URL; without a scheme it is http.
    pub fn parse(text: &[u8]) -> Result<Url, String> {
        let problem = |problem: &str| Err(format!("URL {}: {problem}", quoted(text)));
        if text.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
            return problem("a space or a control character; write %20 and the like");
        }
        let (scheme, rest) = match find(text, b"://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_slice() {
                b"http" | b"ws" => ("http", rest),
                b"https" | b"wss" => ("https", rest),
                _ => return problem("neither http nor https"),
            },
            None => ("http", text),
        };
        let rest = rest.split(|&byte| byte == b'#').next().unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or_default();
        if authority.contains(&b'@') {
            return problem("a user in it; write -H 'authorization: …' instead");
        }
        // Behind the brackets of an IPv6 address.
        let after = authority.rsplit(|&byte| byte == b']').next().unwrap_or_default();
        let mut given = None;
        if let Some(colon) = after.iter().position(|&byte| byte == b':') {
            let port = after.get(colon + 1..).and_then(|port| std::str::from_utf8(port).ok()).unwrap_or_default();
            given = port.parse::<u16>().ok().filter(|_| port.bytes().all(|digit| digit.is_ascii_digit()));
            if given.is_none() {
                return problem("the port is no number from 0 to 65535");
            }
        }
        let (own, own_port): (u16, &[u8]) = if scheme == "https" { (443, b":443") } else { (80, b":80") };
        let port = given.unwrap_or(own);
        let authority = authority.strip_suffix(own_port).unwrap_or(authority);
        if authority.is_empty() || authority.starts_with(b":") {
            return problem("no host");
        }
        let (path, query) = match target.iter().position(|&byte| byte == b'?') {
            Some(at) => target.split_at_checked(at).unwrap_or_default(),
            None => (target, &[][..]),
        };
        Ok(Url { scheme, authority: authority.to_vec(), port, path: [&without_dots(path), query].concat() })
    }
}

fn find<'t>(text: &'t [u8], what: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.windows(what.len()).position(|part| part == what)?;
    // A query may hold a URL.
    let before = text.get(..at).filter(|before| before.iter().all(u8::is_ascii_alphanumeric))?;
    Some((before, text.get(at + what.len()..)?))
}

/// `/a/./b/../c` → `/a/c` (RFC 3986 §5.2.4), as `curl` does unless it is told not to.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let segments: Vec<&[u8]> = path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/').collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for (at, &segment) in segments.iter().enumerate() {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if at + 1 == segments.len() {
            kept.push(b"");
        }
    }
    [b"/", kept.join(&b'/').as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn urls_are_read_as_curl_sends_them() {
        for (text, expected) in [
            ("a.test", "http a.test /"),
            ("https://a.test", "https a.test /"),
            ("HTTPS://A.test:443/x?y#z", "https A.test /x?y"),
            ("http://a.test:443", "http a.test:443 /"),
            ("http://a.test:80?x=1", "http a.test /?x=1"),
            ("wss://[::1]:8443/chat", "https [::1]:8443 /chat"),
            ("a.test/?to=https://b.test/@", "http a.test /?to=https://b.test/@"),
            ("a.test/a/./b/../c", "http a.test /a/c"),
            ("a.test/a/..", "http a.test /"),
            ("a.test/../../a/.", "http a.test /a/"),
            ("a.test//a?b/../c", "http a.test //a?b/../c"),
        ] {
            let url = Url::parse(text.as_bytes()).unwrap();
            let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let seen = format!("{} {} {}", url.scheme, text_of(&url.authority), text_of(&url.path));
            assert_eq!(seen, expected, "{text}");
        }
        assert_eq!(Url::parse(b"a.test/\xff").unwrap().path, b"/\xff");
        for (text, port) in
            [("a.test", 80), ("https://a.test", 443), ("http://a.test:443", 443), ("wss://[::1]:8443/", 8443)]
        {
            assert_eq!(Url::parse(text.as_bytes()).unwrap().port, port, "{text}");
        }
        for wrong in [
            "",
            "/a",
            "ftp://a.test",
            "https://",
            "https://:80/",
            "u:p@a.test",
            "a.test/a b",
            "a\n.test",
            "a.test:65536",
            "a.test:x",
            "[::1]:",
        ] {
            assert!(Url::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
