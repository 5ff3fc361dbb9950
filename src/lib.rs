//! Sticky, exact, safe canary releases on Istio: a proxy-wasm filter for the ingress gateway.
//!
//! For each request it decides which subset of a service the request belongs to, by weight or by the visitor's key or
//! cookie, and writes it into a request header; a `VirtualService` routes by that header.
//!
//! ```text
//! config → rule → draw → subset → header
//! ```
//!
//! The map of the code, from the bottom floor to the top one. A room uses only what is in the rooms above it in this list
//! (`tests/layers.rs` checks that), and each answers one question:
//!
//! | room | answers |
//! |---|---|
//! | [`order`] | in which order are these things? (for the indexes of rules and fields) |
//! | [`request`] | what can be asked about a request? |
//! | [`subset`] | what is one version behind a route called? |
//! | [`split`] | which subset owns this draw? |
//! | [`visitor`] | which draw does the visitor bring, and which cookie does he or she get? |
//! | [`rollout`] | which weights hold now? |
//! | [`rule`] | which rule matches this request? |
//! | [`config`] | what do these lines of `pluginConfig` mean, and which errors do they have? |
//! | [`decide`] | all of that for one request: which subset, why, and with which cookie? |
//! | [`reload`] | which rules are in force after this config, given the one before? |
//! | [`metrics`] | under which names are events counted? |
//! | `host` | what does Envoy tell us, and what do we tell it? (wasm32 only) |
//!
//! Everything except `host` is pure: no clock, no randomness, no log, no globals.

// A panic in the filter kills the VM of that worker and every request in flight there.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod config;
pub mod decide;
pub mod metrics;
pub mod order;
pub mod reload;
pub mod request;
pub mod rollout;
pub mod rule;
pub mod split;
pub mod subset;
pub mod visitor;

#[cfg(target_arch = "wasm32")]
mod host;
