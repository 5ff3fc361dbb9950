//! A compiled regex, which has to match the whole of a value.

use super::scan::scan;
use regex_lite::{Regex, RegexBuilder};

/// The most memory that one compiled regex may take.
const MAX_SIZE: usize = 1 << 20;

/// A regex that has to match the whole of a value.
#[derive(Clone, Debug)]
pub struct Re2 {
    regex: Regex,
    steps: u32,
}

impl Re2 {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with the pattern, without the pattern itself (it may be a secret).
    pub fn new(pattern: &str) -> Result<Re2, String> {
        if pattern.is_empty() {
            return Err("an empty regex; leave the match out or write {}".to_owned());
        }
        let (same, steps) = scan(pattern)?;
        let regex = RegexBuilder::new(&format!(r"\A(?:{same})\z")).size_limit(MAX_SIZE).build();
        regex.map(|regex| Re2 { regex, steps }).map_err(|error| format!("not a regex: {error}"))
    }

    /// How large the automaton is: characters, classes and groups, each as often as it is repeated. A step takes about 100 bytes.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Whether the whole value matches. Bytes that are not UTF-8 match no regex.
    pub fn is_match(&self, value: &[u8]) -> bool {
        std::str::from_utf8(value).is_ok_and(|text| self.regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::Re2;

    #[test]
    fn steps_are_counted_as_often_as_they_are_repeated() {
        // Beside what it consists of.
        let table =
            [("a", 1), ("abc", 3), ("(?:abc){10}", 30), ("(?:a{10}){100}", 1000), ("[a-z]{20}", 20), ("a{1000}", 1000)];
        for (pattern, parts) in table {
            let steps = Re2::new(pattern).unwrap().steps();
            assert!(parts < steps && steps < 7 * parts + 8, "{pattern}: {steps}");
        }
    }

    #[test]
    fn the_whole_value_must_match() {
        let table: &[(&str, &str, bool)] = &[
            ("a|ab", "ab", true),
            ("a|ab", "abc", false),
            ("a", "ba", false),
            ("a.*", "a", true),
            (".*", "", true),
            ("a.c", "a\nc", false),
            ("(?s)a.c", "a\nc", true),
            ("(?i)abc", "aBC", true),
            ("a(?i)b", "aB", true),
            ("a(?i)b", "AB", false),
            (r"\s", "\u{b}", false),
            (r"\S", "\u{b}", true),
            (r"[\s]", "\t", true),
            (r"\w+", "ä", false),
            (r"\d+", "٣", false),
            ("[]a]", "]", true),
            ("[^]a]", "]", false),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[a-c]", "b", true),
            ("[[:alpha:]]", "x", true),
            ("[[:^alpha:]]", "x", false),
            (r"\x41", "A", true),
            (r"\x{e4}", "ä", true),
            ("(a{10}){100}", &"a".repeat(1000), true),
            (r"a\.b", "a.b", true),
            (r"a\-b", "a-b", true),
            ("x{2,}", "xxx", true),
            ("(?P<n>a)", "a", true),
            ("(?:a*)*b", "aab", true),
            ("^a$", "a", true),
        ];
        for &(pattern, value, expected) in table {
            let regex = Re2::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(regex.is_match(value.as_bytes()), expected, "{pattern} on {value:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_match_no_regex() {
        assert!(!Re2::new(".*").unwrap().is_match(b"\xff"));
    }

    #[test]
    fn what_re2_reads_differently_is_refused() {
        let table = [
            "",
            "(",
            ")",
            "a)",
            "[",
            "[a",
            "*",
            "a**",
            "a+*",
            "a|*",
            "(*)",
            r"\",
            r"\1",
            r"\0",
            r"\_",
            r"\<",
            r"\>",
            r"\Q",
            r"\C",
            r"\Z",
            r"\pL",
            r"\p{Greek}",
            r"\PL",
            r"\u0041",
            r"\b{start}",
            "(?x)a b",
            "(?R)a",
            "(?u)a",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?<!a)",
            "(?P=n)",
            "[a&&b]",
            "[a--b]",
            "[a~~b]",
            "[a[b]]",
            "[[a]]",
            r"[\S]",
            r"[\b]",
            "[a-b-c]",
            r"[\d-z]",
            r"[a-\d]",
            "[--a]",
            "a{,3}",
            "a{",
            "a{x}",
            "a{1001}",
            "(a{100}){11}",
            "((a{10}){10}){11}",
            "a{3,2}",
            "(?i)k",
            "(?i)S",
            "(?i)ä",
            "(?i)[a-z]",
            r"(?i)\w",
            "(?i)[[:alpha:]]",
            r"(?i)\x{212a}",
            r"(?i)\x6b",
            "[[:nope:]]",
            "[[.a.]]",
            "a{2}{3}",
            "[z-a]",
        ];
        for pattern in table {
            assert!(Re2::new(pattern).is_err(), "{pattern} was accepted");
        }
    }

    #[test]
    fn an_error_says_what_and_where_but_not_the_pattern() {
        let error = |pattern: &str| Re2::new(pattern).unwrap_err();
        assert_eq!(error("ab{1001}"), "a repetition of 1001 at 2 is more than 1000");
        assert_eq!(error("a&[b&&c]"), "&& at 4 inside of [ ]: write it once");
        assert_eq!(error("(?x)a"), "(?x at 2: only the flags i, m, s and U are supported");
        assert!(error("(?i)task").starts_with("(?i) together with k or s: "));
    }
}
