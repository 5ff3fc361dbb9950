//! Foreign texts, as messages show them.

use std::borrow::Cow;

/// In quotes. Every byte beyond visible ASCII is shown by its number, so that lookalikes can be told apart.
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

/// Without control characters: each is shown by its number.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |each: char| {
        if each.is_control() { format!("\\x{:02x}", u32::from(each)) } else { each.to_string() }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::{quoted, visible};

    #[test]
    fn a_terminal_obeys_nothing_that_others_wrote() {
        assert_eq!(visible("größer als 1"), "größer als 1");
        assert_eq!(visible("a\x1b[31m\nb\u{9b}"), "a\\x1b[31m\\x0ab\\x9b");
    }

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
