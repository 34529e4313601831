//! Key services that share a PostgreSQL: what a client and an edge see of two of them while one is
//! killed, and while the database crashes, moves, or is restored.
//!
//! Short forms, of at most 20 s each. `make stress` runs them with `KEYGATE_REPLICAS=long`.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod edge;
mod faults;
mod fleet;
mod history;
mod ledger;
mod polls;
mod proxy;

/// Seconds in the short form, or in the long one.
fn seconds(short: u64, long: u64) -> std::time::Duration {
    std::time::Duration::from_secs(if is_long() { long } else { short })
}

/// Whether the long forms are asked for.
fn is_long() -> bool {
    std::env::var_os("KEYGATE_REPLICAS").is_some_and(|it| it == "long")
}
