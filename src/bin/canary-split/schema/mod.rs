//! `schema`: the JSON Schema of `pluginConfig`, for editors and for checks without the tool.
//!
//! The types below describe what the filter's parser accepts; no config is read with them. Patterns use the common subset of
//! regex dialects; lengths are in characters, while the parser counts bytes.

mod config;
mod matches;
mod patterns;
mod remember;
mod rollout;
mod sticky;
mod subschemas;
mod wasmplugin;

use clap::ValueEnum;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::io::Write;

/// Which schema.
#[derive(clap::Args)]
pub struct Options {
    /// Choose what it describes
    #[arg(long = "for", value_name = "WHAT", value_enum, default_value_t = What::Config)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// A pluginConfig by itself
    Config,
    /// A WasmPlugin with its pluginConfig
    Wasmplugin,
}

/// Prints a schema, which is always JSON.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), String> {
    let schema = match options.what {
        What::Config => of::<config::PluginConfig>(),
        What::Wasmplugin => of::<wasmplugin::WasmPlugin>(),
    };
    writeln!(out, "{schema:#}").map_err(|error| error.to_string())
}

/// In the draft that the YAML plugins of all editors support.
fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}
