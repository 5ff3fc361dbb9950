//! What does Envoy tell us, and what do we tell it?
//!
//! Rules of this folder: nothing may panic (a trap kills the VM of this worker and every request in flight there); values are
//! read as bytes; request headers are touched in the request phase only, response headers in the response phase only (the SDK
//! panics on the host's refusal); `on_configure` is always true, or Envoy would answer 500 to everything.

mod active;
mod envoy;
mod failures;
mod plugin;
mod response;
mod rollouts;
mod shared;
mod stats;
mod stream;
mod vm;

use plugin::Plugin;
use proxy_wasm::types::LogLevel;

/// A request makes three allocations.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(Plugin::new(id)));
}}
