//! What is known about the codes: `--list` and `--explain`.

use crate::report::finding::Code;
use crate::report::output::Output;
use crate::report::wrap::wrapped;
use std::io::Write;

/// A section per code.
const DOCUMENT: &str = include_str!("../../../../docs/checks.md");

/// Prints a line per code, or all of one.
pub fn print<'c>(
    mut codes: impl Iterator<Item = &'c Code>,
    name: Option<&str>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), String> {
    let listed = |code: &Code| serde_json::json!({"code": code.name, "severity": code.severity, "why": code.why, "fix": code.fix});
    let said = match (name, output) {
        (None, Output::Json) => format!("{:#}\n", serde_json::json!({"codes": codes.map(listed).collect::<Vec<_>>()})),
        (None, Output::Text { .. }) => {
            let line = |code: &Code| wrapped(&format!("{:7}  {:24}  ", code.severity, code.name), code.why) + "\n";
            codes.map(line).collect()
        }
        (Some(name), _) => {
            let code = codes.find(|code| code.name == name).ok_or_else(|| unknown("--explain", name))?;
            let text = section(name);
            match output {
                Output::Json => {
                    let Code { name, severity, why, fix } = code;
                    let json =
                        serde_json::json!({"code": name, "severity": severity, "why": why, "fix": fix, "text": text});
                    format!("{json:#}\n")
                }
                Output::Text { .. } => format!("{}[{name}]\n\n{text}\n", code.severity),
            }
        }
    };
    out.write_all(said.as_bytes()).map_err(|error| error.to_string())
}

/// The error for a name that no code has.
pub fn unknown(option: &str, name: &str) -> String {
    format!("{option} {name}: no such code; canary-split check --list has them all")
}

/// What the document says of a code.
fn section(name: &str) -> &'static str {
    let sections = DOCUMENT.split("\n## ").skip(1);
    let rest = sections.filter_map(|section| section.split_once('\n')).find(|(title, _)| *title == name);
    rest.map_or("", |(_, text)| text.trim())
}
