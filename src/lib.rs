//! The filter: a thin proxy-wasm adapter around [`keygate_core`].
//!
//! `root` lives once per worker: configuration, lookups, the change feed.
//! `stream` lives once per request: headers in, verdict out. `lookups` is the
//! table of those who wait, `claims` reads what another filter has verified, `metrics`
//! what is counted, and `host` is the only file that names a host call. What is allowed
//! is decided in the core alone.

mod claims;
mod feed;
mod host;
mod lookups;
mod metrics;
mod root;
mod stream;
mod uses;

use proxy_wasm::types::LogLevel;

#[allow(
    unsafe_code,
    missing_docs,
    reason = "the macro exports `_initialize` unmangled"
)]
mod entry {
    proxy_wasm::main! {{ super::start(); }}
}

fn start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    // The SDK's hook prints the payload, which may hold bytes of a request.
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(at) => log::error!("keygate: internal error at {at}"),
        None => log::error!("keygate: internal error"),
    }));
    proxy_wasm::set_root_context(|context| Box::new(root::Root::new(context)));
}
