//! `\…`

use super::pattern::{KELVIN, LONG_S, Pattern};

/// After a backslash; inside of `[…]` some escapes have no meaning. Returns the literal, if it is one.
pub(super) fn escape(pattern: &mut Pattern, in_class: bool) -> Result<Option<char>, String> {
    let Some((at, c)) = pattern.chars.next() else { return Err("a \\ at the end".to_owned()) };
    match c {
        's' => {
            pattern.out.push_str(if in_class { r"\t\n\f\r " } else { r"[\t\n\f\r ]" });
            Ok(None)
        }
        'S' if !in_class => {
            pattern.out.push_str(r"[^\t\n\f\r ]");
            Ok(None)
        }
        'd' | 'D' => {
            pattern.out.extend(['\\', c]);
            Ok(None)
        }
        'w' | 'W' if pattern.folds && !in_class => {
            pattern.out.extend([if c == 'w' { "[" } else { "[^" }, r"\w", KELVIN, LONG_S, "]"]);
            Ok(None)
        }
        'W' if pattern.folds => Err(format!("\\W at {at} inside of [ ] where (?i) holds: end that before by (?-i)")),
        'w' | 'W' => {
            pattern.out.extend(['\\', c]);
            if pattern.folds {
                pattern.out.extend([KELVIN, LONG_S]);
            }
            Ok(None)
        }
        'b' | 'B' | 'A' | 'z' if !in_class => {
            if pattern.sees('{') {
                return Err(format!("\\{c}{{ at {at}: RE2 has no such escape"));
            }
            pattern.out.extend(['\\', c]);
            Ok(None)
        }
        'a' | 'f' | 't' | 'n' | 'r' | 'v' => {
            pattern.out.extend(['\\', c]);
            Ok(Some(match c {
                'a' => '\x07',
                'f' => '\x0c',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => '\x0b',
            }))
        }
        'x' => hex(pattern, at, in_class).map(Some),
        'p' | 'P' => Err(format!("\\{c} at {at}: Unicode classes are not supported")),
        _ if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') => {
            pattern.out.extend(['\\', c]);
            Ok(Some(c))
        }
        _ => Err(format!("\\{c} at {at} is not supported")),
    }
}

/// `\xHH` or `\x{H…}`.
fn hex(pattern: &mut Pattern, at: usize, in_class: bool) -> Result<char, String> {
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
    let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)?;
    let written = format!("\\x{{{:x}}}", u32::from(c));
    if in_class {
        pattern.out.push_str(&written);
    } else {
        pattern.literal(c, at, &written)?;
    }
    Ok(c)
}
