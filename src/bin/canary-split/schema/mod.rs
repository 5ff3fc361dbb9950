//! `schema`: the JSON Schema of `pluginConfig`, for editors and for whoever checks before the tool is at hand.
//!
//! The types below say what the filter's parser takes, and nothing reads configs by them. Patterns are such as every dialect of regexes
//! has; lengths are characters, where the parser counts bytes.

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

/// Prints a schema, which is JSON in any case.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), String> {
    let schema = match options.what {
        What::Config => of::<config::PluginConfig>(),
        What::Wasmplugin => of::<wasmplugin::WasmPlugin>(),
    };
    writeln!(out, "{schema:#}").map_err(|error| error.to_string())
}

/// In the draft that the YAML plugins of all editors know.
fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}
