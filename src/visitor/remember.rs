//! A cookie remembers a visitor who has matched a rule once; the visitor need not match again.
//!
//! The cookie has the kept form ([`super::cookie`]), with the minute in which it was made in place of the draw. So the
//! signature covers the minute: after its ttl the cookie is worthless, however long a client keeps it. Without a seal in the config,
//! anyone who knows the rule can make one.

use super::cookie::{Cookie, Held, Minutes};
use super::keep::Keep;
use crate::request::cookies;
use crate::split::Draw;
use std::rc::Rc;

/// How long a cookie without a ttl counts, in seconds: 400 days, the longest that browsers keep any.
const LONGEST: u32 = 400 * 86_400;

/// How a rule remembers its visitors.
#[derive(Clone, Debug)]
pub struct Remember {
    /// The cookie.
    pub cookie: Cookie,
    /// Whether a visitor who comes back gets it again after half its ttl. A visitor who matches again always does.
    pub renew: bool,
    subset: Rc<str>,
    keep: Keep,
}

impl Remember {
    /// With this cookie, for this subset of this rule, under the config's seal.
    pub fn new(cookie: Cookie, subset: Rc<str>, seal: Option<&str>, rule: &str) -> Remember {
        let renew = cookie.renew;
        Remember {
            cookie: Cookie { renew: true, ..cookie },
            renew,
            subset,
            keep: Keep::new(seal, rule.as_bytes(), rule),
        }
    }

    /// When the visitor of a `Cookie` header was remembered, by a cookie of ours; of several the newest.
    pub fn made(&self, header: &[u8]) -> Option<Minutes> {
        cookies::values(header, &self.cookie.name).filter_map(|value| self.made_of(&Held::parse(value)?)).max()
    }

    /// The same for one cookie. All of it must be as we wrote it.
    pub fn made_of(&self, held: &Held) -> Option<Minutes> {
        let (subset, signature) = held.kept?;
        let is_ours = subset == self.subset.as_bytes() && held.draw.0 == held.made.0;
        (is_ours && signature == self.keep.signature(&self.subset, held.draw)).then_some(held.made)
    }

    /// Whether a cookie made then still counts. It may have been made in the last second of its minute.
    pub fn counts(&self, made: Minutes, now: Minutes) -> bool {
        let ttl = if self.cookie.ttl == 0 { LONGEST } else { self.cookie.ttl };
        u64::from(now.0.saturating_sub(made.0)) * 60 < u64::from(ttl) + 60
    }

    /// Whether a cookie that counts is renewed, for a visitor who matches or only comes back.
    pub fn is_due(&self, made: Minutes, now: Minutes, matches: bool) -> bool {
        (matches || self.renew) && self.cookie.is_due(made, now)
    }

    /// The value of the `set-cookie` header that remembers a visitor.
    pub fn write(&self, now: Minutes, https: bool) -> String {
        let draw = Draw(now.0);
        self.cookie.write(draw, now, Some((&self.subset, self.keep.signature(&self.subset, draw))), https)
    }

    /// The value of the `set-cookie` header that removes the cookie: the same attributes, with a lifetime of 0.
    pub fn remove(&self, https: bool) -> String {
        let written = self.cookie.write(Draw(0), Minutes(0), None, https);
        let mut header = format!("{}=", self.cookie.name);
        for attribute in written.split("; ").skip(1).filter(|attribute| !attribute.starts_with("Max-Age=")) {
            header.push_str("; ");
            header.push_str(attribute);
            if attribute.starts_with("Path=") {
                header.push_str("; Max-Age=0");
            }
        }
        header
    }

    /// Whether the cookies of another `remember` count here too.
    pub fn takes_over(&self, other: &Remember) -> bool {
        let signed = |remember: &Remember| remember.keep.signature(&remember.subset, Draw(0));
        self.subset == other.subset && signed(self) == signed(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visitor::cookie::{FirstDraw, Secure};

    fn remember(ttl: u32) -> Remember {
        let cookie = Cookie {
            name: "c".to_owned(),
            ttl,
            renew: false,
            secure: Secure::WhenHttps,
            attributes: format!("; Path=/a{}; HttpOnly", if ttl > 0 { "; Max-Age=60" } else { "" }),
            draw: FirstDraw::Random,
            pages_only: false,
        };
        Remember::new(cookie, "v2".into(), Some("0123456789abcdef"), "testers")
    }

    /// Cookies are in use: another form would forget every tester.
    #[test]
    fn the_form_is_kept() {
        let written = remember(60).write(Minutes(0x1c8_9b43), true);
        assert_eq!(written, "c=1.01c89b43.1c89b43.v2.63cd4859b3d36dc5; Path=/a; Max-Age=60; HttpOnly; Secure");
        let value = written.split(';').next().unwrap();
        assert_eq!(remember(60).made(value.as_bytes()), Some(Minutes(0x1c8_9b43)));
    }

    #[test]
    fn nothing_but_what_was_written_is_read() {
        let good = remember(60).write(Minutes(0x1c8_9b43), false);
        let good = good.split(';').next().unwrap();
        for (from, to) in [
            ("1.01c89b43.1c89b43", "1.01c89b44.1c89b44"),
            ("1.01c89b43.1c89b43", "1.01c89b43.1c89b44"),
            ("1.01c89b43.1c89b43", "1.11c89b43.1c89b43"),
            (".v2.", ".v3."),
            ("c=1.", "d=1."),
            (".v2.", "."),
        ] {
            let altered = good.replace(from, to);
            assert_eq!((altered != good, remember(60).made(altered.as_bytes())), (true, None), "{altered}");
        }
        for last in good.bytes().skip(good.len() - 16) {
            let altered = [&good.as_bytes()[..good.len() - 1], &[last ^ 1]].concat();
            assert!(altered == good.as_bytes() || remember(60).made(&altered).is_none());
        }
        let other = |seal, rule: &str| Remember::new(remember(60).cookie, "v2".into(), seal, rule);
        for other in [
            other(None, "testers"),
            other(Some("0123456789abcdeF"), "testers"),
            other(Some("0123456789abcdef"), "tester"),
        ] {
            assert_eq!(other.made(good.as_bytes()), None);
            assert!(!other.takes_over(&remember(60)));
        }
    }

    #[test]
    fn of_several_the_newest_counts() {
        let value = |minute| remember(60).write(Minutes(minute), false).split(';').next().unwrap().to_owned();
        let header = [value(7), value(9), "c=x".to_owned(), value(8)].join("; ");
        assert_eq!(remember(60).made(header.as_bytes()), Some(Minutes(9)));
    }

    #[test]
    fn it_counts_for_its_ttl_to_the_minute() {
        let counts = |ttl, age: u32| remember(ttl).counts(Minutes(1_000_000), Minutes(1_000_000 + age));
        for (ttl, last) in [(1, 1), (60, 1), (61, 2), (3600, 60), (86_400, 1440), (0, 400 * 1440)] {
            assert!(counts(ttl, last) && !counts(ttl, last + 1), "{ttl}");
        }
        assert!(remember(60).counts(Minutes(9), Minutes(0)), "of a clock that is ahead");
    }

    #[test]
    fn what_removes_it_has_its_attributes() {
        assert_eq!(remember(60).remove(true), "c=; Path=/a; Max-Age=0; HttpOnly; Secure");
        assert_eq!(remember(0).remove(false), "c=; Path=/a; Max-Age=0; HttpOnly");
    }
}
