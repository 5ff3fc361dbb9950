//! The live cluster: the objects of its API server, and the answers of each gateway pod.
//!
//! ```text
//! access → inventory (objects, pods, managers) → look (statistics, admin) → reading (shares) → health (findings)
//! ```

pub mod access;
pub mod admin;
pub mod expected;
pub mod health;
pub mod inventory;
mod kinds;
pub mod look;
pub mod looks;
pub mod manager;
pub mod patch;
pub mod pods;
pub mod reading;
pub mod refusal;
pub mod rollout;
pub mod routes;
pub mod statistics;
