//! The filter: a thin proxy-wasm adapter around [`keygate_core`].
//!
//! `root` lives once per worker: configuration, lookups, the change feed; `worker` is what it
//! shares with its streams. `stream` lives once per request: headers in, verdict out.
//! `waiting` is who waits, `lookups` and `uses` are the tables of what for, `claims` reads
//! what another filter has verified, `faults` how a call to the key service fails, `metrics`
//! what is counted, `warnings` what an operator must set right, and `host` has all that the
//! two say to each other: its calls and ours. What is allowed is decided in the core alone.

mod claims;
mod faults;
mod feed;
mod host;
mod lookups;
mod metrics;
mod root;
mod stream;
#[cfg(feature = "trap")]
mod trap;
mod uses;
mod waiting;
mod warnings;
mod worker;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
