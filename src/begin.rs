//! What a path has to begin with, so that of a hundred rules that differ in it those that do not match cost one comparison each.

/// The last eight bytes of what a path has to begin with, or all of it if it is shorter.
///
/// No proof that a path does begin so, but most that do not are told by it.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// Where in the path these bytes stand.
    at: u32,
    /// How many bits of a word do not belong to them.
    spare: u32,
    /// The bytes as a little-endian word, without the spare bits.
    word: u64,
}

impl Begin {
    /// Nothing is known about the path.
    pub const ANY: Begin = Begin { at: u32::MAX, spare: 1, word: 0 };

    /// A path that begins with this text.
    pub fn of(text: &str) -> Begin {
        let at = text.len().saturating_sub(8);
        let last = text.as_bytes().iter().skip(at).rev();
        // Shifted through from the top: what is short ends up there.
        let (word, spare) = last.fold((0, 64), |(word, spare), &byte| (word << 8 | u64::from(byte), spare - 8));
        if spare == 64 { Begin::ANY } else { Begin { at: at as u32, spare, word: word << spare } }
    }

    /// Whether anything is known.
    pub fn is_known(self) -> bool {
        self.at != u32::MAX
    }

    /// Whether this path may begin so.
    #[inline(always)]
    pub fn may_be_of(self, path: &[u8]) -> bool {
        match path.get(self.at as usize..).and_then(<[u8]>::first_chunk) {
            Some(word) => u64::from_le_bytes(*word) << self.spare == self.word,
            // Too short for what takes a whole word.
            None => self.spare > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Begin;

    #[test]
    fn no_path_that_begins_so_is_taken_for_another() {
        let text = "/shop/cart/ü?x";
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            let begin = Begin::of(&text[..end]);
            for more in ["", "x", "/and/more/than/a/word"] {
                assert!(begin.may_be_of(format!("{}{more}", &text[..end]).as_bytes()), "{end} {more}");
            }
        }
    }

    #[test]
    fn a_path_that_differs_in_the_last_eight_bytes_is_told() {
        for (text, path) in [
            ("/", "xxxxxxxx"),
            ("/a", "/bxxxxxx"),
            ("/service-98/", "/service-99/"),
            ("/service-98/", "/service-98"),
            ("/service-98/", "/service-9"),
            ("/service-98/", "/"),
            ("/service", "/servic"),
        ] {
            assert!(!Begin::of(text).may_be_of(path.as_bytes()), "{text} {path}");
        }
    }

    #[test]
    fn nothing_is_known_of_nothing() {
        assert!(!Begin::of("").is_known() && Begin::of("/").is_known());
        assert!(Begin::ANY.may_be_of(b"") && Begin::ANY.may_be_of(b"/a/path/of/more/than/a/word"));
    }
}
