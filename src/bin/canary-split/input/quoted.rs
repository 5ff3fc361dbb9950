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

/// Without what a terminal obeys or nobody sees: each such character is shown by its number.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for each in text.chars() {
        match u32::from(each) {
            number if is_unseen(each) && number < 0x100 => shown.push_str(&format!("\\x{number:02x}")),
            number if is_unseen(each) => shown.push_str(&format!("\\u{{{number:x}}}")),
            _ => shown.push(each),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that turn the text around, join letters or have no width (Unicode's Bidi_Control, and what
/// [UTS #39](https://www.unicode.org/reports/tr39/) calls default-ignorable).
pub fn is_unseen(each: char) -> bool {
    let is_ignorable = matches!(each,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    each.is_control() || is_ignorable
}

#[cfg(test)]
mod tests {
    use super::{quoted, visible};

    #[test]
    fn a_terminal_obeys_nothing_that_others_wrote() {
        assert_eq!(visible("größer als 1"), "größer als 1");
        assert_eq!(visible("a\x1b[31m\nb\u{9b}"), "a\\x1b[31m\\x0ab\\x9b");
        assert_eq!(visible("v2\u{3164}\u{115f}\u{fff9}"), "v2\\u{3164}\\u{115f}\\u{fff9}");
        assert_eq!(visible("v2\u{202e}1v\u{200b}\u{e0041}\u{ad}"), "v2\\u{202e}1v\\u{200b}\\u{e0041}\\xad");
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
