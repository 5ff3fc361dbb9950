//! Patterns that several fields have in common.

/// A DNS label: what rules and subsets are named by.
pub const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
/// A token of RFC 9110: a header's or a cookie's name.
pub const TOKEN: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/// A claim as after `@request.auth.claims` of a VirtualService.
pub const CLAIM: &str = r"^([^.\[\]]+(\.[^.\[\]]+)*|(\[[^\[\]]+\])+)$";
