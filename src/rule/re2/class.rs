//! `[…]`

use super::escape::escape;
use super::pattern::{KELVIN, LONG_S, Pattern};

/// After `[`, up to and with `]`.
pub(super) fn class(pattern: &mut Pattern) -> Result<(), String> {
    pattern.out.push('[');
    if pattern.takes('^') {
        pattern.out.push('^');
    }
    let mut first = true;
    loop {
        let Some((at, c)) = pattern.chars.next() else { return Err("a [ without a ]".to_owned()) };
        let low = match c {
            ']' if !first => break,
            ']' => {
                pattern.out.push_str(r"\]");
                Some(c)
            }
            '[' if pattern.sees(':') => {
                posix(pattern, at)?;
                None
            }
            '[' => return Err(format!("[ at {at} inside of [ ]: write \\[")),
            '&' | '~' if pattern.sees(c) => {
                return Err(format!("{c}{c} at {at} inside of [ ]: write it once"));
            }
            '-' if !first && pattern.ahead().is_some_and(|next| next != ']') => {
                return Err(format!("- at {at} inside of [ ]: write it first, last or as \\-"));
            }
            '-' if pattern.sees('-') => {
                return Err(format!("-- at {at} inside of [ ]: write \\-"));
            }
            '-' => {
                pattern.out.push_str(r"\-");
                Some(c)
            }
            '\\' => escape(pattern, true)?,
            _ => {
                pattern.out.push(c);
                Some(c)
            }
        };
        first = false;
        let high = range(pattern, low)?;
        if let Some(low) = low {
            fold(pattern, low, high.unwrap_or(low), at)?;
        }
    }
    pattern.out.push(']');
    Ok(())
}

/// Adds what `(?i)` makes of a character or range.
fn fold(pattern: &mut Pattern, low: char, high: char, at: usize) -> Result<(), String> {
    // Refuses what is no ASCII; what is below it needs no look.
    pattern.folded(high, at)?;
    let range = low..=high;
    for c in ['k', 's'] {
        if range.contains(&c) || range.contains(&c.to_ascii_uppercase()) {
            pattern.out.push_str(pattern.folded(c, at)?.unwrap_or_default());
        }
    }
    Ok(())
}

/// The `-x` of a range, if the item before it (`low`) goes on with one. Returns the x.
fn range(pattern: &mut Pattern, low: Option<char>) -> Result<Option<char>, String> {
    let mut ahead = pattern.chars.clone();
    if ahead.next().is_none_or(|(_, c)| c != '-') || ahead.next().is_none_or(|(_, c)| c == ']') {
        return Ok(None);
    }
    let Some((at, dash)) = pattern.chars.next() else { return Ok(None) };
    let Some(low) = low else { return Err(format!("- at {at} after a class: write it first, last or as \\-")) };
    pattern.out.push(dash);
    let high = match pattern.chars.next() {
        Some((_, '\\')) => escape(pattern, true)?,
        Some((_, '[' | '-')) | None => None,
        Some((_, c)) => {
            pattern.out.push(c);
            Some(c)
        }
    };
    match high {
        Some(high) if low <= high => Ok(Some(high)),
        Some(_) => Err(format!("- at {at}: a range must go up")),
        None => Err(format!("- at {at}: a range must end with a character")),
    }
}

/// `[:name:]`, the `[` of which has been read.
fn posix(pattern: &mut Pattern, at: usize) -> Result<(), String> {
    let rest = pattern.text.get(at + 2..).unwrap_or_default();
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
    pattern.out.push('[');
    for _ in 0..name.len() + 3 {
        if let Some((_, c)) = pattern.chars.next() {
            pattern.out.push(c);
        }
    }
    let holds_k_and_s =
        !matches!(name.trim_start_matches('^'), "blank" | "cntrl" | "digit" | "punct" | "space" | "xdigit");
    if pattern.folds && holds_k_and_s {
        if name.starts_with('^') {
            return Err(format!("[:{name}:] at {at} where (?i) holds: end that before by (?-i)"));
        }
        pattern.out.extend([KELVIN, LONG_S]);
    }
    Ok(())
}
