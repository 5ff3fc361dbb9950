//! `check`: what is wrong with these manifests, before anything is applied.

mod config;

use crate::Output;
use crate::finding::{Code, Finding};
use crate::input;
use crate::manifest::Objects;
use std::io::Write;
use std::path::PathBuf;

/// Every code there is.
pub const CODES: [&[&Code]; 1] = [&config::CODES];

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Files, folders, and `-` for the standard input; all of them together are what will be applied
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Findings to leave out, by their code
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
}

/// Prints all findings; whether there is none.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<bool, String> {
    let known = || CODES.into_iter().flatten().map(|code| code.name);
    if let Some(unknown) = options.allow.iter().find(|allowed| !known().any(|name| name == *allowed)) {
        return Err(format!("--allow {unknown}: no such code; known are {}", known().collect::<Vec<_>>().join(", ")));
    }
    let units = input::read_all(&options.paths)?;
    let mut findings = Vec::new();
    let (mut objects, mut configs) = (0, 0);
    for unit in &units {
        let known = Objects::of(unit)?;
        objects += known.objects.len() + known.bare.len();
        configs += known.configs().count();
        config::check(&known, &mut findings);
    }
    if objects == 0 {
        let paths: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("{}: neither a WasmPlugin nor anything that it works with", paths.join(", ")));
    }
    findings.retain(|finding| !options.allow.iter().any(|allowed| allowed == finding.code.name));
    let done = match output {
        Output::Json => {
            let listed: Vec<_> = findings.iter().map(Finding::to_json).collect();
            writeln!(out, "{:#}", serde_json::json!({"objects": objects, "configs": configs, "findings": listed}))
        }
        Output::Text { is_colourful } => findings
            .iter()
            .try_for_each(|finding| finding.print(out, is_colourful))
            .and_then(|()| writeln!(out, "{}", summary(objects, configs, findings.len()))),
    };
    done.map_err(|error| error.to_string())?;
    Ok(findings.is_empty())
}

fn summary(objects: usize, configs: usize, findings: usize) -> String {
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {} of this filter: {}",
        number(objects, "object"),
        number(configs, "config"),
        number(findings, "finding")
    )
}
