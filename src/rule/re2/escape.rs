//! `\…`

use super::chars::Chars;
use super::pattern::Pattern;
use super::program::Look;

/// The meaning of an escape.
pub(super) enum Escape {
    Char(char),
    Chars(Chars),
    Look(Look),
}

/// After a backslash; inside `[…]` some escapes have no meaning.
pub(super) fn escape(pattern: &mut Pattern, in_class: bool) -> Result<Escape, String> {
    let Some((at, c)) = pattern.chars.next() else { return Err("a \\ at the end".to_owned()) };
    let folds = pattern.flags.folds;
    Ok(match c {
        'S' if in_class => return Err(format!("\\S at {at} is not supported")),
        'W' if in_class && folds => {
            return Err(format!("\\W at {at} inside [ ] where (?i) holds: end it before with (?-i)"));
        }
        'd' | 's' | 'w' => Escape::Chars(Chars::perl(c)),
        'D' | 'S' | 'W' => {
            let mut chars = Chars::perl(c.to_ascii_lowercase());
            if folds {
                chars.fold();
            }
            Escape::Chars(chars.negated())
        }
        'b' | 'B' | 'A' | 'z' if !in_class => {
            if pattern.sees('{') {
                return Err(format!("\\{c}{{ at {at}: RE2 has no such escape"));
            }
            Escape::Look(match c {
                'b' => Look::WordBoundary,
                'B' => Look::NoWordBoundary,
                'A' => Look::TextStart,
                _ => Look::TextEnd,
            })
        }
        'a' => Escape::Char('\x07'),
        'f' => Escape::Char('\x0c'),
        't' => Escape::Char('\t'),
        'n' => Escape::Char('\n'),
        'r' => Escape::Char('\r'),
        'v' => Escape::Char('\x0b'),
        'x' => Escape::Char(hex(pattern, at)?),
        'p' | 'P' => return Err(format!("\\{c} at {at}: Unicode classes are not supported")),
        _ if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') => Escape::Char(c),
        _ => return Err(format!("\\{c} at {at} is not supported")),
    })
}

/// `\xHH` or `\x{H…}`.
fn hex(pattern: &mut Pattern, at: usize) -> Result<char, String> {
    let wrong = || format!("\\x at {at}: write \\xHH or \\x{{H…}}");
    let mut digits = String::new();
    if pattern.takes('{') {
        while let Some(digit) = pattern.hex_digit() {
            digits.push(digit);
        }
        if !pattern.takes('}') {
            return Err(wrong());
        }
    } else {
        for _ in 0..2 {
            digits.push(pattern.hex_digit().ok_or_else(wrong)?);
        }
    }
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)
}
