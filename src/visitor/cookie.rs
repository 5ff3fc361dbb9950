//! Our cookie: a draw read from one, one written for a draw.
//!
//! The value has a stable format: `1.DDDDDDDD.MMMMMMM`: the version, the draw in 8 hex digits, and the minute in which it was
//! made, counted from 1970, in 7 hex digits. Under `onWeightChange: keep`, `.SUBSET.CCCCCCCCCCCCCCCC` follows: the subset
//! and its signature ([`super::keep`]). Lower case, at most 99 bytes. Anything else is not our cookie.

use crate::request::cookies;
use crate::split::Draw;
use crate::subset::is_label;

/// Minutes since 1970, as far as seven hex digits reach (the year 2480).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minutes(pub u32);

impl Minutes {
    /// The minute of a time in seconds since 1970.
    pub fn of_seconds(seconds: u64) -> Minutes {
        Minutes((seconds / 60).min(0x0fff_ffff) as u32)
    }
}

/// Where the first draw of a visitor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstDraw {
    /// Random.
    Random,
    /// From the client's address and user agent.
    Client,
}

/// When a cookie gets the attribute `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secure {
    /// Always.
    Always,
    /// Never.
    Never,
    /// If the request came over https.
    WhenHttps,
}

/// Our cookie: its name, its attributes and its lifetime.
#[derive(Clone, Debug)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// How long a browser keeps it, in seconds; 0: as long as the browser's session.
    pub ttl: u32,
    /// Whether a cookie older than half its ttl is renewed.
    pub renew: bool,
    /// When it gets the attribute `Secure`.
    pub secure: Secure,
    /// All other attributes as they are written, starting with `; Path=`.
    pub attributes: String,
    /// Where the draw of a new cookie comes from.
    pub draw: FirstDraw,
    /// Whether only page navigations get it.
    pub pages_only: bool,
}

/// The content of a visitor's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'h> {
    /// The visitor's draw.
    pub draw: Draw,
    /// When the cookie was made.
    pub made: Minutes,
    /// The subset that it keeps, and its signature, both unchecked.
    pub kept: Option<(&'h [u8], u64)>,
}

impl Cookie {
    /// The first valid value of this cookie in a `Cookie` header.
    pub fn read<'h>(&self, header: &'h [u8]) -> Option<Held<'h>> {
        cookies::values(header, &self.name).find_map(Held::parse)
    }

    /// Whether a cookie made then is renewed: it may be older than half the ttl, or is from the future.
    pub fn is_due(&self, made: Minutes, now: Minutes) -> bool {
        // It may have been made in a minute's first second.
        let age = u64::from(now.0.saturating_sub(made.0)) * 60 + 59;
        self.can_be_due() && (made > now || age * 2 > u64::from(self.ttl))
    }

    /// Whether a cookie is ever renewed; if not, it needs no clock.
    pub fn can_be_due(&self) -> bool {
        self.renew && self.ttl > 0
    }

    /// The value of the `set-cookie` header that gives a visitor this draw and keeps this subset with this signature.
    pub fn write(&self, draw: Draw, now: Minutes, kept: Option<(&str, u64)>, https: bool) -> String {
        let mut header = String::with_capacity(self.name.len() + self.attributes.len() + 112);
        header.push_str(&self.name);
        header.push_str("=1.");
        push_hex(&mut header, draw.0.into(), 8);
        header.push('.');
        push_hex(&mut header, now.0.into(), 7);
        if let Some((subset, signature)) = kept {
            header.push('.');
            header.push_str(subset);
            header.push('.');
            push_hex(&mut header, signature, 16);
        }
        header.push_str(&self.attributes);
        if self.secure == Secure::Always || (self.secure == Secure::WhenHttps && https) {
            header.push_str("; Secure");
        }
        header
    }
}

