//! `[…]`

use super::chars::Chars;
use super::escape::{Escape, escape};
use super::pattern::Pattern;

/// After `[`, up to and with `]`.
pub(super) fn class(pattern: &mut Pattern) -> Result<Chars, String> {
    let negated = pattern.takes('^');
    let mut all = Chars::default();
    let mut first = true;
    loop {
        let Some((at, c)) = pattern.chars.next() else { return Err("a [ without a ]".to_owned()) };
        let item = match c {
            ']' if !first => break,
            '[' if pattern.sees(':') => Escape::Chars(posix(pattern, at)?),
            '[' => return Err(format!("[ at {at} inside [ ]: write \\[")),
            '&' | '~' if pattern.sees(c) => {
                return Err(format!("{c}{c} at {at} inside [ ]: write it once"));
            }
            '-' if !first && pattern.ahead().is_some_and(|next| next != ']') => {
                return Err(format!("- at {at} inside [ ]: write it first, last or as \\-"));
            }
            '-' if pattern.sees('-') => {
                return Err(format!("-- at {at} inside [ ]: write \\-"));
            }
            '\\' => escape(pattern, true)?,
            _ => Escape::Char(c),
        };
        first = false;
        match (item, goes_on_with_a_range(pattern)) {
            (Escape::Char(low), true) => {
                let high = end_of_range(pattern, low)?;
                pattern.check_fold(high, at)?;
                all.add(&Chars::range(low, high));
            }
            (Escape::Char(c), false) => {
                pattern.check_fold(c, at)?;
                all.add(&Chars::one(c));
            }
            (_, true) => {
                let at = pattern.place();
                return Err(format!("- at {at} after a class: write it first, last or as \\-"));
            }
            (Escape::Chars(chars), false) => all.add(&chars),
            (Escape::Look(_), false) => {}
        }
    }
    all.tidy();
    if pattern.flags.folds {
        all.fold();
    }
    Ok(if negated { all.negated() } else { all })
}

fn goes_on_with_a_range(pattern: &Pattern) -> bool {
    let mut ahead = pattern.chars.clone();
    ahead.next().is_some_and(|(_, c)| c == '-') && ahead.next().is_some_and(|(_, c)| c != ']')
}

/// The `-x` of a range. Returns the x.
fn end_of_range(pattern: &mut Pattern, low: char) -> Result<char, String> {
    let at = pattern.place();
    pattern.chars.next();
    let high = match pattern.chars.next() {
        Some((_, '\\')) => match escape(pattern, true)? {
            Escape::Char(c) => Some(c),
            _ => None,
        },
        Some((_, '[' | '-')) | None => None,
        Some((_, c)) => Some(c),
    };
    match high {
        Some(high) if low <= high => Ok(high),
        Some(_) => Err(format!("- at {at}: a range must go up")),
        None => Err(format!("- at {at}: a range must end with a character")),
    }
}

/// `[:name:]`, the `[` of which has been read.
fn posix(pattern: &mut Pattern, at: usize) -> Result<Chars, String> {
    let rest = pattern.text.get(at + 2..).unwrap_or_default();
    let written = match rest.split_once(':') {
        Some((name, after)) if after.starts_with(']') => name,
        _ => "",
    };
    let (negated, name) = match written.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, written),
    };
    let Some(chars) = Chars::named(name) else {
        return Err(format!("[: at {at} begins no class such as [:alpha:]"));
    };
    for _ in 0..written.len() + 3 {
        pattern.chars.next();
    }
    if !negated {
        return Ok(chars);
    }
    let has_letters = !matches!(name, "blank" | "cntrl" | "digit" | "punct" | "space" | "xdigit");
    if pattern.flags.folds && has_letters {
        return Err(format!("[:{written}:] at {at} where (?i) holds: end it before with (?-i)"));
    }
    Ok(chars.negated())
}
