//! Functions that never run in the filter, and stand in tables or are called where it never gets to, so that no tool can see it: they are
//! known by their names. If a new compiler names them otherwise they stay, and the test of the module's size tells.

use rustc_demangle::demangle;
use std::collections::BTreeSet;
use walrus::ir::{Call, Value, Visitor, dfs_in_order};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module, ValType};

/// How a function is cut.
#[derive(Clone, Copy, PartialEq)]
pub enum Cut {
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
    pub fn all(module: &Module) -> Vec<(FunctionId, Cut)> {
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

    /// Gives a function its new body.
    pub fn apply(self, module: &mut Module, id: FunctionId) {
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
