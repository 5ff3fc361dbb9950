//! `(…)`

use super::pattern::Pattern;

/// After `(`: a plain group, `(?:`, a name, or flags, which hold from here on. Returns whether a group was opened (flags alone do not).
pub(super) fn opens_group(pattern: &mut Pattern) -> Result<bool, String> {
    if !pattern.takes('?') {
        return Ok(true);
    }
    if pattern.takes('P') && !pattern.sees('<') {
        return Err("(?P must go on with <name>".to_owned());
    }
    if pattern.takes('<') {
        return name(pattern).map(|()| true);
    }
    let begin = pattern.place();
    let mut flags = pattern.flags;
    let mut given = String::new();
    let mut negative = false;
    for (at, c) in pattern.chars.by_ref() {
        let flag = match c {
            ':' | ')' if given.is_empty() || given.ends_with('-') => {
                // `(?:` sets no flag, and is a group.
                if c == ':' && given.is_empty() {
                    return Ok(true);
                }
                return Err(format!("(? at {begin}: a flag is missing"));
            }
            ':' | ')' => {
                pattern.flags = flags;
                // Flags alone hold to the end of the group around them.
                return Ok(c == ':');
            }
            '-' if negative => return Err(format!("(? at {begin}: - is given twice")),
            '-' => {
                negative = true;
                given.push(c);
                continue;
            }
            'i' => &mut flags.folds,
            's' => &mut flags.dot_all,
            'm' => &mut flags.by_lines,
            'U' => &mut false,
            '=' | '!' => return Err(format!("(?{c} at {at}: RE2 has no look-around")),
            _ => return Err(format!("(?{c} at {at}: only the flags i, m, s and U are supported")),
        };
        *flag = !negative;
        if given.contains(c) {
            return Err(format!("(? at {begin}: {c} is given twice"));
        }
        given.push(c);
    }
    Err("a ( without a )".to_owned())
}

/// After `<`, up to and with `>`.
fn name(pattern: &mut Pattern) -> Result<(), String> {
    let begin = pattern.place();
    for (at, c) in pattern.chars.by_ref() {
        match c {
            '>' => {
                let name = pattern.text.get(begin..at).unwrap_or_default();
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(format!("the name of a group begins with a letter or _: not what is at {begin}"));
                }
                if pattern.names.contains(&name) {
                    return Err(format!("the name of the group at {begin} is given twice"));
                }
                pattern.names.push(name);
                return Ok(());
            }
            _ if c.is_ascii_alphanumeric() || c == '_' => {}
            '=' | '!' => return Err(format!("(?<{c} at {at}: RE2 has no look-around")),
            _ => {
                return Err(format!("the name of a group has letters, digits and _ only: not what is at {at}"));
            }
        }
    }
    Err("a ( without a )".to_owned())
}
