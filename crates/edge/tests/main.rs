//! The edge by plain values: a worker in a test's hands, and a key service in its mouth.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod faults;
mod feed;
mod floods;
mod links;
mod lookups;
mod misses;
mod once;
mod remembered;
mod told;
mod worker;
mod workers;
