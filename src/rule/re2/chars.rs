//! Sets of characters.

/// The Kelvin sign, which is a k to Unicode's simple case folding.
const KELVIN: u32 = 0x212a;
/// The long s, which is an s to it.
const LONG_S: u32 = 0x17f;
const LAST: u32 = char::MAX as u32;

/// Characters, as ranges of their numbers. Surrogates are in some: no text has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chars(Vec<(u32, u32)>);

impl Chars {
    /// From one character to another.
    pub(super) fn range(low: char, high: char) -> Chars {
        Chars(vec![(low.into(), high.into())])
    }

    /// One character.
    pub(super) fn one(c: char) -> Chars {
        Chars::range(c, c)
    }

    /// The characters of `[:name:]`.
    pub(super) fn named(name: &str) -> Option<Chars> {
        let ranges: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\x7f')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => &[('0', '9')],
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return None,
        };
        Some(Chars(ranges.iter().map(|&(low, high)| (low.into(), high.into())).collect()))
    }

    /// The characters of `\d`, `\s` and `\w`; RE2's `\s` has no vertical tab.
    pub(super) fn perl(letter: char) -> Chars {
        match letter {
            'd' => Chars::named("digit"),
            'w' => Chars::named("word"),
            _ => Some(Chars(vec![(9, 10), (12, 13), (32, 32)])),
        }
        .unwrap_or_default()
    }

    /// The characters of `.`.
    pub(super) fn dot(matches_newline: bool) -> Chars {
        if matches_newline { Chars::range('\0', char::MAX) } else { Chars::one('\n').negated() }
    }

    /// The ranges, ascending, none next to another.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// The character, if it is the only one.
    pub(super) fn only(&self) -> Option<char> {
        match *self.0 {
            [(low, high)] if low == high => char::from_u32(low),
            _ => None,
        }
    }

    /// Adds characters, without ordering the ranges: see [`Chars::tidy`].
    pub(super) fn add(&mut self, more: &Chars) {
        self.0.extend_from_slice(&more.0);
    }

    /// Puts the ranges in order.
    pub(super) fn tidy(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, last| {
            let joined = next.0 <= last.1.saturating_add(1);
            if joined {
                last.1 = last.1.max(next.1);
            }
            joined
        });
    }

    pub(super) fn negated(&self) -> Chars {
        let mut others = Vec::new();
        let mut from = 0;
        for &(low, high) in &self.0 {
            if from < low {
                others.push((from, low - 1));
            }
            from = high + 1;
        }
        if from <= LAST {
            others.push((from, LAST));
        }
        Chars(others)
    }

    fn has(&self, c: char) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&c.into()))
    }

    /// Adds what `(?i)` adds to ASCII letters: the other case, and for k and s the letters beyond ASCII that RE2 folds to them.
    pub(super) fn fold(&mut self) {
        let mut more = Vec::new();
        for (upper, lower) in ('A'..='Z').zip('a'..='z') {
            match (self.has(upper), self.has(lower)) {
                (true, false) => more.push((lower.into(), lower.into())),
                (false, true) => more.push((upper.into(), upper.into())),
                _ => {}
            }
        }
        for (letter, beyond) in [('k', KELVIN), ('s', LONG_S)] {
            if self.has(letter) || self.has(letter.to_ascii_uppercase()) {
                more.push((beyond, beyond));
            }
        }
        self.add(&Chars(more));
        self.tidy();
    }
}
