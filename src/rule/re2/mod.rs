//! Regexes with Istio's meaning: RE2 syntax, the whole value, linear time.
//!
//! Envoy matches with RE2, we with regex-lite; both are automata of the same family. What the two would read differently
//! is refused here, before regex-lite sees it: better an error at the desk than a request on the wrong side. Only what
//! both read alike gets through; what differs and can be spelled out is: `\s` (RE2's has no vertical tab), and k and s under
//! `(?i)` (RE2 folds them beyond ASCII).
//!
//! Syntax: <https://github.com/google/re2/wiki/Syntax>

mod class;
mod escape;
mod group;
mod pattern;
mod regex;
mod repetition;
mod scan;

pub use regex::Re2;
