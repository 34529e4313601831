//! The edge as plain values: each test is the host and the key service of a worker.
#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and nothing outside reads it"
)]

mod by_rule;
mod caller;
mod faults;
mod feed;
mod floods;
mod key_uses;
mod links;
mod lookups;
mod misses;
mod once;
mod rates;
mod remembered;
mod worker;
mod workers;
