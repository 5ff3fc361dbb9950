//! Texts → one stream of YAML documents.

use std::borrow::Cow;

/// All texts, divided by `---`.
pub fn of(texts: &[impl AsRef<str>]) -> String {
    let mut all = String::new();
    for text in texts {
        let text = text.as_ref();
        if !all.is_empty() && !text.starts_with("---") {
            all.push_str("---\n");
        }
        all.push_str(&without_surrogates(text));
        if !text.ends_with('\n') {
            all.push('\n');
        }
    }
    all
}

/// JSON within a stream of YAML documents, which knows no `\ud83d\ude80`.
fn without_surrogates(text: &str) -> Cow<'_, str> {
    if !text.trim_start().starts_with(['{', '[']) || !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let (mut written, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        written.push_str(before);
        let end = match pair(escape) {
            Some(pair) => {
                written.push(pair);
                PAIR
            }
            // With what it escapes, which may be a backslash.
            None => {
                let end = escape.chars().take(2).map(char::len_utf8).sum();
                written.push_str(escape.get(..end).unwrap_or_default());
                end
            }
        };
        rest = escape.get(end..).unwrap_or_default();
    }
    written.push_str(rest);
    Cow::Owned(written)
}

/// The length of `\ud83d\ude80`.
const PAIR: usize = 12;

/// The character of the two escapes that a text begins with.
fn pair(text: &str) -> Option<char> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + PAIR / 2)?.strip_prefix("\\u")?, 16).ok();
    let character = char::decode_utf16([unit(0)?, unit(PAIR / 2)?]).next()?.ok()?;
    (u32::from(character) > 0xffff).then_some(character)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn json_in_a_stream_is_yaml_too() {
        let pair = r#"{"a": "\ud83d\ude80 \\ud83d\\ude80 \u00fc \ud83d"}"#;
        assert_eq!(of(&["a: 1\n", pair]), "a: 1\n---\n{\"a\": \"\u{1f680} \\\\ud83d\\\\ude80 \\u00fc \\ud83d\"}\n");
        assert_eq!(of(&["a: '\\ud83d\\ude80'"]), "a: '\\ud83d\\ude80'\n");
    }
}
