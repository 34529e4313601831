//! The filter: a thin proxy-wasm adapter around [`keygate_core`].
//!
//! What a worker does between the two is in [`keygate_edge`]; here are the callbacks of the
//! host and the calls to it. `root` lives once per worker: configuration, calls to the key
//! service; `stream` once per request: headers in, verdict carried out; `worker` is what they
//! share. `enforce` carries out a verdict, `claims` reads what another filter has verified,
//! `metrics` counts, and `host` has all that the two say to each other.

mod claims;
mod enforce;
mod host;
mod metrics;
mod root;
mod stream;
#[cfg(feature = "trap")]
mod trap;
mod worker;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
