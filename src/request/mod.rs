//! What can be asked about a request?
//!
//! The code above sees a request only through the trait [`Request`]. Answers (the query, a cookie, a claim, an address) are
//! parsed here too.

pub mod address;
pub mod authority;
pub mod claim;
pub mod cookies;
pub mod fetch;
pub mod metadata;
pub mod query;
mod request;

pub use request::Request;
