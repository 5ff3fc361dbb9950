//! What do these lines of `pluginConfig` mean, and which errors do they have?
//!
//! Each rule is judged on its own: the errors of one do not affect the others. [`crate::reload`] decides what happens to
//! a bad rule.
//!
//! JSON text becomes a tree ([`json`]), whose parts are read and all errors collected: the config as a whole by
//! [`General`], each of its rules by `rule` and, below that, by `matches`, `split`, `adopt`, `sticky`, `ramp`, `guard` and
//! `remember`.

mod adopt;
mod blocks;
mod config;
mod context;
mod cookie;
mod duration;
mod fields;
pub mod fingerprint;
mod general;
mod guard;
mod headers;
pub mod json;
mod matches;
mod names;
mod ramp;
mod regex_costs;
mod remember;
mod rule;
mod shared_cookies;
mod split;
mod sticky;
mod time;

pub use adopt::{DEFAULT_POSITION_HEADER, position_header};
pub use config::Config;
pub use duration::seconds;
pub use fields::ConfigError;
pub use general::{General, Refused, RuleEntry, rule_name};
pub use headers::{DEFAULT_HEADER, Headers, USED_HEADERS};
