//! The `Cookie` header as RFC 6265 and browsers write it.

/// The `name=value` pairs of a `Cookie` header, in order.
///
/// White space around names and values and one pair of double quotes around a value are dropped; what has no `=` or no
/// name is left out. Names are case-sensitive; values may hold any byte but `;`.
pub fn pairs(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|&b| b == b';').filter_map(|pair| {
        let equals = pair.iter().position(|&b| b == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        let (name, value) = (name.trim_ascii(), value.get(1..)?.trim_ascii());
        (!name.is_empty()).then_some((name, unquoted(value)))
    })
}

/// The values of one cookie, in order; a browser sends more than one if their paths or domains differ.
pub fn values<'h>(header: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
    pairs(header).filter(move |&(n, _)| n == name.as_bytes()).map(|(_, value)| value)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::{pairs, values};

    #[test]
    fn a_cookie_header_is_read_as_browsers_write_it() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("a", &[]),
            ("=b", &[]),
            ("a=", &[("a", "")]),
            ("a=b", &[("a", "b")]),
            ("a=b=c==", &[("a", "b=c==")]),
            ("a=1;b=2", &[("a", "1"), ("b", "2")]),
            ("a=1 ;\t b = 2 ; ", &[("a", "1"), ("b", "2")]),
            (";;a=1;;", &[("a", "1")]),
            (r#"a="1""#, &[("a", "1")]),
            (r#"a=""1"""#, &[("a", r#""1""#)]),
            (r#"a=""#, &[("a", r#"""#)]),
            ("a=1; a=2; A=3; ab=4", &[("a", "1"), ("a", "2"), ("A", "3"), ("ab", "4")]),
        ];
        for &(header, expected) in table {
            let expected: Vec<_> = expected.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            assert_eq!(pairs(header.as_bytes()).collect::<Vec<_>>(), expected, "{header:?}");
        }
        assert_eq!(values(b"x=\xff\xfe; x=\x80", "x").collect::<Vec<_>>(), [&b"\xff\xfe"[..], b"\x80"]);
    }
}