impl<'h> Held<'h> {
    /// Reads a cookie's value; `None` if it is not exactly in our format.
    pub fn parse(value: &'h [u8]) -> Option<Held<'h>> {
        let mut parts = value.split(|&b| b == b'.');
        let mut part = || parts.next();
        let (version, draw, made) = (part()?, part()?, part()?);
        if version != b"1" {
            return None;
        }
        let held = Held { draw: Draw(hex(draw, 8)?), made: Minutes(hex(made, 7)?), kept: None };
        let Some(subset) = part() else { return Some(held) };
        let signature = part()?;
        let signature = u64::from(hex(signature.get(..8)?, 8)?) << 32 | u64::from(hex(signature.get(8..)?, 8)?);
        (is_label(subset) && part().is_none()).then_some(Held { kept: Some((subset, signature)), ..held })
    }
}

/// The lowest digits of a number, in lower case; `format!` takes ten times as long.
fn push_hex(text: &mut String, number: u64, digits: u32) {
    for digit in (0..digits).rev() {
        let digit = (number >> (4 * digit) & 0xf) as u8;
        text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

/// Exactly this many lower-case hex digits (at most 8).
fn hex(digits: &[u8], length: usize) -> Option<u32> {
    if digits.len() != length {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, &digit| match digit {
        b'0'..=b'9' => Some(value << 4 | u32::from(digit - b'0')),
        b'a'..=b'f' => Some(value << 4 | u32::from(digit - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie() -> Cookie {
        Cookie {
            name: "c".to_owned(),
            ttl: 7200,
            renew: true,
            secure: Secure::WhenHttps,
            attributes: "; Path=/".to_owned(),
            draw: FirstDraw::Random,
            pages_only: false,
        }
    }

    #[test]
    fn the_format_is_kept() {
        let long = format!("1.00000000.0000000.{}.0123456789abcdef", "a".repeat(63));
        assert_eq!(long.len(), 99);
        let table: &[(&str, Option<(u32, u32)>)] = &[
            ("1.00000000.0000000", Some((0, 0))),
            ("1.ffffffff.fffffff", Some((u32::MAX, 0x0fff_ffff))),
            ("1.89abcdef.1c9d3a4", Some((0x89ab_cdef, 0x01c9_d3a4))),
            ("1.89abcdef.1c9d3a4.v2.0123456789abcdef", Some((0x89ab_cdef, 0x01c9_d3a4))),
            (&long, Some((0, 0))),
            ("", None),
            ("1", None),
            ("1.89abcdef", None),
            ("1.89abcdef.", None),
            ("1.89ABCDEF.1c9d3a4", None),
            ("2.89abcdef.1c9d3a4", None),
            ("01.89abcdef.1c9d3a4", None),
            ("1.89abcde.1c9d3a4", None),
            ("1.89abcdef0.1c9d3a4", None),
            ("1.+9abcdef.1c9d3a4", None),
            ("1.89abcdef.1c9d3a4.", None),
            ("1.89abcdef.1c9d3a4.v2", None),
            ("1.89abcdef.1c9d3a4.v2.0123456789abcde", None),
            ("1.89abcdef.1c9d3a4.v2.0123456789abcdeF", None),
            ("1.89abcdef.1c9d3a4.-v2.0123456789abcdef", None),
            ("1.89abcdef.1c9d3a4..0123456789abcdef", None),
            ("1.89abcdef.1c9d3a4.v2.0123456789abcdef.", None),
            (" 1.89abcdef.1c9d3a4", None),
        ];
        for &(value, expected) in table {
            let held = Held::parse(value.as_bytes()).map(|held| (held.draw.0, held.made.0));
            assert_eq!(held, expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let (draw, made) = (Draw(0x0000_beef), Minutes(0x1c9_d3a4));
        assert_eq!(cookie().write(draw, made, None, true), "c=1.0000beef.1c9d3a4; Path=/; Secure");
        assert_eq!(cookie().read(b"c=1.0000beef.1c9d3a4"), Some(Held { draw, made, kept: None }));
        let written = cookie().write(draw, made, Some(("v2", 0x00c0_ffee)), false);
        assert_eq!(written, "c=1.0000beef.1c9d3a4.v2.0000000000c0ffee; Path=/");
        let kept = Some((&b"v2"[..], 0x00c0_ffee));
        assert_eq!(cookie().read(b"c=1.0000beef.1c9d3a4.v2.0000000000c0ffee"), Some(Held { draw, made, kept }));
    }

    #[test]
    fn of_several_the_first_valid_one_counts() {
        let held =
            cookie().read(b"c=x; cc=1.00000001.0000000; c=\"1.00000002.0000000\"; c=1.00000003.0000000").unwrap();
        assert_eq!(held.draw, Draw(2));
    }

    #[test]
    fn a_cookie_is_due_after_half_its_ttl_or_if_it_is_of_the_future() {
        let due = |cookie: &Cookie, made: u32, now: u32| cookie.is_due(Minutes(made), Minutes(now));
        assert!(!due(&cookie(), 100, 159));
        assert!(due(&cookie(), 100, 160));
        assert!(due(&Cookie { ttl: 60, ..cookie() }, 100, 100), "it may be a second from its end");
        assert!(due(&cookie(), 101, 100));
        assert!(!due(&Cookie { renew: false, ..cookie() }, 100, 1000));
        assert!(!due(&Cookie { ttl: 0, ..cookie() }, 101, 100));
    }
}
