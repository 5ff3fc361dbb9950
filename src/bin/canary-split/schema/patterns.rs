//! Patterns that several fields have in common.

/// A DNS label: the name of a rule or subset.
pub const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
/// A token of RFC 9110: a header's or a cookie's name.
pub const TOKEN: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/// A claim as after `@request.auth.claims` of a VirtualService.
pub const CLAIM: &str = r"^([^.\[\]]+(\.[^.\[\]]+)*|(\[[^\[\]]+\])+)$";
/// An IP address or a block of them; approximate for IPv6.
pub const BLOCK: &str = concat!(
    r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}(/(3[0-2]|[12]?[0-9]))?",
    r"|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$",
);
/// A duration as Go writes it.
pub const DURATION: &str = r"^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|m|s|ms|us|µs|ns))+)$";
/// A duration of nothing.
pub const NO_TIME: &str = r"^(0|((0+(\.0*)?|\.0+)(h|m|s|ms|us|µs|ns))+)$";
/// An RFC 3339 time, with any character between day and hour; the day need not exist.
pub const TIME: &str = concat!(
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]).([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?",
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
);
/// 0 % to 100 %, with at most two decimals.
pub const PERCENT: &str = r"^0*(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$";
