//! A cookie on its way to a visitor, and which responses may carry it.

use crate::request::authority;

/// A cookie for the final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCookie {
    /// The value of the `set-cookie` header.
    pub header: String,
    /// Whether it keeps a subset.
    pub keeps: bool,
    /// The authority of a request over http, where the cookie would be `Secure` over https.
    pub plain_at: Option<Vec<u8>>,
}

impl NewCookie {
    /// Whether it may go out with a final response.
    ///
    /// Not with an interim response (other than 101, which is final for an upgrade). Not over http on a redirect to https of the same
    /// host, if that makes it `Secure`: the visitor is about to come back there. One that keeps a subset does not go out with a
    /// server's error: a broken version must not hold a visitor whom it never served.
    pub fn may_go_out(&self, status: u16, location: impl FnOnce() -> Option<Vec<u8>>) -> bool {
        match status {
            101 => true,
            100..=199 => false,
            0..=99 | 500.. if self.keeps => false,
            300..=399 => !self.plain_at.as_deref().is_some_and(|here| {
                let here = authority::host(here);
                location().is_some_and(|to| authority::https_host(&to).is_some_and(|to| to.eq_ignore_ascii_case(here)))
            }),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NewCookie;

    #[test]
    fn no_cookie_goes_out_with_interim_responses_or_on_the_way_to_https_of_the_same_host() {
        let may = |status, plain_at: Option<&str>, location: Option<&str>| {
            let plain_at = plain_at.map(|at| at.as_bytes().to_vec());
            let cookie = NewCookie { header: String::new(), keeps: false, plain_at };
            cookie.may_go_out(status, || location.map(|to| to.as_bytes().to_vec()))
        };
        let here = Some("x.example.com:80");
        assert!(may(101, here, Some("https://x.example.com")));
        assert!(!may(103, None, None));
        assert!(!may(301, here, Some("HTTPS://X.example.com/")));
        assert!(!may(308, here, Some("https://x.example.com:8443/a")));
        assert!(may(301, here, Some("https://login.example.com/")));
        assert!(may(301, here, Some("https://x.example.com.evil.org/")));
        assert!(may(301, None, Some("https://x.example.com/")));
        assert!(may(302, here, Some("/login")));
        assert!(may(302, here, None));
        assert!(may(200, here, Some("https://x.example.com/")));
        assert!(may(304, here, None));
        assert!(may(503, here, None));
    }

    #[test]
    fn what_keeps_a_subset_does_not_go_out_with_a_servers_error() {
        let cookie = NewCookie { header: String::new(), keeps: true, plain_at: None };
        for (status, expected) in
            [(101, true), (200, true), (304, true), (404, true), (500, false), (599, false), (0, false)]
        {
            assert_eq!(cookie.may_go_out(status, || None), expected, "{status}");
        }
    }
}
