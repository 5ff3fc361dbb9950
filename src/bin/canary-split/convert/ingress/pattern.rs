//! Turns a regex that may match anywhere in a value into one that matches the whole value.

use canary_split::rule::re2::Re2;

/// The same regex for a rule, which always compares the whole value.
///
/// # Errors
///
/// Why the filter cannot have the regex.
pub fn anywhere(pattern: &str) -> Result<String, String> {
    let inner = pattern.strip_prefix('^');
    let has_end = pattern.ends_with('$') && !pattern.ends_with("\\$");
    // With `|`, an anchor may belong to one alternative only, so such a pattern is wrapped as it is.
    let whole = match inner {
        Some(inner) if !pattern.contains('|') => {
            if has_end {
                inner.strip_suffix('$').unwrap_or(inner).to_owned()
            } else {
                format!("{inner}.*")
            }
        }
        None if has_end && !pattern.contains('|') => format!(".*{}", pattern.strip_suffix('$').unwrap_or(pattern)),
        _ => format!(".*(?:{pattern}).*"),
    };
    // The original is checked first, so that an error is about what the user wrote.
    Re2::new(pattern)?;
    Re2::new(&whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::anywhere;
    use canary_split::rule::re2::Re2;

    #[test]
    fn it_holds_where_it_held_before() {
        let patterns = ["beta", "^beta$", "^beta", "beta$", "^a|b$", "b+", "^(a|b)$", "a\\$", "^.*$", "x|"];
        let values = ["", "beta", "xbeta", "betax", "a", "b", "ab", "xa", "bx", "a$", "a$x", "bb", "x"];
        for pattern in patterns {
            let whole = Re2::new(&anywhere(pattern).unwrap()).unwrap();
            let before = regex::Regex::new(pattern).unwrap();
            for value in values {
                assert_eq!(whole.is_match(value.as_bytes()), before.is_match(value), "{pattern} of {value}");
            }
        }
        for refused in ["(?=a)", "", "^$"] {
            assert!(anywhere(refused).is_err(), "{refused}");
        }
    }
}
