//! Which draw does the visitor bring, and which cookie does he or she get?

pub mod cookie;
pub mod keep;
pub mod keys;
pub mod new_cookie;
pub mod remember;
mod sticky;

pub use sticky::Sticky;
