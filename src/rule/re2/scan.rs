//! Regexes with Istio's meaning: RE2 syntax, the whole value, linear time.
//!
//! Envoy matches with RE2, we with regex-lite; both are automata of the same family. What the two would read differently
//! is refused here, before regex-lite sees it: better an error at the desk than a request on the wrong side. Only what
//! both read alike gets through; where `\s` differs (RE2's has no vertical tab) it is spelled out.
//!
//! Syntax: <https://github.com/google/re2/wiki/Syntax>

use regex_lite::{Regex, RegexBuilder};
use std::iter::Peekable;
use std::str::CharIndices;

/// RE2's limit for a repetition, and for the product of nested ones.
const MAX_REPEAT: u32 = 1000;

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
        let (same, steps) = Scanner::new(pattern).scan()?;
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

/// Walks through a pattern once; copies it, with `\s` spelled out.
struct Scanner<'p> {
    pattern: &'p str,
    chars: Peekable<CharIndices<'p>>,
    out: String,
    /// `(?i)` stands somewhere: then no letter may be one that RE2 folds beyond ASCII.
    fold: bool,
    /// First letter that `(?i)` could fold beyond ASCII, as it is written.
    foldable: Option<&'static str>,
    /// The open groups, the outermost first.
    groups: Vec<Size>,
}

/// What repetitions make of a part of a pattern.
#[derive(Clone, Copy)]
struct Size {
    /// The largest product of nested repetitions.
    product: u32,
    /// See [`Re2::steps`].
    steps: u32,
}

impl Size {
    const ONE: Size = Size { product: 1, steps: 1 };
}

/// What a repetition operator could apply to.
#[derive(Clone, Copy)]
enum Last {
    /// Nothing yet: the start, `(` or `|`.
    Nothing,
    /// Something that has been counted once.
    Item(Size),
    /// A repetition: another one on top would be refused by RE2.
    Repetition,
}

impl<'p> Scanner<'p> {
    fn new(pattern: &'p str) -> Self {
        let chars = pattern.char_indices().peekable();
        Scanner { pattern, chars, out: String::new(), fold: false, foldable: None, groups: vec![Size::ONE] }
    }

    fn scan(mut self) -> Result<(String, u32), String> {
        let mut last = Last::Nothing;
        while let Some((at, c)) = self.chars.next() {
            last = match c {
                '\\' => {
                    self.escape(false)?;
                    Last::Item(Size::ONE)
                }
                '[' => {
                    let begin = self.out.len();
                    self.class()?;
                    // Each of its ranges takes memory.
                    let steps = (self.out.len() - begin) as u32;
                    Last::Item(Size { product: 1, steps })
                }
                '(' => {
                    self.out.push('(');
                    if self.group()? {
                        self.groups.push(Size { product: 1, steps: 2 });
                    }
                    Last::Nothing
                }
                ')' => {
                    self.out.push(')');
                    match self.groups.pop() {
                        Some(inner) if !self.groups.is_empty() => Last::Item(inner),
                        _ => return Err(format!("a ) without a ( at {at}")),
                    }
                }
                '|' => {
                    self.out.push('|');
                    Last::Nothing
                }
                '*' | '+' | '?' | '{' => self.repetition(c, at, last)?,
                _ => {
                    self.literal(c);
                    Last::Item(Size::ONE)
                }
            };
            let Some(group) = self.groups.last_mut() else { continue };
            match last {
                Last::Item(item) => {
                    group.product = group.product.max(item.product);
                    group.steps = group.steps.saturating_add(item.steps);
                }
                Last::Nothing | Last::Repetition => group.steps = group.steps.saturating_add(1),
            }
        }
        let [whole] = self.groups.as_slice() else { return Err("a ( without a )".to_owned()) };
        match self.foldable {
            Some(what) if self.fold => Err(format!(
                "(?i) together with {what}: RE2 folds k, s and letters beyond ASCII in Unicode's way; write both cases instead, as in [kK]"
            )),
            _ => Ok((self.out, whole.steps)),
        }
    }

