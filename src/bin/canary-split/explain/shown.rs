//! How an explanation shows values of a request and of a config.

use crate::input::quoted;
use canary_split::subset::Subset;

/// The value of the subset header, without the seal.
pub fn masked(subset: &Subset) -> String {
    let end = if subset.header_value == subset.name { "" } else { ".***" };
    format!("{}{end}", subset.name)
}

/// A value of a request, in quotes and not longer than a line; characters beyond visible ASCII by their number.
pub fn quoted(bytes: &[u8]) -> String {
    const MOST: usize = 100;
    match bytes.get(..MOST) {
        Some(text) if bytes.len() > MOST => format!("{}…", quoted::quoted(text)),
        _ => quoted::quoted(bytes),
    }
}
