//! A compiled regex, which has to match the whole value.

use super::caches::Owner;
use super::cost::{Cost, Effort, MAX_COST, milliseconds};
use super::program::Program;
use super::scan::scan;
use std::rc::Rc;

/// A regex that has to match the whole value.
#[derive(Clone, Debug)]
pub struct Re2 {
    program: Rc<Program>,
    states: Owner,
    steps: u32,
    cost: Cost,
}

impl Re2 {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// The error in the pattern, without the pattern itself (it may be a secret).
    pub fn new(pattern: &str) -> Result<Re2, String> {
        Re2::with(pattern, &Effort::default())
    }

    /// Compiles one of several patterns that share an effort.
    ///
    /// # Errors
    ///
    /// As [`Re2::new`].
    pub fn with(pattern: &str, effort: &Effort) -> Result<Re2, String> {
        if pattern.is_empty() {
            return Err("an empty regex; leave the match out or write {}".to_owned());
        }
        let (program, steps) = scan(pattern)?;
        let cost = Cost::of(pattern, &program, effort);
        if cost.most > MAX_COST {
            return Err(format!(
                "a value of 60 KB could cost more than {} ms: write smaller counts, or classes that do not match what is before them",
                milliseconds(MAX_COST)
            ));
        }
        Ok(Re2 { program: Rc::new(program), states: Owner::new(), steps, cost })
    }

    /// The size of the automaton: characters, classes and groups, each counted as often as it is repeated. A step takes about 5 bytes.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// About the nanoseconds that the worst value with the prefix costs.
    pub fn cost(&self) -> u32 {
        self.cost.most
    }

    /// The prefix of every value that matches: any other value costs next to nothing.
    pub fn prefix(&self) -> &str {
        &self.program.prefix
    }

    /// Whether the whole value matches. Bytes that are not UTF-8 match no regex.
    pub fn is_match(&self, value: &[u8]) -> bool {
        let rest = value.strip_prefix(self.program.prefix.as_bytes());
        rest.is_some_and(|rest| self.states.is_match(&self.program, self.cost.memory, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::Re2;

    #[test]
    fn steps_are_counted_as_often_as_they_are_repeated() {
        // In addition to its parts.
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
            // trial 37: k and s, and the letters beyond ASCII to which RE2 folds them
            ("(?i)tester", "TeSteR", true),
            ("(?i)tester", "te\u{17f}ter", true),
            ("tester", "te\u{17f}ter", false),
            ("(?i)task", "TAS\u{212a}", true),
            (r"(?i)\x6b", "\u{212a}", true),
            ("(?i)k{2}", "k\u{212a}", true),
            ("(?i)[a-z]+", "Kk\u{212a}\u{17f}Z", true),
            ("(?i)[a-j]", "\u{212a}", false),
            ("(?i)[^k]", "\u{212a}", false),
            ("(?i)[^k]", "\u{17f}", true),
            ("[^k]", "\u{212a}", true),
            (r"(?i)\w+", "a\u{212a}\u{17f}", true),
            (r"(?i)\W", "\u{212a}", false),
            (r"(?i)\W", "-", true),
            (r"(?i)[\w-]+", "-\u{17f}", true),
            ("(?i)[[:alpha:]]", "\u{17f}", true),
            ("(?i)[[:digit:]]", "\u{17f}", false),
            // and its scope
            ("s(?i)a", "sA", true),
            ("s(?i)a", "SA", false),
            ("s(?i)a", "\u{17f}a", false),
            ("(?i:a)s", "As", true),
            ("(?i:a)s", "AS", false),
            ("(?i)s(?-i)s", "Ss", true),
            ("(?i)s(?-i)s", "SS", false),
            ("((?i)s)s", "Ss", true),
            ("((?i)s)s", "SS", false),
            ("(?i)(?-i:s)s", "sS", true),
            ("(?i)(?-i:s)s", "SS", false),
            ("a(?i)|k", "\u{212a}", true),
            ("ä(?i)a", "äA", true),
            ("(?i)a(?-i)ä", "Aä", true),
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
            "(?i)ä",
            "(?i)[ä]",
            "(?i)[a-ä]",
            r"(?i)[\W]",
            "(?i)[[:^alpha:]]",
            r"(?i)\x{212a}",
            "(?i)(?-i:a)ä",
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
        assert_eq!(error("a&[b&&c]"), "&& at 4 inside [ ]: write it once");
        assert_eq!(error("(?x)a"), "(?x at 2: only the flags i, m, s and U are supported");
        let beyond = "(?i) holds for a letter beyond ASCII at 4: end it before with (?-i), and write both cases";
        assert_eq!(error("(?i)ä"), beyond);
    }
}