    /// The next character, which stays.
    fn ahead(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, c)| c)
    }

    /// Whether this character comes next, which stays.
    fn sees(&mut self, c: char) -> bool {
        self.ahead() == Some(c)
    }

    /// Goes past this character, if it comes next.
    fn takes(&mut self, c: char) -> bool {
        self.sees(c) && self.chars.next().is_some()
    }

    /// Goes past a hexadecimal digit, if one comes next.
    fn hex_digit(&mut self) -> Option<char> {
        let digit = self.ahead().filter(char::is_ascii_hexdigit)?;
        self.chars.next();
        Some(digit)
    }

    fn literal(&mut self, c: char) {
        self.out.push(c);
        match c {
            'k' | 'K' | 's' | 'S' => self.foldable = Some("k or s"),
            _ if !c.is_ascii() => self.foldable = Some("a letter beyond ASCII"),
            _ => {}
        }
    }

    /// After a backslash; inside of `[…]` some escapes have no meaning. Returns the literal, if it is one.
    fn escape(&mut self, in_class: bool) -> Result<Option<char>, String> {
        let Some((at, c)) = self.chars.next() else { return Err("a \\ at the end".to_owned()) };
        match c {
            's' => {
                self.out.push_str(if in_class { r"\t\n\f\r " } else { r"[\t\n\f\r ]" });
                Ok(None)
            }
            'S' if !in_class => {
                self.out.push_str(r"[^\t\n\f\r ]");
                Ok(None)
            }
            'd' | 'D' => {
                self.out.extend(['\\', c]);
                Ok(None)
            }
            'w' | 'W' => {
                self.foldable = Some("\\w or \\W");
                self.out.extend(['\\', c]);
                Ok(None)
            }
            'b' | 'B' | 'A' | 'z' if !in_class => {
                if self.sees('{') {
                    return Err(format!("\\{c}{{ at {at}: RE2 has no such escape"));
                }
                self.out.extend(['\\', c]);
                Ok(None)
            }
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => {
                self.out.extend(['\\', c]);
                Ok(Some(c))
            }
            'x' => self.hex(at).map(Some),
            'p' | 'P' => Err(format!("\\{c} at {at}: Unicode classes are not supported")),
            _ if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') => {
                self.out.extend(['\\', c]);
                Ok(Some(c))
            }
            _ => Err(format!("\\{c} at {at} is not supported")),
        }
    }

    /// `\xHH` or `\x{H…}`.
    fn hex(&mut self, at: usize) -> Result<char, String> {
        let wrong = || format!("\\x at {at}: write \\xHH or \\x{{H…}}");
        let mut digits = String::new();
        if self.takes('{') {
            while let Some(digit) = self.hex_digit() {
                digits.push(digit);
            }
            if !self.takes('}') {
                return Err(wrong());
            }
        } else {
            for _ in 0..2 {
                digits.push(self.hex_digit().ok_or_else(wrong)?);
            }
        }
        let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)?;
        self.out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        match c {
            'k' | 'K' | 's' | 'S' => self.foldable = Some("k or s"),
            _ if !c.is_ascii() => self.foldable = Some("a letter beyond ASCII"),
            _ => {}
        }
        Ok(c)
    }

    /// After `(`: a plain group, `(?:`, a name, or flags. Returns whether a group was opened (not by flags alone).
    fn group(&mut self) -> Result<bool, String> {
        if !self.takes('?') {
            return Ok(true);
        }
        self.out.push('?');
        if self.takes('P') {
            self.out.push('P');
            if !self.sees('<') {
                return Err("(?P must go on with <name>".to_owned());
            }
        }
        if self.takes('<') {
            self.out.push('<');
            for (at, c) in self.chars.by_ref() {
                self.out.push(c);
                match c {
                    '>' => return Ok(true),
                    _ if c.is_ascii_alphanumeric() || c == '_' => {}
                    '=' | '!' => return Err(format!("(?<{c} at {at}: RE2 has no look-around")),
                    _ => {
                        return Err(format!("the name of a group has letters, digits and _ only: not what is at {at}"));
                    }
                }
            }
            return Err("a ( without a )".to_owned());
        }
        let mut negative = false;
        for (at, c) in self.chars.by_ref() {
            self.out.push(c);
            match c {
                ':' => return Ok(true),
                ')' => {
                    // Flags alone: they hold to the end of the group around them.
                    return Ok(false);
                }
                '-' => negative = true,
                'i' => self.fold |= !negative,
                's' | 'm' | 'U' => {}
                '=' | '!' => return Err(format!("(?{c} at {at}: RE2 has no look-around")),
                _ => return Err(format!("(?{c} at {at}: only the flags i, m, s and U are supported")),
            }
        }
        Err("a ( without a )".to_owned())
    }

    /// `*`, `+`, `?` or `{n,m}`, and the `?` that makes it lazy.
    fn repetition(&mut self, c: char, at: usize, last: Last) -> Result<Last, String> {
        let inner = match last {
            Last::Item(inner) => inner,
            Last::Nothing => return Err(format!("{c} at {at} has nothing to repeat")),
            Last::Repetition => return Err(format!("{c} at {at} repeats a repetition; put the inner one in (?:…)")),
        };
        self.out.push(c);
        if c == '{' {
            let most = self.bounds(at)?;
            let product = most.saturating_mul(inner.product);
            if product > MAX_REPEAT {
                return Err(format!("a repetition of {product} at {at} is more than {MAX_REPEAT}"));
            }
            if let Some(group) = self.groups.last_mut() {
                group.product = group.product.max(product);
                // It has been counted once, and {n,} ends in one more.
                group.steps = group.steps.saturating_add(inner.steps.saturating_mul(most));
            }
        }
        if self.takes('?') {
            self.out.push('?');
        }
        Ok(Last::Repetition)
    }

    /// After `{`: `n}`, `n,}` or `n,m}`. Returns the larger bound.
    fn bounds(&mut self, at: usize) -> Result<u32, String> {
        let rest = self.pattern.get(at + 1..).unwrap_or_default();
        let wrong = || format!("{{ at {at}: write {{n}}, {{n,}} or {{n,m}}, or \\{{ for the character");
        let (bounds, _) = rest.split_once('}').ok_or_else(wrong)?;
        let (least, most) = bounds.split_once(',').unwrap_or((bounds, bounds));
        let number = |digits: &str| -> Result<u32, String> {
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            Ok(digits.parse().unwrap_or(u32::MAX))
        };
        let least = number(least)?;
        let most = if most.is_empty() { least } else { number(most)? };
        if most < least {
            return Err(format!("{{n,m}} at {at}: the first number is the larger one"));
        }
        for _ in 0..=bounds.len() {
            if let Some((_, c)) = self.chars.next() {
                self.out.push(c);
            }
        }
        Ok(most.max(1))
    }

    /// After `[`, up to and with `]`.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.takes('^') {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some((at, c)) = self.chars.next() else { return Err("a [ without a ]".to_owned()) };
            let low = match c {
                ']' if !first => break,
                ']' => {
                    self.out.push_str(r"\]");
                    Some(c)
                }
                '[' if self.sees(':') => {
                    self.posix(at)?;
                    None
                }
                '[' => return Err(format!("[ at {at} inside of [ ]: write \\[")),
                '&' | '~' if self.sees(c) => {
                    return Err(format!("{c}{c} at {at} inside of [ ]: write it once"));
                }
                '-' if !first && self.ahead().is_some_and(|next| next != ']') => {
                    return Err(format!("- at {at} inside of [ ]: write it first, last or as \\-"));
                }
                '-' if self.sees('-') => {
                    return Err(format!("-- at {at} inside of [ ]: write \\-"));
                }
                '-' => {
                    self.out.push_str(r"\-");
                    Some(c)
                }
                '\\' => self.escape(true)?,
                _ => {
                    self.literal(c);
                    Some(c)
                }
            };
            first = false;
            self.range(low)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// The `-x` of a range, if the item before it (`low`) goes on with one.
    fn range(&mut self, low: Option<char>) -> Result<(), String> {
        let mut ahead = self.chars.clone();
        if ahead.next().is_none_or(|(_, c)| c != '-') || ahead.next().is_none_or(|(_, c)| c == ']') {
            return Ok(());
        }
        let Some((at, dash)) = self.chars.next() else { return Ok(()) };
        let Some(low) = low else { return Err(format!("- at {at} after a class: write it first, last or as \\-")) };
        self.out.push(dash);
        let high = match self.chars.next() {
            Some((_, '\\')) => self.escape(true)?,
            Some((_, '[' | '-')) | None => None,
            Some((_, c)) => {
                self.literal(c);
                Some(c)
            }
        };
        let Some(high) = high else { return Err(format!("- at {at}: a range must end with a character")) };
        if "kKsS".chars().any(|c| low <= c && c <= high) || !high.is_ascii() {
            self.foldable = Some("a range that holds k, s or letters beyond ASCII");
        }
        Ok(())
    }

    /// `[:name:]`, the `[` of which has been read.
    fn posix(&mut self, at: usize) -> Result<(), String> {
        let rest = self.pattern.get(at + 2..).unwrap_or_default();
        let name = match rest.split_once(':') {
            Some((name, after)) if after.starts_with(']') => name,
            _ => "",
        };
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit",
        ];
        if !NAMES.contains(&name.trim_start_matches('^')) {
            return Err(format!("[: at {at} begins no class such as [:alpha:]"));
        }
        if !matches!(name.trim_start_matches('^'), "blank" | "cntrl" | "digit" | "punct" | "space") {
            self.foldable = Some("a class that holds k and s");
        }
        self.out.push('[');
        for _ in 0..name.len() + 3 {
            if let Some((_, c)) = self.chars.next() {
                self.out.push(c);
            }
        }
        Ok(())
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
