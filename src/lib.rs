//! Sticky, exact, safe canary releases on Istio: a proxy-wasm filter for the ingress gateway.
//!
//! For each request it decides which subset of a service the request belongs to, by weight or by what sticks to the
//! visitor, and writes it into a request header; a `VirtualService` routes by that header.
//!
//! ```text
//! config → rule → draw → subset → header
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`config`] (from [`json`], with [`order`]) | what do these lines of `pluginConfig` mean, and what is wrong with them? |
//! | [`reload`] | which rules are in force after this config, given the one before? |
//! | [`hosts`], [`paths`], [`rule`] (with [`re2`], [`cookie`], [`claim`]) | which rule speaks about this request? |
//! | [`keys`], [`sticky`] (with [`keep`]) | which draw does the visitor bring, and which cookie does he or she get? |
//! | [`split`] | which subset owns this draw? |
//! | [`decide`] | all of that for one request |
//! | [`metrics`] | how is what happens called in the statistics? |
//! | [`plugins`] | does another plugin of this gateway write the same header? |
//! | `host` | the only module that talks to Envoy (wasm32 only): configs; streams; what VMs share; statistics |
//!
//! Everything but `host` is pure: no clock, no chance, no log, no globals.

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

pub mod claim;
pub mod config;
pub mod cookie;
pub mod decide;
pub mod hosts;
pub mod json;
pub mod keep;
pub mod keys;
pub mod metrics;
pub mod order;
pub mod paths;
pub mod plugins;
pub mod re2;
pub mod reload;
pub mod rule;
pub mod split;
pub mod sticky;

#[cfg(target_arch = "wasm32")]
mod host;
