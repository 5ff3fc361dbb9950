//! `(…)`

use super::pattern::Pattern;

/// After `(`: a plain group, `(?:`, a name, or flags, which hold from here on. Returns whether a group was opened (not by flags alone).
pub(super) fn opens_group(pattern: &mut Pattern) -> Result<bool, String> {
    if !pattern.takes('?') {
        return Ok(true);
    }
    pattern.out.push('?');
    if pattern.takes('P') {
        pattern.out.push('P');
        if !pattern.sees('<') {
            return Err("(?P must go on with <name>".to_owned());
        }
    }
    if pattern.takes('<') {
        pattern.out.push('<');
        for (at, c) in pattern.chars.by_ref() {
            pattern.out.push(c);
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
    for (at, c) in pattern.chars.by_ref() {
        pattern.out.push(c);
        match c {
            ':' => return Ok(true),
            // Flags alone: they hold to the end of the group around them.
            ')' => return Ok(false),
            '-' => negative = true,
            'i' => pattern.folds = !negative,
            's' | 'm' | 'U' => {}
            '=' | '!' => return Err(format!("(?{c} at {at}: RE2 has no look-around")),
            _ => return Err(format!("(?{c} at {at}: only the flags i, m, s and U are supported")),
        }
    }
    Err("a ( without a )".to_owned())
}
