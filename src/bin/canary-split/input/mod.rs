//! What the tool reads: files, the YAML in them, the objects that they hold, and the config that is meant.

pub mod choice;
mod confidential;
pub mod locator;
pub mod manifest;
pub mod ours;
pub mod quoted;
pub mod reason;
pub mod secret;
pub mod secrets;
mod source;
pub mod sources;
pub mod stderr;
pub mod template;
pub mod time;
pub mod told;
pub mod unreadable;
pub mod weights;
pub mod yaml;
