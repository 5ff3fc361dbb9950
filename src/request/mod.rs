//! What can be asked about a request?
//!
//! The code above learns of a request through the trait [`Request`] alone. What an answer means (the query, a cookie, a claim, an address)
//! is read here too.

pub mod address;
pub mod authority;
pub mod claim;
pub mod cookies;
pub mod fetch;
pub mod query;
mod request;

pub use request::Request;
