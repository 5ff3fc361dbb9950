//! What the tool reads: files, the YAML in them, the objects that they hold, and the config that is meant.

pub mod choice;
pub mod manifest;
pub mod sources;
pub mod yaml;
