//! What the tests, the fuzz targets and the benches of Keygate share. It is never shipped.
//!
//! [`vectors`] tries the known answers of signed URLs, [`links`] puts arbitrary requests to
//! the policy of each, [`parsers`] compares every other parser with a reference model,
//! [`targets`] names both for the fuzzer, [`judge`] makes policies, requests and orders for
//! tests, [`layers`] says which file of a crate imports which, and [`postgres`] starts a
//! PostgreSQL.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

pub mod judge;
pub mod layers;
pub mod links;
pub mod parsers;
pub mod postgres;
pub mod targets;
pub mod vectors;
