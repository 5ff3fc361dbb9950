//! `trim MODULE`: takes the exports out of the built module that the filter does not need, and all code that only they reach.
//!
//! The SDK exports every callback of the ABI, and Envoy calls each one that is exported: for every request its log and its end, for
//! every piece of a body that it would copy into the module.

use std::collections::BTreeSet;
use std::process::ExitCode;

/// What Envoy needs of the filter.
const KEPT: [&str; 10] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_vm_start",
];

fn trim(path: &str) -> Result<(), String> {
    let before = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut config = walrus::ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    let mut module = config.parse(&before).map_err(|error| format!("{error:#}"))?;
    let exported: BTreeSet<&str> = module.exports.iter().map(|export| export.name.as_str()).collect();
    if let Some(missing) = KEPT.iter().find(|name| !exported.contains(*name)) {
        return Err(format!("no export {missing}; is the SDK a new one? Look at KEPT in wasmplugin/trim"));
    }
    let unneeded = module.exports.iter().filter(|export| !KEPT.contains(&export.name.as_str()));
    for id in unneeded.map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    walrus::passes::gc::run(&mut module);
    // In one step: whoever reads it meanwhile reads a whole one.
    let part = format!("{path}.part");
    std::fs::write(&part, module.emit_wasm()).and_then(|()| std::fs::rename(&part, path)).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("usage: trim MODULE");
        return ExitCode::from(2);
    };
    match trim(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trim: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
