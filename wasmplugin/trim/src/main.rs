//! `trim BEFORE AFTER`: takes out of the built module what never runs in the filter, and all code that only that reaches.
//!
//! The SDK exports every callback of the ABI, and Envoy calls each one that is exported: for every request its log and its end, for
//! every piece of a body that it would copy into the module. What stays is listed in [`KEPT`]. Other functions stand in tables, so
//! that no tool can see that nobody calls them: [`Cut`] knows them by their names. If a new compiler calls them otherwise, they
//! stay, and the test of the module's size tells.

mod reach;

use reach::{Item, Reach};
use rustc_demangle::demangle;
use std::collections::BTreeSet;
use std::process::ExitCode;
use walrus::ir::{Call, Value, Visitor, dfs_in_order};
use walrus::{ExportItem, FunctionBuilder, FunctionId, FunctionKind, Module, ValType};

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

/// How a function is cut.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    /// It does nothing. A panic is logged all the same, with its place: the SDK has a hook of its own. What is missing there is
    /// the `Debug` text of a value.
    Silent,
    /// It traps.
    Trap,
}

impl Cut {
    /// How a function of this name is cut, if it is.
    fn of(name: &str) -> Option<Cut> {
        let is_any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        // Whoever prints to the standard error, and what a panic would say of a value; nothing else here is formatted so.
        if is_any(&["std::panicking::default_hook", "std::alloc::default_alloc_error_hook", "core::fmt::Debug>::fmt"]) {
            return Some(Cut::Silent);
        }
        // Filters of TCP; and what the SDK's traits offer to a context: the filter calls the host by `hostcalls` instead.
        let offered = name.strip_prefix("proxy_wasm::traits::").and_then(|name| name.split_once("::"));
        let is_of_use = |method: &str| method == "on_vm_start";
        (is_any(&[
            "Dispatcher::create_stream_context",
            "backtrace::BacktraceLock",
            "std::io::",
            "core::fmt::builders::",
            "core::str::slice_error_fail_rt",
        ]) || offered.is_some_and(|(_, method)| !is_of_use(method)))
        .then_some(Cut::Trap)
    }

    /// The functions that never run, with how they are cut.
    fn all(module: &Module) -> Vec<(FunctionId, Cut)> {
        let cut = |id: FunctionId| Cut::of(&format!("{:#}", demangle(module.funcs.get(id).name.as_deref()?)));
        let (never, runs): (Vec<_>, Vec<_>) = module.funcs.iter_local().partition(|&(id, _)| cut(id).is_some());
        let mut called = Called::default();
        runs.iter().for_each(|(_, function)| dfs_in_order(&mut called, function, function.entry_block()));
        // The compiler keeps one of several functions that are the same, under any of their names.
        let is_another = |id: FunctionId| {
            let name = module.funcs.get(id).name.as_deref().unwrap_or_default();
            called.0.contains(&id) && demangle(name).to_string().starts_with("proxy_wasm::traits::")
        };
        never.iter().filter_map(|&(id, _)| Some((id, cut(id).filter(|_| !is_another(id))?))).collect()
    }

    fn apply(self, module: &mut Module, id: FunctionId) {
        let (parameters, results) = module.types.params_results(module.funcs.get(id).ty());
        let (parameters, results) = (parameters.to_vec(), results.to_vec());
        let mut body = FunctionBuilder::new(&mut module.types, &parameters, &results);
        match (self, results.as_slice()) {
            (Cut::Silent, []) => {}
            (Cut::Silent, [ValType::I32]) => {
                body.func_body().const_(Value::I32(0));
            }
            _ => {
                body.func_body().unreachable();
            }
        }
        let arguments = parameters.iter().map(|&kind| module.locals.add(kind)).collect();
        module.funcs.get_mut(id).kind = FunctionKind::Local(body.local_func(arguments));
    }
}

/// Who is called by name.
#[derive(Default)]
struct Called(BTreeSet<FunctionId>);

impl Visitor<'_> for Called {
    fn visit_call(&mut self, call: &Call) {
        self.0.insert(call.func);
    }
}

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
    // What only the exports reached must not count as a caller.
    let by_index: Vec<FunctionId> = module.funcs.iter().map(|function| function.id()).collect();
    let index_of = |id: FunctionId| by_index.iter().position(|&known| known == id).map(|index| index as u32);
    let cut = Cut::all(&module);
    let is_cut: BTreeSet<u32> = cut.iter().filter_map(|&(id, _)| index_of(id)).collect();
    let roots: Vec<u32> = module.exports.iter().filter_map(|export| match export.item {
        ExportItem::Function(id) => index_of(id),
        _ => None,
    }).collect();
    let reached = reach.from(&roots, |index| is_cut.contains(&index));
    cut.into_iter().for_each(|(id, cut)| cut.apply(&mut module, id));
    for (index, &id) in (0..).zip(&by_index) {
        let is_local = matches!(module.funcs.get(id).kind, FunctionKind::Local(_));
        if is_local && !reached.contains(&Item::Function(index)) {
            Cut::Trap.apply(&mut module, id);
        }
    }
    for (segment, id) in module.data.iter().map(|data| data.id()).collect::<Vec<_>>().into_iter().enumerate() {
        reach.clear(segment, &mut module.data.get_mut(id).value, &reached);
    }
    for section in ["linking", "reloc.CODE", "reloc.DATA"] {
        module.customs.remove_raw(section);
    }
    walrus::passes::gc::run(&mut module);
    std::fs::write(after, module.emit_wasm()).map_err(|error| format!("{after}: {error}"))
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
