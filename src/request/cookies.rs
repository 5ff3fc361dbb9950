//! The `Cookie` header as RFC 6265 and browsers write it.

/// The values of one cookie, in order; a browser sends more than one if their paths or domains differ.
///
/// White space around names and values and one pair of double quotes around a value are dropped; parts without `=` are left out.
/// Names are tokens and case-sensitive; values may contain any byte except `;`.
pub fn values<'h>(header: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
    header.split(|&b| b == b';').filter_map(move |pair| {
        // The name first: most cookies are not ours, and end here.
        let behind = pair.trim_ascii_start().strip_prefix(name.as_bytes())?;
        Some(unquoted(behind.trim_ascii_start().strip_prefix(b"=")?.trim_ascii()))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn a_cookie_header_is_read_as_browsers_write_it() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a", &[]),
            ("=b", &[]),
            ("=a=b", &[]),
            ("a=", &[""]),
            ("a=b", &["b"]),
            ("a=b=c==", &["b=c=="]),
            ("b=2;a=1", &["1"]),
            ("b = 2;\t a = 1 ; ", &["1"]),
            (";;a=1;;", &["1"]),
            (r#"a="1""#, &["1"]),
            (r#"a=""1"""#, &[r#""1""#]),
            (r#"a=""#, &[r#"""#]),
            ("a=1; a=2; A=3; ab=4; a b=5; b a=6", &["1", "2"]),
        ];
        for &(header, expected) in table {
            let expected: Vec<_> = expected.iter().map(|v| v.as_bytes()).collect();
            assert_eq!(values(header.as_bytes(), "a").collect::<Vec<_>>(), expected, "{header:?}");
        }
        assert_eq!(values(b"x=\xff\xfe; x=\x80", "x").collect::<Vec<_>>(), [&b"\xff\xfe"[..], b"\x80"]);
    }
}
