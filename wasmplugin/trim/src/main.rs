//! `trim BEFORE AFTER`: removes from the built module what never runs in the filter, and everything that only this code reaches.
//!
//! The SDK exports every callback of the ABI, and Envoy calls each one that is exported: for every request its log and its end, for
//! every piece of a body that it would copy into the module. What stays is listed in [`KEPT`].

mod cut;
mod reach;

use cut::Cut;
use reach::{Item, Reach};
use std::collections::BTreeSet;
use std::process::ExitCode;
use walrus::{ExportItem, FunctionId, FunctionKind, Module};

/// What Envoy needs of the filter.
const KEPT: [&str; 12] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

fn trim(before: &str, after: &str) -> Result<(), String> {
    let built = std::fs::read(before).map_err(|error| format!("{before}: {error}"))?;
    let reach = Reach::read(&built).map_err(|error| format!("{before}: {error}"))?;
    let mut config = walrus::ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    let mut module = config.parse(&built).map_err(|error| format!("{before}: {error:#}"))?;
    let exported: BTreeSet<&str> = module.exports.iter().map(|export| export.name.as_str()).collect();
    if let Some(missing) = KEPT.iter().find(|name| !exported.contains(*name)) {
        return Err(format!("{before} has no export {missing}; is the SDK a new one? Look at KEPT in wasmplugin/trim"));
    }
    let unneeded = module.exports.iter().filter(|export| !KEPT.contains(&export.name.as_str()));
    for id in unneeded.map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    collect(&mut module, &reach);
    for section in ["linking", "reloc.CODE", "reloc.DATA"] {
        module.customs.remove_raw(section);
    }
    walrus::passes::gc::run(&mut module);
    std::fs::write(after, module.emit_wasm()).map_err(|error| format!("{after}: {error}"))
}

/// Cuts what never runs; what the exports do not reach then becomes a trap, if it is code (its place in a table stays), or zeros, which
/// wasm-opt leaves out.
fn collect(module: &mut Module, reach: &Reach) {
    // As they are in the file: nothing has been removed yet.
    let functions: Vec<FunctionId> = module.funcs.iter().map(|function| function.id()).collect();
    let index = |id: FunctionId| functions.iter().position(|&known| known == id).map(|index| index as u32);
    let cuts = Cut::all(module);
    let is_cut: BTreeSet<u32> = cuts.iter().filter_map(|&(id, _)| index(id)).collect();
    let mut roots = Vec::new();
    for export in module.exports.iter() {
        if let ExportItem::Function(id) = export.item {
            roots.extend(index(id));
        }
    }
    let reached = reach.from(&roots, |index| is_cut.contains(&index));
    for (id, cut) in cuts {
        cut.apply(module, id);
    }
    for (index, id) in (0..).zip(functions) {
        let is_local = matches!(module.funcs.get(id).kind, FunctionKind::Local(_));
        if is_local && !reached.contains(&Item::Function(index)) {
            Cut::Trap.apply(module, id);
        }
    }
    let segments: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    for (segment, id) in segments.into_iter().enumerate() {
        reach.clear(segment, &mut module.data.get_mut(id).value, &reached);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [before, after] = arguments.as_slice() else {
        eprintln!("usage: trim BEFORE AFTER");
        return ExitCode::from(2);
    };
    match trim(before, after) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trim: {error}");
            ExitCode::FAILURE
        }
    }
}
