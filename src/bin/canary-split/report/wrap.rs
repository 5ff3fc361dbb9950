//! Sentences that are longer than a line of the screen.

use super::output::width;

/// A sentence after these words, wrapped at the width of the screen; later lines are indented by the length of the words.
pub fn wrapped(before: &str, text: &str) -> String {
    within(width(), before, text)
}

/// A sentence in lines of its own, each within the rest of the screen's width.
pub fn lines(taken: usize, text: &str) -> String {
    within(width().saturating_sub(taken), "", text)
}

fn within(width: usize, before: &str, text: &str) -> String {
    let indent = before.chars().count();
    let mut wrapped = before.to_owned();
    let mut at = indent;
    for (number, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if number > 0 && at.saturating_add(1 + length) > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            at = indent;
        } else if number > 0 {
            wrapped.push(' ');
            at += 1;
        }
        wrapped.push_str(word);
        at += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_line_ends_between_words_and_a_word_stays_whole() {
        for (width, before, text, expected) in [
            (usize::MAX, "  note: ", "one two  three", "  note: one two  three"),
            (13, "note: ", "one two three", "note: one two\n      three"),
            (12, "note: ", "one two three", "note: one\n      two\n      three"),
            (3, "", "größer als", "größer\nals"),
            (0, "a ", "b", "a b"),
        ] {
            assert_eq!(within(width, before, text), expected, "{width}");
        }
    }
}
