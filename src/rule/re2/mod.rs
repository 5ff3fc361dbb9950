//! Regexes with Istio's meaning: RE2 syntax, the whole value, linear time, at RE2's price.
//!
//! A pattern is scanned once. Syntax that RE2 would read differently is refused: an error at the desk is better than a request
//! on the wrong side. The rest becomes a program of places, and requests run it by states that are sets of places, as in RE2. A
//! regex that might cost a request too much, with the worst value that a client can send, is refused too.
//!
//! Syntax: <https://github.com/google/re2/wiki/Syntax>

mod alphabet;
mod caches;
mod chars;
mod class;
mod cost;
mod dfa;
mod escape;
mod group;
mod pattern;
mod places;
mod program;
mod regex;
mod repetition;
mod scan;
mod together;

pub use cost::{Effort, MAX_COST, milliseconds};
pub use regex::Re2;
