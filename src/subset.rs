//! One version behind a route.

use std::rc::Rc;

/// One version behind a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// Its name, as in the DestinationRule.
    pub name: Rc<str>,
    /// The value of the subset header: the name, followed by the seal if the config has one.
    pub header_value: Rc<str>,
}

/// Whether this is a DNS label in lower case: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, 1 to 63 bytes. Names of subsets and rules are.
pub fn is_label(name: &[u8]) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|&b| b != b'-');
    (1..=63).contains(&name.len())
        && name.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && edge(name.first())
        && edge(name.last())
}
