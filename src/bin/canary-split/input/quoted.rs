//! Texts that others wrote, as messages show them.

/// Between quotes. Every byte beyond visible ASCII is shown by its number: what looks like another character is told from it.
pub fn quoted(text: impl AsRef<[u8]>) -> String {
    let mut quoted = "\"".to_owned();
    for &byte in text.as_ref() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_not_seen_at_a_glance_is_shown_by_its_number() {
        for (text, shown) in [
            (&b"v2=25%"[..], r#""v2=25%""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            // A Cyrillic letter, a space of no width, a line end, no UTF-8 at all.
            ("\u{430}pi".as_bytes(), r#""\xd0\xb0pi""#),
            ("a\u{200b}".as_bytes(), r#""a\xe2\x80\x8b""#),
            (b"a\nb\x7f\xff", r#""a\x0ab\x7f\xff""#),
        ] {
            assert_eq!(quoted(text), shown);
        }
    }
}
