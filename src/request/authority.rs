//! The host of an authority.

/// The host of `host:port`: without port and one trailing dot. An IPv6 literal has its brackets.
pub fn host(authority: &[u8]) -> &[u8] {
    let digits = authority.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let host = match authority.split_at_checked(authority.len() - digits) {
        // The colon of a port follows the `]` of an IPv6 literal.
        Some(([host @ .., b':'], _)) => host,
        _ => authority,
    };
    host.strip_suffix(b".").unwrap_or(host)
}

/// The host of an https URL; `None` for any other URL.
pub fn https_host(url: &[u8]) -> Option<&[u8]> {
    const HTTPS: &[u8] = b"https://";
    let (scheme, rest) = url.split_at_checked(HTTPS.len())?;
    if !scheme.eq_ignore_ascii_case(HTTPS) {
        return None;
    }
    // Browsers read a backslash as a slash.
    let authority = rest.split(|b| matches!(b, b'/' | b'\\' | b'?' | b'#')).next()?;
    authority.rsplit(|&b| b == b'@').next().map(host)
}

#[cfg(test)]
mod tests {
    use super::https_host;

    #[test]
    fn the_host_of_an_https_url_is_read_as_browsers_read_it() {
        let table = [
            ("https://a.example.com", Some("a.example.com")),
            ("HTTPS://a.example.com/", Some("a.example.com")),
            ("https://a.example.com:8443?x", Some("a.example.com")),
            ("https://a.example.com.:443#y", Some("a.example.com")),
            ("https://user:p@a.example.com/b@c", Some("a.example.com")),
            ("https://a.example.com\\b", Some("a.example.com")),
            ("https://[::1]:8443/", Some("[::1]")),
            ("https://", Some("")),
            ("http://a.example.com/", None),
            ("//a.example.com/", None),
            ("/login", None),
            ("", None),
        ];
        for (url, host) in table {
            assert_eq!(https_host(url.as_bytes()), host.map(str::as_bytes), "{url}");
        }
    }
}
