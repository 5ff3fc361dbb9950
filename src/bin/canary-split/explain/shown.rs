//! How an explanation shows what is in a request and in a config.

use canary_split::subset::Subset;

/// What the subset header says, without the seal.
pub fn masked(subset: &Subset) -> String {
    let end = if subset.header_value == subset.name { "" } else { ".***" };
    format!("{}{end}", subset.name)
}

/// A value of a request, in quotes and not longer than a line. Bytes that are not UTF-8 are escaped.
pub fn quoted(bytes: &[u8]) -> String {
    const MOST: usize = 100;
    let (text, more) = match bytes.split_at_checked(MOST) {
        Some((text, more)) if !more.is_empty() => (text, "…"),
        _ => (bytes, ""),
    };
    match std::str::from_utf8(text) {
        Ok(text) => format!("{text:?}{more}"),
        Err(_) => format!("\"{}\"{more}", text.escape_ascii()),
    }
}
